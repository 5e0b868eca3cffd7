#!/bin/busybox sh
# shellcheck shell=dash
# Loads an initrd's modules in the order of their names, without indexes that somebody would have to make. The command line says
# whether dm-verity asks for signatures.
busybox() { /bin/busybox "$@"; }
signed=$(busybox tr ' ' '\n' < /proc/cmdline | busybox sed -n 's/^dm_verity\.require_signatures=//p')
for module in /modules/*; do
  case $module in
    *-dm-verity.ko) busybox insmod "$module" "require_signatures=${signed:-0}" ;;
    *) busybox insmod "$module" ;;
  esac
done
