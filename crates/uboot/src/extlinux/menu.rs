//! The text of a menu.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use image::Kind;

use super::order::numbers_first;
use super::{Choice, DeviceTree, Entry, Error, File, Menu, Result, Timeout};

const HEAD: &str = "\
# Generated file, all changes will be lost on nixos-rebuild!

# Change this to e.g. nixos-42 to temporarily boot to an older configuration.
DEFAULT nixos-default

";

/// Without a title, U-Boot starts the default at once.
const TITLE: &str = "MENU TITLE ------------------------------------------------------------\n";

/// What U-Boot takes for no limit.
const NEVER: u64 = 0;

/// `extlinux.conf`.
///
/// # Errors
/// When something has a line break in it, two entries have one label, a device tree that is named does not exist,
/// or a time is in no year of four digits.
pub fn text(menu: &Menu) -> Result<String> {
    let (tenths, title) = match menu.timeout {
        Timeout::Never => (NEVER, TITLE),
        Timeout::Seconds(0) => (1, ""),
        Timeout::Seconds(seconds) => (u64::from(seconds) * 10, TITLE),
    };
    let mut text = format!("{HEAD}TIMEOUT {tenths}\n{title}");
    text.push_str(&entry(menu, &menu.default, "default", "Default")?);

    let mut others: Vec<&Choice> = menu.others.iter().collect();
    others.sort_by(|one, other| newest_first(one, other));
    let mut tags = BTreeSet::new();
    for choice in others {
        let specialisation = choice.specialisation.as_deref().unwrap_or("default");
        let tag = format!("{}-{specialisation}", choice.generation);
        let shown = format!("Configuration {tag} ({} - {})", date(choice)?, choice.version);
        text.push_str(&entry(menu, &choice.entry, &tag, &shown)?);
        if !tags.insert(tag.clone()) {
            return Err(Error::LabelTwice {
                label: format!("nixos-{tag}"),
            });
        }
    }
    Ok(text)
}

fn newest_first(one: &Choice, other: &Choice) -> Ordering {
    let specialisations = match (&one.specialisation, &other.specialisation) {
        (Some(one), Some(other)) => numbers_first(one, other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    };
    other.generation.cmp(&one.generation).then(specialisations)
}

/// `COMMAND_LINE_SIZE` of arm64, x86 and riscv without the zero at its end; arm has half of it.
const COMMAND_LINE_MAX: usize = 2047;

fn entry(menu: &Menu, entry: &Entry, tag: &str, shown: &str) -> Result<String> {
    let command_line = format!("init={}/init {}", entry.system, entry.kernel_params);
    if command_line.len() > COMMAND_LINE_MAX {
        return Err(Error::CommandLineTooLong {
            system: entry.system.clone(),
            len: command_line.len(),
            limit: COMMAND_LINE_MAX,
        });
    }
    let mut lines = vec![
        String::new(),
        format!("LABEL nixos-{tag}"),
        format!("  MENU LABEL NixOS - {shown}"),
        format!("  LINUX {}", path(&entry.kernel)),
        format!("  INITRD {}", path(&entry.initrd)),
        format!("  APPEND {command_line}"),
    ];
    match (&menu.device_tree, &entry.device_trees) {
        (DeviceTree::Folder, Some(folder)) => lines.push(format!("  FDTDIR {}", path(folder))),
        (DeviceTree::Named(name), Some(folder)) if is_file(folder, name) => {
            lines.push(format!("  FDT {}/{name}", path(folder)));
        }
        (DeviceTree::Named(name), _) => {
            return Err(Error::NoDeviceTree {
                system: entry.system.clone(),
                name: name.clone(),
            });
        }
        (DeviceTree::Folder, None) | (DeviceTree::None, _) => {}
    }
    if let Some(line) = lines.iter().find(|line| line.contains(['\n', '\0'])) {
        return Err(Error::LineBreak {
            system: entry.system.clone(),
            line: line.trim_start().to_string(),
        });
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// Where a file lies, from the menu's folder.
fn path(file: &File) -> String {
    format!("../nixos/{}", file.name())
}

fn is_file(folder: &File, name: &str) -> bool {
    let found = folder.tree.lookup(name.as_bytes());
    found.is_some_and(|id| matches!(folder.tree.node(id).kind, Kind::File(_)))
}

const DAY: i64 = 24 * 60 * 60;

/// The first second of the year 1, and of the year 10000.
const TIMES: Range<i64> = -62_135_596_800..253_402_300_800;

/// Date and minute in UTC.
fn date(choice: &Choice) -> Result<String> {
    let time = choice.time;
    let day = day(time).ok_or_else(|| Error::Time {
        system: choice.entry.system.clone(),
        time,
    })?;
    let (hour, minute) = (time.rem_euclid(DAY) / 3600, time.rem_euclid(3600) / 60);
    Ok(format!("{day} {hour:02}:{minute:02}"))
}

/// The date of a time in seconds since 1970, in UTC, such as `2025-11-20`; none when the year has not four digits.
#[must_use]
pub fn day(time: i64) -> Option<String> {
    if !TIMES.contains(&time) {
        return None;
    }
    // Years that begin in March have the day that may be missing at their end; 400 of them always have the
    // same number of days.
    let days = time.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    Some(format!("{year:04}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Node, Tree};

    fn file(path: &str) -> File {
        File {
            path: format!("/nix/store/{path}"),
            tree: Tree::new(Node::file(path.as_bytes())),
        }
    }

    fn system(name: &str) -> Entry {
        let mut device_trees = Tree::default();
        let node = Node::file(&b"rock64"[..]);
        device_trees.add_at(b"/rockchip/rk3328-rock64.dtb", node).unwrap();
        Entry {
            system: format!("/nix/store/{name}"),
            kernel_params: "loglevel=4".into(),
            kernel: file("l-linux-6.12/Image"),
            initrd: file("i-initrd/initrd"),
            device_trees: Some(File {
                path: "/nix/store/l-linux-6.12/dtbs".into(),
                tree: device_trees,
            }),
        }
    }

    fn choice(generation: u32, specialisation: Option<&str>, time: i64) -> Choice {
        Choice {
            generation,
            specialisation: specialisation.map(Into::into),
            time,
            version: "25.11".into(),
            entry: system(&format!("s-{generation}")),
        }
    }

    fn menu() -> Menu {
        Menu {
            timeout: Timeout::Seconds(5),
            device_tree: DeviceTree::Folder,
            default: system("s"),
            others: Vec::new(),
        }
    }

    fn line(menu: &Menu, start: &str) -> Vec<String> {
        let text = text(menu).unwrap();
        let lines = text.lines().map(str::trim_start);
        let found = lines.filter_map(|line| line.strip_prefix(start));
        found.map(Into::into).collect()
    }

    #[test]
    fn a_menu_of_one_entry() {
        insta::assert_snapshot!(text(&menu()).unwrap(), @r"
        # Generated file, all changes will be lost on nixos-rebuild!

        # Change this to e.g. nixos-42 to temporarily boot to an older configuration.
        DEFAULT nixos-default

        TIMEOUT 50
        MENU TITLE ------------------------------------------------------------

        LABEL nixos-default
          MENU LABEL NixOS - Default
          LINUX ../nixos/l-linux-6.12-Image
          INITRD ../nixos/i-initrd-initrd
          APPEND init=/nix/store/s/init loglevel=4
          FDTDIR ../nixos/l-linux-6.12-dtbs
        ");
    }

    #[test]
    fn a_menu_of_generations_in_any_order() {
        let mut many = menu();
        many.others = vec![
            choice(9, Some("a"), 951_782_400),
            choice(10, None, 1),
            choice(9, Some("10"), 951_782_400),
            choice(9, None, 951_782_400),
        ];
        let shown = line(&many, "MENU LABEL ");
        assert_eq!(
            shown,
            [
                "NixOS - Default",
                "NixOS - Configuration 10-default (1970-01-01 00:00 - 25.11)",
                "NixOS - Configuration 9-default (2000-02-29 00:00 - 25.11)",
                "NixOS - Configuration 9-10 (2000-02-29 00:00 - 25.11)",
                "NixOS - Configuration 9-a (2000-02-29 00:00 - 25.11)",
            ]
        );
        let made = text(&many).unwrap();
        many.others.reverse();
        assert_eq!(text(&many).unwrap(), made);
        many.others.push(choice(9, Some("default"), 1));
        assert_eq!(
            text(&many).unwrap_err().to_string(),
            "nixos-9-default: two entries of the boot menu have this label"
        );
    }

    #[test]
    fn timeouts_are_tenths_of_a_second() {
        let with = |timeout| Menu { timeout, ..menu() };
        for (timeout, tenths, titles) in [
            (Timeout::Seconds(u32::MAX), "42949672950", 1),
            (Timeout::Seconds(0), "1", 0),
            (Timeout::Never, "0", 1),
        ] {
            assert_eq!(line(&with(timeout), "TIMEOUT "), [tenths]);
            assert_eq!(line(&with(timeout), "MENU TITLE ").len(), titles);
        }
    }

    #[test]
    fn device_trees_are_named_or_not() {
        let with = |device_tree| Menu {
            device_tree,
            ..menu()
        };
        let rock64 = with(DeviceTree::Named("rockchip/rk3328-rock64.dtb".into()));
        assert_eq!(
            line(&rock64, "FDT "),
            ["../nixos/l-linux-6.12-dtbs/rockchip/rk3328-rock64.dtb"]
        );
        assert_eq!(line(&rock64, "FDTDIR "), [""; 0]);
        assert_eq!(line(&with(DeviceTree::None), "FDT"), [""; 0]);
        let mut without = menu();
        without.default.device_trees = None;
        assert_eq!(line(&without, "FDT"), [""; 0]);
        without.device_tree = DeviceTree::Named("x.dtb".into());
        for menu in [
            without,
            with(DeviceTree::Named("rockchip".into())),
            with(DeviceTree::Named(String::new())),
        ] {
            let error = text(&menu).unwrap_err().to_string();
            assert!(
                error.starts_with("/nix/store/s: there is no device tree "),
                "{error}"
            );
        }
    }

    #[test]
    fn what_the_menu_cannot_hold_is_refused() {
        let mut broken = menu();
        broken.default.kernel_params = "quiet\nLABEL evil".into();
        assert_eq!(
            text(&broken).unwrap_err().to_string(),
            r#"/nix/store/s: "APPEND init=/nix/store/s/init quiet\nLABEL evil" has a line break, which a boot menu cannot hold"#
        );
        let mut broken = menu();
        broken.others = vec![choice(1, Some("a\nb"), 1)];
        assert!(matches!(text(&broken), Err(Error::LineBreak { .. })));
        let mut long = menu();
        let room = 2047 - "init=/nix/store/s/init ".len();
        long.default.kernel_params = "x".repeat(room);
        assert!(text(&long).is_ok());
        long.default.kernel_params.push('x');
        let error = text(&long).unwrap_err().to_string();
        assert!(
            error.contains("has 2048 bytes, and Linux takes no more than 2047"),
            "{error}"
        );
        for time in [i64::MIN, TIMES.start - 1, TIMES.end, i64::MAX] {
            broken.others = vec![choice(1, None, time)];
            assert!(matches!(text(&broken), Err(Error::Time { .. })));
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (time, shown) in [
            (0, "1970-01-01 00:00"),
            (-1, "1969-12-31 23:59"),
            (1_763_683_199, "2025-11-20 23:59"),
            (1_709_164_800, "2024-02-29 00:00"),
            (4_107_542_400, "2100-03-01 00:00"),
            (TIMES.start, "0001-01-01 00:00"),
            (TIMES.end - 1, "9999-12-31 23:59"),
        ] {
            assert_eq!(date(&choice(1, None, time)).unwrap(), shown);
        }
    }
}
