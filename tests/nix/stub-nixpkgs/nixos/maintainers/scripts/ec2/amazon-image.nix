# Amazon's EC2, with what nixos/modules/virtualisation/amazon-image.nix says of the guest.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.amazonImage;
in
{
  imports = [
    (import ../../../modules/virtualisation/guest.nix {
      build = "amazonImage";
      tag = "amazon";
      extension = config: if config.amazonImage.format == "vpc" then "vhd" else config.amazonImage.format;
      diskSize = 4 * 1024;
      efi = config: config.ec2.efi;
      device = "/dev/xvda";
    })
  ];
  options.ec2.efi = mkOption {
    type = types.bool;
    default = pkgs.stdenv.hostPlatform.isAarch64;
  };
  options.ec2.zfs.enable = mkOption {
    type = types.bool;
    default = false;
  };
  options.amazonImage = {
    contents = mkOption { default = [ ]; };
    format = mkOption {
      type = types.enum [
        "raw"
        "qcow2"
        "vpc"
      ];
      default = "vpc";
    };
    registerImage = {
      Architecture = mkOption {
        type = types.str;
        default = if pkgs.stdenv.hostPlatform.isAarch64 then "arm64" else "x86_64";
      };
      BootMode = mkOption {
        type = types.str;
        default = if config.ec2.efi then "uefi" else "legacy-bios";
      };
      RootDeviceName = mkOption {
        type = types.str;
        default = "/dev/xvda";
      };
    };
  };
  config.boot.kernelParams = [
    "console=ttyS0"
    "nvme_core.io_timeout=4294967295"
  ];
}
