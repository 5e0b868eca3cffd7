# VMware.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
in
{
  imports = [
    (import ./guest.nix {
      build = "vmwareImage";
      tag = "vmware";
      extension = "vmdk";
      efi = true;
    })
  ];
  options.vmware = {
    vmDerivationName = mkOption {
      type = types.str;
      default = "nixos-vmware-${config.system.nixos.label}-${pkgs.stdenv.hostPlatform.system}";
    };
    vmSubformat = mkOption {
      type = types.enum [
        "monolithicSparse"
        "monolithicFlat"
        "twoGbMaxExtentSparse"
        "twoGbMaxExtentFlat"
        "streamOptimized"
      ];
      default = "monolithicSparse";
    };
    vmCompat6 = mkOption {
      type = types.bool;
      default = false;
    };
  };
}
