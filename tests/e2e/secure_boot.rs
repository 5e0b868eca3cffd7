//! Secure Boot with our keys: systemd-boot hands them to the firmware, and from then on only what we signed starts.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::{demo, is_made, kiln, target};

use crate::tools::{installed, run, tool};

pub(crate) const CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";
pub(crate) const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// The demo's disk for UEFI, with one signed file in place of kernel, initrd and menu entry.
fn specification(signer: &str) -> String {
    let text = fs::read_to_string(demo().join("efi.toml")).unwrap();
    let out = demo().join("out");
    let text = text
        .replace("\"out/", &format!("\"{}/", out.display()))
        .replace("efi-{series}", "appliance");
    let (before, rest) = text.split_once("[fs.esp.files]").unwrap();
    let (_, root) = rest.split_once("[fs.root]").unwrap();
    let efi = out.join("ukify-newer/root/usr/lib/systemd/boot/efi");
    let efi = efi.display();
    format!(
        r#"{before}[fs.esp.files]
"/EFI/BOOT/BOOTX64.EFI" = "{{efi.boot}}"
"/EFI/Linux/kiln_1.efi" = "{{uki.main}}"
"/loader/keys/auto/PK.auth" = "{{secure-boot.PK}}"
"/loader/keys/auto/KEK.auth" = "{{secure-boot.KEK}}"
"/loader/keys/auto/db.auth" = "{{secure-boot.db}}"

[fs.esp.text]
"/loader/loader.conf" = "timeout 0\nsecure-boot-enroll force\nsecure-boot-enroll-timeout-sec 0\n"

[secure-boot]
pk = {{ key = "pk.key", certificate = "pk.pem" }}
kek = {{ key = "kek.key", certificate = "kek.pem" }}
db = ["db.pem"]

[efi.boot]
source = "{efi}/systemd-bootx64.efi"
sign = {{ key = "{signer}.key", certificate = "{signer}.pem" }}

[uki.main]
stub = "{efi}/linuxx64.efi.stub"
cmdline = "init={{toplevel}}/init root=LABEL=nixos {{kernel-params}}"
os-release = "os-release"
sign = {{ key = "{signer}.key", certificate = "{signer}.pem" }}
measure = {{ key = "pk.key" }}

[fs.root]{root}"#
    )
}

/// A key and its certificate, NAME.key and NAME.pem.
pub(crate) fn key(folder: &Path, name: &str) {
    let path = |end: &str| folder.join(format!("{name}.{end}"));
    let mut command = tool("openssl");
    command.args([
        "req", "-x509", "-nodes", "-days", "3650", "-newkey", "rsa:2048", "-subj",
    ]);
    command.arg(format!("/CN={name}"));
    run(command
        .arg("-keyout")
        .arg(path("key"))
        .arg("-out")
        .arg(path("pem")));
}

fn build(folder: &Path, signer: &str, out: &str, more: &[&str]) {
    let spec = folder.join(format!("{signer}.toml"));
    fs::write(&spec, specification(signer)).unwrap();
    let mut build = kiln();
    build.arg("build").arg(&spec).arg("--out").arg(folder.join(out));
    run(build.arg("--no-cache").args(more));
}

/// A disk with one file where firmware looks for what to start.
fn disk(folder: &Path, name: &str, program: &[u8]) -> std::path::PathBuf {
    let (file, image) = (folder.join("BOOTX64.EFI"), folder.join(name));
    fs::write(&file, program).unwrap();
    fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
    run(tool("mkfs.vfat").arg(&image));
    run(tool("mmd").arg("-i").arg(&image).args(["::/EFI", "::/EFI/BOOT"]));
    run(tool("mcopy").arg("-i").arg(&image).arg(&file).arg("::/EFI/BOOT/"));
    image
}

/// A machine that has the firmware's variables in a file, `variables`.
pub(crate) struct Machine {
    child: Child,
    log: std::path::PathBuf,
}

impl Machine {
    pub(crate) fn start(folder: &Path, log: &str, disks: &[&Path]) -> Machine {
        let log = folder.join(log);
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args([
            "-machine",
            "q35,smm=on",
            "-cpu",
            "qemu64",
            "-accel",
            "tcg",
            "-m",
            "1024",
        ]);
        qemu.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        let flash =
            |unit: u8, file: &Path| format!("if=pflash,format=raw,unit={unit},file={}", file.display());
        qemu.arg("-drive").arg(flash(0, Path::new(CODE)) + ",readonly=on");
        qemu.arg("-drive").arg(flash(1, &folder.join("variables")));
        for disk in disks {
            qemu.arg("-drive");
            qemu.arg(format!(
                "if=virtio,format=raw,snapshot=on,file={}",
                disk.display()
            ));
        }
        qemu.args([
            "-device",
            "virtio-rng-pci",
            "-nic",
            "none",
            "-display",
            "none",
            "-monitor",
            "none",
        ]);
        qemu.arg("-serial")
            .arg(format!("file:{}", log.display()))
            .arg("-no-reboot");
        let child = qemu.stdin(Stdio::null()).spawn().unwrap();
        Machine { child, log }
    }

    /// Waits until the console says something; answers all that it said.
    pub(crate) fn wait_for(mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let said = fs::read(&self.log).unwrap_or_default();
            let said = String::from_utf8_lossy(&said).into_owned();
            if said.contains(text) {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                return said;
            }
            let ended = self.child.try_wait().unwrap();
            let late = start.elapsed() > Duration::from_mins(10);
            assert!(
                !late && ended.is_none(),
                "the console does not say {text:?}: {said}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn firmware_starts_what_we_signed_and_nothing_else() {
    let tools = [
        "qemu-system-x86_64",
        CODE,
        "openssl",
        "sbverify",
        "mkfs.vfat",
        "mcopy",
        "ukify-newer",
    ];
    if !is_made() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let folder = dir.path();
    for name in ["pk", "kek", "db", "stranger"] {
        key(folder, name);
    }
    fs::write(
        folder.join("os-release"),
        "ID=kiln\nNAME=Kiln\nPRETTY_NAME=Kiln\nVERSION_ID=1\n",
    )
    .unwrap();
    build(folder, "db", "out", &[]);
    build(folder, "stranger", "foreign", &["--only", "uki.main"]);
    let good = fs::read(folder.join("out/main.efi")).unwrap();
    run(tool("sbverify")
        .arg("--cert")
        .arg(folder.join("db.pem"))
        .arg(folder.join("out/main.efi")));
    // The TPM's value is known before the first boot.
    let manifest = fs::read(folder.join("out/appliance.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let value = manifest["uki"]["uki.main"][0]["pcr11"][0]["measured"]
        .as_str()
        .unwrap();
    assert_eq!(value.len(), 64);

    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut told = good.clone();
    let place = told
        .windows(10)
        .position(|window| window == b"root=LABEL")
        .unwrap();
    told[place] = b'R';
    let foreign = fs::read(folder.join("foreign/main.efi")).unwrap();
    let refused = [
        disk(folder, "flipped.disk", &flipped),
        disk(folder, "cmdline.disk", &told),
        disk(folder, "foreign.disk", &foreign),
    ];
    let image = folder.join("out/appliance.img");
    fs::copy(VARIABLES, folder.join("variables")).unwrap();
    let machine = Machine::start(folder, "enrolls.log", &[&image]);
    machine.wait_for("Custom Secure Boot keys successfully enrolled");
    let disks: Vec<&Path> = refused
        .iter()
        .map(std::path::PathBuf::as_path)
        .chain([image.as_path()])
        .collect();
    let said = Machine::start(folder, "boots.log", &disks).wait_for("STAGE2 /nix/store/");
    assert_eq!(said.matches("Access Denied").count(), refused.len(), "{said}");
    assert!(said.contains("UEFI Secure Boot is enabled."), "{said}");
}
