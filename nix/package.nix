# Kiln itself. The C libraries in it (zstd, xz, libdeflate, SQLite) are pinned and compiled along, since what they
# write is a part of an image's bytes.
{
  lib,
  stdenv,
  rustPlatform,
  callPackages,
  installShellFiles,
  nix-update-script,
  versionCheckHook,
}:
let
  # What it says of itself.
  manifest = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).workspace.package;
  parts = [
    "Cargo.lock"
    "Cargo.toml"
    "LICENSE-APACHE"
    "LICENSE-MIT"
    "README.md"
    "crates"
    "tests"
  ];
  root = toString ../. + "/";
in
rustPlatform.buildRustPackage (finalAttrs: {
  pname = "kiln";
  inherit (manifest) version;

  __structuredAttrs = true;
  strictDeps = true;

  # What the program does not depend on does not rebuild it.
  src = builtins.path {
    path = ../.;
    name = "kiln-source";
    filter =
      path: _type:
      let
        below = builtins.substring (builtins.stringLength root) (-1) path;
      in
      builtins.elem (builtins.head (builtins.split "/" below)) parts;
  };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [
    "--package"
    "kiln-cli"
  ];

  # Most tests ask tools that others wrote, or boot images: tests/run has them all.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    "$out/bin/kiln" man > kiln.1
    installManPage kiln.1
    for shell in bash fish zsh; do "$out/bin/kiln" completions "$shell" > "kiln.$shell"; done
    installShellCompletion kiln.{bash,fish,zsh}
  '';

  doInstallCheck = true;
  nativeInstallCheckInputs = [ versionCheckHook ];

  passthru = {
    # One image of each kind, made by this very package.
    tests = removeAttrs (callPackages ./checks.nix { kiln = finalAttrs.finalPackage; }) [ "kiln" ];
    updateScript = nix-update-script { };
  };

  meta = {
    description = "Turns Nix closures and plain trees into flashable disk images and signed update bundles";
    license = with lib.licenses; [
      mit
      asl20
    ];
    # Names out of nixpkgs' own list.
    maintainers = [ ];
    mainProgram = "kiln";
    platforms = lib.platforms.unix;
  }
  # Cargo.toml says where Kiln lives, as soon as it has a place.
  // lib.optionalAttrs (manifest ? repository) {
    homepage = manifest.homepage or manifest.repository;
    changelog = "${manifest.repository}/blob/v${finalAttrs.version}/CHANGELOG.md";
  };
})
