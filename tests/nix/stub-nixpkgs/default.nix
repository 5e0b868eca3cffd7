# A package set for tests: a shell and its tools out of the demo's store, a stdenv that runs them inside Nix's sandbox, and
# a kiln that was built outside of it. KILN_TEST says where these are: a JSON file that the tests write.
#
# As in nixpkgs, a set has two systems: its derivations ask for `system`, and what they make is for `crossSystem`. What a set
# of another machine asks for cannot be built on this one, as it is on users' machines.
{
  system ? builtins.currentSystem,
  crossSystem ? system,
  overlays ? [ ],
  config ? { },
}:
let
  lib = import ./lib.nix;
  inputs = builtins.fromJSON (builtins.readFile (builtins.getEnv "KILN_TEST"));
  isNative = system == builtins.currentSystem;
  # A path that lies in this store already, or that a binary cache has.
  stored = path: builtins.appendContext path { ${path}.path = true; };
  again =
    other:
    import ./. (
      {
        inherit config overlays;
      }
      // other
    );

  base = self: rec {
    _type = "pkgs";
    inherit lib system config;
    pkgs = self;
    path = ./.;
    buildPackages = if crossSystem == system then self else again { inherit system; };
    pkgsCross.aarch64-multiplatform = again {
      inherit system;
      crossSystem = "aarch64-linux";
    };
    extend =
      overlay:
      again {
        inherit system crossSystem;
        overlays = overlays ++ [ overlay ];
      };

    # Store paths of the demo's closure, by name. Another machine's cannot be run here.
    bash = if isNative then program "bash" inputs.bash else elsewhere "bash";
    coreutils = if isNative then program "coreutils" inputs.coreutils else elsewhere "coreutils";
    demo = lib.mapAttrs (_: stored) (if isNative then inputs.paths else inputs.foreign.${system});

    stdenv = import ./stdenv.nix {
      inherit lib self;
      buildPlatform = lib.systems.elaborate system;
      hostPlatform = lib.systems.elaborate crossSystem;
    };
    stdenvNoCC = stdenv;
    inherit (stdenv) buildPlatform hostPlatform;
    targetPlatform = stdenv.hostPlatform;

    runCommand =
      name: variables: buildCommand:
      stdenv.mkDerivation (variables // { inherit name buildCommand; });
    runCommandLocal = runCommand;
    writeText =
      name: text:
      runCommand name {
        inherit text;
        passAsFile = [ "text" ];
      } ''cp "$textPath" "$out"'';
    writeShellScript =
      name: text:
      runCommand name {
        text = "#!${bash}/bin/bash\n${text}";
        passAsFile = [ "text" ];
      } ''cp "$textPath" "$out"; chmod +x "$out"'';
    linkFarm =
      name: entries:
      let
        named = lib.mapAttrsToList (name: path: { inherit name path; });
        list = if builtins.isList entries then entries else named entries;
      in
      runCommand name { } ''
        mkdir -p "$out"
        cd "$out"
        ${lib.concatMapStrings (entry: ''
          mkdir -p "$(dirname ${lib.escapeShellArg entry.name})"
          ln -s ${entry.path} ${lib.escapeShellArg entry.name}
        '') list}
      '';

    callPackageWith =
      set: function: arguments:
      let
        called = if builtins.isFunction function then function else import function;
        wanted = builtins.functionArgs called;
      in
      called (builtins.intersectAttrs wanted set // arguments);
    callPackage = callPackageWith self;
    newScope = extra: callPackageWith (self // extra);

    # As in nixpkgs: what exportReferencesGraph says, in three files. Only drop-ins' callers want it.
    closureInfo = { rootPaths }: throw "closureInfo is not needed: ${toString rootPaths}";

    installShellFiles = runCommand "install-shell-files" { } ''mkdir "$out"'';
    versionCheckHook = runCommand "version-check-hook" { } ''mkdir "$out"'';
    nixfmt-tree = runCommand "nixfmt-tree" { } ''mkdir "$out"'';
    nix-update-script = { }: [ "nix-update" ];

    rustPlatform.buildRustPackage = import ./kiln.nix { inherit inputs stdenv; };
  }
  // import ./boards.nix { inherit lib self; }
  # The tools that drop-ins are called with, and never use.
  // lib.genAttrs [
    "btrfs-progs"
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
  ] (name: throw "${name} is not needed");

  program = name: path: {
    type = "derivation";
    inherit name system;
    outPath = stored path;
  };
  # A derivation of another machine: it has a path, and nobody here can build it.
  elsewhere =
    name:
    builtins.derivation {
      inherit name system;
      builder = "/bin/sh";
    };

  self = lib.foldl' (previous: overlay: previous // overlay self previous) (base self) overlays;
in
self
