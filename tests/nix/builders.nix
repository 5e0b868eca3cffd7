# Images for a machine of another architecture than the one that makes them.
{
  # The package set of this machine.
  pkgs,
}:
let
  inherit (pkgs) lib;
  host = pkgs.stdenv.hostPlatform.system;
  target = if host == "aarch64-linux" then "x86_64-linux" else "aarch64-linux";
  # The target's own set, whose derivations nobody here can build, and this machine's set for it.
  foreign = import ./stub-nixpkgs { system = target; };
  cross = import ./stub-nixpkgs {
    system = host;
    crossSystem = target;
  };

  nixpkgs = lib.fix (self: (import ./stub-nixpkgs/flake.nix).outputs { inherit self; });
  flake = lib.fix (
    self: (import ../../flake.nix).outputs { inherit self nixpkgs; }
  );
  here = import ../.. {
    pkgs = foreign;
    buildPkgs = pkgs;
  };

  # Configurations of the target.
  evaluated =
    modules:
    nixpkgs.lib.nixosSystem {
      system = target;
      modules = [ { boot.loader.grub.enable = false; } ] ++ modules;
    };
  imageOf = modules: (evaluated modules).config.system.build.image;
  board =
    modules:
    imageOf (
      [
        {
          image.baseName = "board";
          kiln.layout = "sd-card";
        }
      ]
      ++ modules
    );
  phone = (
    evaluated [
      flake.nixosModules.sane-image
      {
        kiln.buildSystem = host;
        boot.loader.generic-extlinux-compatible.enable = true;
        fileSystems."/boot" = {
          device = "/dev/disk/by-uuid/2145-3A7D";
          fsType = "vfat";
        };
        fileSystems."/" = {
          device = "/dev/disk/by-uuid/11111111-2222-3333-4444-555555555555";
          fsType = "ext4";
        };
        sane.image.installBootloader = ": $out ${foreign.ubootPinephone}/u-boot-sunxi-with-spl.bin";
      }
    ]
  ).config.system.build.img;

  inherit (evaluated [ ]) config;
  inherit (config.system.build) toplevel;
  functions = flake.lib.for {
    pkgs = foreign;
    buildPkgs = pkgs;
  };
  dropIn = name: foreign.callPackage flake.lib.dropIns.${name};
  atomicnix = name: foreign.callPackage flake.lib.dropIns.atomicnix.${name};
  rootfs = atomicnix "squashfs" {
    buildPkgs = pkgs;
    nixosConfig = config;
    maxSquashfsSize = 1024 * 1024 * 1024;
  };
  script = atomicnix "boot-script" {
    buildPkgs = pkgs;
    systemClosure = toplevel;
    buildId = "test";
    source = ../../demo/boot.cmd;
  };
  slots = {
    buildPkgs = pkgs;
    nixosConfig = config;
    squashfsImage = rootfs;
    bootScript = script;
  };
  repart =
    more:
    {
      name = "appliance";
      finalPartitions."10-root".repartConfig.Type = "root";
    }
    // more;

  template =
    name:
    ((import (../../nix/templates + "/${name}/flake.nix")).outputs {
      inherit nixpkgs;
      self.packages = { };
      kiln = flake;
    }).packages;

  # What makes an image: which machine it asks for, and which its Kiln.
  asked = image: {
    image = image.system;
    kiln = map (tool: tool.system) image.nativeBuildInputs;
  };
in
{
  inherit host target;

  # All of them are made by this machine.
  onThisMachine = lib.mapAttrs (_: asked) {
    module-build-pkgs = board [
      ../../nix/modules/image.nix
      { kiln.buildPkgs = pkgs; }
    ];
    module-build-system = board [
      here.nixosModules.image
      { kiln.buildSystem = host; }
    ];
    flake-build-system = board [
      flake.nixosModules.image
      # Twice is once, and both modules share their options.
      flake.nixosModules.default
      flake.nixosModules.sane-image
      {
        kiln.buildSystem = host;
        sane.image.enable = false;
      }
    ];
    variant =
      (evaluated [
        {
          image.modules.kiln = {
            imports = [ flake.nixosModules.image ];
            kiln.layout = "sd-card";
            kiln.buildSystem = host;
          };
        }
      ]).config.system.build.images.kiln;
    cross = (
      board [
        flake.nixosModules.image
        { nixpkgs.buildPlatform = host; }
      ]
    );
    sane = phone.withoutBootloader;
    sane-boot = phone.bootFsImg;
    sane-nix = phone.passthru.nixFsImg;
    ext4 = functions.mkExt4Fs {
      name = "root";
      closure = [ toplevel ];
    };
    squashfs = (flake.lib.for pkgs).mkSquashfs {
      name = "store";
      closure = [ toplevel ];
    };
    without-flakes = here.lib.mkFat {
      name = "boot";
      files."/Image" = "${config.boot.kernelPackages.kernel}/Image";
    };
    cross-set = (flake.lib.for cross).mkSquashfs {
      name = "store";
      closure = [ toplevel ];
    };
    repart = functions.mkDiskImage (functions.fromRepart (repart { }));
    segments = builtins.head (
      functions.mkSegments {
        closure = [ toplevel ];
        whole = true;
      }
    );
    segment-list = functions.mkSegmentList { closure = [ toplevel ]; };
    make-ext4-fs = dropIn "make-ext4-fs" {
      buildPkgs = pkgs;
      storePaths = [ toplevel ];
      volumeLabel = "NIXOS_SD";
    };
    make-squashfs = dropIn "make-squashfs" {
      buildPkgs = pkgs;
      storeContents = [ toplevel ];
    };
    atomicnix-squashfs = rootfs;
    atomicnix-script = script;
    atomicnix-image = atomicnix "image" (slots // { inherit (foreign) ubootRock64; });
    atomicnix-bundle = atomicnix "rauc-bundle" (
      slots
      // {
        signingCert = ./builders.nix;
        signingKeyPath = null;
        caCert = ./builders.nix;
      }
    );
    template-sd-card = (template "sd-card").${host}.image;
    template-firmware = (template "ab-firmware").${host}.image;
    template-bundle = (template "ab-firmware").${host}.bundle;
    template-appliance = (template "appliance").${host}.image;
    template-release = (template "appliance").${host}.release;
  };

  # The shell of installBootloader is no tool of Kiln's.
  shell = phone.system;

  # Nothing was said of a builder: the target's own.
  onTheTarget = lib.mapAttrs (_: asked) {
    module = board [ ../../nix/modules/image.nix ];
    flake = board [ flake.nixosModules.image ];
    ext4 = (flake.lib.for foreign).mkExt4Fs {
      name = "root";
      closure = [ toplevel ];
    };
    template = (template "sd-card").${target}.image;
  };

  # The flake's own package is taken where no overlay has one.
  kilns =
    let
      path = package: package.drvPath;
      own = path flake.packages.${host}.kiln;
      overlaid = pkgs.extend (final: prev: { kiln-image-builder = prev.hello; });
    in
    {
      function = path (flake.lib.for pkgs).kiln == own;
      module =
        map path
          (board [
            flake.nixosModules.image
            { kiln.buildSystem = host; }
          ]).nativeBuildInputs == [ own ];
      overlay = path (flake.lib.for overlaid).kiln == path pkgs.hello;
    };

  # `Type = "root"` is the target's, also where the functions are those for this machine.
  rootTypes =
    let
      types =
        functions: more: map (region: region.type) (functions.fromRepart (repart more)).disk.region;
    in
    {
      functions = types functions { };
      argument = types (flake.lib.for pkgs) { pkgs = foreign; };
      host = types (flake.lib.for pkgs) { };
    };

  # Built here, out of the demo's system of the target, which comes from a binary cache.
  image = board [
    flake.nixosModules.image
    {
      kiln.buildSystem = host;
      kiln.specification.fs.root.free = "16MiB";
      stub.toplevel = foreign.demo.toplevel;
    }
  ];
}
