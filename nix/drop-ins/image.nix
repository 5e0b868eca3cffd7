# In place of AtomicNix's nix/image.nix: $out/atomicnix-<series>.img, for the Rock64's eMMC.
{
  pkgs,
  ubootRock64,
  nixosConfig,
  squashfsImage,
  bootScript,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  ...
}:
let
  inherit (import ./rock64.nix { inherit nixosConfig squashfsImage bootScript; }) specification;
in
images.mkDiskImage (
  specification
  // {
    name = "rock64-image";
    disk = specification.disk // {
      region = [
        {
          name = "idbloader";
          raw = "${ubootRock64}/idbloader.img";
          offset = "64s";
        }
        {
          name = "u-boot";
          raw = "${ubootRock64}/u-boot.itb";
          offset = "16384s";
        }
      ]
      ++ specification.disk.region;
    };
  }
)
