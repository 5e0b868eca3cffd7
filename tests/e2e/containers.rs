//! One disk in containers: each boots, from U-Boot to the kernel's first line, and is a folder as the disk itself is.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::{demo, is_made, kiln};
use crate::tools::{installed, output, run, tool};

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

/// What the kernel says first.
const KERNEL: &str = "Booting Linux on physical CPU";

/// The outputs, and what QEMU calls their containers.
const OUTPUTS: [(&str, &str); 6] = [
    ("vm.qcow2", "qcow2"),
    ("plain.qcow2", "qcow2"),
    ("vm.vmdk", "vmdk"),
    ("vm.vhdx", "vhdx"),
    ("vm.vdi", "vdi"),
    ("vm.vhd", "vpc"),
];

/// A disk from which U-Boot loads the demo's kernel. The script says what the kernel's checksum is.
fn build(dir: &Path) {
    let script = "load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /Image\n\
                  crc32 ${kernel_addr_r} ${filesize}\n\
                  setenv bootargs earlycon console=ttyAMA0 panic=-1\n\
                  booti ${kernel_addr_r} - ${fdtcontroladdr}\n";
    fs::write(dir.join("boot.cmd"), script).unwrap();
    let store = demo().join("out/store");
    let outputs = OUTPUTS.map(|(file, _)| {
        let (_, format) = file.split_once('.').unwrap();
        let compression = if file == "vm.qcow2" {
            "compression = \"zstd\""
        } else {
            ""
        };
        format!("[[disk.output]]\nformat = \"{format}\"\nfile = \"{file}\"\n{compression}\n")
    });
    let spec = format!(
        "schema = 1\nname = \"vm\"\n\
         [closure]\nfrom = \"{store}/closure-info\"\nstore-root = \"{store}/root\"\ncheck = \"sizes\"\n\
         [script.boot]\nsource = \"boot.cmd\"\narch = \"arm64\"\n\
         [fs.boot]\nformat = \"fat\"\nfree = \"100MiB\"\n\
         files = {{ \"/Image\" = \"{{kernel}}\", \"/boot.scr\" = \"{{script.boot}}\" }}\n\
         [disk]\n\
         [[disk.region]]\nname = \"boot\"\ntype = \"xbootldr\"\ncontent = \"fs.boot\"\n{}",
        outputs.concat(),
        store = store.display(),
    );
    fs::write(dir.join("vm.toml"), spec).unwrap();
    let mut build = kiln();
    let build = build.args(["build", "vm.toml", "--out", "out"]).current_dir(dir);
    run(build);
}

/// A machine that writes what it says to a file, ended when nobody needs it any more.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn boot(image: &Path, format: &str, log: &Path) -> Machine {
    let drive = format!("if=virtio,snapshot=on,format={format},file={}", image.display());
    let mut machine = tool("qemu-system-aarch64");
    machine
        .args([
            "-machine",
            "virt",
            "-cpu",
            "cortex-a57",
            "-accel",
            "tcg",
            "-smp",
            "1",
            "-m",
            "512",
        ])
        .args([
            "-bios",
            U_BOOT,
            "-nic",
            "none",
            "-display",
            "none",
            "-monitor",
            "none",
            "-no-reboot",
        ])
        .args(["-drive", &drive])
        .arg("-serial")
        .arg(format!("file:{}", log.display()));
    machine.stdin(Stdio::null()).stdout(Stdio::null());
    Machine(machine.spawn().unwrap())
}

#[test]
fn a_disk_boots_from_every_container() {
    let tools = ["qemu-system-aarch64", "qemu-img", U_BOOT];
    if !is_made() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    let out = dir.path().join("out");
    let kernel = run(kiln().arg("ls").arg(out.join("vm.img")).arg("/boot/Image"));
    assert!(kernel.contains("Image"), "{kernel}");
    let image = output(kiln().arg("cat").arg(out.join("vm.img")).arg("/boot/Image")).stdout;
    let wanted = format!("==> {:08x}", libdeflater::crc32(&image));

    let log = |file: &str| dir.path().join(file).with_extension("log");
    let named = OUTPUTS.map(|(file, format)| (file, format, log(&file.replace('.', "-"))));
    let machines = named
        .each_ref()
        .map(|(file, format, log)| boot(&out.join(file), format, log));
    let begun = Instant::now();
    for (file, _, log) in &named {
        loop {
            let said = fs::read(log).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            if said.contains(KERNEL) {
                assert!(said.contains(&wanted), "{file}: no {wanted} in {said}");
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(4), "{file}: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    drop(machines);
    each_is_the_disk(&out);
}

/// The manifest names all of them, and `kiln` finds in each what it finds in the disk.
fn each_is_the_disk(out: &Path) {
    let manifest = fs::read_to_string(out.join("vm.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let contained: Vec<&str> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["part"] == "disk.output")
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(contained, OUTPUTS.map(|(file, _)| file));
    let raw = out.join("vm.img");
    let list = |image: &Path| run(kiln().args(["ls", "-lR"]).arg(image));
    let listed = list(&raw);
    assert!(listed.contains("/boot/Image"), "{listed}");
    for (file, format) in OUTPUTS {
        let file = out.join(file);
        let compare = ["compare", "-f", "raw", "-F", format];
        run(tool("qemu-img").args(compare).arg(&raw).arg(&file));
        assert_eq!(list(&file), listed, "{}", file.display());
    }
    for file in ["vm.qcow2", "vm.vhdx"].map(|file| out.join(file)) {
        run(kiln().arg("check").arg(&file));
        // What differs is the container, and nothing in it.
        let diff = output(kiln().arg("diff").arg(&raw).arg(&file));
        assert_eq!(diff.status.code(), Some(1));
        let said = String::from_utf8(diff.stdout).unwrap();
        assert!(
            said.starts_with("/ (disk → ") && said.lines().count() == 1,
            "{said}"
        );
    }
}
