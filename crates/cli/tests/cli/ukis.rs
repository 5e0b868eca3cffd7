//! What a plan and a build say of unified kernel images.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::look::shell;
use crate::oracle::installed;
use crate::root_signatures::REGIONS;
use crate::world::World;

/// Stub and kernel, as a newer systemd has them: systemd-boot is a PE file like any kernel.
fn world(more: &str) -> Option<World> {
    if !installed("ukify-newer") || !installed("openssl") {
        return None;
    }
    let world = World::new();
    shell(
        &world,
        "cp \"$(dirname \"$(command -v ukify-newer)\")\"/root/usr/lib/systemd/boot/efi/*64.efi* .",
    );
    shell(&world, "openssl genrsa -out key.pem 2048 2> /dev/null");
    world.write("initrd", b"an initrd");
    world.write("os-release", b"ID=kiln\n");
    let spec = format!(
        r#"schema = 1
name = "x"
seed = "x"

[uki.main]
stub = "linuxx64.efi.stub"
linux = "systemd-bootx64.efi"
initrd = "initrd"
os-release = "os-release"
cmdline = "quiet"
{more}"#
    );
    world.write("spec.toml", spec.as_bytes());
    Some(world)
}

fn pcrs(said: &str, of: fn(&Value) -> &Value) -> Vec<String> {
    let said: Value = serde_json::from_str(said).unwrap();
    let values = of(&said)[0]["pcr11"].as_array().unwrap();
    values.iter().map(|value| value["measured"].to_string()).collect()
}

#[test]
fn a_plan_says_what_a_build_measures_or_nothing() {
    for (more, known) in [("", 1), ("measure = { key = \"key.pem\" }\n", 0)] {
        let Some(world) = world(more) else { return };
        let built = world.done(&["build", "spec.toml", "--out", "out", "--json"]);
        let built = pcrs(&built, |said| &said["uki"]["uki.main"]);
        assert_eq!(built.len(), 1);
        for exact in [&[][..], &["--exact"]] {
            let planned = world.done(&[&["plan", "spec.toml", "--json"], exact].concat());
            let planned = pcrs(&planned, |said| &said["parts"][0]["profiles"]);
            assert_eq!(planned, built[..known], "{more}, {exact:?}");
        }
    }
}

#[test]
fn what_does_not_start_is_refused() {
    let Some(world) = world("") else { return };
    world.edit("spec.toml", "systemd-bootx64", "systemd-bootaa64");
    assert_snapshot!(world.refused(3, &["build", "spec.toml", "--out", "out"]), @"error: uki.main: the stub is for x64, the kernel for aa64");
    world.edit("spec.toml", "systemd-bootaa64.efi", "initrd");
    assert_snapshot!(world.refused(3, &["build", "spec.toml", "--out", "out"]), @"error: uki.main: the kernel: is no sound PE file: it does not begin with MZ; firmware starts only kernels that are PE files and not compressed (vmlinuz, Image)");
}

/// All that is signed, and a disk, whose regions for the root follow.
const SIGNED: &str = r#"measure = { key = "key.pem" }
sign = { key = "key.pem", certificate = "certificate.pem" }

[efi.boot]
source = "systemd-bootx64.efi"
sign = { key = "key.pem", certificate = "certificate.pem" }

[fs.esp]
format = "fat"
size = "8MiB"

[fs.esp.files]
"/EFI/BOOT/BOOTX64.EFI" = "{efi.boot}"
"/EFI/Linux/x.efi" = "{uki.main}"

[fs.root]
format = "erofs"
tree = "tree"

[verity.root]
data = "fs.root"

[verity.root.signature]
key = "key.pem"
certificate = "certificate.pem"

[disk]

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"
"#;

#[test]
fn what_is_served_is_signed_as_builds_sign_it() {
    let Some(world) = world(&format!("{SIGNED}{REGIONS}")).filter(|_| installed("nbdcopy")) else {
        return;
    };
    shell(
        &world,
        "openssl req -x509 -new -key key.pem -subj /CN=x -days 1000 -out certificate.pem && mkdir tree && cp initrd tree",
    );
    let disk = |folder: &str, options: &[&str]| {
        let build = ["build", "spec.toml", "--no-cache", "--out", folder];
        world.done(&[&build, options].concat());
        let serve = ["serve", "spec.toml", "--no-cache"];
        let copy = ["--", "sh", "-c", "exec nbdcopy $0 copy", "{uri}"];
        world.done(&[&serve[..], options, &copy].concat());
        let served = fs::read(world.path("copy")).unwrap();
        fs::remove_file(world.path("copy")).unwrap();
        let written = fs::read(world.path(folder).join("x.img")).unwrap();
        assert!(served == written, "{options:?}");
        written
    };
    assert!(disk("signed", &[]) != disk("unsigned", &["--unsigned"]));
    // A key that is not the certificate's is told before anything is served.
    shell(&world, "openssl genrsa -out key.pem 2048 2> /dev/null");
    let said = world.refused(2, &["serve", "spec.toml", "--listen", "0"]);
    assert_snapshot!(said, @r"
    error: the private key does not belong to the certificate of CN = x
    hint: --key and --certificate have to belong together
    ");
}
