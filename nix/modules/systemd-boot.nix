# What an EFI system partition has after NixOS' installer of systemd-boot ran in the first generation, so that the
# installer goes on where the image ends: it finds its loader, keeps or removes generation 1, and changes the default.
{
  config,
  lib,
  pkgs,
}:
let
  inherit (pkgs.stdenv.hostPlatform) efiArch;
  cfg = config.boot.loader.systemd-boot;
  timeout = config.boot.loader.timeout or 5;
  distribution = config.system.nixos.distroName or "NixOS";

  loader = "${config.systemd.package}/lib/systemd/boot/efi/systemd-boot${efiArch}.efi";
  kernel = "${config.boot.kernelPackages.kernel}/${config.system.boot.loader.kernelFile}";
  initrd = "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";

  # A file of the store as the installer calls it: of …-linux-6.12/bzImage, …-linux-6.12-bzImage.efi.
  installed =
    path:
    let
      parts = lib.splitString "/" (builtins.unsafeDiscardStringContext (lib.removePrefix "${builtins.storeDir}/" path));
      last = lib.last parts;
    in
    "/EFI/nixos/${builtins.head parts}${lib.optionalString (builtins.length parts > 1) "-${last}"}.efi";

  hasTree = cfg.installDeviceTree or false;
  tree = "${config.hardware.deviceTree.package}/${config.hardware.deviceTree.name}";
in
{
  files = {
    # Where firmware looks when nobody told it of a loader, and where bootctl looks for what it updates.
    "/EFI/BOOT/BOOT${lib.toUpper efiArch}.EFI" = loader;
    "/EFI/systemd/systemd-boot${efiArch}.efi" = loader;
    ${installed kernel} = "{kernel}";
    ${installed initrd} = "{initrd}";
  }
  // lib.optionalAttrs hasTree { ${installed tree} = tree; };

  text = {
    "/loader/entries.srel" = "type1\n";
    "/loader/loader.conf" = lib.concatMapStrings (line: "${line}\n") (
      [
        "timeout ${if timeout == null then "menu-force" else toString timeout}"
        "default nixos-generation-1.conf"
      ]
      ++ lib.optional (!(cfg.editor or true)) "editor 0"
      ++ [ "console-mode ${cfg.consoleMode or "keep"}" ]
    );
    "/loader/entries/nixos-generation-1.conf" = lib.concatMapStrings (line: "${line}\n") (
      [
        "title ${distribution}"
        "sort-key ${cfg.sortKey or "nixos"}"
        "version Generation 1 ${distribution} {version}, built on 1970-01-01"
        "linux ${installed kernel}"
        "initrd ${installed initrd}"
        "options init={toplevel}/init {kernel-params}"
      ]
      ++ lib.optional hasTree "devicetree ${installed tree}"
    );
  };
}
