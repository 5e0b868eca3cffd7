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
      # The package, and the functions that make images with it, for a package set.
      package = pkgs: pkgs.callPackage ./nix/package.nix { };
      functions = pkgs: import ./nix/lib { inherit pkgs; };
    in
    {
      packages = forAll (pkgs: rec {
        kiln = package pkgs;
        default = kiln;
      });

      # pkgs.kiln-image-builder, and pkgs.kilnImages.mkDiskImage and so on. nixpkgs' own `kiln` is another program.
      overlays.default = final: prev: {
        kiln-image-builder = package final;
        kilnImages = functions final;
      };

      lib = {
        # The functions for a package set: (kiln.lib.for pkgs).mkDiskImage { … }.
        for = functions;
        # The same with the package set as the first argument: kiln.lib.mkDiskImage pkgs { … }.
        fromRepart = pkgs: (functions pkgs).fromRepart;
        mkBootScript = pkgs: (functions pkgs).mkBootScript;
        mkDiskImage = pkgs: (functions pkgs).mkDiskImage;
        mkExt4Fs = pkgs: (functions pkgs).mkExt4Fs;
        mkFat = pkgs: (functions pkgs).mkFat;
        mkImages = pkgs: (functions pkgs).mkImages;
        mkRaucBundle = pkgs: (functions pkgs).mkRaucBundle;
        mkSegmentList = pkgs: (functions pkgs).mkSegmentList;
        mkSegments = pkgs: (functions pkgs).mkSegments;
        mkSquashfs = pkgs: (functions pkgs).mkSquashfs;
        # In place of files of the same names: pkgs.callPackage kiln.lib.dropIns.make-ext4-fs { … }.
        dropIns = {
          atomicnix = {
            boot-script = ./nix/drop-ins/boot-script.nix;
            image = ./nix/drop-ins/image.nix;
            rauc-bundle = ./nix/drop-ins/rauc-bundle.nix;
            squashfs = ./nix/drop-ins/squashfs.nix;
          };
          make-ext4-fs = ./nix/drop-ins/make-ext4-fs.nix;
          make-squashfs = ./nix/drop-ins/make-squashfs.nix;
        };
      };

      # Imported by their paths, so that twice is once.
      nixosModules = rec {
        default = image;
        image.imports = [ ./nix/modules/image.nix ];
        sane-image.imports = [ ./nix/modules/sane-image.nix ];
      };

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
      };

      checks = forAll (pkgs: import ./nix/checks.nix { inherit pkgs; });

      formatter = forAll (pkgs: pkgs.nixfmt-tree);
    };
}
