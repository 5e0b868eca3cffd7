# Disks for QEMU.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.image;
in
{
  imports = [
    ./disk-size-option.nix
    ../image/file-options.nix
  ];
  options.image = {
    format = mkOption {
      type = types.enum [
        "raw"
        "qcow2"
      ];
      default = "qcow2";
    };
    efiSupport = mkOption {
      type = types.bool;
      default = true;
    };
  };
  config = {
    boot.loader.grub = lib.mkIf (!cfg.efiSupport) {
      enable = lib.mkOptionDefault true;
      devices = lib.mkDefault [ "/dev/vda" ];
    };
    boot.loader.systemd-boot.enable = lib.mkDefault cfg.efiSupport;
    boot.growPartition = lib.mkDefault true;
    fileSystems = lib.mkImageMediaOverride {
      "/" = {
        device = "/dev/disk/by-label/nixos";
        autoResize = true;
        fsType = "ext4";
      };
      "/boot" = lib.mkIf cfg.efiSupport {
        device = "/dev/disk/by-label/ESP";
        fsType = "vfat";
      };
    };
    system.nixos.tags = [ cfg.format ] ++ lib.optionals cfg.efiSupport [ "efi" ];
    image.extension = cfg.format;
    system.build.image.outPath = throw "disk-image.nix: no virtual machine runs here";
  };
}
