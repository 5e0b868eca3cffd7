# DigitalOcean.
{ lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
in
{
  imports = [
    (import ./guest.nix {
      build = "digitalOceanImage";
      tag = "digital-ocean";
      extension =
        config:
        "qcow2.${if config.virtualisation.digitalOceanImage.compressionMethod == "gzip" then "gz" else "bz2"}";
    })
  ];
  options.virtualisation.digitalOcean.defaultConfigFile = mkOption {
    default = pkgs.writeText "digitalocean-configuration.nix" "{ }\n";
  };
  options.virtualisation.digitalOceanImage = {
    configFile = mkOption {
      type = types.nullOr types.path;
      default = null;
    };
    compressionMethod = mkOption {
      type = types.enum [
        "gzip"
        "bzip2"
      ];
      default = "gzip";
    };
  };
  config.boot.kernelParams = [ "console=ttyS0" ];
}
