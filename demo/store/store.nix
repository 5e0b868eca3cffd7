# The store of the demo: one path per Debian package (or circle of packages), odd files for tests, and on top of
# them a system in the shape of NixOS. `work` is the folder that demo/make-store has filled, `arch` is what Debian calls
# the architecture of the system; it is built on any other one, too.
{ work, arch }:
let
  target = {
    arm64 = {
      platform = "aarch64-linux";
      triplet = "aarch64-linux-gnu";
      linker = "ld-linux-aarch64.so.1";
      console = "ttyAMA0";
      boardModules = [ "i2c-rk3x" "rk808-regulator" "dw_mmc-rockchip" ];
    };
    amd64 = {
      platform = "x86_64-linux";
      triplet = "x86_64-linux-gnu";
      linker = "ld-linux-x86-64.so.2";
      console = "ttyS0";
      boardModules = [ ];
    };
  }.${arch};
  version = "25.11.20261121.deb12";
  tools = builtins.path { path = work + "/tools"; name = "build-tools"; };

  # A derivation whose builder is a busybox shell; the attributes are the script's variables.
  build = name: script: attributes: derivation (attributes // {
    inherit name tools;
    system = builtins.currentSystem;
    builder = "${tools}/busybox";
    args = [ "ash" "-euo" "pipefail" script ];
    setup = ./setup.sh;
  });

  # What packages.py has made of a folder of packages. Some folders are left out of all of them, and more of the kernel.
  packagesIn = folder: { all ? [ ], kernel ? [ ] }:
    let
      packages = builtins.mapAttrs
        (name: package: build package.name ./package.sh {
          inherit (target) triplet linker;
          debs = map
            ({ file, sha256 }: builtins.path {
              path = work + "/${folder}/${file}";
              name = builtins.replaceStrings [ "%3a" "~" ] [ "-" "-" ] file;
              inherit sha256;
              recursive = false;
            })
            package.debs;
          deps = map (dep: packages.${dep}) package.deps;
          glibc = if package.glibc then packages.glibc else "";
          bash = if package.interpreters then packages.bash else "";
          perl = if package.interpreters then packages.perl-base else "";
          omit = toString (all ++ (if name == "linux" then kernel else [ ]));
        })
        (builtins.fromJSON (builtins.readFile (work + "/${folder}/packages.json")));
    in
    packages;
  drivers = map (folder: "lib/modules/*/kernel/${folder}");
  # Drivers of desktop machines are a quarter of the kernel.
  packages = packagesIn "debs" {
    kernel = drivers [ "drivers/gpu" "drivers/media" "drivers/net/wireless" "sound" ];
  };
  inherit (packages) linux;
  busybox = packages.busybox-static;

  # Store paths that are single files: text, text with a reference, and a fixed output.
  plain-text = builtins.toFile "plain-text" "Text without references.\n";
  profile = builtins.toFile "profile" "# Text that refers to ${plain-text}\nexport PATH=/run/current-system/sw/bin\n";
  fixed-output = build "fixed-output.txt" (builtins.toFile "fixed-output.sh" "printf 'fixed\\n' > $out\n") {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed\n";
  };
  edge-cases = build "edge-cases-1.0" ./edge-cases.sh { reference = packages.glibc; };
  multi = build "multi-1.0" ./multi-output.sh { outputs = [ "out" "dev" "lib" ]; };

  # What all packages but the kernel have for everybody; busybox only fills gaps.
  environment = packages: build "system-path" ./environment.sh {
    packages = builtins.attrValues (removeAttrs packages [ "linux" "busybox-static" ]) ++ [ packages.busybox-static ];
  };
  sw = environment packages;
  etc = build "etc" ./etc.sh {
    inherit (packages) bash tzdata;
    inherit profile version;
    certificates = packages.ca-certificates;
  };
  modules = build "kernel-modules" ./modules.sh { inherit linux; };
  initrd = build "initrd-linux" ./initrd.sh {
    inherit linux modules busybox;
    wanted = [ "virtio_pci" "virtio_mmio" "virtio_blk" "virtio-rng" "qemu_fw_cfg" ] ++ target.boardModules ++ [
      "crc32c_generic" "ext4" "squashfs" "erofs" "loop" "overlay" "nls_cp437" "nls_ascii" "nls_iso8859-1" "vfat"
    ];
    init = ./initrd-init.sh;
  };

  # The system that updates itself: made for one machine, on which nobody reads manuals. What it has is copied and hashed
  # again and again, by a processor that is emulated, so it is small. Three releases: in the second, one package and what
  # refers to it has changed; the third does not start.
  ab =
    let
      all = map (folder: "share/${folder}") [ "bash-completion" "doc" "info" "lintian" "locale" "man" ]
        ++ [ "lib/udev/hwdb.d" "lib/*/gconv" ];
      first = packagesIn "debs-ab" { inherit all; } // {
        linux = build linux.name ./ab-kernel.sh {
          package = linux;
          keep = [
            "arch" "crypto" "drivers/block" "drivers/char" "drivers/dax" "drivers/md" "drivers/net/*.ko" "drivers/virtio"
            "fs/ext4" "fs/fat" "fs/jbd2" "fs/mbcache.ko" "fs/nls" "fs/overlayfs" "fs/squashfs" "lib/*crc*" "lib/crypto"
            "lib/lz4" "lib/math" "lib/raid6" "lib/reed_solomon" "lib/zstd" "net/core"
          ];
        };
      };
      second = first // { e2fsprogs = build first.e2fsprogs.name ./ab-rebuilt.sh { package = first.e2fsprogs; }; };
      release = number: packages: init:
        let
          inherit (packages) linux;
          modules = build "kernel-modules" ./modules.sh { inherit linux; };
          busybox = packages.busybox-static;
          day = "25.11.2026112${toString number}.deb12";
        in
        build "nixos-system-demo-${day}" ./toplevel.sh {
          inherit linux modules busybox;
          inherit (target) platform console;
          version = day;
          initrd = build "initrd-linux" ./initrd.sh {
            inherit linux modules busybox;
            wanted = [
              "virtio_pci" "virtio_blk" "virtio-rng" "virtio_console" "virtio_net" "crc32c_generic" "sha2-ce"
              "ext4" "squashfs" "loop" "overlay" "dm-verity" "nbd"
            ];
            init = ./initrd-init.sh;
          };
          etc = build "etc" ./ab-etc.sh {
            inherit (packages) bash tzdata;
            version = day;
          };
          sw = environment packages;
          scripts = [ init ./ab-serve.sh ];
          extras = [ (packagesIn "debs-newer" { inherit all; }).rauc ];
        };
    in
    {
      ab-1 = release 1 first ./ab-init.sh;
      ab-2 = release 2 second ./ab-init.sh;
      ab-3 = release 3 second ./ab-broken-init.sh;
    };
in
ab // {
  inherit packages;
  toplevel = build "nixos-system-demo-${version}" ./toplevel.sh {
    inherit linux modules initrd etc sw busybox version;
    inherit (target) platform console;
    scripts = [ ./init.sh ./fill.sh ./grow.sh ./nix.sh ./zoo.sh ];
    extras = [ edge-cases multi.out profile fixed-output ];
  };
}
