# Kiln without flakes: nix-build -A kiln, or
#
#   let kiln = import (fetchTarball "…") { inherit pkgs; }; in kiln.lib.mkDiskImage { … }
#
# and, where no package set is wanted, imports = [ (import (fetchTarball "…") { }).nixosModules.image ].
{
  # The package set of the target, whose system is in the image.
  pkgs ? import <nixpkgs> { },
  # That of the machine which makes it.
  buildPkgs ? pkgs.buildPackages,
}:
let
  lib = import ./nix/lib { inherit pkgs buildPkgs; };
in
{
  # The package, and the functions that make images with it.
  inherit (lib) kiln;
  inherit lib;

  # pkgs.kiln-image-builder and pkgs.kilnImages.
  overlay = import ./nix/overlay.nix;

  # By the names that they have in the flake.
  nixosModules = import ./nix/modules;
  dropIns = import ./nix/drop-ins;
}
