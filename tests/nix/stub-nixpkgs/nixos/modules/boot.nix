# The kernel, the first root and what grows a root.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkEnableOption mkOption types;
  names = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  lines = mkOption {
    type = types.lines;
    default = "";
  };
  # A list of names, or names with a yes or no.
  supported = mkOption {
    type = types.coercedTo (types.listOf types.str) (list: lib.genAttrs list (_: true)) (
      types.attrsOf types.bool
    );
    default = { };
  };
in
{
  options = {
    boot = {
      kernelPackages = mkOption {
        type = types.raw;
        default = pkgs.linuxPackages;
      };
      kernelParams = mkOption {
        type = types.listOf (types.strMatching ''([^"[:space:]]|"[^"]*")+'');
        default = [ ];
      };
      kernelModules = names;
      extraModulePackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
      };
      consoleLogLevel = mkOption {
        type = types.int;
        default = 4;
      };
      postBootCommands = lines;
      growPartition = mkEnableOption "growing the root partition on boot";
      supportedFilesystems = supported;
      isContainer = mkOption {
        type = types.bool;
        default = false;
      };
      tmp.cleanOnBoot = mkEnableOption "cleaning of /tmp";
      initrd = {
        availableKernelModules = names;
        kernelModules = names;
        supportedFilesystems = supported;
        postDeviceCommands = lines;
        luks.devices = mkOption {
          type = types.attrsOf types.attrs;
          default = { };
        };
        systemd = {
          enable = mkEnableOption "systemd in the first root";
          repart.enable = mkEnableOption "systemd-repart in the first root";
          repart.device = mkOption {
            type = types.nullOr types.str;
            default = null;
          };
          # nixos/modules/system/boot/systemd/repart.nix (c8c7de5b) and dm-verity.nix beside it.
          repart.empty = mkOption {
            type = types.enum [
              "refuse"
              "allow"
              "require"
              "force"
              "create"
            ];
            default = "refuse";
          };
          dmVerity.enable = mkEnableOption "dm-verity";
          initrdBin = mkOption {
            type = types.listOf types.package;
            default = [ ];
          };
        };
      };
    };
    systemd.repart = {
      enable = mkEnableOption "systemd-repart";
      partitions = mkOption {
        type = types.attrsOf (
          types.attrsOf (
            types.oneOf [
              types.str
              types.int
              types.bool
              (types.listOf types.str)
            ]
          )
        );
        default = { };
      };
    };
    hardware = {
      enableAllHardware = mkEnableOption "all hardware";
      enableRedistributableFirmware = mkEnableOption "firmware that may be passed on";
      enableAllFirmware = mkEnableOption "all firmware";
    };
  };

  config = {
    boot.kernelParams = [ "loglevel=${toString config.boot.consoleLogLevel}" ];
    assertions = map (name: {
      assertion = config.boot.initrd.systemd.${name}.enable -> config.boot.initrd.systemd.enable;
      message = "'boot.initrd.systemd.${name}.enable' requires 'boot.initrd.systemd.enable' to be enabled.";
    }) [ "dmVerity" "repart" ]
    ++ lib.optional config.boot.growPartition {
      assertion = !config.systemd.repart.enable && !config.boot.initrd.systemd.repart.enable;
      message = "boot.growPartition does not work together with systemd.repart.enable or boot.initrd.systemd.repart.enable";
    };
  };
}
