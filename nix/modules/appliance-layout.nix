# What kiln.layout = "appliance" puts on a disk, and what the system has to be told of it: an EFI system partition with
# systemd-boot and a unified kernel image, and the store in a partition for /usr under dm-verity, whose root hash is in that
# image's command line. The first boot makes the second slot, and /var.
{
  config,
  lib,
  pkgs,
}:
let
  cfg = config.kiln.appliance;
  uki = import ../lib/uki.nix { inherit lib; };
  values = import ../lib/repart/values.nix { inherit lib; };
  inherit (import ../lib/repart/verity.nix { inherit lib values; }) treeSize;
  inherit (import ./amounts.nix { }) bytes;
  inherit (pkgs.stdenv.hostPlatform) efiArch;
  inherit (import ../lib/repart/architecture.nix pkgs.stdenv.hostPlatform) types;

  inherit (config.boot.uki) tries;
  id = config.boot.uki.name;
  version = toString config.boot.uki.version;
  inherit (config.system.boot.loader) ukiFile;
  hasTransfers = config.systemd.sysupdate.transfers or { } != { };

  loader = "${config.systemd.package}/lib/systemd/boot/efi/systemd-boot${efiArch}.efi";
  timeout = config.boot.loader.timeout or 5;
  isLoaderSigned = cfg.signatures.systemd-boot != null;
  attached = signature: lib.optionalAttrs (signature != null) { sign.attach = "${signature}"; };

  # Amounts that checks find wrong are none here.
  store =
    let
      found = bytes cfg.storeSize;
    in
    if found == null then 4096 else values.roundUp found;
  sizes = {
    store = store;
    store-verity = treeSize store;
  };
  inBytes = name: "${toString sizes.${name}}B";
  parts = {
    store = types.usr;
    store-verity = types.usr-verity;
  };
  systemd =
    let
      found = builtins.match "([0-9]+).*" (config.systemd.package.version or "");
    in
    lib.optionalAttrs (found != null) { systemd = lib.toInt (builtins.head found); };
in
{
  inherit
    bytes
    id
    parts
    sizes
    version
    ;

  specification = {
    fs.esp = {
      format = "fat";
      label = "ESP";
      bits = 32;
      size = cfg.espSize;
      files = {
        "/EFI/BOOT/BOOT${lib.toUpper efiArch}.EFI" = if isLoaderSigned then "{efi.systemd-boot}" else loader;
      }
      // lib.mapAttrs' (name: file: lib.nameValuePair "/loader/keys/auto/${name}.auth" "${file}") cfg.enrollment
      // config.kiln.firmware;
      text."/loader/loader.conf" = ''
        timeout ${if timeout == null then "menu-force" else toString timeout}
        editor no
      '';
    };
    fs.store = {
      format = "erofs";
      compression = "lz4hc";
      cluster-size = "64KiB";
      closure = true;
      max-size = inBytes "store";
      # It is mounted at /usr, which nobody can write to.
      symlinks."/bin/env" = "${pkgs.coreutils}/bin/env";
    }
    // lib.optionalAttrs (!hasTransfers && cfg.url != null) {
      files."/lib/sysupdate.d" = "{release.transfers}";
    };
    verity.store.data = "fs.store";
    uki.main =
      uki {
        inherit (config.boot.uki) settings;
        cmdline = "init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}";
        hashes = " usrhash={verity.store.roothash}";
        more = "kiln.appliance.uki";
        keys = lib.recursiveUpdate cfg.uki (attached cfg.signatures.uki);
      }
      // {
        file = ukiFile;
      };
    release = lib.recursiveUpdate (
      {
        inherit id version;
        partitions = builtins.attrNames parts;
        uki = "main";
        esp = "fs.esp";
        tries = if tries == null then 0 else tries;
      }
      // systemd
      // lib.optionalAttrs (cfg.url != null) { inherit (cfg) url; }
      # Whether devices ask for a signature is in the store that is signed, so it does not depend on whether there is one yet.
      // lib.optionalAttrs (cfg.keyring != null) {
        sign = {
          keyring = "${cfg.keyring}";
        }
        // lib.optionalAttrs (cfg.signatures.release != null) { attach = "${cfg.signatures.release}"; };
      }
    ) cfg.release;
    disk.region = [
      {
        name = "esp";
        type = "esp";
        content = "fs.esp";
      }
      {
        name = "store-verity";
        type = parts.store-verity;
        size = inBytes "store-verity";
        content = "verity.store";
        attributes = [ "read-only" ];
      }
      {
        name = "store";
        type = parts.store;
        size = inBytes "store";
        content = "fs.store";
        attributes = [ "read-only" ];
      }
    ];
    only = [
      "disk"
      "release"
      "uki.main"
    ];
    outputs = [
      "out"
      "release"
      "uki"
    ];
    flags = lib.optional (cfg.keyring != null && cfg.signatures.release == null) "--unsigned";
    finish = ''
      mkdir -p "$uki" "$release"
      mv "$out/"${lib.escapeShellArg ukiFile} "$uki/"
      mv "$out/release/"* "$release/"
      rmdir "$out/release"
    '';
  }
  // lib.optionalAttrs isLoaderSigned {
    efi.systemd-boot = {
      source = loader;
    }
    // attached cfg.signatures.systemd-boot;
  };

  # What the first boot makes of the rest of the disk: systemd-repart finds the partitions of the image by their types, in
  # this order.
  partitions =
    let
      slot = name: {
        Type = parts.${name};
        SizeMinBytes = toString sizes.${name};
        SizeMaxBytes = toString sizes.${name};
      };
      empty = {
        Label = "_empty";
        ReadOnly = true;
      };
    in
    {
      "10-store-verity-a" = slot "store-verity";
      "11-store-verity-b" = slot "store-verity" // empty;
      "20-store-a" = slot "store";
      "21-store-b" = slot "store" // empty;
      "50-var" = {
        Type = "var";
        Label = "var";
        Format = "ext4";
        SizeMinBytes = toString (bytes cfg.varSize);
      };
    };
}
