# Configurations with nixosModules.image, sd-image and variants, which tests/e2e/nix_images.rs looks at and builds.
let
  # Commands of sdImage may use these, and the tests' do not.
  tools = _: previous: {
    inherit (lib.genAttrs [
      "btrfs-progs"
      "dosfstools"
      "e2fsprogs"
      "libfaketime"
      "mtools"
      "util-linux"
      "zstd"
    ] (_: previous.coreutils))
      btrfs-progs
      dosfstools
      e2fsprogs
      libfaketime
      mtools
      util-linux
      zstd
      ;
  };
  pkgs = import ./stub-nixpkgs { overlays = [ tools ]; };
  # The same for boards of another architecture. What it has can be built here, as if it were cross-compiled.
  boardPkgs = pkgs.pkgsCross.aarch64-multiplatform;
  lib = import ./stub-nixpkgs/lib.nix;
  modules = import ../../nix/modules;
  evalConfig = import ./stub-nixpkgs/nixos/lib/eval-config.nix;

  evaluate =
    module: settings:
    evalConfig {
      pkgs = boardPkgs;
      modules = [
        module
        {
          image.baseName = lib.mkDefault "board";
          boot.loader.grub.enable = lib.mkDefault false;
        }
      ]
      ++ lib.toList settings;
    };
  image = settings: (evaluate modules.image settings).config;
  sd = settings: (evaluate modules.sd-image settings).config;

  # What nixos-generate-config has written for the machine that the configuration was used on before.
  hardware = {
    fileSystems."/" = {
      device = "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555";
      fsType = "btrfs";
      options = [ "subvol=root" ];
    };
    fileSystems."/boot" = {
      device = "/dev/disk/by-uuid/AAAA-BBBB";
      fsType = "vfat";
    };
    swapDevices = [ { device = "/dev/disk/by-uuid/99999999-2222-3333-4444-555555555555"; } ];
    boot.initrd.luks.devices.crypt.device = "/dev/disk/by-uuid/88888888-2222-3333-4444-555555555555";
    boot.loader.systemd-boot.enable = true;
  };
  # sd-image-aarch64.nix says so.
  uBoot =
    { config, ... }:
    {
      boot.loader.grub.enable = false;
      boot.loader.generic-extlinux-compatible.enable = true;
      sdImage.populateFirmwareCommands = ''
        (cd ${boardPkgs.raspberrypifw}/share/raspberrypi/boot && cp bootcode.bin fixup*.dat start*.elf "$NIX_BUILD_TOP/firmware/")
        echo arm_64bit=1 > firmware/config.txt
      '';
      sdImage.populateRootCommands = ''
        mkdir -p ./files/boot
        ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
      '';
    };

  mounts = config: lib.mapAttrs (_: fs: { inherit (fs) device fsType options; }) config.fileSystems;
  named =
    config: derivation:
    {
      inherit (config.image)
        baseName
        extension
        fileName
        filePath
        ;
    }
    // {
      path = derivation.filePath;
      inherit (derivation.specification.disk) file;
      compress = derivation.specification.disk.compress or null;
    };
  refused = value: !(builtins.tryEval (builtins.seq value.drvPath true)).success;
in
{
  inherit
    boardPkgs
    hardware
    image
    lib
    mounts
    named
    pkgs
    refused
    sd
    uBoot
    ;
  specification = settings: (sd settings).system.build.sdImage.specification;

  # Options by name: how nixpkgs' manual shows their types, and their defaults.
  options =
    lib.mapAttrs
      (_: option: {
        type = option.type.description;
        default = option.default;
      })
      (
        removeAttrs (evaluate modules.sd-image [ ]).options.sdImage [
          "bootPartitionID"
          "bootSize"
          "imageBaseName"
          "imageName"
          "rootFilesystemCreator"
          "rootFilesystemImage"
        ]
      );

  # What makes the root, and what it is.
  rootTypes = lib.mapAttrs (_: option: option.type.description) {
    inherit ((evaluate modules.sd-image [ ]).options.sdImage) rootFilesystemCreator rootFilesystemImage;
  };

  # Of mounts, also where nixpkgs has no name for it.
  priorities = map (lib: (import ../../nix/modules/media.nix { inherit lib; }).override { } == lib.mkOverride 60 { }) [
    lib
    (removeAttrs lib [ "mkImageMediaOverride" ])
  ];

  # A card of whose options each has another value than usual.
  everything = (sd [
    uBoot
    (
      { config, ... }:
      {
        boot.loader.timeout = 7;
        boot.loader.generic-extlinux-compatible.configurationLimit = 3;
        hardware.deviceTree.name = "rockchip/rk3328-rock64.dtb";
        hardware.deviceTree.filter = "*rk3328*.dtb";
        sdImage = {
          storePaths = [ pkgs.demo.coreutils ];
          firmwarePartitionOffset = 16;
          firmwarePartitionID = "0xdeadbeef";
          firmwarePartitionName = "BOARD";
          firmwareSize = 40;
          rootPartitionUUID = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
          rootVolumeLabel = "CARD";
          compressImage = false;
          populateRootCommands = lib.mkForce ''
            mkdir -p ./files/etc
            echo hello > ./files/etc/hello
            ${config.boot.loader.generic-extlinux-compatible.populateCmd} -c ${config.system.build.toplevel} -d ./files/boot
            out=nowhere
            exit 0
          '';
        };
        kiln.firmware."/u-boot.bin" = "${boardPkgs.ubootRaspberryPi4_64bit}/u-boot.bin";
        kiln.loaders = [
          {
            name = "spl";
            raw = "${boardPkgs.ubootRock64}/idbloader.img";
            offset = "64s";
          }
        ];
      }
    )
  ]).system.build.sdImage;

  # As sd-image-aarch64.nix makes it, and the same with another root, or with commands around it.
  usual = (sd uBoot).system.build.sdImage;
  changed =
    (sd [
      uBoot
      {
        sdImage.compressImage = false;
        sdImage.preBuildCommands = ''
          [ -w "$root_fs" ]
          truncate -s +1M "$root_fs"
          printf 'before' | dd of="$root_fs" bs=1 conv=notrunc status=none
        '';
        sdImage.postBuildCommands = ''printf 'after' | dd of=$img bs=512 seek=64 conv=notrunc status=none'';
      }
    ]).system.build.sdImage;
  compressed =
    (sd [
      uBoot
      { sdImage.postBuildCommands = ''printf 'after' | dd of=$img bs=512 seek=64 conv=notrunc status=none''; }
    ]).system.build.sdImage;
  # The root by Kiln's own function, while the image is compressed; nixpkgs' sdImage would want it compressed, too.
  root =
    (sd (
      { config, ... }:
      {
        sdImage.rootFilesystemImage = config.kiln.lib.mkExt4Fs {
          name = "own-root";
          closure = [ pkgs.demo.coreutils ];
          label = "OWN";
        };
      }
    )).system.build.sdImage;
  creator =
    (sd {
      sdImage.compressImage = false;
      sdImage.populateRootCommands = "echo files";
      sdImage.rootFilesystemCreator = ./creator.nix;
    }).system.build.sdImage;

  examples = {
    rock64 =
      (sd [
        ../../nix/examples/rock64-sd.nix
        { sdImage.compressImage = false; }
      ]).system.build.sdImage;
    raspberry-pi =
      (sd [
        ../../nix/examples/raspberry-pi-sd.nix
        { sdImage.compressImage = false; }
      ]).system.build.sdImage;
    # Its kernel and its firmware do not fit.
    small =
      (sd [
        ../../nix/examples/raspberry-pi-sd.nix
        { sdImage.firmwareSize = lib.mkForce 16; }
      ]).system.build.sdImage;
  };

  # Shell in which nixpkgs' builder of menus, a program of another machine, is called.
  commands =
    let
      builder = derivation {
        name = "extlinux-conf-builder.sh";
        system = "riscv64-linux";
        builder = "/bin/sh";
      };
      other = derivation {
        name = "other";
        system = "riscv64-linux";
        builder = "/bin/sh";
      };
      config = {
        boot.loader.generic-extlinux-compatible = {
          enable = true;
          populateCmd = "${builder} -g 20 -t 5";
        };
        system.build.toplevel = "/nix/store/${lib.concatStrings (lib.genList (_: "a") 32)}-nixos";
      };
      taken = import ../../nix/modules/sd-image-commands.nix { inherit config lib; };
      shown =
        result:
        result
        // {
          commands = builtins.unsafeDiscardStringContext result.commands;
          needs = map (path: lib.last (lib.splitString "-" path)) (
            builtins.attrNames (builtins.getContext result.commands)
          );
        };
      call = config.boot.loader.generic-extlinux-compatible.populateCmd;
      inherit (config.system.build) toplevel;
    in
    lib.mapAttrs (_: value: shown (taken "files" value)) {
      usual = ''
        cp ${other} x
        ${call} -c ${toplevel} -d ./files/boot
        echo more
      '';
      root = "${call} -c \"${toplevel}\" -d files";
      # What Kiln does not understand stays as it is.
      system = "${call} -c /run/other -d ./files/boot";
      folder = "${call} -c ${toplevel} -d ./firmware";
      word = "${call} -c ${toplevel} -d ./files/boot -n a.dtb";
      twice = "${call} -c ${toplevel} -d ./files/a; ${call} -c ${toplevel} -d ./files/b";
    };

  keys = import ../../nix/modules/keys.nix;

  # A variant that nobody gave a layout.
  bare =
    (evalConfig {
      pkgs = boardPkgs;
      modules = [
        { image.modules.kiln = modules.image; }
        { boot.loader.grub.enable = false; }
      ];
    }).config.system.build.images.kiln;

  # A configuration and its variants.
  variants =
    let
      config =
        (evalConfig {
          pkgs = boardPkgs;
          modules = [
            modules.variants
            hardware
          ];
        }).config;
      inherit (config.system.build) images;
    in
    lib.mapAttrs (_: image: {
      inherit (image.passthru) filePath;
      root = image.passthru.config.fileSystems."/".device;
      loader = image.passthru.config.system.boot.loader.id;
    }) { inherit (images) kiln-efi kiln-sd kiln-sd-image; };
}
