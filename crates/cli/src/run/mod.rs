//! `kiln run`: an image boots in QEMU, from the bytes that would be written.

mod firmware;
mod guest;
mod overlay;
mod qemu;

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;

use nbd::{Address, Export};

use crate::args::run::{Accel, Run};
use crate::failure::Failure;
use crate::serve::{open, own_socket, run_command, start};
use crate::ui::Ui;
use firmware::Firmware;
use guest::Guest;
use overlay::Overlay;
use qemu::Machine;

pub(crate) fn run(args: &Run, threads: usize, ui: &Ui) -> Result<ExitCode, Failure> {
    // What can be known before the work is.
    check_port(args)?;
    if let Some(arch) = args.arch {
        let program = qemu::program(args, arch)?;
        qemu::accel(args.accel, arch)?;
        if let Some(boots) = guest::said(args) {
            firmware::find(Guest { arch, boots }, args.firmware.as_deref(), &program)?;
        }
    }
    let opened = open(&args.source, None, threads, ui)?;
    let guest = guest::of(&opened.content, args, threads, ui)?;
    let program = qemu::program(args, guest.arch)?;
    let firmware = firmware::find(guest, args.firmware.as_deref(), &program)?;
    let accel = qemu::accel(args.accel, guest.arch)?;
    let (address, _folder) = own_socket()?;
    let overlay = match &args.persist {
        Some(file) => Overlay::kept(file, &opened.content, &program)?,
        None => Overlay::ThrownAway,
    };
    let export = Export::new(&opened.name, &opened.description, opened.content)?;
    let served = start(export, &address)?;
    let Address::Socket(socket) = served.0.address() else {
        return Err(Failure::usage("a socket was asked for"));
    };
    let machine = Machine {
        arch: guest.arch,
        accel,
        firmware: &firmware,
        socket,
        uri: served.0.uri(),
        overlay: &overlay,
    };
    let arguments: Vec<OsString> = machine.arguments(args);
    ui.note(&told(args, guest.arch.name(), &firmware, accel));
    run_command(program.as_os_str(), &arguments)
}

/// What boots where, and how it is left.
fn told(args: &Run, arch: &str, firmware: &Firmware, accel: Accel) -> String {
    let accel = match accel {
        Accel::Kvm => "KVM",
        Accel::Tcg => "emulated",
    };
    let image = args.source.image.display();
    let ssh = args.ssh.map(|port| format!("; ssh -p {port} root@localhost"));
    let ssh = ssh.unwrap_or_default();
    let boots = firmware.told();
    format!("booting {image}: {arch}, {accel}, {boots}{ssh}; Ctrl-A X ends it")
}

/// QEMU would say it after the work, and less clearly.
fn check_port(args: &Run) -> Result<(), Failure> {
    let Some(port) = args.ssh else {
        return Ok(());
    };
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.get()))
        .map(drop)
        .map_err(|error| {
            let hint = "choose another port, such as 2222".to_string();
            Failure::output(
                format!("--ssh {port}: cannot be listened on: {error}"),
                Some(hint),
            )
        })
}
