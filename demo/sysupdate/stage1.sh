#!/bin/busybox sh
# shellcheck shell=dash
# Loads the modules of the initrd, and becomes systemd, which does the rest. It would load them itself if there were indexes.
busybox() { /bin/busybox "$@"; }
busybox mount -t proc proc /proc
/usr/lib/kiln/modules
busybox umount /proc
exec /usr/lib/systemd/systemd
