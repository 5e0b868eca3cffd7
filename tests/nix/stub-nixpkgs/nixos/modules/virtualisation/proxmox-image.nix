# Proxmox.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.proxmox;
  text =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
in
{
  imports = [
    (import ./guest.nix {
      build = "VMA";
      tag = "proxmox";
      extension = "vma.zst";
      efi = config: builtins.elem config.proxmox.partitionTableType [ "efi" "hybrid" ];
    })
  ];
  options.proxmox = {
    qemuConf = {
      bios = mkOption {
        type = types.enum [
          "seabios"
          "ovmf"
        ];
        default = "seabios";
      };
      name = text "nixos-${config.system.nixos.label}";
      additionalSpace = text "512M";
      bootSize = text "256M";
    };
    partitionTableType = mkOption {
      type = types.enum [
        "efi"
        "hybrid"
        "legacy"
        "legacy+gpt"
      ];
      default = if cfg.qemuConf.bios == "seabios" then "legacy" else "efi";
    };
    filenameSuffix = text cfg.qemuConf.name;
  };
  config = {
    boot.kernelParams = [ "console=ttyS0" ];
    boot.loader.timeout = 0;
    # A disk that both start has a device that GRUB is installed to.
    boot.loader.grub.device = lib.mkIf (cfg.partitionTableType == "hybrid") (lib.mkForce "/dev/vda");
    image.baseName = lib.mkDefault "vzdump-qemu-${cfg.filenameSuffix}";
  };
}
