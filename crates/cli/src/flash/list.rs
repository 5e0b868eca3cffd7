//! What could be flashed.

use std::fmt::Write as _;

use flash::{Device, Host};

use crate::failure::Failure;
use crate::ui::{Ui, size};

/// Lists all disks: first those that can be flashed, then the others, with what speaks against it.
pub(crate) fn run(host: &Host, ui: &Ui) -> Result<(), Failure> {
    let devices = host.devices()?;
    if ui.json() {
        return ui.print_json(&devices);
    }
    let (refused, free): (Vec<&Device>, Vec<&Device>) =
        devices.iter().partition(|device| device.obstacle.is_some());
    let mut text = String::new();
    if free.is_empty() {
        text.push_str("nothing can be flashed\n");
    }
    for device in free {
        let _ = writeln!(text, "{}  {}", device.path.display(), sentence(device));
    }
    if !refused.is_empty() {
        text.push_str("\nnot these:\n");
    }
    for device in refused {
        let _ = writeln!(text, "{}  {}", device.path.display(), sentence(device));
        if let Some(obstacle) = &device.obstacle {
            let _ = writeln!(text, "  {obstacle}");
        }
    }
    ui.print(&text)
}

/// A disk in one line: `29.8 GiB, usb, SanDisk Ultra, serial 4C53, removable, with sdb1 and sdb2`.
pub(crate) fn sentence(device: &Device) -> String {
    let mut parts = vec![size(device.size)];
    parts.extend(device.bus.map(ToString::to_string));
    parts.push(device.title());
    if device.removable {
        parts.push("removable".into());
    }
    if let Some(of) = &device.partition_of {
        parts.push(format!("a partition of {of}"));
    }
    match &device.partitions[..] {
        [] => {}
        names => parts.push(format!("with {}", names.join(" "))),
    }
    if device.is_partly_written {
        parts.push("partly written by a flash that did not end".into());
    }
    parts.join(", ")
}
