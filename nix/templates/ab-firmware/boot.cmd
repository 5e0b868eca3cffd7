echo "starting @systemClosure@"
# U-Boot script for the Rock64, one on each boot partition of an A/B pair. The boot loader has set ${devnum} and
# ${distro_bootpart} when it chose this slot; what it left open gets the values of a fresh device, in memory only.
#
#   slot A: boot partition 1, root partition 2      slot B: boot partition 3, root partition 4

test -n "${BOOT_ORDER}" || setenv BOOT_ORDER "A B"
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3
test -n "${devnum}" || setenv devnum 0
test -n "${distro_bootpart}" || setenv distro_bootpart 1

if test "${distro_bootpart}" = 3; then
  setenv rauc_slot boot.1
  test -n "${distro_rootpart}" || setenv distro_rootpart 4
else
  setenv rauc_slot boot.0
  test -n "${distro_rootpart}" || setenv distro_rootpart 2
fi

# U-Boot calls the eMMC 0 and the SD card 1; Linux calls them mmcblk1 and mmcblk0.
if test "${devnum}" = 1; then
  setenv root_disk /dev/mmcblk0
else
  setenv root_disk /dev/mmcblk1
fi

# The default address of the RAM disk is too close behind a large kernel.
setenv ramdisk_addr_r 0x08000000
fatload mmc ${devnum}:${distro_bootpart} ${kernel_addr_r} Image
fatload mmc ${devnum}:${distro_bootpart} ${fdt_addr_r} dtbs/rockchip/rk3328-rock64.dtb
fatload mmc ${devnum}:${distro_bootpart} ${ramdisk_addr_r} initrd
setenv initrd_size ${filesize}

setenv bootargs "console=ttyS2,1500000 earlycon=uart8250,mmio32,0xff130000 loglevel=7 rootwait"
setenv bootargs "${bootargs} root=${root_disk}p${distro_rootpart} rootfstype=squashfs ro"
setenv bootargs "${bootargs} init=@systemClosure@/init rauc.slot=${rauc_slot}"
booti ${kernel_addr_r} ${ramdisk_addr_r}:${initrd_size} ${fdt_addr_r}
