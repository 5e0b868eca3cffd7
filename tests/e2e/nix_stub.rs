//! What the Nix code is tested with: a lib and modules of the tests' own, which do as nixpkgs' do.

use std::fs;

use serde_json::Value;

use crate::demo::workspace;
use crate::nix_world::world;

#[test]
fn the_lib_says_what_that_of_nixpkgs_says() {
    let Some(world) = world() else { return };
    let folder = workspace().join("tests/nix");
    let said = world.evaluated(&format!(
        "import {0}/conformance {{ lib = import {0}/stub-nixpkgs/lib.nix; }}",
        folder.display()
    ));
    let wanted = fs::read(folder.join("conformance/nixpkgs.json")).unwrap();
    let wanted: Value = serde_json::from_slice(&wanted).unwrap();
    for (part, cases) in wanted.as_object().unwrap() {
        for (name, answer) in cases.as_object().unwrap() {
            assert_eq!(&said[part][name], answer, "{part}.{name}");
        }
    }
    assert_eq!(said, wanted);
}

/// The configuration of a few settings, as an expression.
fn configuration(settings: &str) -> String {
    let folder = workspace().join("tests/nix/stub-nixpkgs/nixos/lib/eval-config.nix");
    format!(
        "(import {} {{ modules = [ {settings} ]; }}).config",
        folder.display()
    )
}

#[test]
fn configurations_have_the_types_and_defaults_of_nixos() {
    let Some(world) = world() else { return };
    let root = r#"{ fileSystems."/" = { device = "/dev/a"; fsType = "ext4"; autoResize = true; }; boot.loader.grub.enable = false; }"#;
    let said = world.evaluated(&format!(
        "let c = {}; in {{
           root = {{ inherit (c.fileSystems.\"/\") device options; }};
           inherit (c.boot) consoleLogLevel growPartition kernelParams;
           inherit (c.boot.loader) timeout;
           inherit (c.boot.loader.generic-extlinux-compatible) configurationLimit useGenerationDeviceTree;
           inherit (c.system.nixos) tags label;
           variants = builtins.attrNames c.system.build.images;
           toplevel = c.system.build.toplevel ? drvPath;
         }}",
        configuration(root)
    ));
    let wanted = serde_json::json!({
        "root": { "device": "/dev/a", "options": ["x-systemd.growfs", "x-initrd.mount"] },
        "consoleLogLevel": 4,
        "growPartition": false,
        "kernelParams": ["loglevel=4"],
        "timeout": 5,
        "configurationLimit": 20,
        "useGenerationDeviceTree": true,
        "tags": [],
        "label": "25.11.20261121.abc",
        "variants": ["raw"],
        "toplevel": true,
    });
    assert_eq!(said, wanted);

    let refused = |settings: &str, wanted: &str| {
        let expression = configuration(&format!("{root} {settings}"));
        let said = world.refused(&format!("{expression}.system.build.toplevel.drvPath"));
        assert!(said.contains(wanted), "{settings}: {said}");
    };
    refused(
        "{ boot.growPartition = true; systemd.repart.enable = true; }",
        "growPartition",
    );
    refused(
        "{ boot.loader.timeuot = 1; }",
        "`boot.loader.timeuot' does not exist",
    );
    refused(
        "{ boot.consoleLogLevel = \"7\"; }",
        "is not of type `signed integer'",
    );
    refused("{ system.build.toplevel = 1; }", "is defined multiple times");
    refused(
        "{ fileSystems.\"/\".device = \"/dev/b\"; }",
        "conflicting definition values",
    );
    refused(
        "{ boot.loader.generic-extlinux-compatible.enable = true; boot.loader.systemd-boot.enable = true; }",
        "`system.build.installBootLoader' is defined multiple times",
    );
}
