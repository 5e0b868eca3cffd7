# What AtomicNix's image and bundle have in common: the boot slot, with the same bytes in both, and where the slots lie.
{
  nixosConfig,
  squashfsImage,
  bootScript,
}:
let
  inherit (nixosConfig.boot.kernelPackages) kernel;
  inherit (nixosConfig.system.nixos) version;
  series = builtins.match "([0-9]+\\.[0-9]+).*" version;
  dtb = "dtbs/rockchip/rk3328-rock64.dtb";
in
{
  inherit version;
  rootfs = "${squashfsImage}/rootfs.squashfs";

  specification = {
    seed = "rock64";
    fs.boot = {
      format = "fat";
      label = "BOOT-A";
      size = "128MiB";
      files = {
        "/Image" = "${kernel}/Image";
        "/initrd" = "${nixosConfig.system.build.initialRamdisk}/initrd";
        "/${dtb}" = "${kernel}/${dtb}";
        "/boot.scr" = "${bootScript}/boot.scr";
      };
    };
    disk = {
      file = "atomicnix-${if series == null then version else builtins.head series}.img";
      table = "gpt";
      size = "1170MiB";
      board = "rockchip";
      region = [
        {
          name = "boot-a";
          type = "xbootldr";
          offset = "16MiB";
          size = "128MiB";
          content = "fs.boot";
        }
        {
          name = "rootfs-a";
          type = "root-arm64";
          offset = "144MiB";
          size = "1GiB";
          raw = "${squashfsImage}/rootfs.squashfs";
        }
      ];
    };
  };
}
