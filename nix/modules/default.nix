# The modules by their names. They are paths, so that one that is imported twice is there once.
rec {
  default = image;
  image = ./image.nix;
  sane-image = ./sane-image.nix;
}
