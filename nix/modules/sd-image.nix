# nixpkgs' sdImage with its own option names, made by Kiln. It takes the place of installer/sd-card/sd-image.nix, also where
# nixpkgs' other modules (sd-image-aarch64.nix and so on) import that one.
{
  config,
  lib,
  modulesPath,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.sdImage;
  media = import ./media.nix { inherit lib; };
  made = import ./sd-image-build.nix { inherit config lib pkgs; };
  megabytes =
    default: description:
    mkOption {
      type = types.int;
      inherit default description;
    };
  commands =
    description: example:
    mkOption {
      type = types.lines;
      default = "";
      inherit description example;
    };
in
{
  disabledModules = [ "installer/sd-card/sd-image.nix" ];
  imports = [
    "${modulesPath}/image/file-options.nix"
    ./kiln.nix
    ./options.nix
    ./sd-image-renamed.nix
  ];

  options.fileSystems = (media.optional { inherit (made) specification; }).fileSystems;
  options.swapDevices = (media.optional { inherit (made) specification; }).swapDevices;
  options.sdImage = {
    storePaths = mkOption {
      type = types.listOf types.package;
      default = [ ];
      defaultText = literalExpression "[ config.system.build.toplevel ]";
      example = literalExpression "[ pkgs.stdenv ]";
      description = "The store paths whose closure is in the image; the system is one of them, whatever is added.";
    };
    firmwarePartitionOffset = megabytes 8 "MiB before the firmware's partition, in which boot loaders have room.";
    firmwarePartitionID = mkOption {
      type = types.str;
      default = "0x2178694e";
      description = "The id of the firmware's FAT and the signature of the disk: a number of 32 bits in hexadecimal digits.";
    };
    firmwarePartitionName = mkOption {
      type = types.str;
      default = "FIRMWARE";
      description = "The label of the firmware's FAT.";
    };
    firmwareSize = megabytes 30 "MiB of the firmware's partition. What does not fit is an error with the bytes that are missing.";
    rootPartitionUUID = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7";
      description = "The UUID of the root; 44444444-4444-4444-8888-888888888888 when null, as make-ext4-fs.nix has it.";
    };
    rootVolumeLabel = mkOption {
      type = types.str;
      default = "NIXOS_SD";
      example = "NIXOS_PENDRIVE";
      description = "The label of the root, by which the system finds it.";
    };
    rootFilesystemCreator = mkOption {
      type = types.oneOf [
        types.package
        types.path
      ];
      default = made.creators.${config.kiln.rootFormat};
      defaultText = literalExpression ''
        if config.kiln.rootFormat == "btrfs" then
          kiln.lib.dropIns.make-btrfs-fs
        else
          kiln.lib.dropIns.make-ext4-fs
      '';
      example = literalExpression "kiln.lib.dropIns.make-btrfs-fs";
      description = ''
        What makes the root: a function with the arguments of make-ext4-fs.nix. Kiln's own two plan the root as a part of the
        disk; the image of another one is copied into it. What that is follows from its name, if that is one of these two, or
        from `kiln.rootFormat`.
      '';
    };
    rootFilesystemImage = mkOption {
      type = types.package;
      default = made.root;
      defaultText = literalExpression "what rootFilesystemCreator makes";
      example = literalExpression ''kilnImages.mkExt4Fs { closure = config.sdImage.storePaths; label = "NIXOS_SD"; }'';
      description = "The finished root: a file, as it is or compressed by zstd, or a result of Kiln's functions.";
    };
    populateFirmwareCommands =
      commands "Shell that fills `./firmware`, which becomes the firmware's FAT."
        "cp \${pkgs.myBootLoader}/u-boot.bin firmware/";
    populateRootCommands =
      commands
        ''
          Shell that fills `./files`, which is copied to the root. Kiln makes the boot menu itself where this calls
          `boot.loader.generic-extlinux-compatible.populateCmd`, so that nothing of the system has to run, and at `/boot` where
          this is empty and that boot loader is on.
        ''
        "\${config.boot.loader.generic-extlinux-compatible.populateCmd} -c \${config.system.build.toplevel} -d ./files/boot";
    preBuildCommands =
      commands
        "Shell that runs before the image is made. `$root_fs` is the root's file system, a file that it may change or replace."
        "resize2fs $root_fs 2G";
    postBuildCommands =
      commands
        ''
          Shell that runs on the finished image, `$img`, in a step of its own. Nothing checks what it writes there: `kiln.loaders`
          is the same with checks, and in one step.
        ''
        "dd if=\${pkgs.myBootLoader}/SPL of=$img bs=1024 seek=1 conv=notrunc";
    compressImage = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the image is compressed by zstd.";
    };
    expandOnBoot = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the first boot makes the root as large as the card.";
    };
    nixPathRegistrationFile = mkOption {
      type = types.str;
      default = "/nix-path-registration";
      description = ''
        Where the booted system finds the registration of the store, which tells it that this is the first boot. Where the root
        of the image is mounted elsewhere, that place comes before it.
      '';
    };
  };

  config = lib.mkMerge [
    {
      sdImage.storePaths = [ config.system.build.toplevel ];

      image.extension = lib.mkDefault made.name.extension;
      image.fileName = lib.mkIf (made.name.fileName != null) (lib.mkDefault made.name.fileName);
      image.filePath = lib.mkDefault "sd-image/${config.image.fileName}";
      system.nixos.tags = [ "sd-card" ];
      system.build.image = config.system.build.sdImage;
      system.build.sdImage = made.image;

      # Device and type are those of the image; options may be added.
      fileSystems."/" = {
        device = media.override made.mounts.root.device;
        fsType = media.override made.mounts.root.fsType;
        options = lib.mkIf (made.mounts.root ? options) made.mounts.root.options;
      };
      boot.initrd.supportedFilesystems = lib.optional (made.mounts.root.fsType == "btrfs") "btrfs";
      fileSystems."/boot/firmware" = {
        device = media.override made.mounts.firmware.device;
        fsType = media.override made.mounts.firmware.fsType;
        options = [
          "nofail"
          "noauto"
        ];
      };
      boot.postBootCommands = import ./first-boot.nix { inherit config lib pkgs; };
      warnings = media.warnings {
        inherit (made) specification;
        inherit (config) fileSystems swapDevices;
      };
    }
    (lib.optionalAttrs (options.hardware or { } ? enableAllHardware) {
      hardware.enableAllHardware = true;
    })
  ];
}
