# What every configuration has.
[
  ./boot.nix
  ./hardware/device-tree.nix
  ./image/images.nix
  ./loaders.nix
  ./misc/nixpkgs.nix
  ./misc/others.nix
  ./misc/version.nix
  ./system/build.nix
  ./system/sysupdate.nix
  ./system/toplevel.nix
  ./system/uki.nix
  ./tasks/filesystems.nix
]
