# What systemd-sysupdate fetches. Names, types and defaults are those of nixos/modules/system/boot/systemd/sysupdate.nix
# (05c7ed5c).
{ config, lib, ... }:
let
  inherit (lib) mkEnableOption mkOption types;
  word = types.oneOf [
    types.bool
    types.int
    types.str
  ];
  free = mkOption {
    type = types.attrsOf types.anything;
    default = { };
  };
  cfg = config.systemd.sysupdate;
in
{
  options.systemd.sysupdate = {
    enable = mkEnableOption "systemd-sysupdate";
    timerConfig = free;
    reboot.enable = mkEnableOption "automatically rebooting after an update";
    reboot.timerConfig = free;
    transfers = mkOption {
      type = types.attrsOf (types.attrsOf (types.attrsOf (types.either word (types.listOf word))));
      default = { };
    };
  };

  config = lib.mkIf cfg.enable { environment.etc."sysupdate.d".source = "of ${toString (lib.attrNames cfg.transfers)}"; };
}
