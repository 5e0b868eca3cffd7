# What is in a partition: keys of [fs.NAME], and what is mounted of it.
{ lib }:
let
  inherit (builtins) attrNames elem filter head match;
  mkfs = import ./mkfs.nix { inherit lib; };
  checked = import ./checked.nix { inherit lib; };
  formats = {
    vfat = "fat";
    ext4 = "ext4";
    btrfs = "btrfs";
  };
  # What Kiln does not make, and why or what to do.
  others = {
    luks = "an image would hold its key: make it on the device";
    lvm_pv = "Kiln makes no LVM: say the file systems as partitions";
    zfs = "Kiln makes no ZFS: say ext4 or btrfs";
    mdraid = "Kiln makes no RAID: say the file systems as partitions";
    bcache_cache = "Kiln makes no bcache: say the file systems as partitions";
    bcache_backing = "Kiln makes no bcache: say the file systems as partitions";
    bcachefs = "Kiln makes no bcachefs: say ext4 or btrfs";
    table = "tables of the type \"table\" are gone from disko: say type = \"gpt\"";
    gpt = "Kiln makes no table in a partition: say the partitions in the disk's";
  };

  # How files are compressed that the image has, from how the system compresses those that it writes.
  compression =
    options:
    let
      said = filter (parts: parts != null) (
        map (match "compress(-force)?=(zlib|lzo|zstd|none|no)(:([0-9]+))?") (
          lib.concatMap (lib.splitString ",") options
        )
      );
      last = lib.last said;
      kind = builtins.elemAt last 1;
      level = builtins.elemAt last 3;
    in
    if said == [ ] || elem kind [ "none" "no" ] then
      { }
    else
      { compression = kind; }
      // lib.optionalAttrs (level != null && kind != "lzo") { level = builtins.fromJSON level; };

  # A subvolume's name as a path in the file system.
  path = name: "/${lib.concatStringsSep "/" (filter (part: part != "") (lib.splitString "/" name))}";

  # Swap files, which a disk's own mkswapfile makes.
  noSwapFiles =
    bad: content:
    let
      swap = content.swap or { };
      isOn = if swap ? enable then swap.enable else swap != { };
    in
    if isOn then
      bad "swap: Linux swaps to no file that an image brings: make it on the device, or say a partition with content.type = \"swap\""
    else
      content;

  mountOf = content: device: fsType: at: {
    device = content.device or device;
    inherit fsType at;
    options = content.mountOptions or [ "defaults" ];
    folder = "";
  };

  lower = {
    filesystem =
      bad: device: content:
      let
        said = content.format or (bad "format is missing");
        format =
          formats.${said}
            or (bad "format = \"${said}\": Kiln makes ${toString (attrNames formats)} of disko's, and swap");
      in
      {
        fs = {
          inherit format;
        }
        // lib.optionalAttrs (format == "btrfs") (compression (content.mountOptions or [ ]))
        // mkfs bad format (content.extraArgs or [ ]);
        mounts = lib.optional (content.mountpoint or null != null) (
          mountOf content device said content.mountpoint
        );
        swap = null;
      };

    btrfs =
      bad: device: given:
      let
        content = noSwapFiles bad given;
        subvolumes = lib.mapAttrsToList (
          name: subvolume:
          let
            wrong = problem: bad "subvolumes.\"${name}\": ${problem}";
            known = noSwapFiles wrong (checked.keys wrong checked.subvolume subvolume);
            here = path (known.name or name);
            # Before 2023-07-09, a subvolume was mounted where its name says.
            at = known.mountpoint or null;
          in
          if known.extraArgs or [ ] != [ ] then
            wrong "extraArgs: Kiln makes no quota groups and inherits nothing; leave them out"
          else if here == "/" then
            wrong "is the file system itself"
          else
            {
              inherit here;
              mounts = lib.optional (at != null) (
                mountOf (removeAttrs known [ "device" ]) (content.device or device) "btrfs" at
                // {
                  folder = here;
                  options = known.mountOptions or [ "defaults" ] ++ [ "subvol=${known.name or name}" ];
                }
              );
            }
        ) (content.subvolumes or { });
        mounts =
          lib.optional (content.mountpoint or null != null) (
            mountOf content device "btrfs" content.mountpoint
          )
          ++ lib.concatMap (subvolume: subvolume.mounts) subvolumes;
        names = map (subvolume: subvolume.here) subvolumes;
      in
      {
        fs = {
          format = "btrfs";
        }
        // compression (lib.concatMap (mount: mount.options) mounts)
        // mkfs bad "btrfs" (content.extraArgs or [ ])
        // lib.optionalAttrs (names != [ ]) {
          subvolumes = lib.genAttrs names (_: { });
          directories = names;
        };
        inherit mounts;
        swap = null;
      };

    swap = bad: device: content: {
      # One that is encrypted anew at each boot is made by that boot.
      fs =
        if content.randomEncryption or false then
          null
        else
          { format = "swap"; } // mkfs bad "swap" (content.extraArgs or [ ]);
      mounts = [ ];
      swap = {
        device = content.device or device;
        resume = content.resumeDevice or false;
        entry = {
          device = content.device or device;
        }
        // lib.optionalAttrs (content.randomEncryption or false) { randomEncryption = true; }
        // lib.optionalAttrs (content.priority or null != null) { inherit (content) priority; }
        // lib.optionalAttrs (content.discardPolicy or null != null) { inherit (content) discardPolicy; };
      };
    };
  };
in
# `bad` says what is wrong, and where; `device` is how the system finds the partition.
bad: device: content:
let
  type = content.type or (bad "type is missing");
  nothing = {
    fs = null;
    mounts = [ ];
    swap = null;
  };
in
if content == null then
  nothing
else if others ? ${type} then
  bad "type = \"${type}\": ${others.${type}}"
else if !(lower ? ${type}) then
  bad "type = \"${type}\": Kiln knows ${toString (attrNames lower)}"
else
  lower.${type} bad device (checked.keys bad checked.${type} content)
