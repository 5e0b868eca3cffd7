# image.repart: definitions as systemd-repart and Kiln read them, what is refused, and the module.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  inherit (pkgs) lib;
  images = import ../../nix/lib { inherit pkgs; };
  flake = lib.fix (self: (import ../../flake.nix).outputs { inherit self nixpkgs; });
  nixpkgs = lib.fix (self: (import ./stub-nixpkgs/flake.nix).outputs { inherit self; });

  make = arguments: images.mkDiskImage (images.fromRepart ({ name = "appliance"; } // arguments));
  lines =
    config:
    lib.concatStrings (
      lib.mapAttrsToList (
        key: value:
        lib.concatMapStrings (one: "${key}=${if lib.isBool one then lib.boolToString one else toString one}\n") (
          if lib.isList value then value else [ value ]
        )
      ) config
    );
  # The same definitions for systemd-repart, and for Kiln without Nix.
  compared =
    definitions: arguments:
    {
      definitions = lib.mapAttrs (_: config: "[Partition]\n${lines config}") definitions;
      size = arguments.imageSize or "auto";
      split = arguments.split or false;
      specification =
        removeAttrs
          (make (
            {
              finalPartitions = lib.mapAttrs (_: repartConfig: { inherit repartConfig; }) definitions;
            }
            // arguments
          )).specification
          [ "closure" ];
    };

  folder = pkgs.runCommand "folder" { } ''
    mkdir -p "$out/sub"
    printf 'timeout 3\n' > "$out/loader.conf"
    printf 'deep\n' > "$out/sub/file"
    printf 'secret\n' > "$out/sub/secret"
  '';
  other = pkgs.runCommand "other" { } ''
    mkdir "$out"
    printf 'other\n' > "$out/other"
  '';
  blocks = pkgs.runCommand "blocks" { } ''printf '%5632s' blocks > "$out"'';
  small = [ pkgs.demo.coreutils ];

  # One partition, and what is said of it.
  alone = config: { finalPartitions."10-x".repartConfig = { Type = "home"; } // config; };
  of = config: (make (alone config)).specification;
  regionOf = config: lib.head (of config).disk.region;
  fsOf = config: (of config).fs."10-x";
  full = config: fsOf ({ CopyFiles = "${folder}:/"; } // config);
  system = settings: nixpkgs.lib.nixosSystem {
    system = builtins.currentSystem;
    modules = [
      ./stub-nixpkgs/nixos/modules/image/repart.nix
      flake.nixosModules.repart
      settings
    ];
  };
  appliance = {
    boot.loader.grub.enable = false;
    image.repart = {
      name = "appliance";
      version = "7";
      partitions."10-esp" = {
        contents."/loader/loader.conf".source = "${folder}/loader.conf";
        repartConfig.Type = "esp";
      };
      partitions."20-store" = {
        storePaths = small;
        nixStorePrefix = "/store";
        repartConfig = {
          Type = "linux-generic";
          Label = "nix-store";
          Format = "squashfs";
          Minimize = "best";
        };
      };
    };
    kiln.repart.keys."20-store".level = 3;
  };
  configured = more: (system { imports = [ appliance more ]; }).config;
in
rec {
  # Their names alone.
  namesOf = {
    refused = lib.attrNames refused;
    module.refused = lib.attrNames module.refused;
  };

  # What both make: no file systems, which systemd-repart 252 makes only as root.
  tables = {
    usual = compared {
      "10-esp" = {
        Type = "esp";
        SizeMinBytes = "100M";
      };
      "20-root".Type = "root";
      "30-root" = {
        Type = "root";
        Flags = "0x0005000000000000";
        SplitName = "b";
      };
      "40-home" = {
        Type = "home";
        Label = "a%%b";
        SizeMinBytes = 12345678;
        SizeMaxBytes = "200M";
        SplitName = "%t-%T-%U-%n";
      };
      "50-swap" = {
        Type = "swap";
        NoAuto = true;
        PaddingMinBytes = 1050000;
        SplitName = "-";
      };
      "60-usr" = {
        Type = "usr-verity";
        UUID = "8F2D6E5A-95A8-4B0C-8F4E-0D6B1FD8FB0E";
      };
      "70-generic" = {
        Type = "linux-generic";
        SizeMinBytes = 4096;
      };
      "80-srv" = {
        Type = "3b8f8425-20e0-4f3b-907f-1a25a76f98e8";
        ReadOnly = "yes";
        Flags = "0b1000000000000000000000000000000000000000000000000000000000000";
        GrowFileSystem = "no";
      };
      "90-xbootldr" = {
        Type = "xbootldr";
        NoAuto = "on";
        GrowFileSystem = false;
        Flags = "576460752303423488";
        PaddingMinBytes = "1M";
      };
      "95-var".Type = "var";
      "96-var" = {
        Type = "var";
        PaddingMinBytes = "8K";
        PaddingMaxBytes = "1M";
      };
    } { split = true; };
    weighed = compared {
      "1" = {
        Type = "esp";
        SizeMinBytes = "100M";
        SizeMaxBytes = "100M";
      };
      "2" = {
        Type = "home";
        Weight = 500;
        PaddingWeight = 100;
      };
      "3" = {
        Type = "srv";
        SizeMaxBytes = "300M";
        PaddingMinBytes = 10000;
      };
      "4" = {
        Type = "var";
        Weight = 3000;
        SizeMaxBytes = "200001K";
        PaddingMaxBytes = "5M";
        PaddingWeight = 10;
      };
    } { imageSize = "1500M"; };
    limited = compared {
      "1" = {
        Type = "home";
        SizeMaxBytes = "20M";
      };
      "2" = {
        Type = "srv";
        SizeMaxBytes = "30M";
        Weight = 0;
      };
      "3" = {
        Type = "var";
        SizeMinBytes = "70M";
        Weight = 1;
      };
    } { imageSize = "200000001"; };
    thirds = compared (lib.genAttrs [ "1" "2" "3" ] (_: { Type = "tmp"; })) { imageSize = "1G"; };
    nothing = compared {
      "1" = {
        Type = "home";
        SizeMaxBytes = "20M";
      };
      "2" = {
        Type = "srv";
        SizeMaxBytes = "30M";
      };
    } { imageSize = "100M"; };
  };
  # Swap areas and file systems without files, which systemd-repart 252 makes with loop devices.
  formatted = compared {
    "10-boot" = {
      Type = "xbootldr";
      Format = "vfat";
      Label = "my Boot+x.y;";
      SizeMinBytes = "100M";
    };
    "20-root" = {
      Type = "root";
      Format = "ext4";
      Label = "a label of many letters";
      SizeMinBytes = "64M";
    };
    "30-swap" = {
      Type = "swap";
      Format = "swap";
      Label = "a swap area of many letters";
    };
    "40-swap" = {
      Type = "swap";
      Format = "swap";
      UUID = "8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e";
      SizeMinBytes = "1M";
      SplitName = "other-swap";
    };
  } { split = true; };

  # Contents of all kinds, split and compressed.
  contents = make {
    version = "7";
    split = true;
    compression = {
      enable = true;
      algorithm = "zstd-seekable";
      level = 4;
    };
    finalPartitions = {
      "10-esp" = {
        contents."/EFI/BOOT/BOOTX64.EFI".source = "${other}/other";
        repartConfig = {
          Type = "esp";
          Label = "%M_%A";
          CopyFiles = "${folder}:/loader//";
        };
      };
      "20-root".repartConfig = {
        Type = "root";
        SizeMinBytes = "32M";
        CopyFiles = [
          "${folder}:/etc:fsverity=off"
          "${other}:/etc"
          "${folder}/sub/file:/etc/deep/%%name"
          "${other}"
        ];
        MakeDirectories = "/var /etc/empty";
        MakeSymlinks = [
          "/init:${other}/init /sbin/init:../init"
        ];
        ReadOnly = true;
      };
      "30-store" = {
        storePaths = small;
        nixStorePrefix = "/@/store";
        stripNixStorePrefix = "_mkMergedOptionModule";
        closure = throw "nobody reads it";
        repartConfig = {
          Type = "linux-generic";
          Label = "nix-store";
          Format = "squashfs";
          Minimize = "best";
          Compression = "zstd";
          CompressionLevel = 3;
          PaddingMinBytes = "4K";
        };
      };
      "40-strip" = {
        storePaths = [ other ];
        stripNixStorePrefix = true;
        repartConfig = {
          Type = "srv";
          Format = "ext4";
          Minimize = "guess";
        };
      };
      "50-blocks".repartConfig = {
        Type = "linux-generic";
        CopyBlocks = "${blocks}";
        SizeMinBytes = 4096;
        SplitName = "blocks-%n";
      };
      "60-swap".repartConfig = {
        Type = "swap";
        Format = "swap";
        SizeMinBytes = "1M";
        SplitName = "-";
      };
      "70-exclude".repartConfig = {
        Type = "tmp";
        CopyFiles = [ "${folder}:/all" ];
        ExcludeFiles = "${folder}/sub/secret";
        ExcludeFilesTarget = "/all/loader.conf";
        Format = "ext4";
        Minimize = "guess";
      };
    };
  };

  # What each key does to the specification.
  effects = {
    formats = {
      esp = (full { Type = "esp"; }).format;
      xbootldr = (full { Type = "xbootldr"; }).format;
      home = (full { }).format;
      directories = (fsOf { MakeDirectories = "/a"; }).format;
      none = (of { }).fs;
    };
    sizes = {
      usual = (regionOf { }).size;
      fat = (full { Format = "vfat"; }) ? bits;
      fat32 = (full {
        Format = "vfat";
        SizeMinBytes = "34M";
      }).bits;
      rounded = (regionOf { SizeMinBytes = 12345; }).size;
      suffix = (regionOf { SizeMinBytes = "1G"; }).size;
      esp = (regionOf {
        Type = "esp";
        Format = "vfat";
        SizeMinBytes = "64M";
      }).size;
      best = (full { Minimize = "guess"; }) ? size;
      most = (full {
        Minimize = true;
        SizeMaxBytes = "20M";
      }).max-size;
      squashfs = (regionOf {
        CopyFiles = "${folder}:/";
        Format = "squashfs";
      }).min-size;
      blocks = (regionOf { CopyBlocks = "/x"; }).min-size;
    };
    labels = {
      usual = (regionOf { }).name;
      known = (regionOf { Label = "%M-%A-%%"; }).name;
      fs = (full { Label = "twenty-one characters"; }).label;
      volume = (full {
        Label = "disk";
        VolumeLabel = "volume";
      }).label;
    };
    attributes = lib.mapAttrs (_: config: (regionOf config).attributes) {
      usual = { };
      verity.Type = "root-verity";
      generic.Type = "linux-generic";
      # A warning, as systemd-repart has it.
      meaningless = {
        Type = "linux-generic";
        ReadOnly = "yes";
      };
      readOnly.ReadOnly = true;
      off = {
        Flags = "0xf800000000000001";
        NoAuto = false;
        ReadOnly = "off";
        GrowFileSystem = 0;
      };
    };
    idle = regionOf {
      FactoryReset = true;
      Priority = 5;
      MountPoint = "/x";
      Verity = "off";
      Encrypt = false;
      Subvolumes = "";
    };
    # Store paths are built before the image that has them.
    contexts = map builtins.hasContext [
      (full { CopyFiles = [ "${folder}:/x" ]; }).files."/x"
      (full { CopyFiles = "${folder}"; }).files.${builtins.unsafeDiscardStringContext "${folder}"}
      (full { MakeSymlinks = "/a:b /x:${folder}"; }).symlinks."/x"
      (regionOf { CopyBlocks = "${blocks}"; }).raw
    ];
    mkfs =
      (make (
        alone {
          CopyFiles = "${folder}:/";
          Format = "squashfs";
        }
        // {
          mkfsOptions.squashfs = [
            "-comp zstd"
            "-Xcompression-level 5 -b 128K"
          ];
        }
      )).specification.fs."10-x";
    keys = (make (alone { CopyFiles = "${folder}:/"; } // { keys."10-x".journal = "none"; })).specification.fs."10-x".journal;
    compression = lib.genAttrs [ "zstd" "xz" "zstd-seekable" ] (
      algorithm:
      let
        disk =
          (make (
            alone { }
            // {
              compression = {
                enable = true;
                inherit algorithm;
              };
            }
          )).specification.disk;
      in
      [
        disk.compress
        disk.compress-level
      ]
    );
  };

  # What is refused, whatever is asked of it.
  refused =
    lib.mapAttrs (_: config: of config) {
      verity.Verity = "data";
      encrypt.Encrypt = "tpm2";
      subvolumes.Subvolumes = "/home";
      erofs.Format = "erofs";
      btrfs.Format = "btrfs";
      typo.SizeMinByte = "1M";
      type.Type = "roof";
      size.SizeMinBytes = "1MiB";
      sizes = {
        SizeMinBytes = "2M";
        SizeMaxBytes = "1M";
      };
      paddings = {
        PaddingMinBytes = "2M";
        PaddingMaxBytes = "1M";
      };
      flags.Flags = "yes";
      boolean.ReadOnly = "maybe";
      specifier.Label = "%H";
      longLabel.Label = "a label of more characters than thirty-six";
      uuid.UUID = "null";
      minimize.Minimize = true;
      copyOptions.CopyFiles = "/a:/b:noatime";
      fsverity.CopyFiles = "/a:/b:fsverity=copy";
      copyRelative.CopyFiles = "a:/b";
      copyDots.CopyFiles = "/a:/b/../c";
      link.MakeSymlinks = "/a";
      swapFiles = {
        Format = "swap";
        CopyFiles = "/a";
      };
      emptySquashfs.Format = "squashfs";
      blocksAndFormat = {
        CopyBlocks = "/a";
        Format = "ext4";
      };
      blocksAuto.CopyBlocks = "auto";
      excludeTwo = {
        CopyFiles = [
          "/a:/"
          "/b:/"
        ];
        ExcludeFiles = "/a/x";
      };
      excludeElsewhere = {
        CopyFiles = "/a:/";
        ExcludeFiles = "/ab/x";
      };
      compression = {
        CopyFiles = "/a";
        Compression = "zstd";
      };
    }
    // lib.mapAttrs (_: arguments: (make (alone { } // arguments)).specification) {
      seed.seed = null;
      random.seed = "random";
      badSeed.seed = "rock64";
      sectorSize.sectorSize = 2048;
      imageSize.imageSize = "1.5G";
      tooSmall.imageSize = "8M";
      algorithm.compression = {
        enable = true;
        algorithm = "lz4";
      };
      noKeys.keys."20-root".free = "1MiB";
      none.finalPartitions = { };
      unknownSizes = {
        imageSize = "1G";
        finalPartitions."10-x".repartConfig = {
          Type = "home";
          CopyFiles = "/a";
          Minimize = "guess";
        };
      };
      splitName = {
        split = true;
        finalPartitions."10-x".repartConfig = {
          Type = "home";
          SplitName = "a/b";
        };
      };
      sameLabels.finalPartitions = lib.genAttrs [ "1" "2" ] (_: {
        repartConfig = {
          Type = "home";
          Label = "x";
        };
      });
      mkfs = {
        mkfsOptions.ext4 = [ "-O quota" ];
        finalPartitions."10-x".repartConfig = {
          Type = "home";
          Format = "ext4";
        };
      };
    };

  # The module, in a configuration that imports nixpkgs' own.
  module = {
    plain = (configured { }).system.build.image;
    compressed =
      (configured {
        image.repart.split = true;
        image.repart.compression = {
          enable = true;
          algorithm = "xz";
        };
      }).system.build.image;
    paths = lib.mapAttrs (_: config: {
      image = config.system.build.image.filePath;
      inherit (config.image) fileName filePath;
    }) {
      plain = configured { };
      zstd = configured { image.repart.compression.enable = true; };
      renamed = configured { image.baseName = lib.mkForce "board"; };
    };
    refused = lib.mapAttrs (_: settings: (configured settings).system.build.image.drvPath) {
      verity.image.repart.verityStore.enable = true;
      fileName.image.fileName = "board.img";
      extension.image.extension = lib.mkForce "img";
      label = {
        image.repart.assertions = [
          {
            assertion = false;
            message = "an assertion of the image";
          }
        ];
      };
    };
  };
}
