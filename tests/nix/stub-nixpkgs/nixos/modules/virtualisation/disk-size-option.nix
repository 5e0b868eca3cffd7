# The size of a guest's disk.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.virtualisation;
in
{
  options.virtualisation = {
    diskSizeAutoSupported = mkOption {
      type = types.bool;
      default = true;
    };
    diskSize = mkOption {
      type = types.either (types.enum [ "auto" ]) types.ints.positive;
      default = if cfg.diskSizeAutoSupported then "auto" else 1024;
    };
  };
  config.assertions = [
    {
      assertion = cfg.diskSize != "auto" || cfg.diskSizeAutoSupported;
      message = "virtualisation.diskSize: this image cannot be as large as what is in it; say a size";
    }
  ];
}
