# What configurations say besides, and no image depends on.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  free = mkOption {
    type = types.attrsOf types.anything;
    default = { };
  };
in
{
  options = {
    environment = {
      etc = free;
      systemPackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
      };
    };
    networking = mkOption {
      default = { };
      type = types.submodule {
        freeformType = types.attrsOf types.anything;
        options.hostName = mkOption {
          type = types.str;
          default = "nixos";
        };
      };
    };
    nix.package = mkOption {
      type = types.package;
      default = pkgs.nix;
    };
    nix.settings = free;
    nix.enable = mkOption {
      type = types.bool;
      default = true;
    };
    programs = free;
    security = free;
    services = free;
    time = free;
    users = free;
    documentation = free;
    system.activationScripts = free;
    system.switch.enable = mkOption {
      type = types.bool;
      default = true;
    };
    systemd = {
      package = mkOption {
        type = types.package;
        default = pkgs.systemd;
      };
      services = free;
      network = free;
      tmpfiles = free;
    };
  };
}
