# What ukify is told, which is not run.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.boot.uki;
  line = key: value: "${key} = ${value}\n";
  section = name: keys: "[${name}]\n" + lib.concatStrings (lib.mapAttrsToList line keys);
in
{
  options.boot.uki = {
    settings = mkOption {
      type = types.attrsOf (types.attrsOf types.str);
      default = { };
    };
    configFile = mkOption { type = types.path; };
  };

  config.boot.uki = {
    settings.UKI.Stub = lib.mkOptionDefault "${pkgs.systemd}/lib/systemd/boot/efi/linux${pkgs.stdenv.hostPlatform.efiArch}.efi.stub";
    configFile = lib.mkOptionDefault (
      pkgs.writeText "ukify.conf" (lib.concatStrings (lib.mapAttrsToList section cfg.settings))
    );
  };
}
