# nixosModules.netboot beside nixpkgs' netboot, and mkNetboot.
{
  pkgs ? import ./stub-nixpkgs { },
}:
let
  images = import ../../nix/lib { inherit pkgs; };
  configured =
    more:
    (import ./stub-nixpkgs/nixos/lib/eval-config.nix {
      inherit pkgs;
      modules = [
        ./stub-nixpkgs/nixos/modules/installer/netboot/netboot.nix
        ../../nix/modules/netboot.nix
        { boot.kernelParams = [ "{quiet}" ]; }
        more
      ];
    }).config;
in
{
  # Each file where nixpkgs' own files look for it.
  inherit ((configured { kiln.netboot.store.level = 3; }).system.build)
    kexecTree
    netbootIpxeScript
    netbootRamdisk
    ;
  function = images.mkNetboot {
    name = "netboot";
    closure = [ (configured { }).system.build.toplevel ];
    store = {
      format = "erofs";
      compression = "lz4";
    };
    netboot.at = "/store.erofs";
  };
  keys = {
    usual = (configured { }).system.build.netbootRamdisk.specification.fs.store;
    said =
      (configured {
        netboot.squashfsCompression = "xz -Xbcj x86";
        kiln.netboot.store.compression = "none";
      }).system.build.netbootRamdisk.specification.fs.store;
  };
  refused = (configured { netboot.squashfsCompression = "lz4"; }).system.build.netbootRamdisk.drvPath;
}
