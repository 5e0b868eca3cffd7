# What nixpkgs' modules of SD images tell a system beside its file systems: it may run on any board.
{
  lib,
  options,
  pkgs,
}:
lib.mkMerge [
  (lib.optionalAttrs (options.hardware or { } ? enableAllHardware) {
    hardware.enableAllHardware = lib.mkDefault true;
  })
  (lib.mkIf (pkgs.stdenv.hostPlatform.isAarch64 or false) {
    boot.consoleLogLevel = lib.mkDefault 7;
    # The UART of most boards, that of QEMU's machine, and the screen, which gets what init says.
    boot.kernelParams = [
      "console=ttyS0,115200n8"
      "console=ttyAMA0,115200n8"
      "console=tty0"
    ];
  })
]
