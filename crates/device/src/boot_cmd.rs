//! The boot script that chooses a slot.
//!
//! It is written for the shell of old versions of U-Boot too, which knows neither functions nor `break`: its variables
//! are either U-Boot's own (`setenv`) or the shell's (`name=value`), which are not saved, cannot be empty, and are found
//! only when U-Boot has none of that name. `a && b || c` does not do `c` when `a` fails.

use crate::{Device, Keep, Medium, Result, counter};

/// How the script is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Line by line, for a file that becomes a `boot.scr`.
    Script,
    /// On one line, for a variable of the environment such as `bootcmd`.
    Line,
}

/// The commands by which U-Boot chooses a slot: the first in `BOOT_ORDER` that has attempts left. One is taken away and
/// that is saved, before the slot's own script is loaded and run, with `devtype`, `devnum`, `distro_bootpart`,
/// `distro_rootpart` and `raucargs` set: what U-Boot's own `BOOTMETH_RAUC` sets. A slot without a script is passed over;
/// a script that comes back is a failed attempt. When there are no attempts left, all slots get theirs back; the order
/// stays, since RAUC takes slots out of it that are not fit to run, unless it names no slot at all.
///
/// # Errors
/// As [`Device::check`].
pub fn boot_cmd(device: &Device, form: Form) -> Result<String> {
    device.check()?;
    let mut lines = Lines::default();
    prepare(device, &mut lines);
    choose(device, &mut lines);
    give_back(device, &mut lines);
    Ok(match form {
        Form::Script => lines.script(),
        Form::Line => lines.line(),
    })
}

/// Commands, with how deep each is inside of others.
#[derive(Default)]
struct Lines {
    lines: Vec<(usize, String)>,
    depth: usize,
}

impl Lines {
    fn add(&mut self, line: impl Into<String>) {
        self.lines.push((self.depth, line.into()));
    }

    /// A command with others inside, between these two lines.
    fn block(&mut self, begin: impl Into<String>, end: &str, inside: impl FnOnce(&mut Lines)) {
        self.add(begin);
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.add(end);
    }

    fn script(&self) -> String {
        let intro =
            "# Chooses the slot to start: the first in BOOT_ORDER that has attempts left.\n".to_owned();
        self.lines.iter().fold(intro, |text, (depth, line)| {
            text + &"  ".repeat(*depth) + line + "\n"
        })
    }

    fn line(&self) -> String {
        let mut text = String::new();
        for (_, line) in &self.lines {
            if !text.is_empty() {
                let opens = ["then", "do", "else"].iter().any(|word| text.ends_with(word));
                text.push_str(if opens { " " } else { "; " });
            }
            text.push_str(line);
        }
        text
    }
}

/// The names of all counters, in a fixed order.
fn counters(device: &Device) -> Vec<String> {
    let choices = device.choices();
    let left = choices.iter().map(|(name, ..)| counter(name));
    std::iter::once("BOOT_ORDER".to_owned()).chain(left).collect()
}

/// Finds the disk and the counters.
fn prepare(device: &Device, lines: &mut Lines) {
    let chooser = &device.chooser;
    for command in &chooser.prepare {
        lines.add(command);
    }
    lines.add(format!("setenv devtype {}", chooser.device_type));
    lines.add(format!("setenv devnum {:x}", chooser.device_number));
    if let Some((first, count)) = blocks(device) {
        let names = counters(device);
        for name in &names {
            lines.add(format!("setenv {name}"));
        }
        let (kind, number, address) = (&chooser.device_type, chooser.device_number, &chooser.address);
        let read = format!("{kind} dev {number:x} && {kind} read {address} {first:x} {count:x}");
        lines.block(format!("if {read}; then"), "fi", |lines| {
            let size = device.environment.size;
            lines.add(format!("env import -c {address} {size:x} {}", names.join(" ")));
        });
    }
    for (name, value) in device.first_counters() {
        lines.block(format!("if test -z \"${{{name}}}\"; then"), "fi", |lines| {
            lines.add(format!("setenv {name} \"{value}\""));
        });
    }
}

/// Where the counters' own environment is: the first block and how many; none when U-Boot keeps them in its own.
fn blocks(device: &Device) -> Option<(u64, u64)> {
    let place = &device.environment;
    match (device.chooser.keep, &place.medium) {
        (Keep::Region, Medium::Disk(_)) => {
            let block = device.disk.sector_size;
            Some((place.start.checked_div(block)?, place.size.checked_div(block)?))
        }
        _ => None,
    }
}

/// What saves the counters.
fn save(device: &Device) -> String {
    let chooser = &device.chooser;
    let Some((first, count)) = blocks(device) else {
        return "saveenv".to_owned();
    };
    let (kind, address, size) = (&chooser.device_type, &chooser.address, device.environment.size);
    let names = counters(device).join(" ");
    format!("env export -c -s {size:x} {address} {names} && {kind} write {address} {first:x} {count:x}")
}

/// Tries the slots.
fn choose(device: &Device, lines: &mut Lines) {
    let chooser = &device.chooser;
    lines.add("ab_known=no");
    lines.add("ab_found=no");
    lines.block("for ab_slot in ${BOOT_ORDER}; do", "done", |lines| {
        lines.add("ab_try=no");
        for (name, boot, root) in device.choices() {
            let left = counter(name);
            let known = format!("if test \"${{ab_slot}}\" = \"{name}\"; then");
            lines.block(known, "fi", |lines| lines.add("ab_known=yes"));
            // RAUC writes hexadecimal numbers.
            let condition = format!("test \"${{ab_slot}}\" = \"{name}\" && test 0x${{{left}}} -gt 0");
            lines.block(format!("if {condition}; then"), "fi", |lines| {
                lines.add(format!("setexpr {left} ${{{left}}} - 1"));
                lines.add(format!("setenv distro_bootpart {:x}", boot.number));
                if let Some(root) = root {
                    lines.add(format!("setenv distro_rootpart {:x}", root.number));
                }
                lines.add(format!(
                    "echo \"Slot {name} is started; attempts left: ${{{left}}}\""
                ));
                lines.add("ab_try=yes");
            });
        }
        lines.block("if test \"${ab_try}\" = \"yes\"; then", "fi", |lines| {
            lines.add("ab_found=yes");
            lines.add("setenv raucargs \"rauc.slot=${ab_slot}\"");
            add_save(device, lines);
            let (address, script) = (&chooser.address, &chooser.script);
            let load = format!("load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {address} {script}");
            lines.block(format!("if {load}; then"), "fi", |lines| {
                lines.add(format!("source {address}"));
                lines.add("echo \"Slot ${ab_slot}: its script came back\"");
                lines.add("reset");
            });
            lines.add(format!("echo \"Slot ${{ab_slot}} has no {script}\""));
        });
    });
}

fn add_save(device: &Device, lines: &mut Lines) {
    lines.block(format!("if {}; then", save(device)), "fi", |lines| {
        lines.add("echo \"Counters are saved\"");
        lines.depth -= 1;
        lines.add("else");
        lines.depth += 1;
        lines.add("echo \"Counters cannot be saved\"");
    });
}

/// Starts over.
fn give_back(device: &Device, lines: &mut Lines) {
    lines.block("if test \"${ab_known}\" = \"no\"; then", "fi", |lines| {
        let order = device.first_counters().remove("BOOT_ORDER").unwrap_or_default();
        lines.add(format!("setenv BOOT_ORDER \"{order}\""));
    });
    lines.block("if test \"${ab_found}\" = \"no\"; then", "fi", |lines| {
        lines.add(format!(
            "echo \"No slot has attempts left; each gets {}\"",
            device.attempts
        ));
        for (name, ..) in device.choices() {
            lines.add(format!("setenv {} {}", counter(name), device.attempts));
        }
        add_save(device, lines);
    });
    lines.add("reset");
}
