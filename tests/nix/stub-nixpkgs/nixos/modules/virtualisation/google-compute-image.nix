# Google's Compute Engine.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  imports = [
    (import ./guest.nix {
      build = "googleComputeImage";
      tag = "google-compute";
      extension = "raw.tar.gz";
      efi = config: config.virtualisation.googleComputeImage.efi;
      device = "/dev/sda";
    })
  ];
  options.virtualisation.googleComputeImage = {
    configFile = mkOption {
      type = types.nullOr types.str;
      default = null;
    };
    compressionLevel = mkOption {
      type = types.int;
      default = 6;
    };
    efi = lib.mkEnableOption "EFI booting";
  };
  config.boot.kernelParams = [
    "console=ttyS0"
    "panic=1"
  ];
}
