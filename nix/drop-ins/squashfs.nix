# In place of AtomicNix's nix/squashfs.nix: $out/rootfs.squashfs, of every path in the system's closure.
{
  pkgs,
  nixosConfig,
  maxSquashfsSize,
  # The package set that runs Kiln, and Kiln's functions.
  buildPkgs ? pkgs.buildPackages,
  images ? import ../lib { inherit pkgs buildPkgs; },
  # The time that compressing may take: 19 as AtomicNix has it.
  level ? 19,
  # What AtomicNix's own file takes besides.
  ...
}:
images.mkSquashfs {
  name = "rock64-squashfs";
  part = "rootfs";
  closure = [ nixosConfig.system.build.toplevel ];
  compression = "zstd";
  inherit level;
  block-size = "1MiB";
  max-size = "${toString maxSquashfsSize}B";
  symlinks = {
    "/init" = "{toplevel}/init";
    "/sbin/init" = "{toplevel}/init";
  };
  directories = [
    "/bin"
    "/dev"
    "/etc"
    "/home"
    "/proc"
    "/root"
    "/run"
    "/sys"
    "/tmp"
    "/usr/bin"
    "/var"
  ];
}
