# Compression and CompressionLevel, as keys of [fs.NAME].
{ lib, values }:
let
  inherit (values) text;
  # The highest level of each compressor, or null for one without.
  levels = {
    btrfs = {
      lzo = null;
      zlib = 9;
      zstd = 15;
    };
    erofs = {
      deflate = 9;
      lz4 = null;
      lz4hc = 12;
      zstd = 22;
    };
  };
  off = [
    ""
    "no"
    "none"
  ];
in
{
  # What mkfs programs are told: a compressor, and its level or null. A null is what there is not.
  told =
    format: kind: level:
    let
      found = builtins.match "[1-9][0-9]?" level;
      most = levels.${format}.${kind} or null;
    in
    if lib.elem kind off then
      { compression = "none"; }
    else if !(levels.${format} ? ${kind}) then
      { compression = null; }
    else if level == null then
      { compression = kind; }
    else if most == null || found == null || lib.toInt level > most then
      { level = null; }
    else
      {
        compression = kind;
        level = lib.toInt level;
      };

  # Of a btrfs or an erofs.
  keys =
    format: bad: config:
    let
      known = levels.${format};
      kind = text (config.Compression or "");
      compressed = !lib.elem kind off;
      most = known.${kind};
      leveled = lib.filter (kind: known.${kind} != null) (lib.attrNames known);
    in
    if compressed && !(known ? ${kind}) then
      bad "Compression = ${kind}: ${format} has ${toString (lib.attrNames known)}"
    else if !(config ? CompressionLevel) then
      lib.optionalAttrs compressed { compression = kind; }
    else if !compressed || most == null then
      bad "CompressionLevel = ${text config.CompressionLevel}: there are levels with Compression = ${lib.concatStringsSep " and " leveled}"
    else
      let
        level = values.count bad "CompressionLevel" most config.CompressionLevel;
      in
      {
        compression = kind;
      }
      # Zero stands for the compressor's own, as mkfs programs have it.
      // lib.optionalAttrs (level != 0) { inherit level; };
}
