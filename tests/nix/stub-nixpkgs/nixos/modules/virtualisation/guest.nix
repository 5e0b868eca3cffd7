# What nixpkgs' modules of guests have in common, as far as images depend on it: options of nixos/modules/image/file-options.nix and
# virtualisation/disk-size-option.nix, and an image that a virtual machine would make. nixpkgs writes this into each of them;
# here each is what differs. Types, defaults, names and settings are those of the modules of these names.
{
  # What system.build calls its image.
  build,
  tag,
  extension,
  # MiB, or "auto".
  diskSize ? null,
  efi ? false,
  device ? "/dev/vda",
}:
{ config, lib, ... }:
let
  isEfi = if builtins.isFunction efi then efi config else efi;
in
{
  imports = [
    ./disk-size-option.nix
    ../image/file-options.nix
  ];

  config = {
    image.extension = if builtins.isFunction extension then extension config else extension;
    system.nixos.tags = [ tag ];
    system.build.image = config.system.build.${build};
    # It can be looked at, and not built.
    system.build.${build}.outPath = throw "${build}: no virtual machine runs here";
    virtualisation.diskSize = lib.mkIf (diskSize != null) (lib.mkOverride 1490 diskSize);
    boot.growPartition = true;
    boot.loader.grub = {
      device = if isEfi then "nodev" else device;
      efiSupport = isEfi;
      efiInstallAsRemovable = isEfi;
    };
    fileSystems."/" = {
      device = "/dev/disk/by-label/nixos";
      autoResize = true;
      fsType = "ext4";
    };
    fileSystems."/boot" = lib.mkIf isEfi {
      device = "/dev/disk/by-label/ESP";
      fsType = "vfat";
    };
  };
}
