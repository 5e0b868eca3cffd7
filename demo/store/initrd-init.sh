#!/bin/busybox sh
# Stage 1: loads the modules, mounts the root file system, and goes there. Without arguments of the kernel it is the one
# that nixpkgs' SD-card images have.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2> /dev/null; done

root=LABEL=NIXOS_SD type=ext4 mode=rw init=/init
for argument in $(cat /proc/cmdline); do
  case $argument in
    root=*) root=${argument#*=} ;;
    rootfstype=*) type=${argument#*=} ;;
    init=*) init=${argument#*=} ;;
    ro | rw) mode=$argument ;;
  esac
done

tries=0
while
  case $root in
    *=*) device=$(findfs "$root" 2> /dev/null) ;;
    *) device=$root ;;
  esac
  [ ! -b "$device" ] && [ $tries -lt 100 ]
do sleep 0.1; tries=$((tries + 1)); done
echo "STAGE1 root=$root device=$device type=$type init=$init"
if ! mount -t "$type" -o "$mode" "$device" /mnt; then
  echo "CHECK FAIL stage1: cannot mount $root"
  cat /proc/partitions
  poweroff -f
fi
umount /dev /sys /proc
exec switch_root /mnt "$init"
