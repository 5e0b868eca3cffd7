//! PCs boot our disks: `SeaBIOS` finds GRUB behind an MBR and in a GPT, and the same disk starts under UEFI.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::{scope, sleep};
use std::time::Duration;

use crate::demo::{demo, kiln, target};
use crate::ext4::is_made_for_all;
use crate::tools::{installed, run, tool};

const GRUB: &str = "/usr/lib/grub/i386-pc";
const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// The demo's system for PCs. What names and lengths tell of it is enough here.
fn closure() -> String {
    let store = demo().join("out/store-amd64");
    let store = store.display();
    format!(
        "schema = 1\nname = \"disk\"\n[closure]\nfrom = \"{store}/closure-info\"\nstore-root = \"{store}/root\"\ncheck = \"sizes\"\n"
    )
}

/// An ESP with systemd-boot, and a root that either firmware boots. Its label is what the demo's system looks for.
fn hybrid() -> String {
    let loader = demo().join("out/efi-loader/systemd-bootx64.efi");
    let loader = loader.display();
    format!(
        r#"
[fs.esp]
format = "fat"
bits = 32
cluster-size = "512B"
size = "64MiB"
files = {{ "/EFI/BOOT/BOOTX64.EFI" = "{loader}", "/kernel.efi" = "{{kernel}}", "/initrd" = "{{initrd}}" }}
[fs.esp.text]
"/loader/loader.conf" = "timeout 0\n"
"/loader/entries/nixos.conf" = "title NixOS\nlinux /kernel.efi\ninitrd /initrd\noptions init={{toplevel}}/init {{kernel-params}}\n"
[fs.root]
format = "ext4"
label = "NIXOS_SD"
closure = true
directories = ["/proc", "/sys", "/dev", "/run", "/etc", "/var", "/tmp"]
grub = {{ timeout = 0, serial = {{}} }}
[disk]
grub = {{ from = "{GRUB}" }}
[[disk.region]]
name = "bios"
type = "bios-boot"
[[disk.region]]
name = "esp"
type = "esp"
content = "fs.esp"
[[disk.region]]
name = "root"
type = "root-x86-64"
content = "fs.root"
"#
    )
}

/// A file system with copies of the kernel and the initial file system.
fn boot(format: &str, disk: &str) -> String {
    format!(
        "[fs.boot]\nformat = {format}\ngrub = {{ at = \"/\", timeout = 0, serial = {{}} }}\n\
         [disk]\ngrub = {{ from = \"{GRUB}\" }}\n{disk}\n\
         [[disk.region]]\nname = \"boot\"\ntype = \"linux\"\nbootable = true\ncontent = \"fs.boot\"\n"
    )
}

fn build(dir: &Path, name: &str, spec: &str) -> PathBuf {
    let path = dir.join(format!("{name}.toml"));
    fs::write(&path, closure() + spec).unwrap();
    let out = dir.join(name);
    run(kiln().arg("build").arg(path).arg("--out").arg(&out));
    out
}

/// What the console of a PC says until it says this, or for seven minutes.
fn console(disk: &Path, firmware: &[&str], wanted: &str) -> String {
    let log = disk.with_extension(format!("{}.log", firmware.len()));
    let mut machine = tool("qemu-system-x86_64");
    machine.args([
        "-machine", "q35", "-cpu", "qemu64", "-accel", "tcg", "-m", "1024", "-nic", "none",
    ]);
    machine
        .args(["-display", "none", "-monitor", "none", "-no-reboot"])
        .args(firmware);
    machine.arg("-serial").arg(format!("file:{}", log.display()));
    machine.arg("-drive").arg(format!(
        "if=virtio,format=raw,snapshot=on,file={}",
        disk.display()
    ));
    let mut machine = machine.stdin(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    for _ in 0..4000 {
        said = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        if said.contains(wanted) || machine.try_wait().unwrap().is_some() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let _ = machine.kill();
    machine.wait().unwrap();
    said
}

/// The machine starts the demo's system from a disk, as far as this line.
fn boots(disk: &Path, firmware: &[&str], wanted: &str) {
    let said = console(disk, firmware, wanted);
    let found = said.contains(wanted);
    assert!(
        found,
        "{}, {firmware:?}: the console does not say {wanted:?}:\n{said}",
        disk.display()
    );
}

#[test]
fn bios_and_uefi_boot_our_disks() {
    let tools = [
        "qemu-system-x86_64",
        OVMF,
        "/usr/lib/grub/i386-pc/kernel.img",
        "sgdisk",
    ];
    if !is_made_for_all() || !installed(&tools) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let bios_boot = "[[disk.region]]\nname = \"bios\"\ntype = \"bios-boot\"";
    let fat = boot("\"fat\"\nsize = \"64MiB\"", "table = \"mbr\"");
    let btrfs = boot(
        "\"btrfs\"\ncompression = \"zstd\"\nlevel = 3\nfree = \"0B\"",
        bios_boot,
    );
    let hybrid = build(dir, "hybrid", &hybrid()).join("disk.img");
    run(tool("sgdisk").arg("-v").arg(&hybrid));
    let (fat, again) = (build(dir, "fat", &fat), build(dir, "again", &fat));
    assert!(fs::read(fat.join("disk.img")).unwrap() == fs::read(again.join("disk.img")).unwrap());
    let fat = fat.join("disk.img");
    let btrfs = build(dir, "btrfs", &btrfs).join("disk.img");
    // The initial file system has run; or even the root's first program.
    let (stage_1, stage_2) = ("STAGE1 ", "STAGE2 /nix/store/");
    scope(|threads| {
        threads.spawn(|| {
            boots(&hybrid, &[], stage_2);
            boots(&fat, &[], stage_1);
        });
        threads.spawn(|| {
            boots(&hybrid, &["-bios", OVMF], stage_2);
            boots(&btrfs, &[], stage_1);
        });
    });
}

/// GRUB's own drivers read what its modules will read, and its parser takes the menu.
#[test]
fn grub_reads_menus_and_kernels_of_all_formats() {
    if !is_made_for_all() || !installed(&["grub-fstest", "grub-script-check"]) {
        return;
    }
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let mut spec = String::new();
    for (name, format) in [
        ("ext4", "\"ext4\"\nfree = \"0B\""),
        ("fat", "\"fat\"\nsize = \"64MiB\""),
        ("squashfs", "\"squashfs\"\ncompression = \"xz\"\nlevel = 0"),
        (
            "btrfs",
            "\"btrfs\"\ncompression = \"zstd\"\nlevel = 3\nfree = \"0B\"\nsubvolumes = { \"/@\" = { default = true } }",
        ),
    ] {
        let at = if name == "btrfs" { "/@/boot" } else { "/boot" };
        write!(
            spec,
            "[fs.{name}]\nformat = {format}\nfile = \"{name}\"\ngrub = {{ at = \"{at}\", extra-config = \"# {name}\" }}\n"
        )
        .unwrap();
    }
    let out = build(dir, "formats", &spec);
    for name in ["ext4", "fat", "squashfs", "btrfs"] {
        let at = if name == "btrfs" { "/@/boot" } else { "/boot" };
        let read = |path: &str| {
            let mut tool = tool("grub-fstest");
            let output = tool
                .arg(out.join(name))
                .args(["cat", &format!("(loop0){path}")])
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {path}");
            output.stdout
        };
        let menu = String::from_utf8(read(&format!("{at}/grub/grub.cfg"))).unwrap();
        assert!(menu.contains(&format!("# {name}\n")), "{menu}");
        let path = dir.join("grub.cfg");
        fs::write(&path, &menu).unwrap();
        run(tool("grub-script-check").arg(path));
        let kernel = menu
            .lines()
            .find_map(|line| line.trim().strip_prefix("linux ($drive1)"));
        let kernel = kernel.and_then(|line| line.split(' ').next()).unwrap();
        let mut cat = kiln();
        let ours = cat.arg("cat").arg(out.join(name)).arg(kernel).output().unwrap();
        assert!(
            read(kernel) == ours.stdout && ours.stdout.len() > 1 << 20,
            "{name}"
        );
    }
}

/// Limine's files come with its binary releases, which no package of Debian has.
#[test]
#[ignore = "long: tests/long fetches Limine, and runs it"]
fn bios_and_uefi_boot_limine() {
    let limine = demo().join("out/limine");
    let dir = tempfile::tempdir_in(target()).unwrap();
    let dir = dir.path();
    let from = limine.display();
    for (name, disk, firmwares) in [
        ("mbr", "table = \"mbr\"", &[&[][..]][..]),
        (
            "gpt",
            "[[disk.region]]\nname = \"bios\"\ntype = \"bios-boot\"",
            &[&[][..], &["-bios", OVMF][..]],
        ),
    ] {
        let spec = format!(
            r#"
[fs.esp]
format = "fat"
bits = 32
cluster-size = "512B"
size = "64MiB"
files = {{ "/EFI/BOOT/BOOTX64.EFI" = "{from}/BOOTX64.EFI", "/limine-bios.sys" = "{from}/limine-bios.sys", "/kernel" = "{{kernel}}", "/initrd" = "{{initrd}}" }}
[fs.esp.text]
"/limine.conf" = """
timeout: 0
serial: yes
/NixOS
    protocol: linux
    kernel_path: boot():/kernel
    module_path: boot():/initrd
    cmdline: init={{toplevel}}/init {{kernel-params}}
"""
[disk]
limine = {{ from = "{from}/limine-bios-hdd.h" }}
{disk}
[[disk.region]]
name = "esp"
type = "esp"
bootable = {}
content = "fs.esp"
"#,
            name == "mbr"
        );
        let disk = build(dir, name, &spec).join("disk.img");
        for firmware in firmwares {
            boots(&disk, firmware, "STAGE1 ");
        }
        // Limine's own installer finds nothing to change.
        let theirs = dir.join("theirs.img");
        fs::copy(&disk, &theirs).unwrap();
        let mut install = tool(limine.join("limine").to_str().unwrap());
        install.arg("bios-install").arg(&theirs);
        run(if name == "gpt" {
            install.arg("1")
        } else {
            &mut install
        });
        assert!(fs::read(&disk).unwrap() == fs::read(&theirs).unwrap(), "{name}");
    }
}
