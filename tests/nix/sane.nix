# Hosts with nixosModules.sane-image: a PinePhone as it was and as it should be, a PinePhone Pro, an x86-64 machine, and others.
{
  kernel,
  loader,
  pkgs,
  # An image of settings.
  sane,
  spl,
}:
let
  platform = pkgs.runCommand "kernel-partition" { } ''printf 'CHROMEOS' > "$out"'';
in
{
  moby-old = sane {
    sane.image.extraGPTPadding = 16 * 1024 * 1024;
    sane.image.firstPartGap = 0;
    sane.image.installBootloader = "dd if=${spl} of=$out bs=1024 seek=8 conv=notrunc";
  };
  moby = sane {
    sane.image.extraGPTPadding = 16 * 1024 * 1024 - 34 * 512;
    sane.image.firstPartGap = null;
    sane.image.board = "allwinner-8k";
    sane.image.loaders = [
      {
        name = "u-boot-sunxi-with-spl";
        raw = spl;
        offset = 8 * 1024;
      }
    ];
  };
  pinephone-pro = sane {
    sane.image.board = "rockchip";
    sane.image.loaders = [
      {
        name = "idbloader";
        raw = "${loader}/idbloader.img";
        offset = 64 * 512;
      }
      {
        name = "u-boot";
        raw = "${loader}/u-boot.itb";
        offset = 16384 * 512;
      }
    ];
  };
  # As it had to be said to mobile-nixos.
  efi-old-spelling = sane {
    boot.loader.generic-extlinux-compatible.enable = false;
    sane.image.firstPartGap = (16 * 1024 * 1024 - 34 * 512) * 1024 * 1024 - 1;
    sane.image.extraBootFiles = [ kernel ];
    sane.image.extraDirectories = [ "/var/log" ];
  };
  # The store in a file system of its own, on a disk with large sectors.
  large-sectors = sane {
    fileSystems."/nix" = {
      device = "/dev/disk/by-uuid/99999999-2222-3333-4444-555555555555";
      fsType = "ext4";
    };
    sane.image.sectorSize = 4096;
    sane.image.bootPartSize = 300 * 1024 * 1024;
    sane.image.extraDirectories = [ "/nix/var/log" ];
  };
  chromebook = sane {
    system.build.platformPartition = platform;
    sane.image.platformPartSize = 16 * 1024 * 1024;
  };
}
