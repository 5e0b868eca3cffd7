# What disko can say and Kiln does not do; tests/e2e/nix_disko/refused.rs has what is said of each.
{
  bios,
  evaluate,
  lib,
  lowered,
  machine,
  small,
}:
let
  inherit (import ./devices.nix)
    devices
    fileSystem
    gpt
    whole
    ;
  # One partition, and what is said of it.
  one = partition: (lowered (gpt { root = partition; }) { }).disk.region;
  content =
    content:
    (lowered (gpt {
      root = {
        size = "1G";
        inherit content;
      };
    }) { });
  btrfs =
    keys:
    content (
      {
        type = "btrfs";
      }
      // keys
    );
  ext4 = keys: content (fileSystem "ext4" "/" // keys);
in
{
  luks = content { type = "luks"; };
  lvm = content { type = "lvm_pv"; };
  zfs = content { type = "zfs"; };
  mdraid = content { type = "mdraid"; };
  bcache = content { type = "bcache_backing"; };
  bcachefs = content { type = "bcachefs"; };
  table-inside = content { type = "gpt"; };
  typo = content { type = "filesytem"; };
  zpool = lowered (devices.simple-efi // { zpool.zroot = { }; }) { };
  lvm-vg = lowered (devices.simple-efi // { lvm_vg.pool = { }; }) { };
  mdadm = lowered (devices.simple-efi // { mdadm.raid1 = { }; }) { };
  legacy = lowered {
    disk.vdb = {
      device = "/dev/sda";
      type = "disk";
      content = {
        type = "table";
        format = "gpt";
        partitions = [ ];
      };
    };
  } { };
  bare = lowered { disk.vdb.content = fileSystem "ext4" "/"; } { };
  two = lowered { disk = devices.simple-efi.disk // { other = { }; }; } { };
  none = lowered { } { };
  unknown-disk = lowered devices.simple-efi { disk = "vdb"; };
  no-partitions = lowered (gpt { }) { };
  xfs = content (fileSystem "xfs" "/");
  key = content (fileSystem "ext4" "/" // { mountPoint = "/"; });
  hook = content (fileSystem "ext4" "/" // { postCreateHook = "mount …"; });
  partition-key = one { sise = "1G"; };
  hybrid = one {
    size = "1G";
    hybrid.mbrPartitionType = "0x0c";
  };
  type = one {
    size = "1G";
    type = "A505";
  };
  attribute = one {
    size = "1G";
    attributes = [ 7 ];
  };
  no-size = one { type = "8300"; };
  size = one { size = "1.5G"; };
  start = one {
    start = "1.5M";
    size = "1G";
  };
  too-small = one { size = "3G"; };
  backwards = one {
    start = "20M";
    end = "10M";
  };
  image-size = lowered devices.simple-efi { imageSize = "2 GiB"; };
  auto-end = lowered devices.negative-size { imageSize = "auto"; };
  auto-middle = lowered (gpt {
    root = whole (fileSystem "ext4" "/") // {
      priority = 1;
    };
    home = {
      size = "1G";
    };
  }) { imageSize = "auto"; };
  auto-empty = lowered (gpt { root.size = "100%"; }) { imageSize = "auto"; };
  swap-file = btrfs {
    swap = {
      enable = true;
      files = [ { size = "1G"; } ];
    };
  };
  swap-file-old = btrfs { subvolumes."/swap".swap.swapfile.size = "1G"; };
  subvolume-arguments = btrfs { subvolumes."/x".extraArgs = [ "-i" "1" ]; };
  subvolume-root = btrfs { subvolumes."/" = { }; };
  argument = ext4 { extraArgs = [ "-O" "casefold" ]; };
  argument-value = ext4 { extraArgs = [ "-L" ]; };
  argument-only = ext4 { extraArgs = [ "-b" "1024" ]; };
  store-on-mount = lowered (gpt {
    store = whole (fileSystem "ext4" "/nix/store");
    root = {
      size = "1G";
      content = fileSystem "btrfs" "/other";
    };
  }) { closure = small; };
  database =
    lowered
      (gpt {
        root = whole {
          type = "btrfs";
          subvolumes."/rootfs".mountpoint = "/";
          subvolumes."/store".mountpoint = "/nix/store";
        };
      })
      {
        closure = small;
      };
  no-root = lowered (gpt { home = whole (fileSystem "ext4" "/home"); }) { closure = small; };
  no-boot = lowered (gpt { home = whole (fileSystem "ext4" "/home"); }) { text."/boot/x" = "x"; };
  keys = lowered devices.simple-efi { keys.rot.free = "1GiB"; };
  # What the system mounts is not what is there.
  other-root =
    (machine { fileSystems."/".device = lib.mkForce "/dev/sda2"; }).system.build.image.drvPath;
  other-option =
    (machine { fileSystems."/boot".options = lib.mkForce [ "defaults" ]; })
    .system.build.image.drvPath;
  unmounted = (machine { fileSystems."/boot".enable = false; }).system.build.image.drvPath;
  grub =
    (machine (bios // { disko.devices = lib.mkForce devices.simple-efi; })).system.build.image.drvPath;
  no-disko = (evaluate [ ../../../nix/modules/disko.nix ]).system.build.image.drvPath;
}
