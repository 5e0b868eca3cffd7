# In place of buildRustPackage. Nothing is compiled here: kiln was, by cargo, and gets an interpreter and libraries in the
# store.
{ inputs, stdenv }:
{
  pname,
  version,
  src,
  cargoLock,
  cargoBuildFlags,
  meta,
  passthru ? { },
  ...
}:
assert builtins.pathExists cargoLock.lockFile;
assert
  cargoBuildFlags == [
    "--package"
    "kiln-cli"
  ];
stdenv.mkDerivation {
  inherit
    pname
    version
    src
    meta
    passthru
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
}
