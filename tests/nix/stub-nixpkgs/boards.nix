# Kernels, firmware and boot loaders, as small as they can be: each file says what it stands for.
{ lib, self }:
let
  # A package with these files.
  files =
    name: paths:
    self.runCommand name { } ''
      ${lib.concatMapStrings (path: ''
        mkdir -p "$out/$(dirname ${lib.escapeShellArg path})"
        printf '%s of %s\n' ${lib.escapeShellArg path} '${name}' > "$out/"${lib.escapeShellArg path}
      '') paths}
    '';
  inherit (self.stdenv.hostPlatform) efiArch linux-kernel;
  kernel =
    files "linux-6.12" [
      linux-kernel.target
      "dtbs/broadcom/bcm2711-rpi-4-b.dtb"
      "dtbs/broadcom/bcm2712-rpi-5-b.dtb"
      "dtbs/rockchip/rk3328-rock64.dtb"
      "lib/modules/6.12/modules.dep"
    ]
    // {
      version = "6.12";
      modDirVersion = "6.12";
    };
in
{
  # GRUB's own files, as this machine has them.
  grub2 = self.runCommand "grub-2" { } ''
    mkdir -p "$out/lib/grub"
    cp -r ${
      builtins.path {
        name = "i386-pc";
        path = /usr/lib/grub/i386-pc;
      }
    } "$out/lib/grub/i386-pc"
  '';
  OVMF.fd = {
    variables = "${files "OVMF" [ "FV/OVMF_VARS.fd" ]}/FV/OVMF_VARS.fd";
    firmware = throw "OVMF's firmware is not needed";
  };
  linux = kernel;
  linuxPackages = { inherit kernel; };
  linuxPackages_latest = { inherit kernel; };
  linuxPackages_rpi4 = { inherit kernel; };
  hello = files "hello-2.12" [ "bin/hello" ];
  nix = files "nix-2.31" [
    "bin/nix-env"
    "bin/nix-store"
  ];
  systemd = files "systemd-258" [
    "lib/systemd/boot/efi/linux${efiArch}.efi.stub"
    "lib/systemd/boot/efi/systemd-boot${efiArch}.efi"
  ];
  raspberrypifw = files "raspberrypi-firmware" (
    map (name: "share/raspberrypi/boot/${name}") [
      "bootcode.bin"
      "fixup.dat"
      "fixup4.dat"
      "fixup4cd.dat"
      "fixup_cd.dat"
      "start.elf"
      "start4.elf"
      "start4cd.elf"
      "start_cd.elf"
      "kernel8.img"
      "bcm2708-rpi-b.dtb"
      "bcm2710-rpi-3-b.dtb"
      "bcm2711-rpi-4-b.dtb"
      "bcm2711-rpi-400.dtb"
      "bcm2712-rpi-5-b.dtb"
      "bcm2712d0-rpi-5-b.dtb"
      "overlays/disable-bt.dtbo"
    ]
  );
  raspberrypi-armstubs = files "raspberrypi-armstubs" [ "armstub8-gic.bin" ];
  ubootPinephone = files "u-boot-pinephone" [ "u-boot-sunxi-with-spl.bin" ];
  ubootRaspberryPi3_64bit = files "u-boot-rpi3" [ "u-boot.bin" ];
  ubootRaspberryPi4_64bit = files "u-boot-rpi4" [ "u-boot.bin" ];
  ubootRock64 = files "u-boot-rock64" [
    "idbloader.img"
    "u-boot.itb"
  ];
}
