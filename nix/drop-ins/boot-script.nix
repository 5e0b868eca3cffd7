# In place of AtomicNix's nix/boot-script.nix: $out/boot.scr and $out/boot.cmd.
{
  pkgs,
  systemClosure,
  buildId ? "unknown",
  # The commands; AtomicNix's own are its scripts/boot.cmd.
  source ? ../../demo/boot.cmd,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  ...
}:
images.mkBootScript {
  name = "rock64-boot-script";
  arch = "arm64";
  inherit source;
  substitute = {
    inherit buildId;
    systemClosure = "${systemClosure}";
  };
}
