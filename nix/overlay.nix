# pkgs.kiln-image-builder, and pkgs.kilnImages.mkDiskImage and so on. nixpkgs' own `kiln` is another program.
final: prev: {
  kiln-image-builder = final.callPackage ./package.nix { };
  kilnImages = import ./lib { pkgs = final; };
}
