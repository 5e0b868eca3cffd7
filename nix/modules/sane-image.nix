# The options sane.image.*, with the names and meanings that they have where they come from, and an image by Kiln behind
# them: config.system.build.img, whose nixos.img it is, with passthru bootFsImg, nixFsImg and withoutBootloader.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.sane.image;
  inherit (config.kiln) buildPkgs;
  images =
    if cfg.package == null then
      config.kiln.lib
    else
      import ../lib {
        inherit pkgs buildPkgs;
        kiln = cfg.package;
      };
  mebibyte = 1024 * 1024;

  bootFs = config.fileSystems."/boot";
  nixMount =
    let
      mounts = builtins.filter (mount: config.fileSystems ? ${mount}) [
        "/nix/store"
        "/nix"
        "/"
      ];
    in
    builtins.head mounts;
  nixFs = config.fileSystems.${nixMount};

  # The id of a file system, from the device that it is mounted by.
  uuidOf =
    fs:
    let
      found = builtins.match "/dev/disk/by-uuid/(.+)" fs.device;
    in
    if found == null then
      throw "sane.image: ${fs.device}: the file systems need devices of the form /dev/disk/by-uuid/…"
    else
      builtins.head found;
  bootId = builtins.replaceStrings [ "-" ] [ "" ] (uuidOf bootFs);

  isBtrfs = nixFs.fsType == "btrfs";
  btrfs = import ./sane-btrfs.nix { inherit lib; } {
    inherit nixFs;
    inherit (config) fileSystems;
    bad = problem: throw "sane.image: ${problem}";
  };

  # A path of the system, as seen from the file system that the store is in.
  below =
    path:
    let
      elsewhere = throw "sane.image.extraDirectories: ${path} is not below ${nixMount}, where the file system is mounted";
      found = btrfs.place path;
    in
    if isBtrfs then
      (if found == null then elsewhere else found)
    else if nixMount == "/" then
      path
    else if path == nixMount then
      "/"
    else if lib.hasPrefix "${nixMount}/" path then
      lib.removePrefix nixMount path
    else
      elsewhere;
  storeAt = below "/nix/store";

  # Bytes from the start of the disk to where the first partition may begin: protective MBR, header, hole, 128 entries.
  tableLen = 2 * cfg.sectorSize + cfg.extraGPTPadding + 128 * 128;
  # Once, a gap had to be said in units of 2^-20 bytes, less one, since mobile-nixos divided it by 1 MiB and rounded up.
  gap =
    if cfg.firstPartGap == null then
      0
    else if cfg.firstPartGap >= 1099511627776 then
      (cfg.firstPartGap + mebibyte - 1) / mebibyte
    else
      cfg.firstPartGap;
  roundUp = unit: bytes: (bytes + unit - 1) / unit * unit;
  firstStart = roundUp cfg.sectorSize (tableLen + gap);
  bytes = amount: "${toString amount}B";

  # Partitions follow each other without gaps, each a whole number of MiB long.
  platform = lib.optional (cfg.platformPartSize != null) {
    name = "kernel";
    type = "fe3a2a5d-4f32-41a7-b725-accc3285a309";
    size = bytes cfg.platformPartSize;
    raw = "${config.system.build.platformPartition}";
  };
  bootStart =
    firstStart + (if cfg.platformPartSize == null then 0 else roundUp mebibyte cfg.platformPartSize);

  args = {
    name = "nixos";
    closure = [ config.system.build.toplevel ];
    disk = {
      table = "gpt";
      sector-size = cfg.sectorSize;
      region =
        map (
          loader:
          loader
          // {
            raw = "${loader.raw}";
            offset = bytes loader.offset;
          }
        ) cfg.loaders
        ++ map (region: region // { offset = bytes firstStart; }) platform
        ++ [
          {
            name = "EFI System";
            type = "esp";
            guid = "44444444-4444-4444-4444-4444${bootId}";
            offset = bytes bootStart;
            size = bytes (roundUp mebibyte cfg.bootPartSize);
            content = "fs.boot";
          }
          {
            name = "Linux filesystem";
            type = "linux";
            guid = uuidOf nixFs;
            offset = bytes (bootStart + roundUp mebibyte cfg.bootPartSize);
            content = "fs.nix";
          }
        ];
    }
    // lib.optionalAttrs (cfg.extraGPTPadding != 0) { header-hole = bytes cfg.extraGPTPadding; }
    // lib.optionalAttrs (cfg.board != null) { inherit (cfg) board; };

    fs.boot = {
      format = "fat";
      label = "ESP";
      id = bootId;
      size = bytes (roundUp mebibyte cfg.bootPartSize);
    }
    // lib.optionalAttrs (cfg.bootPartSize > 32 * mebibyte && cfg.sectorSize == 512) { bits = 32; }
    // lib.optionalAttrs (cfg.extraBootFiles != [ ]) {
      files."/" = map toString cfg.extraBootFiles;
      # Packages may be farms of links, and a FAT has none.
      follow-links = true;
    }
    // lib.optionalAttrs cfg.extlinux.enable {
      extlinux =
        import ./extlinux.nix { inherit config lib; }
        // {
          at = "/";
        }
        // cfg.extlinux.settings;
    };

    fs.nix = {
      format = nixFs.fsType;
      label = "NIXOS_SYSTEM";
      uuid = uuidOf nixFs;
      closure = true;
      registration = "${lib.optionalString isBtrfs btrfs.root}/nix-path-registration";
      directories = lib.optionals isBtrfs btrfs.directories ++ map below cfg.extraDirectories;
      inherit (cfg) free;
    }
    // lib.optionalAttrs (storeAt != "/nix/store") { closure-at = storeAt; }
    // lib.optionalAttrs isBtrfs btrfs.keys;
  };
  image = images.mkDiskImage (args // { disk = args.disk // { inherit file; }; });
  file = "nixos.img";

  # The image after the shell of installBootloader, in which $out is the image; or the folder that it is in, as in the end,
  # where the shell says $out/nixos.img.
  inFolder =
    builtins.replaceStrings
      [ "$out/" "\${out}/" "$out\"/" "\${out}\"/" ]
      [ "" "" "" "" ]
      cfg.installBootloader != cfg.installBootloader;
  withBootloader =
    buildPkgs.runCommand "nixos-with-bootloader"
      {
        __structuredAttrs = true;
        # As the image itself.
        unsafeDiscardReferences.out = true;
        passthru.filePath = file;
      }
      ''
        mkdir "$out"
        cp --sparse=always ${image}/${file} "$out/${file}"
        chmod +w "$out/${file}"
        (
        shopt -s nullglob inherit_errexit
        set -o pipefail
        ${lib.optionalString (!inFolder) "out=$out/${file}"}
        ${cfg.installBootloader}
        )
      '';
in
{
  imports = [ ./kiln.nix ];

  options.sane.image = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether there is an image in `system.build.img`. It is only built when something asks for it.";
    };
    package = mkOption {
      type = types.nullOr types.package;
      default = null;
      description = "The Kiln that makes it; `kiln.package` when null.";
    };
    extraBootFiles = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = ''
        Packages whose files are copied into the boot partition; links in them are followed. A file that two of them have is
        an error.
      '';
    };
    extraDirectories = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "/var/log" ];
      description = ''
        Directories that are made in the file system with the store. Of a btrfs, they may lie in any of its subvolumes that
        the system mounts.
      '';
    };
    extraGPTPadding = mkOption {
      type = types.int;
      default = 0;
      description = ''
        Bytes between the header of the partition table, in sector 1, and its entries: room for what a boot ROM reads
        there. The entries then begin in sector 2 and as many more as these bytes are.
      '';
    };
    firstPartGap = mkOption {
      type = types.nullOr types.int;
      default = 16 * mebibyte - (tableLen - cfg.extraGPTPadding);
      defaultText = literalExpression "16 * 1024 * 1024 - 34 * 512";
      description = ''
        Bytes between the partition table and the first partition; the usual ones make it begin at 16 MiB when there is
        no padding. Numbers of 2^40 and more are in the spelling of old, where a gap of N bytes was N * 1024 * 1024 - 1.
      '';
    };
    platformPartSize = mkOption {
      type = types.nullOr types.int;
      default = null;
      description = ''
        Bytes of a partition before all others for a Chromebook's kernel, which is `system.build.platformPartition`.
      '';
    };
    bootPartSize = mkOption {
      type = types.int;
      default = 512 * mebibyte;
      description = "Bytes of the boot partition.";
    };
    sectorSize = mkOption {
      type = types.int;
      default = 512;
      description = "Bytes of the disk's sectors, 512 or 4096: of the table, of where partitions lie, and of the FAT.";
    };
    installBootloader = mkOption {
      type = types.nullOr types.lines;
      default = null;
      example = "dd if=\${pkgs.ubootPinephone}/u-boot-sunxi-with-spl.bin of=$out bs=1024 seek=8 conv=notrunc";
      description = ''
        Shell that puts a boot loader into the finished image, `$out`; where it says `$out/nixos.img`, that is the image.
        It runs in a subshell. Nothing checks where it writes: `loaders` is the same with checks, and in one step.
      '';
    };
    loaders = mkOption {
      type = types.listOf types.anything;
      default = [ ];
      example = literalExpression ''
        [
          {
            name = "spl";
            raw = "''${pkgs.ubootPinephone}/u-boot-sunxi-with-spl.bin";
            offset = 8 * 1024;
          }
        ]
      '';
      description = ''
        Boot loaders, by name, file and first byte, outside of all partitions. That they overlap neither each other nor
        the table nor a partition is checked.
      '';
    };
    board = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "allwinner-8k";
      description = "A board whose rules are checked: what `board` in `[disk]` knows.";
    };
    free = mkOption {
      type = types.str;
      default = "64MiB";
      description = "What stays free in the file system with the store. The first boot may make it larger.";
    };
    extlinux.enable = mkOption {
      type = types.bool;
      default = config.boot.loader.generic-extlinux-compatible.enable;
      defaultText = literalExpression "config.boot.loader.generic-extlinux-compatible.enable";
      description = "Whether the boot partition has a boot menu for U-Boot, with its kernels, as NixOS makes it.";
    };
    extlinux.settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = {
        timeout = 1;
      };
      description = "Keys of `extlinux` in the specification.";
    };
  };

  config = lib.mkIf cfg.enable {
    system.build.img =
      assert lib.assertMsg (bootFs.fsType == "vfat") "sane.image: /boot is ${bootFs.fsType}: there is vfat";
      assert lib.assertMsg (
        nixFs.fsType == "ext4" || isBtrfs
      ) "sane.image: ${nixMount} is ${nixFs.fsType}: there are btrfs and ext4";
      lib.recursiveUpdate (if cfg.installBootloader == null then image else withBootloader) {
        passthru = {
          bootFsImg = image.parts.fs.boot;
          nixFsImg = image.parts.fs.nix;
          withoutBootloader = image;
        };
        bootFsImg = image.parts.fs.boot;
        nixFsImg = image.parts.fs.nix;
        withoutBootloader = image;
      };
  };
}
