# Kiln's images as variants of a configuration: nixos-rebuild build-image --image-variant kiln-sd.
let
  variant = layout: {
    imports = [ ./image.nix ];
    kiln.layout = layout;
  };
in
{
  # For what is said to all of them, such as kiln.buildSystem.
  imports = [ ./kiln.nix ];

  image.modules = {
    kiln-efi = variant "efi";
    kiln-sd = variant "sd-card";
    kiln-sd-image.imports = [ ./sd-image.nix ];
  };
}
