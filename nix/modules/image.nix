# An image of a NixOS system by Kiln: fills system.build.image, image.extension and image.filePath, as nixpkgs' own image
# modules do, so it is one of them: image.modules.kiln = kiln.nixosModules.image.
{
  config,
  lib,
  pkgs,
  modulesPath,
  ...
}:
let
  inherit (lib)
    literalExpression
    mkDefault
    mkOption
    types
    ;
  cfg = config.kiln;
  images = cfg.lib;
  inherit (pkgs.stdenv.hostPlatform) efiArch;
  isSd = cfg.layout == "sd-card";
  isEfi = cfg.layout == "efi";
  endings = {
    zstd = ".zst";
    xz = ".xz";
    gzip = ".gz";
  };

  # What lets the first boot do without nix-store --load-db.
  registered = {
    closure = true;
    database = true;
    symlinks = {
      "/nix/var/nix/profiles/system" = "system-1-link";
      "/nix/var/nix/profiles/system-1-link" = "{toplevel}";
    };
    text."/etc/NIXOS" = "";
  };

  layouts = {
    custom = { };

    # As nixpkgs' sdImage: an MBR, a FAT for the board's firmware, and an ext4 with a boot menu for U-Boot.
    sd-card = {
      fs.firmware = {
        format = "fat";
        label = "FIRMWARE";
        id = "2178-694E";
        size = "30MiB";
        files = cfg.firmware;
      };
      fs.root = registered // {
        format = "ext4";
        label = "NIXOS_SD";
        extlinux = { };
      };
      disk = {
        table = "mbr";
        signature = "0x2178694e";
        region = cfg.loaders ++ [
          {
            name = "firmware";
            type = "0x0b";
            offset = "8MiB";
            content = "fs.firmware";
          }
          {
            name = "root";
            type = "0x83";
            bootable = true;
            content = "fs.root";
          }
        ];
      };
    };

    # A GPT, an EFI system partition with systemd-boot and a unified kernel image, and an ext4.
    efi = {
      fs.esp = {
        format = "fat";
        label = "ESP";
        bits = 32;
        size = "256MiB";
        files = cfg.firmware // {
          "/EFI/BOOT/BOOT${lib.toUpper efiArch}.EFI" =
            "${config.systemd.package}/lib/systemd/boot/efi/systemd-boot${efiArch}.efi";
          "/EFI/Linux/${config.system.boot.loader.ukiFile}" =
            "${config.system.build.uki}/${config.system.boot.loader.ukiFile}";
        };
      };
      fs.root = registered // {
        format = "ext4";
        label = "nixos";
      };
      disk.region = cfg.loaders ++ [
        {
          name = "ESP";
          type = "esp";
          content = "fs.esp";
        }
        {
          name = "nixos";
          type = "linux";
          content = "fs.root";
        }
      ];
    };
  };
  # Lists are replaced as a whole.
  specification = lib.recursiveUpdate layouts.${cfg.layout} cfg.specification;
in
{
  imports = [
    "${modulesPath}/image/file-options.nix"
    ./kiln.nix
  ];

  options.kiln = {
    layout = mkOption {
      type = types.enum [
        "custom"
        "efi"
        "sd-card"
      ];
      default = "custom";
      description = ''
        What the image is like before `specification` says more. `sd-card`: an MBR, a FAT named FIRMWARE, and an ext4 named
        NIXOS_SD with a boot menu for U-Boot. `efi`: a GPT, an EFI system partition with systemd-boot and the system's
        unified kernel image, and an ext4 named nixos. `custom`: nothing.
      '';
    };
    closure = mkOption {
      type = types.listOf types.package;
      default = [ config.system.build.toplevel ];
      defaultText = literalExpression "[ config.system.build.toplevel ]";
      description = "The store paths whose closure is in the image.";
    };
    firmware = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ "/u-boot-rpi4.bin" = "''${pkgs.ubootRaspberryPi4_64bit}/u-boot.bin"; }'';
      description = "Files of the layout's FAT: their paths in it, and their sources.";
    };
    loaders = mkOption {
      type = types.listOf types.anything;
      default = [ ];
      example = literalExpression ''
        [
          {
            name = "idbloader";
            raw = "''${pkgs.ubootRock64}/idbloader.img";
            offset = "64s";
          }
        ]
      '';
      description = "Regions of the disk before the layout's partitions, such as boot loaders.";
    };
    compress = mkOption {
      type = types.nullOr (
        types.enum [
          "gzip"
          "xz"
          "zstd"
        ]
      );
      default = null;
      description = "How the image is compressed while it is written.";
    };
    specification = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ fs.root.free = "1GiB"; disk.board = "rockchip"; }'';
      description = "Keys of Kiln's specification, over those of the layout. All that it knows can be said here.";
    };
  };

  config = lib.mkMerge [
    {
      image.extension = "img${endings.${toString cfg.compress} or ""}";
      image.filePath = mkDefault config.image.fileName;
      system.build.image = images.mkDiskImage (
        {
          name = config.image.baseName;
          inherit (cfg) closure;
        }
        // specification
        // {
          disk =
            (specification.disk or { })
            // {
              file = "${config.image.baseName}.img";
            }
            // lib.optionalAttrs (cfg.compress != null) { inherit (cfg) compress; };
        }
      );
    }
    (lib.mkIf isSd {
      fileSystems."/" = mkDefault {
        device = "/dev/disk/by-label/NIXOS_SD";
        fsType = "ext4";
        autoResize = true;
      };
      boot.growPartition = mkDefault true;
      boot.loader.grub.enable = mkDefault false;
      boot.loader.generic-extlinux-compatible.enable = mkDefault true;
    })
    (lib.mkIf isEfi {
      fileSystems."/" = mkDefault {
        device = "/dev/disk/by-label/nixos";
        fsType = "ext4";
        autoResize = true;
      };
      boot.growPartition = mkDefault true;
      boot.loader.grub.enable = mkDefault false;
    })
  ];
}
