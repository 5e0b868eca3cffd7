# In place of nixpkgs' nixos/lib/make-ext4-fs.nix, and for sdImage.rootFilesystemCreator: $out is the file system.
#
# What is different: nothing is guessed, the same input gives the same bytes, and the registration is there as before.
{
  pkgs,
  lib,
  storePaths,
  volumeLabel,
  compressImage ? false,
  # Shell that fills ./files, which is copied to the root.
  populateImageCommands ? "",
  uuid ? "44444444-4444-4444-8888-888888888888",
  # Of Kiln: bytes that stay free, and more keys of [fs.NAME].
  free ? "16MiB",
  keys ? { },
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  ...
}:
images.mkExt4Fs (
  {
    name = "ext4-fs.img${lib.optionalString compressImage ".zst"}";
    part = "root";
    file = "ext4-fs.img";
    asFile = true;
    closure = storePaths;
    label = volumeLabel;
    inherit uuid free;
    registration = "/nix-path-registration";
    prepare = ''
      mkdir -p ./files
      ${populateImageCommands}
    '';
    tree = "files";
    keep = [ "modes" ];
  }
  // lib.optionalAttrs compressImage { compress = "zstd"; }
  // keys
)
