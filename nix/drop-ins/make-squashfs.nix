# In place of nixpkgs' nixos/lib/make-squashfs.nix: store paths and their registration in the root.
{
  pkgs,
  lib,
  fileName ? "squashfs",
  storeContents ? [ ],
  # Lines of mksquashfs: directories ("d") and links ("s") of root.
  pseudoFiles ? [ ],
  # Whether paths keep their folder, as with mksquashfs' -no-strip.
  noStrip ? false,
  # As for mksquashfs: the compressor and its options.
  comp ? "xz -Xdict-size 100%",
  hydraBuildProduct ? false,
  images ? import ../lib { inherit pkgs; },
  ...
}:
let
  words = text: builtins.filter (word: builtins.isString word && word != "") (builtins.split " +" text);
  compressor = builtins.head (words comp);
  level = builtins.match ".*-Xcompression-level +([0-9]+).*" comp;
  known = [
    "gzip"
    "xz"
    "zstd"
  ];
  at = path: if lib.hasPrefix "/" path then path else "/${path}";
  pseudo =
    line:
    let
      parts = words line;
      kind = builtins.elemAt parts 1;
      owner = lib.concatMapStrings (number: builtins.elemAt parts number + " ") [
        3
        4
      ];
      path = at (builtins.head parts);
    in
    if owner != "0 0 " && owner != "root root " then
      throw "make-squashfs.nix: pseudoFiles ${line}: only root owns files here"
    else if kind == "d" then
      { directory = path; }
    else if kind == "s" then
      {
        inherit path;
        target = builtins.elemAt parts 5;
      }
    else
      throw "make-squashfs.nix: pseudoFiles ${line}: only directories (d) and links (s) are known";
  pseudos = map pseudo pseudoFiles;
in
assert lib.elem compressor known || throw "make-squashfs.nix: comp ${comp}: there are ${toString known}";
images.mkSquashfs (
  {
    name = "${fileName}${lib.optionalString (!hydraBuildProduct) ".img"}";
    part = "squashfs";
    file = "${fileName}.squashfs";
    asFile = !hydraBuildProduct;
    closure = storeContents;
    registration = "/nix-path-registration";
    compression = compressor;
    directories = map (pseudo: pseudo.directory) (builtins.filter (pseudo: pseudo ? directory) pseudos);
    symlinks = builtins.listToAttrs (
      map (pseudo: {
        name = pseudo.path;
        value = pseudo.target;
      }) (builtins.filter (pseudo: pseudo ? target) pseudos)
    );
  }
  # The root is mounted at /nix/store.
  // lib.optionalAttrs (!noStrip) { closure-at = "/"; }
  // lib.optionalAttrs (level != null) { level = builtins.fromJSON (builtins.head level); }
)
