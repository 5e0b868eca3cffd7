# A configuration as nix-build '<nixpkgs/nixos>' -I nixos-config=… takes it: nixpkgs' own module of SD images, and one import.
{
  imports = [
    <nixpkgs/nixos/modules/installer/sd-card/sd-image-aarch64.nix>
    ../../nix/modules/sd-image.nix
  ];
}
