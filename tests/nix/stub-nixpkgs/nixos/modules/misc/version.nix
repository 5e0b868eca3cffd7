# What a system is called.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  inherit (config.networking) hostName;
  cfg = config.system.nixos;
  text =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
in
{
  options.system = {
    nixos = {
      release = text lib.trivial.release;
      version = text "${cfg.release}.20261121.abc";
      versionSuffix = text ".20261121.abc";
      codeName = text "Xantusia";
      distroId = text "nixos";
      distroName = text "NixOS";
      label = mkOption { type = types.str; };
      tags = mkOption {
        type = types.listOf types.str;
        default = [ ];
      };
    };
    image.id = mkOption {
      type = types.nullOr types.str;
      default = null;
    };
    image.version = mkOption {
      type = types.nullOr types.str;
      default = null;
    };
    stateVersion = text cfg.release;
    name = text (if hostName == "" then "unnamed" else hostName);
  };

  config.system.nixos.label = lib.mkDefault (
    lib.concatStringsSep "-" (lib.naturalSort cfg.tags ++ [ cfg.version ])
  );
}
