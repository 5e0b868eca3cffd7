# In place of nixpkgs' nixos/lib/make-disk-image.nix: a disk of a NixOS system in $out, without a virtual machine.
#
# What is different: the same input gives the same bytes; partitions begin and end at whole MiB, where parted takes bootSize for
# millions of bytes; the root has additionalSpace free, and not about as much; and what would run in the machine is refused. On a
# disk with an EFI system partition UEFI starts systemd-boot, and a BIOS starts GRUB. Types and defaults are those of nixpkgs.
{
  pkgs,
  lib,
  # The configuration whose system is on the disk.
  config,
  # MiB, or "auto": as large as what is in it and additionalSpace.
  diskSize ? "auto",
  additionalSpace ? "512M",
  # Where the partition with the boot loader ends.
  bootSize ? "256M",
  # { source, target, mode, user, group }.
  contents ? [ ],
  partitionTableType ? "legacy",
  installBootLoader ? true,
  # Whether $out has efi-vars.fd, those of OVMF. Nothing has to be written into them: the loader lies where firmware looks.
  touchEFIVars ? false,
  OVMF ? pkgs.OVMF.fd,
  # Of a virtual machine, which does not run.
  efiFirmware ? null,
  efiVariables ? OVMF.variables,
  fsType ? "ext4",
  label ? if onlyNixStore then "nix-store" else "nixos",
  configFile ? null,
  postVM ? "",
  memSize ? 1024,
  onlyNixStore ? false,
  name ? "nixos-disk-image",
  baseName ? "nixos",
  format ? "raw",
  # Images of Kiln always are.
  deterministic ? true,
  rootGPUID ? "F222513B-DED1-49FA-B591-20CE86A2FE7F",
  rootFSUID ? if fsType == "ext4" then rootGPUID else null,
  copyChannel ? true,
  additionalPaths ? [ ],
  # Of Kiln: the file in $out when that is not baseName with its ending, more keys of [fs.root] and [disk], more outputs of the disk, and what is run on $out at the end.
  fileName ? null,
  keys ? { },
  diskKeys ? { },
  outputs ? null,
  hydra ? null,
  finish ? "",
  passthru ? { },
  # GRUB's files for machines with a BIOS.
  grub ? pkgs.grub2,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
}:
let
  inherit (builtins) elem;
  bad = problem: throw "make-disk-image.nix: ${problem}";
  sizes = import ./disk-image/sizes.nix { inherit lib bad; };
  hasEsp = elem partitionTableType [
    "efi"
    "efixbootldr"
    "hybrid"
  ];
  types = [
    "legacy"
    "legacy+gpt"
    "efi"
    "efixbootldr"
    "hybrid"
    "none"
  ];

  # By the original's names: what Kiln calls the container, and how the file's name ends.
  formats = {
    raw = {
      format = "raw";
      ending = "img";
    };
    qcow2 = {
      format = "qcow2";
      ending = "qcow2";
    };
    qcow2-compressed = {
      format = "qcow2";
      ending = "qcow2";
      # As qemu-img -c compresses.
      keys.compression = "zlib";
    };
    vdi = {
      format = "vdi";
      ending = "vdi";
    };
    vpc = {
      format = "vhd";
      ending = "vhd";
    };
    vhdx = {
      format = "vhdx";
      ending = "vhdx";
    };
    vmdk = {
      format = "vmdk";
      ending = "vmdk";
    };
  };
  container =
    formats.${format}
      or (bad "format = \"${format}\": Kiln makes ${toString (builtins.attrNames formats)}");
  file = if fileName != null then fileName else "${baseName}.${container.ending}";
  kind = if format == "qcow2-compressed" then "qcow2" else format;
  made =
    if outputs != null then
      outputs
    else if format == "raw" then
      null
    else
      [
        (
          {
            inherit (container) format;
            inherit file;
          }
          // container.keys or { }
        )
      ];

  wrong =
    if !(elem partitionTableType types) then
      "partitionTableType = \"${partitionTableType}\": must be one of ${toString types}"
    else if postVM != "" then
      "postVM: it is for files of a virtual machine's build, and there is none: say finish = \"…\", which runs with the image in $out, or [[disk.output]] for other containers"
    else if
      !(elem fsType [
        "btrfs"
        "ext4"
      ])
    then
      "fsType = \"${fsType}\": Kiln makes ext4, and btrfs without a partition table"
    else if partitionTableType != "none" && fsType != "ext4" then
      "fsType = \"${fsType}\": a partition table needs ext4, as in the original"
    else if fsType == "ext4" && deterministic && rootFSUID == null then
      "rootFSUID must be said for ext4; it is rootGPUID when not given"
    else if touchEFIVars && !hasEsp && partitionTableType != "legacy+gpt" then
      "touchEFIVars: EFI variables need a partition table of type hybrid, efi, efixbootldr or legacy+gpt"
    else if onlyNixStore && !(contents == [ ] && configFile == null && !installBootLoader) then
      "onlyNixStore: there must be no contents, no configFile, and installBootLoader = false"
    else if !(diskSize == "auto" || builtins.isInt diskSize || builtins.match "[0-9]+" diskSize != null) then
      "diskSize = ${toString diskSize}: must be a number of MiB, or \"auto\""
    else
      null;

  inside = import ./disk-image/contents.nix { inherit bad config lib; } contents;
  channel = import ./disk-image/channel.nix { inherit buildPkgs config lib pkgs; };
  loader = import ./disk-image/loader.nix { inherit bad config grub lib pkgs; } partitionTableType;
  boots = installBootLoader && !onlyNixStore;

  system = {
    database = true;
    symlinks = {
      "/nix/var/nix/profiles/system" = "system-1-link";
      "/nix/var/nix/profiles/system-1-link" = "{toplevel}";
    }
    // lib.optionalAttrs copyChannel channel.symlinks;
    text."/etc/NIXOS" = "";
    directories = [
      "/etc/nixos"
    ]
    ++ lib.optional hasEsp "/boot"
    ++ lib.optional (partitionTableType == "efixbootldr") "/efi";
    files =
      inside.files
      // lib.optionalAttrs (configFile != null) { "/etc/nixos/configuration.nix" = "${configFile}"; };
    keep = [ "modes" ];
    attributes = inside.attributes ++ lib.optionals copyChannel channel.attributes;
  };
  free = sizes.binary "additionalSpace" additionalSpace;
  root = {
    format = fsType;
    closure = true;
    inherit label;
  }
  // lib.optionalAttrs (rootFSUID != null) { uuid = rootFSUID; }
  // (if onlyNixStore then { closure-at = "/"; } else system)
  // lib.optionalAttrs boots loader.root
  // keys;

  table = import ./disk-image/table.nix {
    inherit
      bad
      lib
      partitionTableType
      rootGPUID
      sizes
      ;
    bootSize = sizes.binary "bootSize" bootSize;
    # Its bytes, or null.
    size = if diskSize == "auto" then null else 1048576 * lib.toInt (toString diskSize);
    badSize = problem: bad "diskSize = ${toString diskSize}: ${problem}";
  };
  toplevel = config.system.build.toplevel;

  image = images.mkDiskImage {
    inherit name;
    finish =
      lib.optionalString touchEFIVars ''
        cp ${efiVariables} "$out/efi-vars.fd"
        chmod 0644 "$out/efi-vars.fd"
      ''
      + finish;
    closure =
      lib.unique (
        [ toplevel ] ++ lib.optional copyChannel channel.package ++ additionalPaths
      );
    inherit toplevel;
    inherit (inside) prepare;
    only = [ "disk" ];
    fs = {
      root =
        root
        // (if table.rootSize == null then { free = "${toString free}B"; } else { size = "${toString table.rootSize}B"; });
    }
    // lib.mapAttrs (part: fs: fs // lib.optionalAttrs boots (loader.${part} or { })) table.fs;
    disk = {
      file = if made == null then file else "${baseName}.raw";
    }
    // table.disk
    // lib.optionalAttrs boots loader.disk
    // lib.optionalAttrs (made != null) {
      only-outputs = true;
      output = made;
    }
    // diskKeys;
    hydra = if hydra != null then hydra else { "${kind}-image" = file; };
    passthru = {
      filePath = file;
      inherit config;
    }
    // passthru;
  };
in
if wrong != null then
  bad wrong
else
  lib.warnIf (
    memSize != 1024
  ) "make-disk-image.nix: memSize = ${toString memSize} has no effect: no virtual machine runs" image
