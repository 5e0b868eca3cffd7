//! Debian's U-Boot chooses slots with our script, in QEMU, and `fw_setenv` talks to it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::panic,
    reason = "functions of tests"
)]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use device::{Device, Form, Keep, Made, Medium, Place, boot_cmd, chooser, counters, fw_env_config};
use image::{Content, Node, Seed, Silent, Tree};
use oracle::installed;
use support::{MIB, device};
use uboot::{Arch, ByteOrder, Copies, EnvironmentOptions, ScriptOptions, read_environment};

const U_BOOT: &str = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
const FLASH_SIZE: u64 = 64 * MIB;
/// `CONFIG_ENV_SIZE` of that U-Boot, at the start of the second flash.
const FLASH_ENV_SIZE: u64 = 0x4_0000;
/// No run may take longer.
const LIMIT: Duration = Duration::from_secs(90);

/// Whether all tools are here.
fn ready() -> bool {
    ["qemu-system-aarch64", "fw_printenv", U_BOOT]
        .into_iter()
        .all(installed)
}

/// The device, with all slots from the factory.
fn whole() -> Device {
    let mut device = device();
    let mut start = 16 * MIB;
    for partition in &mut device.partitions {
        partition.made = Made::Factory(start);
        start += partition.size.min();
    }
    device.disk.size = start + MIB;
    device
}

/// A virtual machine: its disk and its second flash.
struct Machine {
    folder: tempfile::TempDir,
    device: Device,
}

impl Machine {
    /// Slots say that they were started, unless they are in `without`; `flash` are the variables in the flash.
    fn new(device: Device, without: &[&str], flash: &[(&str, &str)]) -> Machine {
        let machine = Machine {
            folder: tempfile::tempdir().unwrap(),
            device,
        };
        let mut regions = Vec::new();
        for region in &machine.device.disk.regions {
            regions.push(disk::Region {
                name: region.name.clone(),
                place: Some(region.range.start),
                size: Some(region.range.end - region.range.start),
                content: (region.name == "uboot-env").then(|| machine.first_counters()),
                partition: None,
            });
        }
        for partition in &machine.device.partitions {
            let Made::Factory(start) = partition.made else {
                panic!("{partition:?}")
            };
            let size = partition.size.min();
            let script = "echo SLOT ${raucargs} ${devtype} ${devnum} ${distro_bootpart} ${distro_rootpart}\n"
                .to_owned();
            let script = match partition.name.as_str() {
                "boot-a" | "boot-b" if !without.contains(&partition.name.as_str()) => Some(script),
                "data" => Some(boot_cmd(&machine.device, Form::Script).unwrap()),
                _ => None,
            };
            regions.push(disk::Region {
                name: partition.name.clone(),
                place: Some(start),
                size: Some(size),
                content: Some(fat(script.as_deref(), size)),
                partition: Some(disk::Partition {
                    number: Some(partition.number),
                    ..disk::Partition::new(partition.kind)
                }),
            });
        }
        let options = disk::Options {
            size: disk::Size::Exactly(machine.device.disk.size),
            ..disk::Options::new(Seed::new(b"u-boot"))
        };
        let planned = disk::plan(&options, &regions).unwrap();
        image::write(&machine.disk(), &planned.image, &Silent)
            .unwrap()
            .keep()
            .unwrap();
        let base = [("bootdelay", "0"), ("scriptaddr", "0x40200000")];
        let variables = base
            .iter()
            .chain(flash)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: BTreeMap<String, String> = variables.collect();
        let options = EnvironmentOptions::new(FLASH_ENV_SIZE);
        let bytes = if variables.contains_key("bootcmd") {
            uboot::environment(&variables, &options).unwrap()
        } else {
            chooser(&machine.device, &variables, &options).unwrap()
        };
        fs::write(machine.flash(), bytes).unwrap();
        File::options()
            .write(true)
            .open(machine.flash())
            .unwrap()
            .set_len(FLASH_SIZE)
            .unwrap();
        machine
    }

    fn first_counters(&self) -> Content {
        Content::from(counters(&self.device, &BTreeMap::new()).unwrap())
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    fn flash(&self) -> PathBuf {
        self.folder.path().join("flash.img")
    }

    /// Runs until the console has said that many lines about slots and scripts, and answers them.
    fn run(&self, count: usize) -> Vec<String> {
        let console = self.folder.path().join("console.log");
        let _ = fs::remove_file(&console);
        let drive =
            |kind: &str, path: &Path| format!("{kind},format=raw,cache=unsafe,file={}", path.display());
        let mut qemu = Command::new("qemu-system-aarch64")
            .args([
                "-machine",
                "virt",
                "-cpu",
                "cortex-a57",
                "-accel",
                "tcg",
                "-m",
                "256",
                "-nodefaults",
            ])
            .args([
                "-display",
                "none",
                "-bios",
                U_BOOT,
                "-drive",
                &drive("if=pflash,index=1", &self.flash()),
            ])
            .args([
                "-drive",
                &drive("if=none,id=disk", &self.disk()),
                "-device",
                "virtio-blk-device,drive=disk",
            ])
            .args(["-serial", &format!("file:{}", console.display())])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let mut said = String::new();
        // At its prompt, U-Boot waits for a person.
        let goes_on = |said: &str| told(said).len() < count && !said.ends_with("\n=> ");
        while goes_on(&said) && start.elapsed() < LIMIT && qemu.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(100));
            said = fs::read(&console).map_or(String::new(), |bytes| {
                String::from_utf8_lossy(&bytes).into_owned()
            });
        }
        qemu.kill().unwrap();
        qemu.wait().unwrap();
        let mut lines = told(&said);
        assert!(lines.len() >= count, "{} s:\n{said}", start.elapsed().as_secs());
        lines.truncate(count);
        eprintln!("{} lines in {:?}", count, start.elapsed());
        lines
    }

    /// What `fw_printenv` says of the counters.
    fn printenv(&self) -> String {
        let names = ["BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT"];
        let output = Command::new("fw_printenv")
            .arg("-c")
            .arg(self.config())
            .args(names)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .replace('\n', " ")
    }

    fn setenv(&self, name: &str, value: &str) {
        let args = [name, value];
        let output = Command::new("fw_setenv")
            .arg("-c")
            .arg(self.config())
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Our `fw_env.config`, about the image instead of the device.
    fn config(&self) -> PathBuf {
        let path = self.folder.path().join("fw_env.config");
        let text = fw_env_config(&self.device).unwrap();
        let text = text.replace("/dev/vda", &self.disk().display().to_string());
        fs::write(
            &path,
            text.replace("/dev/mtd1", &self.flash().display().to_string()),
        )
        .unwrap();
        path
    }
}

/// The lines of a console that are about slots.
fn told(console: &str) -> Vec<String> {
    let lines = console.lines().map(str::trim_end);
    let ours = lines.filter(|line| {
        ["SLOT ", "Slot ", "No slot"]
            .iter()
            .any(|begin| line.starts_with(begin))
    });
    ours.filter(|line| !line.contains("came back"))
        .map(str::to_owned)
        .collect()
}

/// A FAT with a boot script, or without.
fn fat(script: Option<&str>, size: u64) -> Content {
    let mut tree = Tree::default();
    if let Some(text) = script {
        let options = ScriptOptions {
            arch: Arch::Arm64,
            time: 0,
            name: String::new(),
        };
        let script = uboot::script(text.as_bytes(), &options).unwrap();
        tree.add_at(b"/boot.scr", Node::file(script)).unwrap();
    }
    let options = fat::Options {
        size: fat::Size::Exactly(size),
        ..fat::Options::default()
    };
    Content::from(fat::plan(&tree, &options).unwrap().image)
}

const A: &str = "SLOT rauc.slot=A virtio 0 1 2";
const B: &str = "SLOT rauc.slot=B virtio 0 3 4";

fn started(slot: &str, left: u32) -> String {
    format!("Slot {slot} is started; attempts left: {left}")
}

#[test]
fn slots_lose_attempts_until_all_get_theirs_back() {
    if !ready() {
        return;
    }
    let machine = Machine::new(whole(), &[], &[]);
    assert_eq!(machine.printenv(), "BOOT_ORDER=A B BOOT_A_LEFT=3 BOOT_B_LEFT=3");
    let mut expected = Vec::new();
    for (slot, says) in [("A", A), ("B", B)] {
        for left in [2, 1, 0] {
            expected.extend([started(slot, left), says.to_owned()]);
        }
    }
    expected.push("No slot has attempts left; each gets 3".to_owned());
    expected.extend([started("A", 2), A.to_owned()]);
    assert_eq!(machine.run(expected.len()), expected);
    assert_eq!(machine.printenv(), "BOOT_ORDER=A B BOOT_A_LEFT=2 BOOT_B_LEFT=3");
    let place = &machine.device.environment;
    let mut bytes = vec![0; usize::try_from(place.size).unwrap()];
    File::open(machine.disk())
        .unwrap()
        .read_exact_at(&mut bytes, place.start)
        .unwrap();
    let read = read_environment(&bytes, Copies::One, ByteOrder::Little).unwrap();
    assert_eq!(read.variables["BOOT_A_LEFT"], "2");

    // What Linux says is what U-Boot does next.
    machine.setenv("BOOT_ORDER", "B A");
    machine.setenv("BOOT_B_LEFT", "1");
    machine.setenv("BOOT_A_LEFT", "0");
    let none = "No slot has attempts left; each gets 3".to_owned();
    let expected = [
        started("B", 0),
        B.to_owned(),
        none.clone(),
        started("B", 2),
        B.to_owned(),
    ];
    assert_eq!(machine.run(expected.len()), expected);
    assert_eq!(machine.printenv(), "BOOT_ORDER=B A BOOT_A_LEFT=3 BOOT_B_LEFT=2");

    // A slot that is not in the order is not tried, and nothing but unknown slots is no order.
    machine.setenv("BOOT_ORDER", "C");
    assert_eq!(machine.run(2), [none, started("A", 2)]);

    // Damaged counters are as good as none.
    let disk = File::options().write(true).open(machine.disk()).unwrap();
    disk.write_all_at(b"?", place.start + 8).unwrap();
    assert_eq!(machine.run(2), [started("A", 2), A.to_owned()]);
    assert_eq!(machine.printenv(), "BOOT_ORDER=A B BOOT_A_LEFT=2 BOOT_B_LEFT=3");
}

#[test]
fn a_slot_without_a_script_is_passed_over() {
    if !ready() {
        return;
    }
    // The choice itself comes from a script here, which is overwritten while it runs.
    let run = "virtio scan; load virtio 0:5 ${scriptaddr} /boot.scr; source ${scriptaddr}";
    let machine = Machine::new(whole(), &["boot-a"], &[("bootcmd", run)]);
    let without = "Slot A has no /boot.scr".to_owned();
    let expected = [started("A", 2), without, started("B", 2), B.to_owned()];
    assert_eq!(machine.run(4), expected);
    assert_eq!(machine.printenv(), "BOOT_ORDER=A B BOOT_A_LEFT=2 BOOT_B_LEFT=2");
}

#[test]
fn counters_in_the_environment_of_u_boot_itself() {
    if !ready() {
        return;
    }
    let mut device = whole();
    device.chooser.keep = Keep::Saveenv;
    device.environment = Place {
        medium: Medium::Other {
            node: "/dev/mtd1".to_owned(),
            erase_size: None,
        },
        start: 0,
        size: FLASH_ENV_SIZE,
        second: None,
    };
    device.disk.regions.truncate(1);
    let machine = Machine::new(device, &[], &[("BOOT_A_LEFT", "0"), ("BOOT_B_LEFT", "a")]);
    assert_eq!(machine.run(2), [started("B", 9), B.to_owned()]);
    // This QEMU's flash is too slow for this U-Boot, which gives up saving; the slot is started all the same.
}
