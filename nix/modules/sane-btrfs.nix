# A btrfs of sane.image: what NixOS mounts of it is what it has. Subvolumes follow from `subvol=` of all mounts of the device, and
# compression from `compress=` of the one with the store, as the system itself would compress what it writes.
{ lib }:
{
  fileSystems,
  # The mount with the store.
  nixFs,
  # Whose fault it is.
  bad,
}:
let
  # The value of a mount option, or null.
  option =
    names: fs:
    let
      values = lib.concatMap (
        words:
        let
          found = builtins.match "(${lib.concatStringsSep "|" names})(=(.*))?" words;
        in
        lib.optional (found != null) (if builtins.elemAt found 2 == null then "" else builtins.elemAt found 2)
      ) (lib.concatMap (lib.splitString ",") fs.options);
    in
    if values == [ ] then null else lib.last values;

  # Where in the file system a mount begins: "" for its root, or "/NAME".
  start =
    fs:
    let
      subvolume = option [ "subvol" ] fs;
      names = lib.filter (name: name != "") (lib.splitString "/" (toString subvolume));
    in
    if option [ "subvolid" ] fs != null then
      bad "fileSystems.\"${fs.mountPoint}\" has the option subvolid, whose number is not known before there is an image: say subvol=NAME"
    else
      lib.concatMapStrings (name: "/${name}") names;

  mounts = lib.filter (fs: fs.device == nixFs.device && fs.fsType == "btrfs") (
    builtins.attrValues fileSystems
  );
  isBelow = mount: path: mount == "/" || path == mount || lib.hasPrefix "${mount}/" path;
  # The one whose mount point is the longest.
  mountOf =
    path:
    lib.foldl' (
      best: fs:
      if
        isBelow fs.mountPoint path
        && (best == null || lib.stringLength fs.mountPoint > lib.stringLength best.mountPoint)
      then
        fs
      else
        best
    ) null mounts;

  # compress=zstd:3, compress-force=lzo, compress.
  compress = option [ "compress" "compress-force" ] nixFs;
  parts = lib.splitString ":" (toString compress);
  kind = if compress == "" then "zlib" else lib.head parts;
  level = lib.last parts;
  none = [
    "no"
    "none"
  ];
  known = [
    "lzo"
    "zlib"
    "zstd"
  ];
  subvolumes = lib.unique (lib.filter (path: path != "") (map start mounts));
in
{
  # A path of the system in the file system, or null where it lies elsewhere.
  place =
    path:
    let
      fs = mountOf path;
      inside = if fs.mountPoint == "/" then path else lib.removePrefix fs.mountPoint path;
      found = start fs + inside;
    in
    if fs == null then
      null
    else if found == "" then
      "/"
    else
      found;
  # What its mount shows as the root.
  root = start nixFs;
  keys = {
    subvolumes = lib.genAttrs subvolumes (_: { });
  }
  // (
    if compress == null || lib.elem kind none then
      { }
    else if !lib.elem kind known then
      bad "fileSystems.\"${nixFs.mountPoint}\" has the option compress=${compress}: there are ${toString known}"
    else
      {
        compression = kind;
      }
      // lib.optionalAttrs (lib.length parts == 2 && level != "0") { level = lib.toInt level; }
  );
  directories = subvolumes;
}
