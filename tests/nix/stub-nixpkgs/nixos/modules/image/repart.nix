# The options of an image by systemd-repart, with the names, types and defaults that NixOS has, and an image that Kiln's
# takes the place of.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.image.repart;
  listed = option: mkOption {
    type = option.type;
    default = [ ];
  };
  partition =
    { config, ... }:
    {
      options = {
        storePaths = mkOption {
          type = types.listOf types.path;
          default = [ ];
        };
        # Once, in place of the next one.
        stripNixStorePrefix = mkOption { default = "_mkMergedOptionModule"; };
        nixStorePrefix = mkOption {
          type = types.path;
          default = "/nix/store";
        };
        contents = mkOption {
          type = types.attrsOf (types.submodule { options.source = mkOption { type = types.path; }; });
          default = { };
        };
        repartConfig = mkOption {
          type = types.attrsOf (
            types.oneOf [
              types.str
              types.int
              types.bool
              (types.listOf types.str)
            ]
          );
        };
      };
      config = lib.mkIf (config.stripNixStorePrefix == true) { nixStorePrefix = "/"; };
    };
in
{
  imports = [
    ./file-options.nix
    ./repart-verity-store.nix
  ];

  options.image.repart = {
    name = mkOption { type = types.str; };
    version = mkOption {
      type = types.nullOr types.str;
      default = config.system.image.version or null;
    };
    seed = mkOption {
      type = types.nullOr types.str;
      default = "0867da16-f251-457d-a9e8-c31f9a3c220b";
    };
    split = mkOption {
      type = types.bool;
      default = false;
    };
    sectorSize = mkOption {
      type = types.nullOr types.int;
      default = 512;
    };
    imageSize = mkOption {
      type = types.strMatching "^([0-9]+[KMGTP]?|auto)$";
      default = "auto";
    };
    mkfsOptions = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
    };
    compression = {
      enable = mkOption {
        type = types.bool;
        default = false;
      };
      algorithm = mkOption {
        type = types.enum [
          "zstd"
          "xz"
          "zstd-seekable"
        ];
        default = "zstd";
      };
      level = mkOption { type = types.int; };
    };
    partitions = mkOption {
      type = types.attrsOf (types.submodule partition);
      default = { };
    };
    finalPartitions = mkOption {
      type = types.attrs;
      readOnly = true;
    };
    assertions = listed options.assertions;
    warnings = listed options.warnings;
  };

  config = {
    image = {
      baseName = cfg.name + lib.optionalString (cfg.version != null) "_${cfg.version}";
      extension =
        "raw"
        + lib.optionalString cfg.compression.enable (if cfg.compression.algorithm == "xz" then ".xz" else ".zst");
      repart = {
        name = lib.mkIf ((config.system.image.id or null) != null) (lib.mkOptionDefault config.system.image.id);
        compression.level = lib.mkOptionDefault 3;
        finalPartitions = lib.mapAttrs (
          _: partition:
          partition
          // lib.optionalAttrs (partition.storePaths != [ ]) {
            closure = "${pkgs.closureInfo { rootPaths = partition.storePaths; }}/store-paths";
          }
        ) cfg.partitions;
      };
    };
    system.build.image = pkgs.runCommand "by-systemd-repart" { } ''mkdir "$out"'';
  };
}
