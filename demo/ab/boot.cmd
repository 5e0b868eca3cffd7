# U-Boot script of a slot, for QEMU's arm64 machine. The firmware has chosen the slot and set ${devtype}, ${devnum},
# ${distro_bootpart}, ${distro_rootpart} and ${raucargs}. The device tree is the one that QEMU made. The kernel does not test
# its ciphers first, which takes an emulated processor a second.

setenv bootargs "console=ttyAMA0 loglevel=4 panic=-1 cryptomgr.notests root=/dev/vda${distro_rootpart} rootfstype=squashfs ro"
setenv bootargs "${bootargs} init=@systemClosure@/init ${raucargs}"
load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /Image
load ${devtype} ${devnum}:${distro_bootpart} ${ramdisk_addr_r} /initrd
booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
