# One partition out of its definition: what [fs.NAME] says of it, its region, and the store paths in it.
{
  lib,
  values,
  ids,
  btrfs,
  compression,
  verity,
}:
let
  inherit (values)
    boolean
    expand
    roundDown
    roundUp
    size
    text
    ;
  attributes = import ./attributes.nix { inherit lib values; };
  checked = import ./keys.nix { inherit lib values; };
  inside = import ./contents.nix { inherit lib values; };
  formats = {
    btrfs = "btrfs";
    erofs = "erofs";
    ext4 = "ext4";
    squashfs = "squashfs";
    swap = "swap";
    vfat = "fat";
  };
  # Those that are as large as what is in them.
  isPacked = format: format == "erofs" || format == "squashfs";
  mebibyte = 1048576;
  bytes = number: "${toString number}B";

  # A FAT's label: what mkfs.vfat would refuse becomes a line.
  fatLabel =
    label:
    let
      allowed = character: builtins.match "[] A-Z0-9!#$%&'()@^_`{}~-]" character != null && character != "]";
    in
    lib.concatMapStrings (character: if allowed character then character else "_") (
      lib.stringToCharacters (lib.toUpper (builtins.substring 0 11 label))
    );
  labels = {
    fat = fatLabel;
    ext4 = builtins.substring 0 16;
    swap = builtins.substring 0 15;
    btrfs = label: label;
  };
in
# `context` has what a definition depends on beside itself.
context: id:
{
  repartConfig,
  contents ? { },
  storePaths ? [ ],
  nixStorePrefix ? "/nix/store",
  # Once, in place of nixStorePrefix; its default is a text that means that nobody has said it.
  stripNixStorePrefix ? false,
  ...
}:
let
  config = values.last repartConfig;
  bad = problem: throw "image.repart.partitions.${id}: ${problem}";
  known = context.specifiers;

  # Type, as repart.d(5) names it, or a GUID.
  type = ids.typeName guid;
  guid =
    let
      said = config.Type or (bad "Type is missing");
      found = ids.typeGuid (context.types.${said} or said);
    in
    if found == null then bad "Type = ${said}: no name of repart.d(5) and no GUID" else found;

  isFull = inside.isAny config contents storePaths;
  bootType = type == "esp" || type == "xbootldr";
  mode = verity.modeOf bad config;
  # For something that comes later.
  isEmpty = config.Format or null == "empty";
  said =
    if isEmpty then
      null
    else if config ? Format then
      config.Format
    else if type == "swap" && blocks == null && mode == null then
      "swap"
    else if isFull then
      (if bootType then "vfat" else "ext4")
    else
      null;
  format =
    if said == null then
      null
    else
      formats.${said}
        or (bad "Format = ${said}: Kiln makes ${toString (lib.attrNames formats)}; leave Format and contents out for a partition that is formatted later");

  # Sizes: rounded as systemd-repart rounds them.
  amount = key: rounded: if config ? ${key} then rounded (size bad key config.${key}) else null;
  saidLeast = amount "SizeMinBytes" roundDown;
  saidMost = amount "SizeMaxBytes" roundUp;
  padding = amount "PaddingMinBytes" roundDown;
  saidMostPadding = amount "PaddingMaxBytes" roundUp;
  leastOfFormat =
    if said == "vfat" && bootType then
      (if context.sectorSize == 512 then 100 else 260) * mebibyte
    else if format == "btrfs" && !minimize then
      256 * mebibyte
    else
      values.grain;
  # Any FAT32 has 65525 clusters or more.
  leastOfFat32 = (if context.sectorSize == 512 then 34 else 260) * mebibyte;
  isSignature = mode == "signature" || (lib.hasSuffix "-verity-sig" type && saidLeast == null);
  usual = if isPacked format || (mode == "hash" && minimize) then values.grain else 10 * mebibyte;
  least =
    if isSignature then
      verity.signatureSize
    else
      lib.max leastOfFormat (roundUp (if saidLeast == null then usual else lib.max saidLeast 1));
  most =
    if mode == "signature" then
      verity.signatureSize
    else if saidMost == null then
      null
    else
      lib.max least saidMost;

  weight = values.count bad "Weight" 1000000 (config.Weight or 1000);
  paddingWeight = values.count bad "PaddingWeight" 1000000 (config.PaddingWeight or 0);

  minimize =
    let
      value = text (config.Minimize or "off");
    in
    if lib.elem value [ "best" "guess" ] then true else boolean bad "Minimize" value;
  blocks = if config ? CopyBlocks then expand bad "CopyBlocks" known config.CopyBlocks else null;
  # Whether its size is said, and does not follow from what is in it.
  isKnown = isFixed || (blocks == null && !isPacked format && !isMinimized);
  isFixed = most != null && most == least;
  # Whether its file system has the size of the partition.
  isSized = isKnown && !isPacked format;
  isMinimized = minimize && (format != null || mode == "hash");

  at = if stripNixStorePrefix == true then "/" else nixStorePrefix;
  volumeLabel = config.VolumeLabel or label;
  label = expand bad "Label" known (
    config.Label or (if isEmpty then "_empty" else context.usualLabel type)
  );
  # Null when it is half of a root hash.
  uuid =
    let
      said = config.UUID or null;
      found = ids.uuid said;
    in
    if said == null then
      (if mode == "data" || mode == "hash" then null else context.partitionGuid guid)
    else if said == "null" then
      bad "UUID = null: partitions are found by their UUIDs; leave it out, and it derives from the seed"
    else if found == null then
      bad "UUID = ${said}: must be a UUID"
    else
      found;
  fsUuid = ids.fileSystem uuid;

  fs = {
    inherit format;
  }
  // lib.optionalAttrs (format != "swap") (inside.keys bad known config contents)
  // lib.optionalAttrs (labels ? ${format}) { label = labels.${format} volumeLabel; }
  // lib.optionalAttrs (lib.elem format [ "btrfs" "erofs" "ext4" "swap" ]) { uuid = fsUuid; }
  // lib.optionalAttrs (format == "fat") {
    # As mkfs.vfat is called.
    id = builtins.substring 0 8 fsUuid;
  }
  // lib.optionalAttrs (format == "fat" && (bootType || (isKnown && least >= leastOfFat32))) {
    bits = 32;
  }
  // lib.optionalAttrs (format == "fat" && config ? FileSystemSectorSize) {
    sector-size = size bad "FileSystemSectorSize" config.FileSystemSectorSize;
  }
  // lib.optionalAttrs (storePaths != [ ]) (
    {
      closure = true;
    }
    // lib.optionalAttrs (at != "/nix/store") { closure-at = at; }
  )
  // lib.optionalAttrs ((!isKnown || isPacked format) && most != null) { max-size = bytes most; }
  // lib.optionalAttrs (minimize && !isFixed && format == "ext4") {
    free = "0B";
    free-inodes = 0;
  }
  // lib.optionalAttrs (minimize && !isFixed && format == "btrfs") { free = "0B"; }
  // lib.optionalAttrs (format == "btrfs") (btrfs.keys bad known config)
  // lib.optionalAttrs (format == "erofs") (
    # As mkfs.erofs has it.
    { compression = "none"; } // compression.keys "erofs" bad config
  )
  // lib.optionalAttrs (format == "squashfs" && config ? Compression) {
    compression = config.Compression;
  }
  // lib.optionalAttrs (format == "squashfs" && config ? CompressionLevel) {
    level = values.count bad "CompressionLevel" 22 config.CompressionLevel;
  }
  // context.mkfsOptions said
  // (context.keys.${id} or { });
in
checked bad config (verity.checked bad config { inherit format isFull mode; } (
  if blocks != null && (format != null || isFull) then
    bad "CopyBlocks excludes Format, CopyFiles and other contents"
  else if blocks == "auto" then
    bad "CopyBlocks = auto: there is no running system to copy; name a file"
  else if format == "swap" && isFull then
    bad "Format = swap: a swap area holds no files"
  else if isEmpty && isFull then
    bad "Format = empty: holds no files; leave out CopyFiles and other contents"
  else if isPacked format && !isFull then
    bad "Format = ${said}: there is nothing in it; say CopyFiles, contents or storePaths"
  else if minimize && !isMinimized then
    bad "Minimize: needs a Format or Verity = hash"
  else if saidLeast != null && saidMost != null && saidLeast > saidMost then
    bad "SizeMinBytes is more than SizeMaxBytes"
  else if padding != null && saidMostPadding != null && padding > saidMostPadding then
    bad "PaddingMinBytes is more than PaddingMaxBytes"
  else if builtins.match "[ -~]{37,}" label != null then
    bad "Label = ${label}: has ${toString (lib.stringLength label)} characters, a partition's has at most 36"
  else if
    (config ? Compression || config ? CompressionLevel) && !isPacked format && format != "btrfs"
  then
    bad "Compression and CompressionLevel are for Format = btrfs, erofs and squashfs"
  else if format != "btrfs" && btrfs.isAny config then
    bad "Subvolumes and DefaultSubvolume are for Format = btrfs"
  else if config ? FileSystemSectorSize && format != "fat" && format != null then
    bad "FileSystemSectorSize is for Format = vfat; leave it out"
  else
    builtins.seq weight (builtins.seq paddingWeight {
      inherit
        id
        guid
        isKnown
        isSized
        label
        least
        most
        storePaths
        type
        uuid
        ;
      # A dot would part it from what {fs.NAME.id} asks of it.
      name = builtins.replaceStrings [ "." ] [ "-" ] id;
      padding = if padding == null then 0 else padding;
      mostPadding = saidMostPadding;
      inherit weight paddingWeight;
      fs = if format == null then null else fs;
      raw = blocks;
      verity = mode;
      verityKey = config.VerityMatchKey or null;
      attributes = attributes bad "image.repart.partitions.${id}" config type {
        isReadOnly = mode == "data" || mode == "signature";
        isNoAuto = isEmpty;
      };
      # Whether a tree is as large as its data at most needs.
      followsData = mode == "hash" && saidLeast == null && !isMinimized;
      # What the file of its own is called, or null.
      splitName =
        let
          name = config.SplitName or "%t";
          more = {
            T = builtins.replaceStrings [ "-" ] [ "" ] guid;
            # What Kiln alone knows: its output's name says where.
            U = if uuid == null then "{guid}" else builtins.replaceStrings [ "-" ] [ "" ] uuid;
            n = toString context.number;
            t = type;
          };
          expanded = expand bad "SplitName" (known // more) name;
        in
        if name == "-" || name == "" then
          null
        else if lib.hasInfix "/" expanded then
          bad "SplitName = ${name}: has a slash"
        else
          builtins.unsafeDiscardStringContext expanded;
    })
))
