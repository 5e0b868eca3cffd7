# In place of buildRustPackage. Nothing is compiled here: kiln was, by cargo, and gets an interpreter and libraries in the
# store. What the package does after compiling is done: pages and completions are installed, the version is asked for.
{ inputs, stdenv }:
given:
let
  attributes = if builtins.isFunction given then given (attributes // { inherit finalPackage; }) else given;
  inherit (attributes) cargoLock cargoBuildFlags;
  finalPackage =
    assert builtins.pathExists cargoLock.lockFile;
    assert
      cargoBuildFlags == [
        "--package"
        "kiln-cli"
      ];
    stdenv.mkDerivation {
      inherit (attributes)
        pname
        version
        src
        meta
        postInstall
        ;
      passthru = attributes.passthru or { };
      installCheck = toString (attributes.nativeInstallCheckInputs or [ ]);
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

        # What installShellFiles brings.
        installManPage() { mkdir -p "$out/share/man/man1"; cp "$@" "$out/share/man/man1/"; }
        installShellCompletion() { mkdir -p "$out/share/completions"; cp "$@" "$out/share/completions/"; }
        cd "$NIX_BUILD_TOP"
        eval "$postInstall"

        # What versionCheckHook asks.
        case $installCheck in *version-check-hook*) ;; *) exit 1 ;; esac
        said=$("$out/bin/kiln" --version)
        case $said in *"$version"*) ;; *) exit 1 ;; esac
      '';
    };
in
finalPackage
