# What definitions say of a btrfs: Subvolumes, DefaultSubvolume, Compression and CompressionLevel, as keys of [fs.NAME].
{ lib, values }:
let
  inherit (values)
    each
    expand
    place
    text
    words
    ;
  # The highest level of each compressor, or null for one without.
  levels = {
    lzo = null;
    zlib = 9;
    zstd = 15;
  };
  off = [
    ""
    "no"
    "none"
  ];
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

  # Of mkfs.btrfs --compress: zstd, or zstd:3. A null is what there is not.
  compressor =
    said:
    let
      parts = lib.splitString ":" said;
      kind = lib.head parts;
      level = builtins.match "[1-9][0-9]?" (lib.last parts);
      number = lib.toInt (lib.last parts);
      most = levels.${kind} or null;
    in
    if lib.elem said off then
      { compression = "none"; }
    else if !(levels ? ${kind}) || lib.length parts > 2 then
      { compression = null; }
    else if lib.length parts == 1 then
      { compression = kind; }
    else if most == null || level == null || number > most then
      { level = null; }
    else
      {
        compression = kind;
        level = number;
      };

  keys =
    bad: known: config:
    let
      kind = text (config.Compression or "");
      compressed = !lib.elem kind off;
      most = levels.${kind};
      found = subvolumes bad known config;
    in
    lib.optionalAttrs (found != { }) { subvolumes = found; }
    // (
      if compressed && !(levels ? ${kind}) then
        bad "Compression = ${kind}: btrfs has ${toString (lib.attrNames levels)}"
      else if !(config ? CompressionLevel) then
        lib.optionalAttrs compressed { compression = kind; }
      else if !compressed || most == null then
        bad "CompressionLevel = ${text config.CompressionLevel}: there are levels with Compression = zlib and zstd"
      else
        let
          level = values.count bad "CompressionLevel" most config.CompressionLevel;
        in
        {
          compression = kind;
        }
        # Zero stands for the compressor's own, as mkfs.btrfs has it.
        // lib.optionalAttrs (level != 0) { inherit level; }
    );
}
