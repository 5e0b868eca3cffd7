# Which package set a configuration has, and the two machines: the one it runs on, and the one that builds it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.nixpkgs;
  platform = types.either types.str types.attrs;
in
{
  options.nixpkgs = {
    system = mkOption {
      type = types.str;
      default = builtins.currentSystem;
    };
    hostPlatform = mkOption {
      type = platform;
      default = cfg.system;
      apply = lib.systems.elaborate;
    };
    buildPlatform = mkOption {
      type = platform;
      default = cfg.hostPlatform;
      apply = lib.systems.elaborate;
    };
    overlays = mkOption {
      type = types.listOf (types.functionTo (types.functionTo types.raw));
      default = [ ];
    };
    config = mkOption {
      type = types.attrs;
      default = { };
    };
    pkgs = mkOption {
      type = types.pkgs;
      default = import ../../.. {
        inherit (cfg) overlays;
        system = cfg.buildPlatform.system;
        crossSystem = cfg.hostPlatform.system;
      };
    };
  };

  config._module.args.pkgs = cfg.pkgs;
}
