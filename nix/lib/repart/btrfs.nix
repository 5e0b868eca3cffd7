# What definitions say of a btrfs: Subvolumes, DefaultSubvolume, Compression and CompressionLevel, as keys of [fs.NAME].
{
  lib,
  values,
  compression,
}:
let
  inherit (values)
    each
    expand
    place
    text
    words
    ;
  isSaid = value: lib.any (one: text one != "") (each value);

  # PATH[:FLAG,FLAG…]; what is said of a path twice, is what is said last.
  subvolume =
    bad: known: word:
    let
      parts = lib.splitString ":" word;
      path = place bad "Subvolumes = ${word}" (expand bad "Subvolumes" known (lib.head parts));
      flags = lib.filter (flag: flag != "") (lib.splitString "," (lib.last parts));
      unknown = lib.remove "ro" flags;
    in
    if lib.length parts > 2 then
      bad "Subvolumes = ${word}: must be PATH or PATH:FLAGS"
    else if lib.length parts == 1 then
      lib.nameValuePair path { }
    else if lib.elem "nodatacow" unknown then
      bad "Subvolumes = ${word}: nodatacow is not supported: files of an image have checksums; leave it out, and set it with chattr +C where files are made later"
    else if unknown != [ ] then
      bad "Subvolumes = ${word}: ${toString unknown}: no flag; there are ro and nodatacow"
    else
      lib.nameValuePair path { read-only = lib.elem "ro" flags; };

  subvolumes =
    bad: known: config:
    let
      listed = map (subvolume bad known) (words (config.Subvolumes or [ ]));
      all = lib.foldl' (all: one: all // { ${one.name} = all.${one.name} or { } // one.value; }) { } listed;
      chosen = config.DefaultSubvolume or "";
      default = place bad "DefaultSubvolume" (expand bad "DefaultSubvolume" known chosen);
    in
    if all."/".read-only or false then
      bad "Subvolumes = /:ro: the root of a btrfs is none that can be read-only; give the files a subvolume of their own"
    else if chosen != "" && !(all ? ${default}) then
      bad "DefaultSubvolume = ${chosen}: is none of Subvolumes"
    else
      # The root of a file system is always one, and mounted unless another is said.
      removeAttrs (
        if chosen == "" then all else all // { ${default} = all.${default} // { default = true; }; }
      ) [ "/" ];
in
{
  # Whether a definition speaks of subvolumes.
  isAny = config: isSaid (config.Subvolumes or "") || isSaid (config.DefaultSubvolume or "");

  # Of mkfs.btrfs --compress: zstd, or zstd:3.
  compressor =
    said:
    let
      parts = lib.splitString ":" said;
    in
    if lib.length parts > 2 then
      { compression = null; }
    else
      compression.told "btrfs" (lib.head parts) (if lib.length parts == 1 then null else lib.last parts);

  keys =
    bad: known: config:
    let
      found = subvolumes bad known config;
    in
    lib.optionalAttrs (found != { }) { subvolumes = found; } // compression.keys "btrfs" bad config;
}
