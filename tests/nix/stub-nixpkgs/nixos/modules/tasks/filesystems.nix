# What is mounted where.
{ config, lib, ... }:
let
  inherit (lib) mkIf mkOption types;
  nonEmpty = types.addCheck types.str (text: builtins.match "[ \t\n]*" text == null);
  mountPoint = types.addCheck nonEmpty (text: builtins.match ".+/" text == null);
  early = [
    "/"
    "/nix"
    "/nix/store"
    "/var"
    "/var/log"
    "/var/lib"
    "/var/lib/nixos"
    "/etc"
    "/usr"
  ];
  yes =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  fileSystem =
    { name, config, ... }:
    {
      options = {
        enable = yes true;
        mountPoint = mkOption {
          type = mountPoint;
          default = name;
        };
        device = mkOption {
          type = types.nullOr nonEmpty;
          default = null;
        };
        label = mkOption {
          type = types.nullOr nonEmpty;
          default = null;
        };
        fsType = mkOption {
          type = nonEmpty;
          default = "auto";
        };
        options = mkOption {
          type = types.nonEmptyListOf nonEmpty;
          default = [ "defaults" ];
        };
        depends = mkOption {
          type = types.listOf mountPoint;
          default = [ ];
        };
        autoFormat = yes false;
        autoResize = yes false;
        noCheck = yes false;
        neededForBoot = yes false;
      };
      config = {
        device = lib.mkMerge [
          (mkIf (config.label != null) (lib.mkDefault "/dev/disk/by-label/${config.label}"))
          (mkIf (lib.elem config.fsType [ "tmpfs" "ramfs" ]) (lib.mkDefault config.fsType))
        ];
        options = lib.mkMerge [
          (mkIf config.autoResize [ "x-systemd.growfs" ])
          (mkIf config.autoFormat [ "x-systemd.makefs" ])
          (mkIf (config.neededForBoot || lib.elem config.mountPoint early) [ "x-initrd.mount" ])
        ];
      };
    };
  grows = [
    "btrfs"
    "ext3"
    "ext4"
    "xfs"
  ];
in
{
  options = {
    fileSystems = mkOption {
      type = types.attrsOf (types.submodule [ fileSystem ]);
      default = { };
      apply = lib.filterAttrs (_: entry: entry.enable);
    };
    swapDevices = mkOption {
      type = types.listOf types.attrs;
      default = [ ];
    };
  };

  config = {
    system.build.fileSystems = lib.attrValues config.fileSystems;
    boot.supportedFilesystems = map (entry: entry.fsType) (lib.attrValues config.fileSystems);
    assertions = [
      {
        assertion = config.boot.isContainer || config.fileSystems ? "/";
        message = "The ‘fileSystems’ option does not specify your root file system.";
      }
    ]
    ++ map (entry: {
      assertion = entry.autoResize -> lib.elem entry.fsType grows;
      message = "Mountpoint '${entry.mountPoint}': 'autoResize = true' is not supported for 'fsType = \"${entry.fsType}\"'";
    }) (lib.attrValues config.fileSystems)
    ++ map (entry: {
      assertion = entry.label != null -> entry.device == "/dev/disk/by-label/${entry.label}";
      message = "The filesystem with mount point ${entry.mountPoint} has its label and device set to inconsistent values";
    }) (lib.attrValues config.fileSystems);
  };
}
