# Microsoft's Azure.
{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  imports = [
    (import ./guest.nix {
      build = "azureImage";
      tag = "azure";
      extension = "vhd";
      efi = config: config.virtualisation.azureImage.vmGeneration == "v2";
      device = "/dev/sda";
    })
  ];
  options.virtualisation.azureImage = {
    bootSize = mkOption {
      type = types.int;
      default = 256;
    };
    contents = mkOption {
      type = types.listOf types.attrs;
      default = [ ];
    };
    label = mkOption {
      type = types.str;
      default = "nixos";
    };
    vmGeneration = mkOption {
      type = types.enum [
        "v1"
        "v2"
      ];
      default = "v1";
    };
  };
  config.boot.kernelParams = [
    "console=ttyS0"
    "earlyprintk=ttyS0"
    "rootdelay=300"
    "panic=1"
  ];
}
