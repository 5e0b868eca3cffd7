{
  description = "Kiln: Nix closures and plain trees become flashable disk images and signed update bundles";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "aarch64-darwin"
        "aarch64-linux"
        "x86_64-darwin"
        "x86_64-linux"
      ];
      # For each system that this nixpkgs has.
      forAll =
        function:
        builtins.mapAttrs (_: function) (
          builtins.intersectAttrs (nixpkgs.lib.genAttrs systems (_: null)) nixpkgs.legacyPackages
        );
      # The Kiln that a package set runs: an overlay's, or this flake's own.
      package = pkgs: pkgs.callPackage ./nix/package.nix { };
      kilnOf =
        buildPkgs:
        buildPkgs.kiln-image-builder
          or self.packages.${buildPkgs.stdenv.hostPlatform.system}.kiln or (package buildPkgs);
      # The functions that make images, for a package set, or for { pkgs, buildPkgs, kiln } that are not all one.
      functions = for: functionsWith (if for ? stdenv then { pkgs = for; } else for);
      functionsWith =
        {
          pkgs,
          buildPkgs ? pkgs.buildPackages,
          kiln ? kilnOf buildPkgs,
        }:
        import ./nix/lib { inherit pkgs buildPkgs kiln; };
      # The modules' defaults: this flake's packages, and its nixpkgs for the system that makes images.
      own =
        { config, lib, ... }:
        {
          # Imported twice, it is there once.
          key = "kiln#own";
          config.kiln = {
            buildPkgs = lib.mkIf (config.kiln.buildSystem != null) (
              lib.mkDefault nixpkgs.legacyPackages.${config.kiln.buildSystem}
            );
            package = lib.mkDefault (kilnOf config.kiln.buildPkgs);
          };
        };
    in
    {
      packages = forAll (pkgs: rec {
        kiln = package pkgs;
        default = kiln;
      });

      overlays.default = import ./nix/overlay.nix;

      lib = {
        # The functions for a package set: (kiln.lib.for pkgs).mkDiskImage { … }. The machine that makes an image may be
        # another one than the image is for: kiln.lib.for { inherit pkgs; buildPkgs = nixpkgs.legacyPackages.x86_64-linux; }.
        for = functions;
        # The same with the package set as the first argument: kiln.lib.mkDiskImage pkgs { … }.
        fromDisko = pkgs: (functions pkgs).fromDisko;
        fromRepart = pkgs: (functions pkgs).fromRepart;
        mkBootScript = pkgs: (functions pkgs).mkBootScript;
        mkBtrfs = pkgs: (functions pkgs).mkBtrfs;
        mkDiskImage = pkgs: (functions pkgs).mkDiskImage;
        mkExt4Fs = pkgs: (functions pkgs).mkExt4Fs;
        mkFat = pkgs: (functions pkgs).mkFat;
        mkImages = pkgs: (functions pkgs).mkImages;
        mkNetboot = pkgs: (functions pkgs).mkNetboot;
        mkRaucBundle = pkgs: (functions pkgs).mkRaucBundle;
        mkSegmentList = pkgs: (functions pkgs).mkSegmentList;
        mkSegments = pkgs: (functions pkgs).mkSegments;
        mkSquashfs = pkgs: (functions pkgs).mkSquashfs;
        mkTree = pkgs: (functions pkgs).mkTree;
        # A guest by its name, as a module for image.modules: image.modules.mine.imports = [ (kiln.lib.guest "amazon") ].
        guest = name: {
          imports = [
            (import ./nix/modules/guest.nix name)
            own
          ];
        };
        # In place of files of the same names: pkgs.callPackage kiln.lib.dropIns.make-ext4-fs { … }.
        dropIns = import ./nix/drop-ins;
      };

      nixosModules = builtins.mapAttrs (_: module: {
        imports = [
          module
          own
        ];
      }) (import ./nix/modules);

      templates = rec {
        default = sd-card;
        sd-card = {
          path = ./nix/templates/sd-card;
          description = "An SD card of a NixOS system, for boards with U-Boot";
        };
        ab-firmware = {
          path = ./nix/templates/ab-firmware;
          description = "A board that updates itself: two slots, a signed bundle, and the factory's image";
        };
        appliance = {
          path = ./nix/templates/appliance;
          description = "A machine with UEFI that updates itself: a store under dm-verity, a kernel image, and releases";
        };
      };

      checks = forAll (pkgs: import ./nix/checks.nix { inherit pkgs; });

      formatter = forAll (pkgs: pkgs.nixfmt-tree);
    };
}
