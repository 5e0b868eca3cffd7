//! RAUC's configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Device, Result, Role, Status};

/// RAUC's `system.conf`.
///
/// # Errors
/// As [`Device::check`].
pub fn system_conf(device: &Device) -> Result<String> {
    device.check()?;
    let mut text = String::new();
    section(&mut text, "system", &system(device), device);
    let keyring = vec![("path", device.keyring.clone())];
    section(&mut text, "keyring", &keyring, device);
    for name in device.settings.keys() {
        if name != "system" && name != "keyring" {
            section(&mut text, name, &[], device);
        }
    }
    slots(&mut text, device);
    Ok(text)
}

fn system(device: &Device) -> Vec<(&'static str, String)> {
    let mut keys = vec![
        ("compatible", device.compatible.clone()),
        ("bootloader", "uboot".to_owned()),
        ("boot-attempts", device.attempts.to_string()),
        ("boot-attempts-primary", device.attempts.to_string()),
        match &device.status {
            Status::Directory(path) => ("data-directory", path.clone()),
            Status::File(path) => ("statusfile", path.clone()),
        },
    ];
    let given = device.settings.get("system");
    if given.is_none_or(|given| !given.contains_key("bundle-formats")) {
        keys.push(("bundle-formats", "-plain".to_owned()));
    }
    keys
}

/// A section: what follows from the device, and then what else was asked for.
fn section(text: &mut String, name: &str, keys: &[(&str, String)], device: &Device) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "[{name}]");
    let none = BTreeMap::new();
    let given = device.settings.get(name).unwrap_or(&none);
    let keys = keys.iter().map(|(key, value)| (*key, value));
    let given = given.iter().map(|(key, value)| (key.as_str(), value));
    for (key, value) in keys.chain(given) {
        let _ = writeln!(text, "{key}={}", escape(value));
    }
}

/// A value as key files have it.
fn escape(value: &str) -> String {
    let mut text = String::new();
    for (index, character) in value.chars().enumerate() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            ' ' if index == 0 => text.push_str("\\s"),
            other => text.push(other),
        }
    }
    text
}

fn slots(text: &mut String, device: &Device) {
    let longest = device.slots.iter().map(|class| class.partitions.len()).max();
    for index in 0..longest.unwrap_or(0) {
        for class in &device.slots {
            let name = class.partitions.get(index);
            let Some(partition) = name.and_then(|name| device.partition(name)) else {
                continue;
            };
            let _ = writeln!(text, "\n[slot.{}.{index}]", class.name);
            let _ = writeln!(text, "device={}", device.node(partition));
            let _ = writeln!(text, "type={}", class.kind.name());
            match &class.role {
                Role::Boots(names) => {
                    let _ = writeln!(text, "bootname={}", names.get(index).map_or("", String::as_str));
                }
                Role::Follows(parent) => {
                    let _ = writeln!(text, "parent={parent}.{index}");
                }
            }
        }
    }
}
