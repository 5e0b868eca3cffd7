# Lowers what nixpkgs' image.repart has gathered (config.image.repart.finalPartitions) to arguments of mkDiskImage, so
# that Kiln makes the image from the same options. What a definition says and Kiln does not do is an error that names it.
#
# Known keys of repartConfig: Type, Label, UUID, Format (vfat, ext4, squashfs), SizeMinBytes, SizeMaxBytes, Minimize,
# CopyBlocks, CopyFiles, MakeDirectories, MakeSymlinks, ReadOnly, NoAuto, GrowFileSystem; and without effect on the bytes
# of an image: Priority, Weight, PaddingWeight, SplitName, FactoryReset.
{ targetPkgs, mkFileSystem }:
{
  # What the image is called: image.repart's name, and version when there is one.
  name,
  finalPartitions,
  version ? null,
  sectorSize ? 512,
  seed ? null,
  compression ? {
    enable = false;
  },
  # The package set of the system in it, whose architecture `Type = "root"` and `"usr"` mean.
  pkgs ? targetPkgs,
  # Keys for the file systems of partitions, such as { "20-root".free = "1GiB"; }.
  keys ? { },
}:
let
  inherit (pkgs) lib;
  inherit (builtins)
    attrNames
    filter
    head
    isList
    ;

  architecture =
    {
      arm64 = "arm64";
      x86_64 = "x86-64";
    }
    .${pkgs.stdenv.hostPlatform.linuxArch} or pkgs.stdenv.hostPlatform.linuxArch;
  suffixed =
    base:
    lib.genAttrs (map (kind: base + kind) [
      ""
      "-verity"
      "-verity-sig"
    ]) (name: base + "-${architecture}" + lib.removePrefix base name);
  types = {
    linux-generic = "linux";
  }
  // suffixed "root"
  // suffixed "usr";
  formats = {
    vfat = "fat";
    ext4 = "ext4";
    squashfs = "squashfs";
  };
  harmless = [
    "CopyBlocks"
    "CopyFiles"
    "FactoryReset"
    "Format"
    "GrowFileSystem"
    "Label"
    "MakeDirectories"
    "MakeSymlinks"
    "Minimize"
    "NoAuto"
    "PaddingWeight"
    "Priority"
    "ReadOnly"
    "SizeMaxBytes"
    "SizeMinBytes"
    "SplitName"
    "Type"
    "UUID"
    "Weight"
  ];

  list = value: if isList value then value else filter (word: word != "") (lib.splitString " " value);
  isYes =
    value:
    lib.elem value [
      true
      "yes"
      "true"
      "on"
      "1"
      1
    ];

  # systemd's 512M is Kiln's 512MiB.
  amount =
    value:
    let
      parts = builtins.match "([0-9]+)([KMGT]?)" (toString value);
    in
    if parts == null then
      throw "image.repart: ${toString value} is no size"
    else
      head parts
      + (
        if lib.last parts == "" then
          "B"
        else
          lib.last parts + "iB"
      );

  # One partition: what [fs.NAME] says of it, its region, and the store paths in it.
  lower =
    id:
    {
      repartConfig,
      contents ? { },
      storePaths ? [ ],
      nixStorePrefix ? "/nix/store",
      stripNixStorePrefix ? false,
      ...
    }:
    let
      config = repartConfig;
      bad = problem: throw "image.repart.partitions.${id}: ${problem}";
      unknown = filter (key: !lib.elem key harmless) (attrNames config);
      said = config.Format or null;
      format = formats.${said} or (bad "Format = ${said}: there are ${toString (attrNames formats)}");
      type = types.${config.Type} or config.Type;
      minimize = config ? Minimize && config.Minimize != "off" && config.Minimize != false;
      least = config.SizeMinBytes or null;
      most = config.SizeMaxBytes or null;
      fixed = least != null && !minimize;
      pair =
        text:
        let
          parts = lib.splitString ":" text;
        in
        {
          source = head parts;
          target = lib.last parts;
        };
      copies = map pair (list (config.CopyFiles or [ ]));
      links = map pair (list (config.MakeSymlinks or [ ]));
      at = if stripNixStorePrefix == true then "/" else nixStorePrefix;
      fs = {
        inherit format;
        files =
          builtins.mapAttrs (_: entry: "${entry.source}") contents
          // lib.listToAttrs (map (copy: lib.nameValuePair copy.target copy.source) copies);
        directories = list (config.MakeDirectories or [ ]);
        symlinks = lib.listToAttrs (map (link: lib.nameValuePair link.source link.target) links);
      }
      // lib.optionalAttrs (storePaths != [ ]) (
        {
          closure = true;
        }
        // lib.optionalAttrs (at != "/nix/store") { closure-at = at; }
      )
      // lib.optionalAttrs (most != null && !fixed) { max-size = amount most; }
      // lib.optionalAttrs (fixed && format != "squashfs") { size = amount least; }
      // lib.optionalAttrs (minimize && format == "ext4") {
        free = "0B";
        free-inodes = 0;
      }
      // (keys.${id} or { });
      name = builtins.replaceStrings [ "." ] [ "-" ] id;
      yes = key: attribute: lib.optional (isYes (config.${key} or false)) attribute;
      region = {
        name = config.Label or type;
        inherit type;
        attributes =
          yes "ReadOnly" "read-only" ++ yes "NoAuto" "no-auto" ++ yes "GrowFileSystem" "growfs";
      }
      // lib.optionalAttrs (config ? UUID) { guid = config.UUID; }
      // lib.optionalAttrs fixed { size = amount least; };
    in
    if unknown != [ ] then
      bad "${toString unknown}: not supported"
    else if config ? CopyBlocks && said != null then
      bad "CopyBlocks and Format exclude each other"
    else if said == null && (contents != { } || storePaths != [ ] || copies != [ ]) then
      bad "has contents, but no Format"
    else
      {
        inherit
          id
          name
          region
          storePaths
          ;
        fs = if said == null then null else fs;
        content =
          if said != null then
            { content = "fs.${name}"; }
          else if config ? CopyBlocks then
            { raw = config.CopyBlocks; }
          else
            { };
      };

  partitions = map (id: lower id finalPartitions.${id}) (attrNames finalPartitions);
  # A specification has one closure: the first partition's that has one. Others are made on their own.
  closures = lib.unique (filter (paths: paths != [ ]) (map (partition: partition.storePaths) partitions));
  closure = if closures == [ ] then [ ] else head closures;
  isOwn = partition: partition.fs != null && partition.storePaths != [ ] && partition.storePaths != closure;
  alone =
    partition:
    mkFileSystem partition.fs.format (
      removeAttrs partition.fs [
        "closure"
        "format"
      ]
      // {
        inherit (partition) name;
        asFile = true;
        closure = partition.storePaths;
      }
      // lib.optionalAttrs (seed != null) { inherit seed; }
    );
  inside = filter (partition: partition.fs != null && !isOwn partition) partitions;
  base = name + lib.optionalString (version != null) "_${version}";
in
{
  name = base;
  inherit closure;
  fs = lib.listToAttrs (map (partition: lib.nameValuePair partition.name partition.fs) inside);
  disk = {
    file = "${base}.raw";
    table = "gpt";
    sector-size = sectorSize;
    region = map (
      partition:
      partition.region // (if isOwn partition then { raw = "${alone partition}"; } else partition.content)
    ) partitions;
  }
  // lib.optionalAttrs compression.enable (
    {
      compress = compression.algorithm or "zstd";
    }
    // lib.optionalAttrs (compression ? level) { compress-level = compression.level; }
  );
}
// lib.optionalAttrs (seed != null) { inherit seed; }
