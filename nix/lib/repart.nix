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
  # What signs root hashes for partitions with Verity = signature: keys of [verity.NAME.signature].
  signature ? null,
  # What repart/verity-store.nix takes.
  verityStore ? null,
}@arguments:
let
  inherit (pkgs) lib;
  inherit (builtins) attrNames filter head;
  values = import ./repart/values.nix { inherit lib; };
  ids = import ./repart/ids.nix { inherit lib; };
  sizes = import ./repart/sizes.nix { inherit lib values; };
  verity = import ./repart/verity.nix { inherit lib values; };
  compressing = import ./repart/compression.nix { inherit lib values; };
  btrfs = import ./repart/btrfs.nix {
    inherit lib values;
    compression = compressing;
  };
  lower = import ./repart/partition.nix {
    inherit
      lib
      values
      ids
      btrfs
      verity
      ;
    compression = compressing;
  };
  mkfsKeys = import ./repart/mkfs-options.nix {
    inherit lib btrfs;
    compression = compressing;
  };
  bad = option: problem: throw "image.repart.${option}: ${problem}";
  store =
    if verityStore == null then null else import ./repart/verity-store.nix { inherit lib values; } verityStore;
  definitions = if store == null then finalPartitions else store.partitions finalPartitions;
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
      ) id definitions.${id};
      free =
        base: count:
        let
          name = if count == 1 then base else "${base}-${toString count}";
        in
        if lib.any (other: other.label == name) done then free base (count + 1) else name;
      same = filter (other: typed.uuid != null && other.uuid == typed.uuid) done;
      isTaken = lib.any (other: other.label == typed.label) done;
    in
    done
    ++ [
      (
        if same != [ ] then
          bad "partitions.${id}" "UUID = ${typed.uuid}: ${(head same).id} has the same; say another, or leave it out"
        else
          typed
          // {
            # Labels may be the same, regions' names may not.
            region = if isTaken then "${typed.label} of ${id}" else typed.label;
          }
      )
    ];
  ordered = lib.foldl' before [ ] (attrNames definitions);

  groups = verity.groups (id: bad "partitions.${id}") ordered;
  groupOf = partition: lib.findFirst (group: group.key == partition.verityKey) null groups;
  # Those of the whole that depend on others.
  defined = map (
    partition:
    let
      inherit (groupOf partition) data;
      size = verity.treeSize data.most;
    in
    if partition.followsData && data.most != null then
      partition
      // {
        least = size;
        most = size;
      }
    else
      partition
  ) ordered;
  unknown = filter (partition: !partition.isKnown) defined;
  foreign = filter (id: !(definitions ? ${id})) (attrNames keys);

  # What each has: { size, padding }.
  shares =
    if size == null then
      { }
    else if unknown != [ ] then
      bad "imageSize" "${imageSize}: the sizes of ${
        lib.concatMapStringsSep ", " (partition: partition.id) unknown
      } follow from what is in them (Minimize, erofs, squashfs or CopyBlocks), so what is left for others is not known; say SizeMinBytes without Minimize, or imageSize = \"auto\""
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

  # A specification has one closure: that of the first partition with hashes, or else of the first that has one. Others are
  # made on their own.
  closures = lib.unique (
    filter (paths: paths != [ ]) (
      map (partition: partition.storePaths) (
        filter (partition: partition.verity == "data") partitions ++ partitions
      )
    )
  );
  closure = if closures == [ ] then [ ] else head closures;
  isOwn = partition: partition.fs != null && partition.storePaths != [ ] && partition.storePaths != closure;
  # A file system as large as its partition says.
  sized =
    partition:
    partition.fs
    // lib.optionalAttrs (partition.isSized && !(partition.fs ? size)) { size = bytes partition.size; };
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

  # Each group's tree is called as its data is.
  treeOf =
    { data, signature, ... }:
    {
      data =
        if isOwn data then
          bad "partitions.${data.id}" "Verity = data: its storePaths are not those of another partition with Verity = data, and Kiln hashes one closure in an image"
        else
          "fs.${data.name}";
      salt = ids.veritySalt seedId;
    }
    // lib.optionalAttrs (signature != null) {
      signature =
        if arguments.signature or null == null then
          bad "partitions.${signature.id}" "Verity = signature: there is no key; say `signature` of fromRepart, kiln.repart.signature of the module"
        else
          arguments.signature;
    };
  # What is in a partition that has no file system of its own.
  contentOf =
    partition:
    let
      tree = "verity.${(groupOf partition).data.name}";
    in
    if partition.verity == "signature" then "${tree}.signature" else tree;

  region =
    first: partition:
    [
      (
        {
          name = partition.region;
          # Kiln's names are those of repart.d(5) but for one.
          type = if partition.type == "linux-generic" then "linux" else partition.type;
          inherit (partition) attributes;
          definition = "${partition.id}.conf";
        }
        // lib.optionalAttrs (partition.region != partition.label) { inherit (partition) label; }
        // lib.optionalAttrs (partition.uuid != null) { guid = partition.uuid; }
        // lib.optionalAttrs first { offset = "1MiB"; }
        // (if partition.isKnown then { size = bytes partition.size; } else { min-size = bytes partition.least; })
        // lib.optionalAttrs (split && partition.splitName != null) {
          file = "${baseName}.${partition.splitName}.raw";
        }
        // (
          if partition.raw != null then
            { inherit (partition) raw; }
          else if partition.verity == "hash" || partition.verity == "signature" then
            { content = contentOf partition; }
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
if definitions == { } then
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
  // lib.optionalAttrs (groups != [ ]) {
    verity = lib.listToAttrs (map (group: lib.nameValuePair group.data.name (treeOf group)) groups);
  }
  // lib.optionalAttrs (store != null) (
    let
      id = verityStore.partitionIds.store;
      data = lib.findFirst (partition: partition.id == id) null ordered;
    in
    if data.verity != "data" then
      bad "partitions.${id}" "Verity = ${toString data.verity}: image.repart.verityStore needs Verity = data"
    else
      store.build data.name
  )
