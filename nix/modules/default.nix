# The modules by their names. They are paths, so that one that is imported twice is there once.
rec {
  default = image;
  disko = ./disko.nix;
  image = ./image.nix;
  netboot = ./netboot.nix;
  repart = ./repart.nix;
  sane-image = ./sane-image.nix;
  sd-image = ./sd-image.nix;
  variants = ./variants.nix;
}
