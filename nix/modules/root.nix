# The root of an image, as far as kiln.rootFormat and kiln.btrfs say it: keys of [fs.root].
{ config, lib }:
let
  cfg = config.kiln.btrfs;
in
format:
{
  inherit format;
}
// lib.optionalAttrs (format == "btrfs") (
  {
    inherit (cfg) compression;
    subvolumes = lib.mapAttrs (_: subvolume: {
      read-only = subvolume.readOnly;
      inherit (subvolume) default;
    }) cfg.subvolumes;
    # They have to be there.
    directories = builtins.attrNames cfg.subvolumes;
  }
  // lib.optionalAttrs (cfg.level != null) { inherit (cfg) level; }
)
