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
  inputs = builtins.fromJSON (builtins.readFile (builtins.getEnv "KILN_TEST"));
  key = name: builtins.path { inherit name; path = inputs.keys + "/${name}"; };
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
  stub = "${builtins.path {
    path = /usr/lib/systemd/boot/efi + "/linux${pkgs.stdenv.hostPlatform.efiArch}.efi.stub";
  }}";
  verityStore =
    more:
    (system {
      imports = [ more ];
      # Debian 12's stub has no room for more lines.
      kiln.repart.uki.sbat = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n";
      boot.loader.grub.enable = false;
      boot.initrd.systemd.enable = true;
      boot.kernelParams = [ "quiet" "{loglevel}" ];
      fileSystems."/" = {
        device = "tmpfs";
        fsType = "tmpfs";
      };
      stub.toplevel = pkgs.demo.coreutils;
      boot.uki.settings.UKI = {
        Stub = stub;
        Linux = "${pkgs.demo.toplevel}/kernel";
        Initrd = "${folder}/sub/file ${other}/other";
        OSRelease = "@${folder}/loader.conf";
        Uname = "6.12.0";
        EFIArch = pkgs.stdenv.hostPlatform.efiArch;
        Cmdline = "nobody reads it";
      };
      system.image = {
        id = "appliance";
        version = "7";
      };
      image.repart = {
        split = true;
        verityStore.enable = true;
        partitions = {
          "00-esp".repartConfig = {
            Type = "esp";
            Format = "vfat";
            SizeMinBytes = "64M";
            SplitName = "-";
          };
          "10-store-verity".repartConfig = {
            Minimize = "best";
            SplitName = "store-verity_%U";
          };
          "20-store".repartConfig = {
            Minimize = "best";
            SplitName = "store_%U";
          };
        };
      };
    }).config;
  verityTests = import ./repart/verity.nix {
    inherit
      lib
      pkgs
      compared
      make
      ;
  };
in
rec {
  # Their names alone.
  namesOf = {
    refused = lib.attrNames refused;
    verity.refused = lib.attrNames verity.refused;
    module.refused = lib.attrNames module.refused;
    module.storeRefused = lib.attrNames module.storeRefused;
  };

  # What systemd-repart and Kiln are compared by.
  inherit (import ./repart/tables.nix { inherit lib compared; }) tables filled formatted;

  # Partitions with hashes.
  verity = verityTests;

  # Layouts as there are.
  layouts = import ./repart/layouts.nix {
    inherit lib make folder;
    system = pkgs.demo.coreutils;
    loader = blocks;
  };

  # The table that types are looked up in.
  types = import ../../nix/lib/repart/types.nix;

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
      large =
        (lib.head
          (make (
            alone {
              Type = "esp";
              Format = "vfat";
            }
            // {
              sectorSize = 4096;
            }
          )).specification.disk.region
        ).size;
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
  refused = import ./repart/refused.nix {
    inherit
      lib
      alone
      make
      of
      ;
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
    # The key that signs the root hash lies in the store.
    signed =
      (configured {
        image.repart.partitions = {
          "30-root" = {
            contents."/".source = folder;
            repartConfig = {
              Type = "root";
              Format = "erofs";
              Minimize = "best";
              Verity = "data";
              VerityMatchKey = "root";
            };
          };
          "40-root-verity".repartConfig = {
            Type = "root-verity";
            Minimize = "best";
            Verity = "hash";
            VerityMatchKey = "root";
          };
          "50-root-verity-sig".repartConfig = {
            Type = "root-verity-sig";
            Verity = "signature";
            VerityMatchKey = "root";
          };
        };
        kiln.repart.signature = {
          key = key "release.key";
          certificate = key "release.pem";
          keyring = key "ca.pem";
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
    # The root hash of the store is in the UKI.
    store = (verityStore { }).system.build;
    isOne = lib.unique (
      map (name: (verityStore { }).system.build.${name}.drvPath) [
        "finalImage"
        "image"
        "intermediateImage"
        "uki"
      ]
    );
    storeRefused = lib.mapAttrs (_: settings: (verityStore settings).system.build.image.drvPath) {
      setting.boot.uki.settings.UKI.HWIDs = "/x";
      section.boot.uki.settings."PCRSignature:initrd".Phases = "enter-initrd";
      config.boot.uki.configFile = "/x";
      ukiPath.image.repart.verityStore.ukiPath = "/EFI/../x.efi";
    };
    refused = lib.mapAttrs (_: settings: (configured settings).system.build.image.drvPath) {
      # No such partition as this one needs.
      verityStore.image.repart.verityStore.enable = true;
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
