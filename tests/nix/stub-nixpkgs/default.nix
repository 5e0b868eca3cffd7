# A package set for tests: a shell and its tools out of the demo's store, a stdenv that runs them inside Nix's sandbox, and
# a kiln that was built outside of it. KILN_TEST says where these are: a JSON file that the tests write.
{
  overlays ? [ ],
}:
let
  lib = import ./lib.nix;
  inputs = builtins.fromJSON (builtins.readFile (builtins.getEnv "KILN_TEST"));
  # A path that lies in this store already.
  stored = path: builtins.appendContext path { ${path}.path = true; };
  system = builtins.currentSystem;

  base = self: rec {
    inherit lib;
    pkgs = self;
    buildPackages = self;
    path = ./.;

    # Store paths of the demo's closure, by name.
    bash = {
      type = "derivation";
      name = "bash";
      outPath = stored inputs.bash;
    };
    coreutils = {
      type = "derivation";
      name = "coreutils";
      outPath = stored inputs.coreutils;
    };
    demo = lib.mapAttrs (_: stored) inputs.paths;

    stdenv = {
      hostPlatform = {
        inherit system;
        efiArch = "x64";
        isAarch64 = false;
        linuxArch = "x86_64";
      };
      buildPlatform = stdenv.hostPlatform // {
        canExecute = _: true;
      };
      # Attributes become variables, $out is what is to be made, and what is in nativeBuildInputs is on PATH.
      mkDerivation =
        attributes:
        let
          structured = attributes.__structuredAttrs or false;
          plain = removeAttrs attributes [
            "passthru"
            "meta"
          ];
          derivation = builtins.derivation (
            plain
            // {
              name = attributes.name or "${attributes.pname}-${attributes.version}";
              inherit system;
              builder = "${bash}/bin/bash";
              args = [
                "-e"
                ./builder.sh
              ];
              initialPath = [ coreutils ];
              nativeBuildInputs = attributes.nativeBuildInputs or [ ];
            }
          );
        in
        derivation
        // {
          passthru = attributes.passthru or { };
          meta = attributes.meta or { };
          overrideAttrs = change: stdenv.mkDerivation (attributes // change attributes);
        }
        // attributes.passthru or { };
    };
    stdenvNoCC = stdenv;

    runCommand =
      name: variables: buildCommand:
      stdenv.mkDerivation (variables // { inherit name buildCommand; });
    writeText = name: text: runCommand name { inherit text; passAsFile = [ "text" ]; } ''cp "$textPath" "$out"'';

    callPackageWith =
      set: function: arguments:
      let
        called = if builtins.isFunction function then function else import function;
        wanted = builtins.functionArgs called;
      in
      called (builtins.intersectAttrs wanted set // arguments);
    callPackage = callPackageWith self;

    # As in nixpkgs: what exportReferencesGraph says, in three files. Only drop-ins' callers want it.
    closureInfo = { rootPaths }: throw "closureInfo is not needed: ${toString rootPaths}";

    # The tools that drop-ins are called with, and never use.
    inherit (lib.genAttrs [
      "dosfstools"
      "e2fsprogs"
      "f2fs-tools"
      "fakeroot"
      "libfaketime"
      "mtools"
      "perl"
      "rauc"
      "squashfsTools"
      "ubootTools"
      "util-linux"
      "zstd"
    ] (name: throw "${name} is not needed"))
      dosfstools
      e2fsprogs
      f2fs-tools
      fakeroot
      libfaketime
      mtools
      perl
      rauc
      squashfsTools
      ubootTools
      util-linux
      zstd
      ;

    installShellFiles = runCommand "install-shell-files" { } ''mkdir "$out"'';
    nixfmt-tree = runCommand "nixfmt-tree" { } ''mkdir "$out"'';

    # Nothing is compiled here: kiln was, by cargo, and gets an interpreter and libraries in the store.
    rustPlatform.buildRustPackage =
      {
        pname,
        version,
        src,
        cargoLock,
        cargoBuildFlags,
        meta,
        ...
      }:
      assert builtins.pathExists cargoLock.lockFile;
      assert cargoBuildFlags == [
        "--package"
        "kiln-cli"
      ];
      stdenv.mkDerivation {
        inherit
          pname
          version
          src
          meta
          ;
        files = builtins.path {
          path = inputs.kiln;
          name = "kiln-as-built";
        };
        buildCommand = ''
          for name in Cargo.lock crates/cli/Cargo.toml tests/Cargo.toml; do [ -s "$src/$name" ]; done
          for name in target demo docs .git; do [ ! -e "$src/$name" ]; done
          mkdir -p "$out/bin" "$out/lib"
          cp "$files"/*.so* "$files/loader" "$out/lib/"
          cp "$files/kiln" "$out/bin/kiln"
          chmod +w "$out/bin/kiln"
          "$files/loader" --library-path "$files" "$files/patchelf" --set-interpreter "$out/lib/loader" \
            --set-rpath "$out/lib" "$out/bin/kiln"
          "$out/bin/kiln" --version
        '';
      };
  };
  self = lib.foldl' (previous: overlay: previous // overlay self previous) (base self) overlays;
in
self
