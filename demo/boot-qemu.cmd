echo "Kiln demo build: @buildId@"
# U-Boot script for QEMU's arm64 machine. The firmware found this script on the FAT partition
# ${devtype} ${devnum}:${distro_bootpart}; the kernel and its RAM disk lie there too.
# The device tree is the one that QEMU made.

setenv arguments "console=ttyAMA0 loglevel=4 panic=-1 root=/dev/vda2 rootfstype=squashfs ro"

# A second disk holds files to list.
if virtio dev 1; then
  setenv arguments "${arguments} kiln.checks=zoo:squashfs"
fi

setenv bootargs "${arguments} init=@systemClosure@/init"
load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /Image
load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} /initrd
setenv initrd_size ${filesize}
if test -n "${fdt_addr}"; then
  setenv tree ${fdt_addr}
else
  setenv tree ${fdtcontroladdr}
fi
booti ${kernel_addr_r} ${ramdisk_addr_r}:${initrd_size} ${tree}
