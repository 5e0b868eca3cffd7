# Files that are called in place of others with the same names: pkgs.callPackage dropIns.make-ext4-fs { … }.
{
  atomicnix = {
    boot-script = ./boot-script.nix;
    image = ./image.nix;
    rauc-bundle = ./rauc-bundle.nix;
    squashfs = ./squashfs.nix;
  };
  make-btrfs-fs = ./make-btrfs-fs.nix;
  make-disk-image = ./make-disk-image.nix;
  make-ext4-fs = ./make-ext4-fs.nix;
  make-squashfs = ./make-squashfs.nix;
}
