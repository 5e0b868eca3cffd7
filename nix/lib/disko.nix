# Lowers one disk of disko (config.disko.devices, or the value that says it) to arguments of mkDiskImage, so that Kiln makes
# the image of the same table, and to what the system mounts: partitions have the numbers, places, types, names and ids that
# sgdisk gives them, and the files of a system lie in those file systems and subvolumes that have their places. What Kiln
# does not make is an error that names the key. docs/guide-nix.md lists the keys; each has its place in disko/.
{ targetPkgs }:
{
  # What the image is called.
  name,
  # disko.devices.
  devices,
  # Which of devices.disk; the only one when null.
  disk ? null,
  # The store paths in it, and the system among them.
  closure ? [ ],
  toplevel ? throw "fromDisko: there is no toplevel",
  # In place of the disk's own; "auto" makes a partition of size = "100%" as small as possible.
  imageSize ? null,
  # Files by their paths in the system, each in the file system that has its place, as [fs.NAME] knows them.
  files ? { },
  text ? { },
  symlinks ? { },
  directories ? [ ],
  # A boot menu for U-Boot where the system has /boot, as [fs.NAME] knows it.
  extlinux ? { },
  # GRUB's menu there, as [fs.NAME] knows it, and the folder of its files for a disk with a partition of the type EF02.
  grub ? { },
  grubFiles ? null,
  # Keys for the file systems of partitions, such as { root.free = "1GiB"; }.
  keys ? { },
  pkgs ? targetPkgs,
}@arguments:
let
  inherit (pkgs) lib;
  inherit (builtins) attrNames elem filter head;
  checked = import ./disko/checked.nix { inherit lib; };
  sizes = import ./disko/sizes.nix { inherit lib; };
  places = import ./disko/places.nix { inherit lib; };
  lower = import ./disko/partition.nix { inherit lib sizes; };
  badIn = path: problem: throw "disko.devices${path}: ${problem}";

  # Devices that are no disks.
  foreign = filter (kind: devices.${kind} or { } != { }) [
    "bcachefs_filesystems"
    "lvm_vg"
    "mdadm"
    "zpool"
  ];
  disks = devices.disk or { };
  id =
    if disk != null then
      if disks ? ${disk} then
        disk
      else
        badIn ".disk" "there is no ${disk}; there are ${toString (attrNames disks)}"
    else if lib.length (attrNames disks) == 1 then
      head (attrNames disks)
    else
      badIn ".disk" "an image is of one disk, and there are ${
        toString (lib.length (attrNames disks))
      }${lib.concatMapStrings (name: " ${name}") (attrNames disks)}: say disk = NAME";
  at = ".disk.${id}";
  bad = badIn at;
  whole = checked.keys bad checked.disk disks.${id};
  table =
    let
      content = whole.content or null;
      type = content.type or "nothing";
    in
    if content == null || type != "gpt" then
      badIn "${at}.content" "type = \"${type}\": Kiln makes disks of the type gpt${
        lib.optionalString (type == "table") "; \"table\" is gone from disko"
      }"
    else
      checked.keys (badIn "${at}.content") checked.gpt content;

  saidSize = if imageSize != null then imageSize else whole.imageSize or "2G";
  total = if saidSize == "auto" then null else sizes.image bad saidSize;

  partitions = lower {
    inherit total;
    bad = path: badIn "${at}.content.partitions.${path}";
    # As disko calls a partition that has no label.
    prefix = "disk-${whole.name or (lib.replaceStrings [ "/" ] [ "_" ] id)}";
  } (table.partitions or { });
  inside = filter (partition: partition.fs != null) partitions;
  strange = filter (key: !(lib.any (partition: partition.id == key) inside)) (attrNames keys);

  # What is mounted without a device.
  nodev = lib.mapAttrsToList (
    path: given:
    let
      entry = checked.keys (badIn ".nodev.\"${path}\"") checked.nodev given;
    in
    {
      at = entry.mountpoint or path;
      device = entry.device or "none";
      fsType = entry.fsType or (badIn ".nodev.\"${path}\"" "fsType is missing");
      options = entry.mountOptions or [ "defaults" ];
      folder = "";
      part = null;
    }
  ) (devices.nodev or { });
  mounts =
    lib.concatMap (
      partition: map (mount: mount // { part = partition.key; }) partition.mounts
    ) partitions
    ++ nodev;
  swaps = filter (swap: swap != null) (map (partition: partition.swap) partitions);

  placed = places {
    inherit bad mounts;
    given = builtins.intersectAttrs (lib.genAttrs [
      "directories"
      "extlinux"
      "files"
      "grub"
      "symlinks"
      "text"
    ] (_: null)) arguments;
    hasClosure = arguments ? closure;
    hasSystem = arguments ? toplevel;
  };
  region =
    partition:
    {
      name = partition.label;
      inherit (partition) type number;
    }
    // lib.optionalAttrs (partition.guid != null) { inherit (partition) guid; }
    // lib.optionalAttrs (partition.attributes != [ ]) { inherit (partition) attributes; }
    // lib.optionalAttrs (partition.begin != null) { offset = sizes.bytes partition.begin; }
    // lib.optionalAttrs (partition.end != null) { size = sizes.bytes (partition.end - partition.begin); }
    // lib.optionalAttrs (partition.fs != null) { content = "fs.${partition.key}"; };
  fileSystem =
    partition:
    lib.optionalAttrs (partition.end != null) {
      size = sizes.bytes (sizes.roundDown (partition.end - partition.begin));
    }
    // partition.fs
    // placed partition.key partition.fs
    // keys.${partition.id} or { };
in
if foreign != [ ] then
  badIn ".${head foreign}.${head (attrNames devices.${head foreign})}" "Kiln makes neither LVM, RAID, ZFS nor bcachefs: say file systems in partitions of a disk"
else if strange != [ ] then
  bad "keys for ${toString strange}: there is no such file system"
else if partitions == [ ] then
  badIn "${at}.content.partitions" "there are none"
else
  {
    inherit name closure;
    fs = lib.listToAttrs (map (partition: lib.nameValuePair partition.key (fileSystem partition)) inside);
    disk = {
      file = "${whole.imageName or name}.raw";
      table = "gpt";
      region = map region partitions;
    }
    // lib.optionalAttrs (total != null) { size = sizes.bytes total; }
    // lib.optionalAttrs (grubFiles != null) (
      if lib.any (partition: partition.type == "bios-boot") partitions then
        { grub.from = grubFiles; }
      else
        badIn "${at}.content.partitions" "GRUB has no place on this disk: say a partition of size = \"1M\" and type = \"EF02\""
    );
    passthru = {
      # What disko's own module tells the system.
      fileSystems = lib.listToAttrs (
        map (mount: lib.nameValuePair mount.at { inherit (mount) device fsType options; }) mounts
      );
      swapDevices = map (swap: swap.entry) swaps;
      resumeDevice = lib.findFirst (device: device != null) null (
        map (swap: if swap.resume then swap.device else null) swaps
      );
    };
  }
  // lib.optionalAttrs (arguments ? toplevel) { inherit toplevel; }
