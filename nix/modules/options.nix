# The options that the modules of whole images share: what is on the disk beside a layout.
{ config, lib, ... }:
let
  inherit (lib) literalExpression mkOption types;
in
{
  options.kiln = {
    rootFormat = mkOption {
      type = types.enum [
        "btrfs"
        "ext4"
      ];
      default = "ext4";
      description = ''
        The file system of the root, which grows at the first boot either way. The system mounts it as what it is, and its
        initial file system has the driver.
      '';
    };
    btrfs = {
      compression = mkOption {
        type = types.enum [
          "lzo"
          "none"
          "zlib"
          "zstd"
        ];
        default = "zstd";
        description = ''
          How the data of a root that is a btrfs is compressed: in the image, and by the mount option `compress` what the system
          writes later.
        '';
      };
      level = mkOption {
        type = types.nullOr types.ints.positive;
        default = null;
        example = 9;
        description = "Its level: 1 to 15 for zstd, 1 to 9 for zlib; Kiln's and the kernel's own when null.";
      };
      subvolumes = mkOption {
        type = types.attrsOf (
          types.submodule {
            options = {
              readOnly = mkOption {
                type = types.bool;
                default = false;
                description = "Whether nobody may write to it.";
              };
              default = mkOption {
                type = types.bool;
                default = false;
                description = "Whether it is mounted when no option of the mount says which.";
              };
            };
          }
        );
        default = { };
        example = literalExpression ''
          {
            "/home" = { };
            "/nix" = { };
          }
        '';
        description = ''
          Directories of a root that is a btrfs which are subvolumes: their paths, and `readOnly` and `default`, which are
          false when not said. A mount of the root has them where they are, so that none needs a mount of its own.
        '';
      };
    };
    firmware = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ "/u-boot-rpi4.bin" = "''${pkgs.ubootRaspberryPi4_64bit}/u-boot.bin"; }'';
      description = ''
        Files of the image's FAT: their paths in it, and their sources. A folder brings all that is in it, and a list of
        folders becomes one. Patterns are left out of them by `kiln.specification.fs.firmware.exclude`.
      '';
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
      description = "Regions of the disk before the image's partitions, such as boot loaders. They are checked against all others.";
    };
    sbom = {
      formats = mkOption {
        type = types.listOf (
          types.enum [
            "cyclonedx"
            "spdx"
          ]
        );
        default = [ ];
        example = [ "cyclonedx" ];
        description = ''
          Bills of materials that come with the image, beside it: CycloneDX 1.6 and SPDX 2.3. What else `[sbom]` knows, such as
          `supplier`, is said in `kiln.specification.sbom`.
        '';
      };
      packages = mkOption {
        type = types.listOf types.package;
        default =
          config.environment.systemPackages or [ ]
          ++ lib.optional (config ? boot.kernelPackages.kernel) config.boot.kernelPackages.kernel
          ++ lib.optional (config ? systemd.package) config.systemd.package
          ++ lib.optional (config ? nix.package) config.nix.package;
        defaultText = literalExpression ''
          config.environment.systemPackages
          ++ [ config.boot.kernelPackages.kernel config.systemd.package config.nix.package ]
        '';
        description = ''
          The packages whose licences, homepages and CPEs are in them, with those of all that these are linked with: a store does
          not know that. Boot loaders that are named in `kiln.loaders` and `kiln.firmware` belong here, too.
        '';
      };
    };
    specification = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ fs.root.free = "1GiB"; disk.board = "rockchip"; }'';
      description = ''
        Keys of Kiln's specification, over those of the layout. All that it knows can be said here. Lists are replaced as a
        whole. What the system mounts follows from the labels and ids that are said here.
      '';
    };
  };
}
