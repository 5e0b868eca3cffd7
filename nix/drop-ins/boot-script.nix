# In place of AtomicNix's nix/boot-script.nix: $out/boot.scr and $out/boot.cmd.
{
  pkgs,
  # Replaces @buildId@ in the commands.
  buildId,
  # The commands. AtomicNix's own file knows where they are, which this one cannot.
  source ? throw ''
    boot-script.nix: say `source`, the file with the commands of the boot script, which AtomicNix has as scripts/boot.cmd: source = ./scripts/boot.cmd;'',
  # The system, for commands that have @systemClosure@.
  systemClosure ? null,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  # What AtomicNix's own file takes besides.
  ...
}:
images.mkBootScript {
  name = "rock64-boot-script";
  arch = "arm64";
  inherit source;
  substitute = {
    inherit buildId;
  }
  // (if systemClosure == null then { } else { systemClosure = "${systemClosure}"; });
}
