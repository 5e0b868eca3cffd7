# A Rock64 that updates itself: nix build .#image for the factory, .#bundle for what is to be signed.
{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    kiln.url = "github:OWNER/kiln";
    kiln.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      self,
      nixpkgs,
      kiln,
    }:
    let
      system = "aarch64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      # The machine that makes the images may be any that builds or fetches the board's system.
      buildSystems = [
        "aarch64-linux"
        "x86_64-linux"
      ];
      board = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [ ./configuration.nix ];
      };

      # One specification for both: the factory's slot and the update have the same bytes.
      specification = {
        name = "firmware-{series}";
        closure = [ board.config.system.build.toplevel ];

        fs.rootfs = {
          format = "squashfs";
          closure = true;
          max-size = "1GiB";
          symlinks = {
            "/init" = "{toplevel}/init";
            "/sbin/init" = "{toplevel}/init";
          };
          directories = [
            "/dev"
            "/etc"
            "/proc"
            "/run"
            "/sys"
            "/tmp"
            "/var"
          ];
        };

        script.boot = {
          source = "${./boot.cmd}";
          arch = "arm64";
          substitute.systemClosure = "{toplevel}";
        };

        fs.boot = {
          format = "fat";
          label = "BOOT-A";
          size = "128MiB";
          files = {
            "/Image" = "{kernel}";
            "/initrd" = "{initrd}";
            "/dtbs/rockchip/rk3328-rock64.dtb" = "{dtbs}/rockchip/rk3328-rock64.dtb";
            "/boot.scr" = "{script.boot}";
          };
        };

        disk = {
          board = "rockchip";
          size = "1170MiB";
          region = [
            {
              name = "idbloader";
              raw = "${pkgs.ubootRock64}/idbloader.img";
              offset = "64s";
            }
            {
              name = "u-boot";
              raw = "${pkgs.ubootRock64}/u-boot.itb";
              offset = "16384s";
            }
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
              content = "fs.rootfs";
            }
          ];
        };

        bundle = {
          file = "rock64.raucb";
          compatible = "rock64";
          version = "{version}";
          image.boot.content = "fs.boot";
          image.rootfs.content = "fs.rootfs";
        };
      };
    in
    {
      packages = nixpkgs.lib.genAttrs buildSystems (
        buildSystem:
        let
          images = kiln.lib.for {
            inherit pkgs;
            buildPkgs = nixpkgs.legacyPackages.${buildSystem};
          };
        in
        {
          image = images.mkDiskImage specification;
          # The key stays out of the store: kiln bundle sign result/rock64.raucb.unsigned --key … --certificate …
          bundle = images.mkRaucBundle (specification // { flags = [ "--unsigned" ]; });
          default = self.packages.${buildSystem}.image;
        }
      );
    };
}
