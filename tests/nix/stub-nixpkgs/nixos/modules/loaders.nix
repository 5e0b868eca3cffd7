# Boot loaders.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.boot.loader;
  yes =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  text =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
  extlinux = cfg.generic-extlinux-compatible;
  tree = config.hardware.deviceTree;
  # Each of them wants to be the one that nixos-rebuild calls.
  one = name: {
    system.boot.loader.id = name;
    system.build.installBootLoader = "install ${name}";
  };
in
{
  options.boot.loader = {
    timeout = mkOption {
      type = types.nullOr types.int;
      default = 5;
    };
    efi.canTouchEfiVariables = yes false;
    efi.efiSysMountPoint = text "/boot";
    grub = {
      enable = yes (!config.boot.isContainer);
      device = text "";
      devices = mkOption {
        type = types.listOf types.str;
        default = [ ];
      };
      efiSupport = yes false;
      efiInstallAsRemovable = yes false;
      configurationLimit = mkOption {
        type = types.int;
        default = 100;
      };
    };
    systemd-boot = {
      enable = yes false;
      editor = yes true;
      configurationLimit = mkOption {
        type = types.nullOr types.int;
        default = null;
      };
      consoleMode = mkOption {
        type = types.enum [
          "0"
          "1"
          "2"
          "5"
          "auto"
          "max"
          "keep"
        ];
        default = "keep";
      };
      xbootldrMountPoint = mkOption {
        type = types.nullOr types.str;
        default = null;
      };
      graceful = yes false;
      extraInstallCommands = mkOption {
        type = types.lines;
        default = "";
      };
      extraFiles = mkOption {
        type = types.attrsOf types.path;
        default = { };
      };
      installDeviceTree = yes (tree.enable && tree.name != null);
    };
    generic-extlinux-compatible = {
      enable = yes false;
      useGenerationDeviceTree = yes true;
      configurationLimit = mkOption {
        type = types.int;
        default = 20;
      };
      mirroredBoots = mkOption {
        type = types.listOf (types.submodule { options.path = mkOption { type = types.str; }; });
        default = [ { path = "/boot"; } ];
      };
      populateCmd = mkOption {
        type = types.str;
        readOnly = true;
      };
    };
    external.enable = yes false;
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.grub.enable (one "grub"))
    (lib.mkIf cfg.systemd-boot.enable (
      one "systemd-boot"
      // {
        boot.loader.grub.enable = lib.mkDefault false;
      }
    ))
    (lib.mkIf extlinux.enable (
      one "generic-extlinux-compatible"
      // {
        boot.loader.generic-extlinux-compatible.populateCmd = lib.concatStringsSep " " (
          [
            "extlinux-conf-builder.sh"
            "-g ${toString extlinux.configurationLimit}"
            "-t ${if cfg.timeout == null then "-1" else toString cfg.timeout}"
          ]
          ++ lib.optional (tree.name != null) "-n ${tree.name}"
          ++ lib.optional (!extlinux.useGenerationDeviceTree) "-r"
        );
      }
    ))
    {
      assertions = [
        {
          assertion = !cfg.grub.enable || cfg.grub.device != "" || cfg.grub.devices != [ ];
          message = "You must set the option ‘boot.loader.grub.devices’ or 'boot.loader.grub.mirroredBoots' to make the system bootable.";
        }
      ];
    }
  ];
}
