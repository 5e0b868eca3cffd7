# What tests/e2e/nix_*.rs build inside Nix's sandbox, through everything that Kiln's Nix code offers.
let
  pkgs = import ./stub-nixpkgs { };
  inherit (pkgs) lib;
  images = import ../../nix/lib { inherit pkgs; };
  inputs = builtins.fromJSON (builtins.readFile (builtins.getEnv "KILN_TEST"));
  file = name: path: builtins.path { inherit name path; };

  small = [ pkgs.demo.coreutils ];
  whole = [ pkgs.demo.toplevel ];

  # A board's kernel and system, as small as they can be.
  kernel = pkgs.runCommand "linux-6.12" { } ''
    mkdir -p "$out/dtbs/rockchip"
    printf 'kernel\n' > "$out/Image"
    printf 'device tree\n' > "$out/dtbs/rockchip/rk3328-rock64.dtb"
  '';
  initrd = pkgs.runCommand "initrd-linux" { } ''
    mkdir "$out"
    printf 'initrd\n' > "$out/initrd"
  '';
  toplevel = pkgs.runCommand "nixos-system-board-25.11" { } ''
    mkdir "$out"
    printf '25.11.20261121.abc' > "$out/nixos-version"
    printf 'loglevel=4' > "$out/kernel-params"
    ln -s ${kernel}/Image "$out/kernel"
    ln -s ${initrd}/initrd "$out/initrd"
    ln -s ${kernel}/dtbs "$out/dtbs"
    ln -s ${pkgs.demo.busybox}/bin/busybox "$out/init"
  '';
  nixosConfig = {
    system.build = {
      inherit toplevel;
      initialRamdisk = initrd;
    };
    system.nixos.version = "25.11.20261121.abc";
    boot.kernelPackages = { inherit kernel; };
  };
  loader = file "u-boot-rock64" inputs.loader;
  key = name: file name (inputs.keys + "/${name}");

  # The modules, on top of those that every NixOS has.
  evaluate =
    modules: settings:
    lib.evaluate {
      inherit modules;
      settings = lib.recursiveUpdate {
        system.build = { inherit toplevel; };
        boot.loader.generic-extlinux-compatible.enable = lib.mkDefault true;
        boot.loader.grub.enable = false;
      } settings;
      arguments = { inherit pkgs; };
    };
  image = settings: (evaluate [ ../../nix/modules/image.nix ] settings).system.build.image;
  sane =
    settings:
    (evaluate [ ../../nix/modules/sane-image.nix ] (
      lib.recursiveUpdate {
        fileSystems."/boot" = {
          device = "/dev/disk/by-uuid/2145-3A7D";
          fsType = "vfat";
        };
        fileSystems."/" = {
          device = "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555";
          fsType = "ext4";
        };
        sane.image.bootPartSize = 64 * 1024 * 1024;
      } settings
    )).system.build.img;
  spl = pkgs.runCommand "spl" { } ''printf 'secondary program loader' > "$out"'';
in
{
  lib = {
    squashfs = images.mkSquashfs {
      name = "lib-squashfs";
      closure = small;
      level = 3;
      max-size = "1GiB";
    };
    ext4 = images.mkExt4Fs {
      name = "lib-ext4";
      closure = small;
      label = "NIXOS";
      database = true;
    };
    sizes = images.mkExt4Fs {
      name = "lib-ext4";
      closure = small;
      closureCheck = "sizes";
      label = "NIXOS";
      database = true;
    };
    fat = images.mkFat {
      name = "lib-fat";
      part = "boot";
      label = "BOOT";
      size = "64MiB";
      text."/hello.txt" = "hello\n";
      # A path of the store that is in no closure.
      files."/Image" = "${kernel}/Image";
    };
    script = images.mkBootScript {
      source = ../../demo/boot.cmd;
      substitute = {
        buildId = "test";
        systemClosure = "${toplevel}";
      };
    };
    bundle = images.mkRaucBundle {
      name = "lib-bundle";
      closure = small;
      fs.rootfs = {
        format = "squashfs";
        closure = true;
        level = 1;
      };
      bundle = {
        compatible = "board";
        version = "1";
        image.rootfs.content = "fs.rootfs";
        sign = {
          key = "${key "release.key"}";
          certificate = "${key "release.pem"}";
          keyring = "${key "ca.pem"}";
          time = inputs.time;
        };
      };
    };
    disk = images.mkDiskImage {
      name = "lib-disk-{series}";
      closure = [ toplevel ];
      fs = {
        boot = {
          format = "fat";
          size = "32MiB";
          files."/Image" = "{kernel}";
        };
        root = {
          format = "ext4";
          closure = true;
          registration = "/nix-path-registration";
        };
      };
      disk = {
        bmap = true;
        compress = "zstd";
        file = "disk.img";
        region = [
          {
            name = "boot";
            type = "esp";
            content = "fs.boot";
          }
          {
            name = "root";
            type = "root-arm64";
            content = "fs.root";
          }
        ];
      };
    };
    # A file system without a closure whose files come from shell that runs first.
    prepared = images.mkFat {
      name = "lib-prepared";
      asFile = true;
      prepare = ''
        mkdir -p tree/sub
        echo made > tree/sub/file.txt
      '';
      tree = "tree";
    };
  };

  # The whole closure of a system.
  whole = images.mkImages {
    name = "whole";
    closure = whole;
    fs = {
      store = {
        format = "squashfs";
        closure = true;
        level = 1;
        symlinks."/init" = "{toplevel}/init";
      };
      root = {
        format = "ext4";
        closure = true;
        database = true;
      };
    };
    disk.region = [
      {
        name = "root";
        type = "linux";
        content = "fs.root";
      }
    ];
    only = [
      "fs.store"
      "disk"
    ];
  };

  inherit
    (import ./segments.nix {
      inherit images;
      closure = whole;
    })
    segments
    btrfs-segments
    erofs-segments
    ;

  # Images for a machine of another architecture.
  builders = import ./builders.nix { inherit pkgs; };

  # Half of the example's.
  fleet = import ../../nix/examples/fleet.nix {
    inherit pkgs;
    kilnImages = images;
    count = 50;
  };

  # AtomicNix's four calls, as its flake makes them.
  atomicnix = rec {
    squashfs = pkgs.callPackage ../../nix/drop-ins/squashfs.nix {
      inherit nixosConfig;
      maxSquashfsSize = 1024 * 1024 * 1024;
      level = 3;
    };
    too-small = pkgs.callPackage ../../nix/drop-ins/squashfs.nix {
      inherit nixosConfig;
      maxSquashfsSize = 65536;
      level = 3;
    };
    boot-script = pkgs.callPackage ../../nix/drop-ins/boot-script.nix {
      buildId = "0123456789abcdef";
      systemClosure = toplevel;
      source = ../../demo/boot.cmd;
    };
    image = pkgs.callPackage ../../nix/drop-ins/image.nix {
      ubootRock64 = loader;
      inherit nixosConfig;
      squashfsImage = squashfs;
      bootScript = boot-script;
    };
    rauc-bundle = pkgs.callPackage ../../nix/drop-ins/rauc-bundle.nix {
      inherit nixosConfig;
      squashfsImage = squashfs;
      bootScript = boot-script;
      signingCert = key "release.pem";
      signingKeyPath = key "release.key";
      caCert = key "ca.pem";
      signingTime = inputs.time;
      # That of this machine.
      targetRauc = "1.8";
    };
  };

  drop-ins = import ./drop-ins.nix {
    inherit (import ./images.nix) atomicnix;
    inherit
      images
      key
      nixosConfig
      pkgs
      sane
      spl
      toplevel
      ;
  };

  variants = import ./variants.nix { inherit pkgs; };
  disk-image = import ./disk-image.nix { inherit pkgs; };
  disko = import ./disko.nix { inherit pkgs; };

  nixpkgs = rec {
    # As sdImage calls its rootFilesystemCreator.
    creator =
      compressImage:
      pkgs.callPackage ../../nix/drop-ins/make-ext4-fs.nix (
        {
          storePaths = [ toplevel ];
          inherit compressImage;
          populateImageCommands = ''
            mkdir -p ./files/boot
            echo menu > ./files/boot/menu
            echo '#!/bin/sh' > ./files/run
            chmod 0755 ./files/run
            ln -s boot/menu ./files/link
          '';
          volumeLabel = "NIXOS_SD";
        }
        // lib.optionalAttrs true { uuid = "14e19a7b-0ae0-484d-9d54-43bd6fdc20c7"; }
      );
    ext4 = creator false;
    ext4-zst = creator true;
    squashfs = pkgs.callPackage ../../nix/drop-ins/make-squashfs.nix {
      storeContents = small;
      comp = "zstd -Xcompression-level 3";
      pseudoFiles = [
        "/var d 1777 0 7"
        "/null c 666 root root 1 3"
        "/queue i 620 5 6 f"
        "current s 777 0 0 /run/current-system"
      ];
    };
    squashfs-hydra = pkgs.callPackage ../../nix/drop-ins/make-squashfs.nix {
      fileName = "store";
      storeContents = [ toplevel ];
      comp = "gzip";
      noStrip = true;
      hydraBuildProduct = true;
    };
  };

  modules = {
    sd-card = image {
      image.baseName = "board";
      kiln.layout = "sd-card";
      kiln.compress = "zstd";
      kiln.firmware."/config.txt" = "${builtins.toFile "config.txt" "arm_64bit=1\n"}";
      kiln.specification.fs.root.free = "16MiB";
    };
    sbom =
      let
        # A boot loader that the closure has not, linked with something.
        known = package: version: license: package // { inherit version; meta = { inherit license; }; };
        library = known kernel "6.12" {
          spdxId = "GPL-2.0-only";
          fullName = "GNU General Public License v2.0 only";
        };
        u-boot =
          known (pkgs.runCommand "uboot-board-2024.10" { } ''mkdir "$out"; printf 'loader' > "$out/loader.img"'') "2024.10" [
            { fullName = "Own"; }
          ]
          // {
            pname = "uboot-board";
            buildInputs = [
              library
              (throw "is not looked at")
            ];
          };
      in
      image {
        image.baseName = "board";
        kiln.layout = "sd-card";
        kiln.loaders = [
          {
            name = "loader";
            raw = "${u-boot}/loader.img";
            offset = "64KiB";
          }
        ];
        kiln.sbom = {
          formats = [
            "cyclonedx"
            "spdx"
          ];
          packages = [ u-boot ];
        };
        kiln.specification.sbom.supplier = "Example GmbH";
      };
    path =
      (evaluate
        [ ../../nix/modules/image.nix ]
        {
          image.baseName = "board";
          kiln.compress = "zstd";
          kiln.specification = { };
        }
      ).image;
  };

  sane = import ./sane.nix {
    inherit
      kernel
      loader
      pkgs
      sane
      spl
      ;
  };

  # Definitions as nixpkgs' image.repart gathers them.
  repart = images.mkDiskImage (
    images.fromRepart {
      name = "appliance";
      version = "7";
      seed = "0867da16-f251-457d-a9e8-c31f9a3c220b";
      finalPartitions = {
        "10-esp" = {
          contents."/EFI/BOOT/BOOTX64.EFI".source = "${kernel}/Image";
          contents."/loader/loader.conf".source = builtins.toFile "loader.conf" "timeout 3\n";
          repartConfig = {
            Type = "esp";
            Format = "vfat";
            SizeMinBytes = "64M";
          };
        };
        "20-store" = {
          storePaths = small;
          stripNixStorePrefix = true;
          closure = "/never/read";
          repartConfig = {
            Type = "linux-generic";
            Label = "nix-store";
            Format = "squashfs";
            Minimize = "best";
            ReadOnly = "yes";
            UUID = "8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e";
          };
        };
        "30-root" = {
          storePaths = [ toplevel ];
          repartConfig = {
            Type = "root";
            Label = "root";
            Format = "ext4";
            SizeMinBytes = "256M";
            MakeDirectories = "/var /etc";
            GrowFileSystem = true;
          };
        };
        "40-home" = {
          repartConfig = {
            Type = "home";
            Label = "home";
            SizeMinBytes = "8M";
            SizeMaxBytes = "8M";
          };
        };
      };
      keys."20-store" = {
        level = 3;
      };
    }
  );
  repart-unknown = images.mkDiskImage (
    images.fromRepart {
      name = "x";
      finalPartitions."20-store".repartConfig = {
        Type = "root";
        Format = "ext4";
        Encrypt = "tpm2";
      };
    }
  );
}
