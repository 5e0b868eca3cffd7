# In place of AtomicNix's nix/rauc-bundle.nix: $out/rock64.raucb, signed, and verified against the authority.
#
# A key that is given as a path of Nix lies in the store, where everybody reads it, as it does there. With
# `signingKeyPath = null` the outputs are an unsigned bundle and what is to be signed, for `kiln bundle sign`.
{
  pkgs,
  nixosConfig,
  squashfsImage,
  bootScript,
  signingCert,
  signingKeyPath,
  caCert,
  # When it was signed, in seconds since 1970. The time is a part of the signature, and of what is the same in each build.
  signingTime ? null,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  ...
}:
let
  rock64 = import ./rock64.nix { inherit nixosConfig squashfsImage bootScript; };
  signed = signingKeyPath != null;
in
images.mkRaucBundle (
  rock64.specification
  // {
    name = "rock64-rauc-bundle";
    flags = if signed then [ ] else [ "--unsigned" ];
    bundle = {
      file = "rock64.raucb";
      compatible = "rock64";
      inherit (rock64) version;
      compression = "zstd";
      image = {
        boot = {
          content = "fs.boot";
          file = "boot.vfat";
        };
        rootfs.raw = rock64.rootfs;
      };
    }
    // (
      if signed then
        {
          sign = {
            certificate = "${signingCert}";
            key = "${signingKeyPath}";
            keyring = "${caCert}";
          }
          // (if signingTime == null then { } else { time = signingTime; });
        }
      else
        { }
    );
  }
)
