# Lowers what nixpkgs' image.repart has gathered (config.image.repart.finalPartitions) to arguments of mkDiskImage, so
# that Kiln makes the image from the same options: partitions of the same types, names, ids, attributes and sizes as
# systemd-repart makes them, and the same files beside the image. What a definition says and Kiln does not do is an error
# that names it. docs/guide-nix.md lists the keys; each has its place in repart/.
{ targetPkgs, mkFileSystem }:
{
  # What the image is called: image.repart's name, and version when there is one.
  name,
  finalPartitions,
  version ? null,
  baseName ? name + (if version == null then "" else "_${version}"),
  sectorSize ? 512,
  imageSize ? "auto",
  # Usually image.repart's own.
  seed ? "0867da16-f251-457d-a9e8-c31f9a3c220b",
  split ? false,
  compression ? {
    enable = false;
  },
  mkfsOptions ? { },
  # The package set of the system in it, whose architecture `Type = "root"` and `"usr"` mean.
  pkgs ? targetPkgs,
  # Keys for the file systems of partitions, such as { "20-root".free = "1GiB"; }.
  keys ? { },
}:
let
  inherit (pkgs) lib;
  inherit (builtins) attrNames filter head;
  values = import ./repart/values.nix { inherit lib; };
  ids = import ./repart/ids.nix { inherit lib; };
  sizes = import ./repart/sizes.nix { inherit lib values; };
  lower = import ./repart/partition.nix { inherit lib values ids btrfs; };
  btrfs = import ./repart/btrfs.nix { inherit lib values; };
  mkfsKeys = import ./repart/mkfs-options.nix { inherit lib btrfs; };
  bad = option: problem: throw "image.repart.${option}: ${problem}";
  bytes = number: "${toString number}B";

  architecture = import ./repart/architecture.nix pkgs.stdenv.hostPlatform;

  seedId =
    if seed == null || seed == "random" then
      bad "seed" "random ids would make another image each time; say a UUID, such as one from uuidgen"
    else if ids.uuid seed == null then
      bad "seed" "${seed}: must be a UUID"
    else
      ids.uuid seed;

  sector =
    if sectorSize == null then
      512
    else if sectorSize == 512 || sectorSize == 4096 then
      sectorSize
    else
      bad "sectorSize" "${toString sectorSize}: Kiln makes disks with sectors of 512 or 4096 bytes";

  size =
    if imageSize == "auto" then null else values.roundUp (values.size (bad "imageSize") "size" imageSize);

  context = {
    inherit keys;
    # None stands for systemd-repart's own choice, which holds a FAT for disks with sectors of 4096 bytes.
    sectorSize = if sectorSize == null then 4096 else sector;
    inherit (architecture) types;
    specifiers = {
      "%" = "%";
      A = toString version;
      M = name;
      a = architecture.name;
    };
    mkfsOptions = format: if mkfsOptions ? ${toString format} then mkfsKeys mkfsOptions format else { };
  };

  # Each knows those before it: how many have its type, and which names are taken.
  before =
    done: id:
    let
      typed = lower (
        context
        // {
          number = builtins.length done;
          partitionGuid =
            guid: ids.partition seedId guid (builtins.length (filter (other: other.guid == guid) done));
          usualLabel = type: free type 1;
        }
      ) id finalPartitions.${id};
      free =
        base: count:
        let
          name = if count == 1 then base else "${base}-${toString count}";
        in
        if lib.any (other: other.label == name) done then free base (count + 1) else name;
      same = filter (other: other.label == typed.label) done;
    in
    done
    ++ [
      (
        if same != [ ] then
          bad "partitions.${id}" "Label = ${typed.label}: ${(head same).id} has the same, and Kiln tells partitions apart by it"
        else
          typed
      )
    ];
  defined = lib.foldl' before [ ] (attrNames finalPartitions);
  unknown = filter (partition: !partition.isKnown) defined;
  foreign = filter (id: !(finalPartitions ? ${id})) (attrNames keys);

  # What each has: { size, padding }.
  shares =
    if size == null then
      { }
    else if unknown != [ ] then
      bad "imageSize" "${imageSize}: the sizes of ${
        lib.concatMapStringsSep ", " (partition: partition.id) unknown
      } follow from what is in them (Minimize, squashfs or CopyBlocks), so what is left for others is not known; say SizeMinBytes without Minimize, or imageSize = \"auto\""
    else if size > 8796093022208 then
      bad "imageSize" "${imageSize}: is more than 8T"
    else
      sizes.fixed (problem: throw "image.repart.${problem}") size defined;
  partitions = map (
    partition:
    partition
    // (
      if size == null then
        {
          size = partition.least;
          inherit (partition) padding;
        }
      else
        shares.${partition.id}
    )
  ) defined;

  # A specification has one closure: the first partition's that has one. Others are made on their own.
  closures = lib.unique (filter (paths: paths != [ ]) (map (partition: partition.storePaths) partitions));
  closure = if closures == [ ] then [ ] else head closures;
  isOwn = partition: partition.fs != null && partition.storePaths != [ ] && partition.storePaths != closure;
  # A file system as large as its partition says.
  sized =
    partition:
    partition.fs
    // lib.optionalAttrs (partition.isKnown && !(partition.fs ? size)) { size = bytes partition.size; };
  alone =
    partition:
    mkFileSystem partition.fs.format (
      {
        seed = seedId;
      }
      // lib.optionalAttrs (partition.fs.format == "fat" && sector != 512) { sector-size = sector; }
      // removeAttrs (sized partition) [
        "closure"
        "format"
      ]
      // {
        inherit (partition) name;
        asFile = true;
        closure = partition.storePaths;
      }
    );
  inside = filter (partition: partition.fs != null && !isOwn partition) partitions;

  region =
    first: partition:
    [
      (
        {
          name = partition.label;
          # Kiln's names are those of repart.d(5) but for one.
          type = if partition.type == "linux-generic" then "linux" else partition.type;
          guid = partition.uuid;
          inherit (partition) attributes;
          definition = "${partition.id}.conf";
        }
        // lib.optionalAttrs first { offset = "1MiB"; }
        // (if partition.isKnown then { size = bytes partition.size; } else { min-size = bytes partition.least; })
        // lib.optionalAttrs (split && partition.splitName != null) {
          file = "${baseName}.${partition.splitName}.raw";
        }
        // (
          if partition.raw != null then
            { inherit (partition) raw; }
          else if partition.fs == null then
            { }
          else if isOwn partition then
            { raw = "${alone partition}"; }
          else
            { content = "fs.${partition.name}"; }
        )
      )
    ]
    ++ lib.optional (partition.padding > 0) {
      name = "behind ${partition.id}";
      size = bytes partition.padding;
    };
in
if finalPartitions == { } then
  bad "partitions" "there are none"
else if foreign != [ ] then
  bad "partitions" "keys for ${toString foreign}: there is no such partition"
else
  {
    name = baseName;
    seed = seedId;
    inherit closure;
    fs = lib.listToAttrs (map (partition: lib.nameValuePair partition.name (sized partition)) inside);
    disk = {
      file = "${baseName}.raw";
      table = "gpt";
      guid = ids.disk seedId;
      sector-size = sector;
      # Where systemd-repart puts partitions.
      align = "4KiB";
      partition-list = "repart-output.json";
      region = lib.concatLists (lib.imap0 (index: region (index == 0)) partitions);
    }
    // lib.optionalAttrs (size != null) { size = bytes size; }
    // lib.optionalAttrs compression.enable (
      let
        algorithm = compression.algorithm or "zstd";
      in
      {
        compress =
          {
            # Its chunks can be read one by one, as the seekable format has it.
            zstd-seekable = "zstd";
            xz = "xz";
            zstd = "zstd";
          }
          .${algorithm}
            or (bad "compression.algorithm" "${algorithm}: must be zstd, zstd-seekable or xz");
        compress-level = compression.level or 3;
      }
    );
  }
