//! PCR 11 and its signatures equal those of systemd-measure.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use image::Content;
use signature::{Key, Signer as _};
use uki::{Options, PHASES, Parts, Policy, PolicyBy, after_phases};

use crate::oracle::installed;
use crate::world::{bytes, file, newer, parts, run};

const MEASURE: &str = "/usr/lib/systemd/systemd-measure";

/// Sections that systemd-measure 252 knows, and how it is told.
fn measured(folder: &Path, parts: &Parts) -> Vec<String> {
    [
        ("linux", &parts.linux),
        ("osrel", &parts.os_release),
        ("cmdline", &parts.cmdline),
        ("initrd", &Some(parts.initrds[0].clone())),
        ("pcrpkey", &parts.pcr_key),
    ]
    .iter()
    .filter_map(|(name, content)| {
        let path = folder.join(name);
        std::fs::write(&path, content.as_ref()?.to_vec().unwrap()).unwrap();
        Some(format!("--{name}={}", path.display()))
    })
    .collect()
}

/// systemd-measure 252 measures neither `.uname` nor `.sbat`, as its own stub; a stub is made that says it is 252.
fn old_stub() -> Content {
    let mut bytes = file(&newer().join("linuxx64.efi.stub")).to_vec().unwrap();
    let found = bytes.windows(8).position(|window| window == b"tub 262-").unwrap();
    bytes[found + 4..found + 7].copy_from_slice(b"252");
    Content::from(bytes)
}

/// A TPM in software, of which systemd-measure 252 asks what a policy is.
struct Tpm {
    child: Child,
    socket: PathBuf,
}

impl Tpm {
    fn start(folder: &Path) -> Tpm {
        let socket = folder.join("tpm");
        let child = Command::new("swtpm")
            .args([
                "socket",
                "--tpm2",
                "--flags",
                "startup-clear,not-need-init",
                "--tpmstate",
            ])
            .arg(format!("dir={}", folder.display()))
            .arg("--server")
            .arg(format!("type=unixio,path={}", socket.display()))
            .arg("--ctrl")
            .arg(format!("type=unixio,path={}.ctrl", socket.display()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..1000 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Tpm { child, socket }
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn values_equal_those_of_systemd_measure() {
    if !installed(MEASURE) || !installed("ukify-newer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        base: parts(),
        ..Options::default()
    };
    let planned = uki::plan(&old_stub(), &options, None).unwrap();
    let value = planned.profiles[0].pcr11[0];
    let mut command = Command::new(MEASURE);
    command.args(["calculate", "--bank=sha256", "--json=short"]);
    command.args(measured(folder.path(), &options.base));
    for phases in PHASES {
        command.arg(format!("--phase={phases}"));
    }
    let said: serde_json::Value = serde_json::from_str(&run(&mut command)).unwrap();
    let theirs: Vec<&str> = said["sha256"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["hash"].as_str().unwrap())
        .collect();
    let ours: Vec<String> = PHASES
        .iter()
        .map(|phases| data_encoding::HEXLOWER.encode(&after_phases(value, phases)))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn signatures_equal_those_of_systemd_measure() {
    if ![MEASURE, "ukify-newer", "openssl", "swtpm"]
        .iter()
        .all(|tool| installed(tool))
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    run(Command::new("openssl").args(["genrsa", "-out", &path("key.pem"), "2048"]));
    run(Command::new("openssl").args([
        "rsa",
        "-in",
        &path("key.pem"),
        "-pubout",
        "-out",
        &path("public.pem"),
    ]));
    let key = Key::read(&std::fs::read(path("key.pem")).unwrap(), None).unwrap();
    let base = Parts {
        pcr_key: Some(Content::from(std::fs::read(path("public.pem")).unwrap())),
        ..parts()
    };
    let options = Options {
        base: base.clone(),
        ..Options::default()
    };
    let public = key.public_key().unwrap();
    let policy = Policy {
        key: &public,
        by: PolicyBy::Signer(&key),
        phases: PHASES.map(str::to_string).to_vec(),
    };
    let planned = uki::plan(&old_stub(), &options, Some(&policy)).unwrap();
    let section = planned
        .sections
        .iter()
        .find(|section| section.name == ".pcrsig")
        .unwrap();
    let tpm = Tpm::start(folder.path());
    let mut command = Command::new(MEASURE);
    command.args(["sign", "--bank=sha256"]);
    command.args([
        format!("--tpm2-device=swtpm:path={}", tpm.socket.display()),
        format!("--private-key={}", path("key.pem")),
        format!("--public-key={}", path("public.pem")),
    ]);
    command.args(measured(folder.path(), &base));
    for phases in PHASES {
        command.arg(format!("--phase={phases}"));
    }
    // Spelled as ukify spells it, which comes from Python.
    let out = command.output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let theirs = said.replace("\":", "\": ").replace(',', ", ");
    let ours = String::from_utf8(section.content.to_vec().unwrap()).unwrap();
    assert_eq!(ours.trim(), theirs.trim());
    assert_eq!(bytes(&planned.image).len() % 512, 0);
}
