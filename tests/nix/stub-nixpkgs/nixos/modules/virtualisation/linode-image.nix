# Linode, whose own GRUB reads the menu of a bare file system.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  imports = [
    (import ./guest.nix {
      build = "linodeImage";
      tag = "linode";
      extension = "img.gz";
      device = "nodev";
    })
  ];
  options.virtualisation.linodeImage = {
    configFile = mkOption {
      type = types.nullOr types.str;
      default = null;
    };
    compressionLevel = mkOption {
      type = types.ints.between 1 9;
      default = 6;
    };
  };
  config.boot.kernelParams = [ "console=ttyS0,19200n8" ];
  config.boot.loader.timeout = 10;
}
