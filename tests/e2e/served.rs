//! Images that are not written: other programs read what a build would write, and boot it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::demo::{demo, is_made, kiln, toplevel};
use crate::tools::{installed, output, run, said, sha256, tool};

/// What four programs that others wrote say of an export, in one session.
const ASK: &str = r#"
set -eu
nbdinfo "$1"
nbdinfo --list "$1"
nbdinfo --map --totals "$1"
qemu-img info -f raw "$1"
qemu-img compare -f raw -F raw "$1" "$2"
nbdcopy --connections=4 "$1" "$3"
"#;

#[test]
fn a_planned_disk_is_the_one_that_is_written() {
    if !is_made() || !installed(&["nbdinfo", "nbdcopy", "qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (out, copy) = (dir.path().join("out"), dir.path().join("copy"));
    let spec = demo().join("efi.toml");
    fs::create_dir(&out).unwrap();
    run(kiln().arg("build").arg(&spec).arg("--out").arg(&out));
    let image = out.join("efi-25.11.img");
    let size = fs::metadata(&image).unwrap().len();
    for place in [&["--socket", "s"][..], &["--listen", "0"]] {
        let mut serve = kiln();
        serve.current_dir(dir.path()).arg("serve").arg(&spec).args(place);
        serve
            .args(["--", "sh", "-c", ASK, "ask", "{uri}"])
            .arg(&image)
            .arg(&copy);
        let text = run(&mut serve);
        for wanted in [
            format!("export-size: {size}"),
            "protocol: newstyle-fixed without TLS, using structured packets".into(),
            "base:allocation".into(),
            "can_multi_conn: true".into(),
            "is_read_only: true".into(),
            "hole,zero".into(),
            "Images are identical.".into(),
        ] {
            assert!(text.contains(&wanted), "no {wanted:?} in {text}");
        }
        assert_eq!(sha256(&copy), sha256(&image));
        fs::remove_file(&copy).unwrap();
    }
    // A client without structured replies lists exports, too; and none of them writes.
    if installed(&["nbd-client"]) {
        let list = "nbd-client -l 127.0.0.1 -N disk \"$(expr \"$1\" : '.*:\\([0-9]*\\)/')\"";
        let mut serve = kiln();
        serve
            .arg("serve")
            .arg(&image)
            .args(["--listen", "0", "--", "sh", "-c", list, "list", "{uri}"]);
        let text = run(&mut serve);
        assert!(text.contains("disk"), "{text}");
    }
    let mut serve = kiln();
    serve
        .arg("serve")
        .arg(&image)
        .args(["--", "nbdcopy"])
        .arg(&image)
        .arg("{uri}");
    let refused = output(&mut serve);
    assert!(!refused.status.success());
    assert!(said(&refused).contains("read-only"), "{}", said(&refused));
    assert!(!dir.path().join("s").exists());
}

/// A throw-away machine, up to its end: U-Boot, kernel, the squashfs as the root, and all that the system checks.
#[test]
fn a_planned_disk_boots() {
    if !is_made() || !installed(&["qemu-system-aarch64", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]) {
        return;
    }
    let mut machine = kiln();
    machine.arg("run").arg(demo().join("qemu-arm64.toml"));
    machine.args([
        "--profile",
        "dev",
        "--accel",
        "tcg",
        "--cores",
        "1",
        "--",
        "-no-reboot",
    ]);
    // What the system then finds in its store, other boots ask.
    let mut machine = machine
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let wanted = format!("STAGE2 {}", toplevel());
    let mut console = String::new();
    for line in BufReader::new(machine.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).replace('\r', "");
        console.push_str(&line);
        console.push('\n');
        if line.contains(&wanted) {
            run(tool("kill").args(["-TERM", &machine.id().to_string()]));
        }
    }
    let status = machine.wait().unwrap();
    assert!(
        console.contains("U-Boot 20") && console.contains(&wanted),
        "{console}"
    );
    assert_eq!(status.code(), Some(130), "{console}");
}
