# Microsoft's Hyper-V, generation 2.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  imports = [
    (import ./guest.nix {
      build = "hypervImage";
      tag = "hyperv";
      extension = "vhdx";
      diskSize = 4 * 1024;
      efi = true;
    })
  ];
  options.hyperv.vmDerivationName = lib.mkOption {
    type = lib.types.str;
    default = "nixos-hyperv-${config.system.nixos.label}-${pkgs.stdenv.hostPlatform.system}";
  };
}
