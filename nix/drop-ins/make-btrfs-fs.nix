# In place of nixpkgs' nixos/lib/make-btrfs-fs.nix, and for sdImage.rootFilesystemCreator: $out is the file system.
#
# What is different: mkfs.btrfs leaves ids and times of its own, and the same input gives the same bytes here. Subvolumes
# and compression are Kiln's own arguments.
{
  pkgs,
  lib,
  # Packages, or one of them.
  storePaths,
  volumeLabel,
  compressImage ? false,
  # Shell that fills ./files, which is copied to the root. As there, it runs in a subshell.
  populateImageCommands ? "",
  uuid ? "44444444-4444-4444-8888-888888888888",
  # Of Kiln: bytes that stay free, directories that are subvolumes, how data is compressed ("zstd", "zlib", "lzo" or "none")
  # and how strongly, and more keys of [fs.NAME].
  free ? "16MiB",
  subvolumes ? { },
  compression ? "none",
  level ? null,
  keys ? { },
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  # The tools that nixpkgs' own file takes.
  ...
}:
images.mkBtrfs (
  {
    name = "btrfs-fs.img${lib.optionalString compressImage ".zst"}";
    part = "root";
    file = "btrfs-fs.img";
    asFile = true;
    closure = if builtins.isList storePaths then storePaths else [ storePaths ];
    label = volumeLabel;
    inherit uuid free compression;
    registration = "/nix-path-registration";
    prepare = ''
      mkdir -p ./files
      ${populateImageCommands}
    '';
    tree = "files";
    keep = [
      "modes"
      "hard-links"
    ];
    directories = [ "/nix/store" ] ++ builtins.attrNames subvolumes;
  }
  // lib.optionalAttrs (subvolumes != { }) { inherit subvolumes; }
  // lib.optionalAttrs (level != null) { inherit level; }
  // lib.optionalAttrs compressImage { compress = "zstd"; }
  // keys
)
