# disko: devices as disko's examples have them, what Kiln makes of them, and what is refused.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  inherit (pkgs) lib;
  images = import ../../nix/lib { inherit pkgs; };
  # Those of disko itself are without names of a system.
  lowered =
    devices: arguments:
    images.fromDisko (
      {
        name = "machine";
        inherit devices;
      }
      // arguments
    );

  inherit (import ./disko/devices.nix)
    devices
    fileSystem
    gpt
    whole
    ;

  small = [ pkgs.demo.coreutils ];
  build =
    name: arguments:
    images.mkDiskImage (
      lowered devices.${name} (
        {
          closure = small;
          toplevel = pkgs.demo.coreutils;
          imageSize = "512M";
        }
        // arguments
      )
    );

  # What disko's own module is to Kiln's: devices, and file systems that it concludes from them.
  disko =
    { config, lib, ... }:
    {
      options.disko.devices = lib.mkOption { type = lib.types.raw; };
      config = {
        fileSystems = lib.mapAttrs (_: lib.mkDefault) {
          "/" = {
            device = "/dev/disk/by-partlabel/disk-main-root";
            fsType = "ext4";
            options = [ "defaults" ];
          };
          "/boot" = {
            device = "/dev/disk/by-partlabel/disk-main-ESP";
            fsType = "vfat";
            options = [ "umask=0077" ];
          };
        };
      };
    };
  evaluate =
    modules:
    (import ./stub-nixpkgs/nixos/lib/eval-config.nix {
      inherit pkgs modules;
    }).config;
  machine =
    settings:
    evaluate [
      ../../nix/modules/disko.nix
      disko
      {
        disko.devices = devices.simple-efi;
        boot.loader.systemd-boot.enable = true;
        image.baseName = "machine";
        kiln.disko.imageSize = "auto";
        kiln.disko.keys.root.free = "32MiB";
      }
      settings
    ];
  module = machine { };
  bios = {
    boot.loader.systemd-boot.enable = lib.mkForce false;
    boot.loader.grub.enable = true;
    boot.loader.grub.device = "/dev/vda";
    disko.devices = lib.mkForce devices.hybrid;
  };
in
{
  lowered = lib.mapAttrs (
    _: devices:
    let
      made = lowered devices { };
    in
    {
      inherit (made) disk fs;
      inherit (made.passthru) fileSystems resumeDevice swapDevices;
    }
  ) devices;

  # Files of a system, where it will find them.
  placed = lib.mapAttrs (
    _: devices:
    (lowered devices {
      closure = small;
      toplevel = pkgs.demo.coreutils;
      imageSize = "auto";
      text."/boot/loader/loader.conf" = "timeout 3\n";
      directories = [ "/home/user/data" ];
      keys.root.free = "1GiB";
    }).fs
  ) { inherit (devices) btrfs-subvolumes hybrid; };
  memory =
    (lowered devices.tmpfs-on-root {
      closure = small;
      toplevel = pkgs.demo.coreutils;
    }).fs;

  # For a table that is compared with sgdisk's: what disko is told, and what Kiln is.
  tables = lib.mapAttrs (
    _: devices:
    let
      made = lowered devices { };
    in
    {
      inherit (devices.disk.main.content) partitions;
      inherit (made.disk) size;
      specification = {
        schema = 1;
        name = "machine";
        inherit (made) disk fs;
      };
    }
  ) devices;

  small = "${pkgs.demo.coreutils}";
  images = {
    btrfs = build "btrfs-subvolumes" {
      text."/boot/loader/loader.conf" = "timeout 3\n";
      text."/etc/hostname" = "machine\n";
      directories = [ "/home/user/data" ];
    };
    memory = build "tmpfs-on-root" { imageSize = "auto"; };
    module = module.system.build.image;
  };

  # The module beside disko's own.
  bios = (machine bios).system.build.image.specification;
  told = {
    inherit (module) fileSystems image;
    inherit (module.system.build.image.specification) disk fs;
  };

  refused = import ./disko/refused.nix {
    inherit
      bios
      evaluate
      lib
      lowered
      machine
      small
      ;
  };
}
