# Device trees.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.hardware.deviceTree;
  maybe =
    type:
    mkOption {
      type = types.nullOr type;
      default = null;
    };
in
{
  options.hardware.deviceTree = {
    enable = mkOption {
      type = types.bool;
      default = pkgs.stdenv.hostPlatform.linux-kernel.DTB or false;
    };
    kernelPackage = mkOption {
      type = types.path;
      default = config.boot.kernelPackages.kernel;
    };
    name = maybe types.str;
    filter = maybe types.str;
    overlays = mkOption {
      type = types.listOf (types.either types.path types.attrs);
      default = [ ];
    };
    package = maybe types.path;
  };

  config = lib.mkIf cfg.enable {
    hardware.deviceTree.package =
      if cfg.filter == null && cfg.overlays == [ ] then
        "${cfg.kernelPackage}/dtbs"
      else
        pkgs.runCommand "device-trees" { } ''cp -r ${cfg.kernelPackage}/dtbs "$out"'';
  };
}
