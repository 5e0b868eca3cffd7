//! The package as nixpkgs wants it: what it says of itself, what it installs, and which tests come with it.

use crate::demo::workspace;
use crate::nix_world::{names, world};
use crate::tools::run;

#[test]
fn the_package_says_what_reviewers_ask_for() {
    let Some(world) = world() else { return };
    let package = format!(
        "pkgs = import {root}/tests/nix/stub-nixpkgs {{ }}; package = pkgs.callPackage {root}/nix/package.nix {{ }};",
        root = workspace().display()
    );
    let said = world.evaluated(&format!(
        "let {package} in {{
          inherit (package) name version meta;
          tests = builtins.mapAttrs (_: test: test.drvPath) package.passthru.tests;
          update = package.passthru.updateScript;
          again = (builtins.head package.passthru.tests.fat.nativeBuildInputs).drvPath == package.drvPath;
          manifest = (builtins.fromTOML (builtins.readFile {root}/Cargo.toml)).workspace.package;
        }}",
        root = workspace().display()
    ));
    let (meta, manifest) = (&said["meta"], &said["manifest"]);
    assert_eq!(said["version"], manifest["version"]);
    assert_eq!(meta["mainProgram"], "kiln");
    let licences: Vec<_> = meta["license"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence["spdxId"].as_str().unwrap())
        .collect();
    assert_eq!(licences.join(" OR "), manifest["license"].as_str().unwrap());
    let description = meta["description"].as_str().unwrap();
    assert!(!description.ends_with('.') && !description.starts_with("A "));
    // What Cargo.toml does not say, the package does not say either.
    let place = manifest.get("homepage").or(manifest.get("repository"));
    assert_eq!(meta.get("homepage"), place);
    assert_eq!(
        meta.get("changelog").is_some(),
        manifest.get("repository").is_some()
    );
    assert!(meta["maintainers"].is_array() && meta["platforms"].is_array());
    assert!(!said["update"].is_null());

    // The tests are images that this package makes, and not the package.
    let tests: Vec<_> = said["tests"].as_object().unwrap().keys().collect();
    assert_eq!(
        tests,
        ["boot-script", "btrfs", "disk", "erofs", "ext4", "fat", "squashfs"]
    );
    assert_eq!(said["again"], true);

    let mut build = world.nix("nix-build");
    let path = run(build
        .args(["--no-out-link", "--expr"])
        .arg(format!("let {package} in package")));
    let installed = world.store().join(path.trim().trim_start_matches('/'));
    assert_eq!(names(&installed.join("share/man/man1")), ["kiln.1"]);
    assert_eq!(
        names(&installed.join("share/completions")),
        ["kiln.bash", "kiln.fish", "kiln.zsh"]
    );
}
