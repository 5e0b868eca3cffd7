# Roots that are a btrfs, through each part of the Nix code: what tests/e2e/nix_btrfs.rs asks and builds.
let
  # What the tests of modules have: configurations of boards.
  modules = import ./modules.nix;
  inherit (modules)
    hardware
    image
    lib
    mounts
    sd
    uBoot
    ;
  pkgs = import ./stub-nixpkgs { };
  images = import ../../nix/lib { inherit pkgs; };
  drop-in = pkgs.callPackage ../../nix/drop-ins/make-btrfs-fs.nix;
  small = [ pkgs.demo.coreutils ];

  # What nixpkgs' own file is called with.
  usual = {
    storePaths = small;
    volumeLabel = "NIXOS_SD";
  };
  keys = result: builtins.head (builtins.attrValues result.specification.fs);
  # What an argument changes: the name, and keys of the only file system.
  changes =
    argument:
    let
      before = drop-in usual;
      after = drop-in (usual // argument);
      changed = lib.filterAttrs (key: value: (keys before).${key} or null != value) (keys after);
    in
    changed // lib.optionalAttrs (before.name != after.name) { inherit (after) name; };

  # Hosts with sane.image, of which only the mounts are said.
  disk = "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555";
  sane =
    fileSystems: settings:
    (lib.evaluate {
      modules = [ ../../nix/modules/sane-image.nix ];
      settings = lib.recursiveUpdate {
        system.build.toplevel = pkgs.demo.coreutils;
        boot.loader.generic-extlinux-compatible.enable = false;
        boot.loader.grub.enable = false;
        fileSystems = {
          "/boot" = {
            device = "/dev/disk/by-uuid/2145-3A7D";
            fsType = "vfat";
          };
        }
        // fileSystems;
        sane.image.bootPartSize = 64 * 1024 * 1024;
      } settings;
      arguments = { inherit pkgs; };
    }).system.build.img;
  mount = options: {
    device = disk;
    fsType = "btrfs";
    options = if options == [ ] then [ "defaults" ] else options;
  };
  layouts = {
    flat = sane { "/" = mount [ ]; } { sane.image.extraDirectories = [ "/var/log" ]; };
    compressed = sane { "/" = mount [ "noatime,compress=zstd:3" ]; } { };
    # As installers lay it out: each part of the system in a subvolume, none of it in the root.
    apart =
      sane
        {
          "/" = mount [ "subvol=@" ];
          "/home" = mount [ "subvol=/@home" ];
          "/nix" = mount [
            "subvol=@nix"
            "compress-force=zlib"
            "noatime"
          ];
          "/data" = mount [ "subvol=@data" ] // {
            device = "/dev/disk/by-uuid/99999999-2222-3333-4444-555555555555";
          };
        }
        {
          sane.image.extraDirectories = [
            "/var/log"
            "/home/user"
            "/nix/var"
          ];
        };
    store = sane (memory // { "/nix" = mount [ "compress=lzo" ]; }) { };
  };
  memory."/" = {
    device = "none";
    fsType = "tmpfs";
  };

  repart = arguments: images.mkDiskImage (images.fromRepart ({ name = "appliance"; } // arguments));
  alone = config: {
    finalPartitions."10-x".repartConfig = {
      Type = "root";
      Format = "btrfs";
    }
    // config;
  };
  of = config: (repart (alone config)).specification;
  fsOf = config: (of config).fs."10-x";
  # What a key changes.
  effect = config: lib.filterAttrs (key: value: (fsOf { }).${key} or null != value) (fsOf config);
  subvolumes = config: (fsOf config).subvolumes or { };
  folder = pkgs.runCommand "folder" { } ''
    mkdir -p "$out/sub"
    printf 'deep\n' > "$out/sub/file"
  '';

  own = settings: image [ { kiln.rootFormat = "btrfs"; } settings ];
  rootOf = config: config.system.build.image.specification.fs.root;
  told = config: {
    root = (mounts config)."/";
    first = config.boot.initrd.supportedFilesystems;
  };
in
rec {
  inherit
    drop-in
    image
    layouts
    lib
    own
    pkgs
    rootOf
    sd
    told
    uBoot
    ;

  # The functions.
  functions = {
    whole = images.mkBtrfs {
      name = "root";
      closure = small;
      label = "a label of many more letters than an ext4 has";
      uuid = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
      compression = "zstd";
      level = 3;
      subvolumes."/nix" = { };
      subvolumes."/home".read-only = true;
      directories = [ "/home/user" ];
      text."/home/user/note" = "hello\n";
      database = true;
    };
    file = images.mkBtrfs {
      name = "data.img";
      asFile = true;
      compress = "zstd";
      metadata = "single";
      prepare = "mkdir made; head -c 300000 /dev/zero > made/zeros; echo kept > made/kept";
      tree = "made";
    };
  };

  # nixpkgs' function.
  defaults = {
    inherit (drop-in usual) name specification;
  };
  changed = lib.mapAttrs (_: changes) {
    storePaths.storePaths = pkgs.demo.coreutils;
    compressImage.compressImage = true;
    volumeLabel.volumeLabel = "OTHER";
    uuid.uuid = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
    free.free = "1GiB";
    subvolumes.subvolumes."/home" = { };
    compression = {
      compression = "zstd";
      level = 3;
    };
    keys.keys.profile = "modern";
  };
  called =
    let
      arguments = usual // {
        populateImageCommands = ''
          mkdir -p ./files/boot ./files/home ./files/.hidden
          echo menu > ./files/boot/menu
          echo '#!/bin/sh' > ./files/run
          chmod 0755 ./files/run
          ln ./files/run ./files/again
          ln -s boot/menu ./files/link
          chmod 0700 ./files/home
          out=elsewhere
          exit 0
        '';
        uuid = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
        subvolumes."/home" = { };
        subvolumes."/nix".read-only = true;
      };
    in
    {
      plain = drop-in arguments;
      compressed = drop-in (arguments // { compressImage = true; });
    };

  # Whole images.
  card =
    (sd [
      uBoot
      {
        kiln.rootFormat = "btrfs";
        kiln.btrfs.level = 3;
        kiln.btrfs.subvolumes = {
          "/home" = { };
          "/nix" = { };
        };
        sdImage.compressImage = false;
      }
    ]).system.build.sdImage;
  # The root is made apart, and its file system by a creator.
  changed-card =
    (sd [
      uBoot
      {
        sdImage.rootFilesystemCreator = toString ../../nix/drop-ins/make-btrfs-fs.nix;
        sdImage.compressImage = false;
        kiln.btrfs.compression = "none";
        sdImage.preBuildCommands = ''
          [ -w "$root_fs" ]
          truncate -s +64K "$root_fs"
        '';
      }
    ]).system.build.sdImage;
  disk =
    (own {
      kiln.layout = "sd-card";
      kiln.btrfs = {
        compression = "zlib";
        subvolumes."/home".readOnly = true;
      };
    }).system.build.image;

  # What systems are told of their roots.
  systems = lib.mapAttrs (_: told) {
    card = own { kiln.layout = "sd-card"; };
    efi = own {
      imports = [ hardware ];
      kiln.layout = "efi";
      kiln.btrfs.level = 9;
    };
    plain = own {
      kiln.layout = "efi";
      kiln.btrfs.compression = "none";
    };
    ext4 = image { kiln.layout = "efi"; };
    specification = image {
      kiln.layout = "efi";
      kiln.specification.fs.root = {
        format = "btrfs";
        compression = "lzo";
      };
    };
    sd = sd [
      uBoot
      { kiln.rootFormat = "btrfs"; }
      { fileSystems."/".options = [ "noatime" ]; }
    ];
    sd-creator = sd [
      uBoot
      { sdImage.rootFilesystemCreator = ../../nix/drop-ins/make-btrfs-fs.nix; }
    ];
    # nixpkgs' own, of which Kiln knows no more than the name.
    sd-nixpkgs = sd [
      uBoot
      { sdImage.rootFilesystemCreator = "/nixpkgs/nixos/lib/make-btrfs-fs.nix"; }
    ];
    sd-ext4 = sd [
      uBoot
      {
        kiln.rootFormat = "btrfs";
        sdImage.rootFilesystemCreator = ../../nix/drop-ins/make-ext4-fs.nix;
      }
    ];
    sd-other = sd [
      uBoot
      {
        kiln.rootFormat = "btrfs";
        sdImage.rootFilesystemCreator = ./creator.nix;
      }
    ];
  };
  roots = lib.mapAttrs (_: rootOf) {
    usual = own { kiln.layout = "sd-card"; };
    efi = own { kiln.layout = "efi"; };
    all = own {
      kiln.layout = "sd-card";
      kiln.btrfs = {
        compression = "lzo";
        subvolumes."/home" = { };
        subvolumes."/snapshots" = {
          readOnly = true;
          default = true;
        };
      };
    };
    ext4 = image {
      kiln.layout = "sd-card";
      kiln.btrfs.subvolumes."/home" = { };
    };
  };
  growing = lib.mapAttrs (_: config: config.boot.postBootCommands) {
    btrfs = sd [
      uBoot
      { kiln.rootFormat = "btrfs"; }
    ];
    ext4 = sd uBoot;
  };

  # sane.image.
  stores = lib.mapAttrs (_: image: image.nixFsImg.specification.fs.nix) layouts;

  # image.repart.
  effects = {
    usual = fsOf { };
    size = (lib.head (of { }).disk.region).size;
    minimized =
      let
        made = of {
          Minimize = "guess";
          MakeDirectories = "/a";
        };
      in
      {
        inherit (made.fs."10-x") free;
        size = made.fs."10-x" ? size;
        least = (lib.head made.disk.region).min-size;
      };
    label =
      (fsOf {
        VolumeLabel = "a label of many more letters than a partition or an ext4 may have";
      }).label;
    subvolumes = subvolumes { Subvolumes = "/home /var//log/:ro /%M:"; };
    list = subvolumes {
      Subvolumes = [
        "/home:ro /a"
        "/a:ro /home"
      ];
    };
    last = subvolumes { Subvolumes = "/home:ro /home:"; };
    default = subvolumes {
      Subvolumes = "/@:ro /@home";
      DefaultSubvolume = "/@/";
    };
    root = subvolumes {
      Subvolumes = "/ /home";
      DefaultSubvolume = "/";
    };
    zstd = effect { Compression = "zstd"; };
    level = effect {
      Compression = "zstd";
      CompressionLevel = "15";
    };
    usualLevel = effect {
      Compression = "zlib";
      CompressionLevel = 0;
    };
    lzo = effect { Compression = "lzo"; };
    none = effect { Compression = "no"; };
    mkfs =
      let
        made =
          (repart (
            alone { }
            // {
              mkfsOptions.btrfs = [
                "-m single -d single"
                "--compress zstd:4"
                "-n 16k -s 4096 --csum crc32c"
              ];
            }
          )).specification.fs."10-x";
      in
      {
        inherit (made) compression level metadata;
      };
    keys = (repart (alone { } // { keys."10-x".profile = "modern"; })).specification.fs."10-x".profile;
  };
  partitioned = repart {
    version = "7";
    finalPartitions."10-root" = {
      storePaths = small;
      contents."/etc/sub".source = "${folder}/sub";
      repartConfig = {
        Type = "root";
        Format = "btrfs";
        Label = "root";
        MakeDirectories = "/home /@snapshots";
        Subvolumes = "/nix /home /@snapshots:ro";
        DefaultSubvolume = "/home";
        Compression = "zstd";
        CompressionLevel = 3;
        SizeMinBytes = "300M";
      };
    };
    finalPartitions."20-small".repartConfig = {
      Type = "srv";
      Format = "btrfs";
      CopyFiles = "${folder}:/";
      Minimize = "guess";
    };
  };

  # Calls that are errors: each is asked for alone.
  namesOfRefused = builtins.attrNames refused;
  refused =
    lib.mapAttrs (_: of) {
      flag.Subvolumes = "/home:cow";
      nodatacow.Subvolumes = "/home:ro,nodatacow";
      fields.Subvolumes = "/home:ro:ro";
      relative.Subvolumes = "home";
      dots.Subvolumes = "/a/../b";
      specifier.Subvolumes = "/%H";
      read-only-root.Subvolumes = "/:ro";
      default = {
        Subvolumes = "/home";
        DefaultSubvolume = "/nix";
      };
      default-alone.DefaultSubvolume = "/home";
      ext4 = {
        Format = "ext4";
        Subvolumes = "/home";
      };
      ext4-default = {
        Format = "ext4";
        DefaultSubvolume = "/home";
      };
      compressor.Compression = "xz";
      level = {
        Compression = "zstd";
        CompressionLevel = 16;
      };
      zlib-level = {
        Compression = "zlib";
        CompressionLevel = 10;
      };
      lzo-level = {
        Compression = "lzo";
        CompressionLevel = 1;
      };
      level-alone.CompressionLevel = 3;
      sector.FileSystemSectorSize = 4096;
    }
    // lib.mapAttrs (_: option: (repart (alone { } // { mkfsOptions.btrfs = [ option ]; })).specification) {
      mkfs-profile = "-m raid1";
      mkfs-data = "-d dup";
      mkfs-node = "-n 4096";
      mkfs-csum = "--csum xxhash";
      mkfs-compress = "--compress zstd:16";
      mkfs-compress-lzo = "--compress lzo:1";
      mkfs-compress-kind = "--compress xz";
      mkfs-option = "--mixed";
    }
    // lib.mapAttrs (_: fileSystems: (sane fileSystems { }).drvPath) {
      sane-subvolid."/" = mount [ "subvolid=256" ];
      sane-compress."/" = mount [ "compress=xz" ];
      sane-format."/" = mount [ ] // { fsType = "xfs"; };
    }
    // {
      sane-elsewhere =
        (sane (memory // { "/nix" = mount [ ]; }) { sane.image.extraDirectories = [ "/home" ]; }).drvPath;
    }
    // lib.mapAttrs
      (
        _: settings:
        (own {
          imports = [ settings ];
          kiln.layout = "sd-card";
        }).system.build.image.drvPath
      )
      {
      format.kiln.rootFormat = lib.mkForce "xfs";
      compression.kiln.btrfs.compression = "xz";
      negative.kiln.btrfs.level = 0;
    };
}
