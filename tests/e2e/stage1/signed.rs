//! A newer systemd in the initrd: it reads the signature of the root hash out of its partition, and the kernel wants one of the keys
//! that the firmware has from us. It also finds the root by the partitions' types alone, without a hash on the command line.

use std::fs;
use std::path::Path;

use crate::boots::console_lines;
use crate::demo::{kiln, target};
use crate::secure_boot::{CODE, Machine, VARIABLES, key};
use crate::tools::{installed, run};

use super::{ROOT, assert_says, found, make_tree, mounted, parts, sum};

const SPEC: &str = r#"schema = 1
name = "stage1"
seed = "stage1"

[fs.root]
format = "erofs"
tree = "tree"
keep = ["modes"]

[verity.root]
data = "fs.root"

[verity.root.signature]
key = "db.key"
certificate = "db.pem"

[secure-boot]
pk = { key = "pk.key", certificate = "pk.pem" }
kek = { key = "kek.key", certificate = "kek.pem" }
db = ["db.pem"]

[efi.boot]
source = "PARTS/efi/systemd-bootx64.efi"
sign = { key = "db.key", certificate = "db.pem" }

[uki.main]
stub = "PARTS/efi/linuxx64.efi.stub"
linux = "PARTS/vmlinuz"
initrd = "PARTS/stage1"
os-release = "tree/lib/os-release"
cmdline = "console=ttyS0 loglevel=5 no_timer_check panic=-1 init=/init dm_verity.require_signatures=1 OPTIONS"
sign = { key = "db.key", certificate = "db.pem" }

[fs.esp]
format = "fat"
bits = 32
cluster-size = "512B"
size = "96MiB"

[fs.esp.files]
"/EFI/BOOT/BOOTX64.EFI" = "{efi.boot}"
"/EFI/Linux/kiln_1.efi" = "{uki.main}"
"/loader/keys/auto/PK.auth" = "{secure-boot.PK}"
"/loader/keys/auto/KEK.auth" = "{secure-boot.KEK}"
"/loader/keys/auto/db.auth" = "{secure-boot.db}"

[fs.esp.text]
"/loader/loader.conf" = "timeout 0\nsecure-boot-enroll force\nsecure-boot-enroll-timeout-sec 0\n"

[disk]

[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"

[[disk.region]]
name = "root-verity-sig"
type = "root-x86-64-verity-sig"
content = "verity.root.signature"
attributes = ["read-only"]

[[disk.region]]
name = "root-verity"
type = "root-x86-64-verity"
content = "verity.root"
attributes = ["read-only"]

[[disk.region]]
name = "root"
type = "root-x86-64"
content = "fs.root"
attributes = ["read-only"]
"#;

/// Builds the disk whose command line ends so, and waits until the console of a machine says something.
fn boots(parts: &Path, dir: &Path, options: &str, until: &str) -> Vec<String> {
    let spec = SPEC
        .replace("PARTS", parts.to_str().unwrap())
        .replace("OPTIONS", options);
    fs::write(dir.join("spec.toml"), spec).unwrap();
    let out = dir.join("out");
    let mut build = kiln();
    build.arg("build").arg(dir.join("spec.toml")).arg("--out");
    run(build.arg(&out));
    Machine::start(dir, "console.log", &[&out.join("stage1.img")]).wait_for(until);
    console_lines(&dir.join("console.log"))
}

#[test]
#[ignore = "long: tests/long runs it"]
fn a_newer_systemd_takes_the_signature_out_of_its_partition() {
    let Some(parts) = parts("appliance-parts-newer", "tests/long prepare") else {
        return;
    };
    if !installed(&[CODE, "openssl"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    make_tree(&ROOT, dir);
    for name in ["pk", "kek", "db"] {
        key(dir, name);
    }
    fs::copy(VARIABLES, dir.join("variables")).unwrap();
    let hash = "roothash={fs.root.roothash}";
    let signed = format!("{hash} systemd.verity_root_options=root-hash-signature=auto");
    boots(&parts, dir, hash, "Custom Secure Boot keys successfully enrolled");
    // Without its signature the kernel takes no root.
    boots(&parts, dir, hash, "Root hash verification failed (-ENOKEY)");
    let sums = ["text", "noise"].map(|name| sum(&ROOT, name, dir));
    for (options, wanted) in [(signed.as_str(), found(&ROOT)), ("root=dissect", mounted(&ROOT))] {
        let console = boots(&parts, dir, options, "STAGE1-DONE");
        assert_says(&console, &wanted);
        assert_says(&console, &sums);
    }
}
