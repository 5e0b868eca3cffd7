# In place of nixpkgs' nixos/lib/make-squashfs.nix: store paths and their registration in the root.
{
  pkgs,
  lib,
  fileName ? "squashfs",
  # Packages, or one of them.
  storeContents ? [ ],
  # Definitions of mksquashfs: pseudo-files.nix knows them.
  pseudoFiles ? [ ],
  # Whether paths keep their folder, as with mksquashfs' -no-strip.
  noStrip ? false,
  # As for mksquashfs: the compressor and its options, which compressor.nix knows; null without compression.
  comp ? "xz -Xdict-size 100%",
  hydraBuildProduct ? false,
  # Of Kiln: more keys of [fs.NAME].
  keys ? { },
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  # The tools that nixpkgs' own file takes.
  ...
}:
let
  what = "make-squashfs.nix";
  closure = if builtins.isList storeContents then storeContents else [ storeContents ];
in
images.mkSquashfs (
  {
    name = "${fileName}${lib.optionalString (!hydraBuildProduct) ".img"}";
    part = "squashfs";
    file = "${fileName}.squashfs";
    asFile = !hydraBuildProduct;
    inherit closure;
    registration = "/nix-path-registration";
  }
  // import ./compressor.nix { inherit lib what; } comp
  // import ./pseudo-files.nix { inherit lib what; } pseudoFiles
  # The root is mounted at /nix/store.
  // lib.optionalAttrs (!noStrip && closure != [ ]) { closure-at = "/"; }
  // keys
)
