# VirtualBox.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config.system.nixos) distroName label;
  inherit (pkgs.stdenv.hostPlatform) system;
in
{
  imports = [
    (import ./guest.nix {
      build = "virtualBoxOVA";
      tag = "virtualbox";
      extension = "ova";
      device = "/dev/sda";
    })
  ];
  options.virtualbox = {
    baseImageFreeSpace = mkOption {
      type = types.int;
      default = 30 * 1024;
    };
    memorySize = mkOption {
      type = types.int;
      default = 1536;
    };
    vmDerivationName = mkOption {
      type = types.str;
      default = "nixos-ova-${label}-${system}";
    };
    vmName = mkOption {
      type = types.str;
      default = "${distroName} ${label} (${system})";
    };
    exportParams = mkOption {
      type = types.listOf types.str;
      default = [ ];
    };
    postExportCommands = mkOption {
      type = types.lines;
      default = "";
    };
    extraDisk = mkOption {
      type = types.nullOr types.attrs;
      default = null;
    };
  };
}
