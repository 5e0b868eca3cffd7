# An SD card for a Rock64, as a NixOS module: its boot loaders are regions of the disk, and what the boot ROM and U-Boot
# want of the table is checked.
{ pkgs, ... }:
{
  imports = [ ../modules/sd-image.nix ];

  boot.loader.grub.enable = false;
  boot.loader.generic-extlinux-compatible.enable = true;
  # Of all device trees of the kernel, the menu names this one.
  hardware.deviceTree.name = "rockchip/rk3328-rock64.dtb";

  # A Rockchip's loaders end at 16 MiB; the firmware's FAT, which this board does not read, can be small.
  sdImage.firmwarePartitionOffset = 16;
  sdImage.firmwareSize = 8;
  kiln.specification.disk.board = "rockchip";
  kiln.loaders = [
    {
      name = "idbloader";
      raw = "${pkgs.ubootRock64}/idbloader.img";
    }
    {
      name = "u-boot";
      raw = "${pkgs.ubootRock64}/u-boot.itb";
    }
  ];
}
