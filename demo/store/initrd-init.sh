#!/bin/busybox sh
# Stage 1: loads the modules, mounts the root file system that the kernel's arguments name, and goes there.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2> /dev/null; done

root=/dev/vda type=auto mode=ro init=/init
for argument in $(cat /proc/cmdline); do
  case $argument in
    root=*) root=${argument#*=} ;;
    rootfstype=*) type=${argument#*=} ;;
    init=*) init=${argument#*=} ;;
    ro | rw) mode=$argument ;;
  esac
done

tries=0
until [ -b "$root" ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
echo "STAGE1 root=$root type=$type init=$init"
if ! mount -t "$type" -o "$mode" "$root" /mnt; then
  echo "CHECK FAIL stage1: cannot mount $root"
  cat /proc/partitions
  poweroff -f
fi
umount /dev /sys /proc
exec switch_root /mnt "$init"
