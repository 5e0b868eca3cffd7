# In place of nixpkgs' nixos/lib/make-squashfs.nix: store paths and their registration in the root.
{
  pkgs,
  lib,
  fileName ? "squashfs",
  storeContents ? [ ],
  # Lines of mksquashfs: directories ("d"), links ("s"), devices ("c", "b"), pipes ("i … f"), and other modes and owners ("m").
  pseudoFiles ? [ ],
  # Whether paths keep their folder, as with mksquashfs' -no-strip.
  noStrip ? false,
  # As for mksquashfs: the compressor and its options.
  comp ? "xz -Xdict-size 100%",
  hydraBuildProduct ? false,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
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
  # A line as mksquashfs has it: PATH KIND MODE OWNER GROUP, and what the kind needs.
  pseudo =
    line:
    let
      parts = words line;
      part = builtins.elemAt parts;
      path = at (part 0);
      kind = part 1;
      number =
        text:
        if text == "root" then
          0
        else if builtins.match "[0-9]+" text != null then
          builtins.fromJSON text
        else
          throw "make-squashfs.nix: pseudoFiles ${line}: owners are numbers or root";
      attributes = {
        inherit path;
        mode = part 2;
        owner = number (part 3);
        group = number (part 4);
      };
    in
    if kind == "d" then
      {
        inherit attributes;
        directory = path;
      }
    else if kind == "m" then
      { inherit attributes; }
    else if kind == "s" then
      # Links have no modes.
      {
        attributes = removeAttrs attributes [ "mode" ];
        symlink = lib.nameValuePair path (part 5);
      }
    else if kind == "c" then
      {
        inherit attributes;
        node = lib.nameValuePair path "char ${part 5}:${part 6}";
      }
    else if kind == "b" then
      {
        inherit attributes;
        node = lib.nameValuePair path "block ${part 5}:${part 6}";
      }
    else if kind == "i" && part 5 == "f" then
      {
        inherit attributes;
        node = lib.nameValuePair path "fifo";
      }
    else
      throw "make-squashfs.nix: pseudoFiles ${line}: the kinds d, s, m, c, b and i f are known";
  pseudos = map pseudo pseudoFiles;
  all = key: map (pseudo: pseudo.${key}) (builtins.filter (pseudo: pseudo ? ${key}) pseudos);
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
    directories = all "directory";
    symlinks = builtins.listToAttrs (all "symlink");
    nodes = builtins.listToAttrs (all "node");
    attributes = all "attributes";
  }
  # The root is mounted at /nix/store.
  // lib.optionalAttrs (!noStrip) { closure-at = "/"; }
  // lib.optionalAttrs (level != null) { level = builtins.fromJSON (builtins.head level); }
)
