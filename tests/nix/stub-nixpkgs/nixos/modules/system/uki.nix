# What ukify is told, which is not run. Names, types and defaults are those of nixos/modules/system/boot/uki.nix (02d79c9c).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  inherit (config.system.boot.loader) kernelFile initrdFile;
  cfg = config.boot.uki;
  tree = config.hardware.deviceTree;
  line = key: value: "${key} = ${toString value}\n";
  section = name: keys: "[${name}]\n" + lib.concatStrings (lib.mapAttrsToList line keys);
  usual = lib.mapAttrs (_: lib.mkOptionDefault);
in
{
  options = {
    boot.uki = {
      name = mkOption { type = types.str; };
      version = mkOption {
        type = types.nullOr types.str;
        default = config.system.image.version;
      };
      tries = mkOption {
        type = types.nullOr types.ints.unsigned;
        default = null;
      };
      settings = mkOption {
        type = types.attrsOf (
          types.attrsOf (
            types.oneOf [
              types.bool
              types.int
              types.str
            ]
          )
        );
      };
      configFile = mkOption { type = types.path; };
    };
    system.boot.loader.ukiFile = mkOption { type = types.str; };
  };

  config = {
    boot.uki = {
      name = lib.mkOptionDefault (if config.system.image.id != null then config.system.image.id else "nixos");
      settings.UKI = usual (
        {
          Linux = "${config.boot.kernelPackages.kernel}/${kernelFile}";
          Initrd = "${config.system.build.initialRamdisk}/${initrdFile}";
          Cmdline = "init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}";
          Stub = "${pkgs.systemd}/lib/systemd/boot/efi/linux${pkgs.stdenv.hostPlatform.efiArch}.efi.stub";
          Uname = "${config.boot.kernelPackages.kernel.modDirVersion}";
          OSRelease = "@${config.system.build.etc}/etc/os-release";
          EFIArch = pkgs.stdenv.hostPlatform.efiArch;
        }
        // lib.optionalAttrs (tree.enable && tree.name != null) { DeviceTree = "${tree.package}/${tree.name}"; }
      );
      configFile = lib.mkOptionDefault (
        pkgs.writeText "ukify.conf" (lib.concatStrings (lib.mapAttrsToList section cfg.settings))
      );
    };
    system.boot.loader.ukiFile =
      cfg.name
      + lib.optionalString (cfg.version != null) "_${cfg.version}"
      + lib.optionalString (cfg.tries != null) "+${toString cfg.tries}"
      + ".efi";
  };
}
