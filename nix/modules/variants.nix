# Kiln's images as variants of a configuration: nixos-rebuild build-image --image-variant kiln-sd, or kiln-amazon.
{ lib, ... }:
let
  variant = layout: {
    imports = [ ./image.nix ];
    kiln.layout = layout;
  };
  guests = import ./guests.nix { inherit lib; };
in
{
  # For what is said to all of them, such as kiln.buildSystem.
  imports = [ ./kiln.nix ];

  image.modules = {
    kiln-efi = variant "efi";
    kiln-sd = variant "sd-card";
    kiln-sd-image.imports = [ ./sd-image.nix ];
  }
  // lib.mapAttrs' (
    name: _: lib.nameValuePair "kiln-${name}" { imports = [ (import ./guest.nix name) ]; }
  ) guests;
}
