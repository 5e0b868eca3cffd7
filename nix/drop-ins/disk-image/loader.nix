# What the boot loaders of a configuration leave on a disk: keys of the file systems, and of the disk itself.
{
  bad,
  config,
  grub,
  lib,
  pkgs,
}:
partitionTableType:
let
  inherit (builtins) elem;
  loaders = config.boot.loader;
  cfg = loaders.grub;
  boot = import ../../modules/systemd-boot.nix { inherit config lib pkgs; };
  inherit (import ../../modules/grub.nix { inherit config lib; }) devices menu;
  extlinux = import ../../modules/extlinux.nix { inherit config lib; };
  hasEsp = elem partitionTableType [
    "efi"
    "efixbootldr"
    "hybrid"
  ];
  isBios = elem partitionTableType [
    "hybrid"
    "legacy"
    "legacy+gpt"
  ];
  systemd-boot = loaders.systemd-boot.enable or false;
  hasGrub = cfg.enable or false;
  hasExtlinux = loaders.generic-extlinux-compatible.enable or false;
  onlyUefi = bad "boot.loader.grub: UEFI is started by systemd-boot on a disk of type ${partitionTableType}: say boot.loader.systemd-boot.enable = true and boot.loader.grub.enable = false, partitionTableType = \"hybrid\" for both, or installBootLoader = false";

in
{
  root =
    lib.optionalAttrs (hasGrub && partitionTableType != "hybrid" && !hasEsp) { grub = menu; }
    // lib.optionalAttrs hasExtlinux { inherit extlinux; };
  esp =
    if systemd-boot || (hasGrub && partitionTableType == "hybrid") then
      {
        inherit (boot) files text;
      }
      # The partition is /boot, where the menu belongs.
      // lib.optionalAttrs (hasGrub && partitionTableType == "hybrid") { grub = menu // { at = "/"; }; }
    else if hasGrub then
      onlyUefi
    else
      { };
  disk = lib.optionalAttrs (hasGrub && isBios && devices != [ ]) {
    grub.from =
      if
        elem pkgs.stdenv.hostPlatform.efiArch [
          "ia32"
          "x64"
        ]
      then
        "${grub}/lib/grub/i386-pc"
      else
        bad "partitionTableType = \"${partitionTableType}\": ${pkgs.stdenv.hostPlatform.system} has no BIOS that starts GRUB: say \"efi\" with boot.loader.systemd-boot.enable = true";
  };
}
