# An SD card for Raspberry Pis, as a NixOS module. A Pi 4 starts U-Boot, which shows the menu of the root. A Pi 5 starts the
# kernel itself: its EEPROM reads config.txt, a device tree of bcm2712 and the kernel from the FAT, which is large enough
# for some generations. nixos-rebuild writes no kernels there by itself: that takes a module for Raspberry Pis.
{ pkgs, ... }:
let
  firmware = "${pkgs.raspberrypifw}/share/raspberrypi/boot";
in
{
  imports = [ ../modules/sd-image.nix ];

  boot.loader.grub.enable = false;
  boot.loader.generic-extlinux-compatible.enable = true;

  sdImage.firmwareSize = 512;
  kiln.specification.disk.board = "raspberrypi";

  # A folder, without what patterns name: other kernels, and device trees of boards that are not meant.
  kiln.firmware = {
    "/" = [ firmware ];
    "/u-boot-rpi4.bin" = "${pkgs.ubootRaspberryPi4_64bit}/u-boot.bin";
    "/armstub8-gic.bin" = "${pkgs.raspberrypi-armstubs}/armstub8-gic.bin";
    "/kernel.img" = "{kernel}";
    "/initrd" = "{initrd}";
  };
  kiln.specification.fs.firmware = {
    exclude = [
      "/kernel*.img"
      "/bcm270*.dtb"
      "/bcm2710*.dtb"
    ];
    # Room for two more kernels with their initial file systems, a promise.
    free = "128MiB";
    text."/cmdline.txt" = "init={toplevel}/init {kernel-params}";
    text."/config.txt" = ''
      [pi4]
      kernel=u-boot-rpi4.bin
      enable_gic=1
      armstub=armstub8-gic.bin
      disable_overscan=1
      arm_boost=1

      [cm4]
      otg_mode=1

      [pi5]
      kernel=kernel.img
      initramfs initrd followkernel
      # There is no Raspberry Pi OS, which the EEPROM looks for.
      os_check=0

      [all]
      arm_64bit=1
      enable_uart=1
      avoid_warnings=1
    '';
  };
}
