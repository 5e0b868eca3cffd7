//! QEMU: where it is, and what it is told.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::firmware::Firmware;
use super::overlay::Overlay;
use crate::args::run::{Accel, Arch, Run};
use crate::environment::variable;
use crate::failure::Failure;

/// What lets programs use the processor for machines of their own.
const KVM: &str = "/dev/kvm";

/// The QEMU for a machine.
pub(super) fn program(args: &Run, arch: Arch) -> Result<PathBuf, Failure> {
    let (name, debian) = match arch {
        Arch::Amd64 => ("qemu-system-x86_64", "qemu-system-x86"),
        Arch::Arm64 => ("qemu-system-aarch64", "qemu-system-arm"),
    };
    let hint = format!("install {debian} (Debian) or qemu (Nix), or name the program with --qemu");
    match &args.qemu {
        Some(said) if said.components().count() > 1 => is_program(said)
            .then(|| said.clone())
            .ok_or_else(|| Failure::input("is no program").at(said).hint(hint)),
        said => {
            let name = said.as_deref().unwrap_or(Path::new(name));
            let missing = || Failure::input(format!("{}: is not on the PATH", name.display())).hint(hint);
            on_path(name).ok_or_else(missing)
        }
    }
}

/// A program that comes with another one.
pub(super) fn beside(other: &Path, name: &str) -> Option<PathBuf> {
    let beside = other.with_file_name(name);
    Some(beside)
        .filter(|path| is_program(path))
        .or_else(|| on_path(Path::new(name)))
}

fn on_path(name: &Path) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let mut folders = std::env::split_paths(&path);
    folders.find_map(|folder| Some(folder.join(name)).filter(|path| is_program(path)))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// How the processor is made: by this machine's own where it is of the same kind, and may be used.
pub(super) fn accel(said: Option<Accel>, arch: Arch) -> Result<Accel, Failure> {
    let is_same = matches!((arch, ARCH), (Arch::Amd64, "x86_64") | (Arch::Arm64, "aarch64"));
    let opened = || OpenOptions::new().read(true).write(true).open(KVM);
    match said {
        None if is_same && opened().is_ok() => Ok(Accel::Kvm),
        None | Some(Accel::Tcg) => Ok(Accel::Tcg),
        Some(Accel::Kvm) if !is_same => {
            let problem = format!(
                "--accel kvm: this machine is {ARCH}, and cannot run {} by itself",
                arch.name()
            );
            Err(Failure::usage(problem).hint("leave it out: it is emulated then"))
        }
        Some(Accel::Kvm) => match opened() {
            Ok(_) => Ok(Accel::Kvm),
            Err(error) => Err(Failure::input(format!("{KVM}: cannot be opened: {error}"))
                .hint("leave --accel kvm out, or let this user into the group kvm")),
        },
    }
}

/// All that QEMU has to know.
pub(super) struct Machine<'a> {
    pub(super) arch: Arch,
    pub(super) accel: Accel,
    pub(super) firmware: &'a Firmware,
    pub(super) socket: &'a Path,
    pub(super) uri: String,
    pub(super) overlay: &'a Overlay,
}

impl Machine<'_> {
    /// QEMU's arguments, and those of the user behind them, which then count.
    pub(super) fn arguments(&self, args: &Run) -> Vec<OsString> {
        let mut all = Arguments::default();
        let (machine, emulated) = match self.arch {
            Arch::Amd64 => ("q35", "qemu64"),
            Arch::Arm64 => ("virt", "cortex-a57"),
        };
        let (accel, cpu) = match self.accel {
            Accel::Kvm => ("kvm", "host"),
            Accel::Tcg => ("tcg", emulated),
        };
        let machine = match (self.arch, self.accel) {
            // As new as the processor's own.
            (Arch::Arm64, Accel::Kvm) => format!("{machine},gic-version=max"),
            _ => machine.to_string(),
        };
        let memory = format!("{}M", args.memory.bytes(512).div_ceil(1 << 20));
        all.add("-machine", machine);
        all.add("-accel", accel);
        all.add("-cpu", cpu);
        all.add("-smp", args.cores.to_string());
        all.add("-m", memory);
        match self.firmware {
            Firmware::Own => {}
            Firmware::Whole(file) => all.add("-bios", file),
            Firmware::Flash { code, variables } => {
                all.add(
                    "-drive",
                    with_path("if=pflash,format=raw,unit=0,readonly=on,file=", code),
                );
                // What firmware remembers is forgotten.
                all.add(
                    "-drive",
                    with_path("if=pflash,format=raw,unit=1,snapshot=on,file=", variables),
                );
            }
        }
        self.add_disk(&mut all);
        all.add("-device", "virtio-rng-pci");
        let ssh = args.ssh.map(|port| format!(",hostfwd=tcp:127.0.0.1:{port}-:22"));
        all.add(
            "-nic",
            format!("user,model=virtio-net-pci{}", ssh.unwrap_or_default()),
        );
        all.add("-display", "none");
        all.add("-serial", "mon:stdio");
        all.0.extend(args.more.iter().cloned());
        all.0
    }

    fn add_disk(&self, all: &mut Arguments) {
        match self.overlay {
            Overlay::ThrownAway => {
                let uri = &self.uri;
                let flags = "snapshot=on,discard=unmap,detect-zeroes=unmap";
                all.add("-drive", format!("if=none,id=disk,format=raw,{flags},file={uri}"));
            }
            Overlay::Kept(file) => {
                let server = json!({ "type": "unix", "path": lossy(self.socket) });
                let image = json!({
                    "driver": "nbd", "node-name": "image", "read-only": true, "server": server, "export": "disk"
                });
                let disk = json!({
                    "driver": "qcow2", "node-name": "disk", "discard": "unmap", "detect-zeroes": "unmap",
                    "file": { "driver": "file", "filename": lossy(file) }, "backing": "image"
                });
                all.add("-blockdev", image.to_string());
                all.add("-blockdev", disk.to_string());
            }
        }
        all.add("-device", "virtio-blk-pci,drive=disk,bootindex=0");
    }
}

/// QEMU's JSON has texts, and no other bytes.
fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A value with a path at its end. A comma means something to QEMU, unless it is doubled.
fn with_path(begin: &str, path: &Path) -> OsString {
    let mut bytes = begin.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(*byte);
        }
    }
    OsString::from_vec(bytes)
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.extend([name.into(), value.into()]);
    }
}
