//! Differences, for people.

use std::fmt::Write as _;

use super::entries::{FileEntry, PackageEntry, Pair, PartEntry, UpdateEntry};
use crate::ui::size;

/// So many of a kind are shown; `--json` has all.
const SHOWN: usize = 20;

pub(super) fn describe(parts: &[PartEntry]) -> String {
    let mut text = String::new();
    for part in parts {
        let path = if part.path.is_empty() { "/" } else { &part.path };
        let formats = arrow(part.format.before, part.format.after);
        let sizes = arrow(part.size.before.map(size), part.size.after.map(size));
        let _ = writeln!(text, "{path} ({formats}, {sizes}): {}", part.change);
        for problem in &part.problems {
            let _ = writeln!(text, "  damaged: {problem}");
        }
        for option in &part.options {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".into());
            let _ = writeln!(
                text,
                "  {}: {} → {}",
                option.name,
                shown(&option.before),
                shown(&option.after)
            );
        }
        for region in &part.regions {
            let _ = writeln!(
                text,
                "  {}, bytes {} to {}: first differs at byte {}",
                region.name, region.start, region.end, region.first
            );
        }
        packages(&part.packages, &mut text);
        some(&part.files, "files", file, &mut text);
        if let Some(update) = &part.update {
            costs(update, &mut text);
        }
        if let Some(first) = &part.first {
            let structure = arrow(first.structure.before.as_ref(), first.structure.after.as_ref());
            let _ = writeln!(
                text,
                "  first byte that differs: {} ({:#x}), {structure}",
                first.byte, first.byte
            );
        }
    }
    if text.is_empty() {
        text.push_str("no difference\n");
    }
    text
}

/// What is the same before and after stands there once.
fn arrow<T: PartialEq + std::fmt::Display>(before: Option<T>, after: Option<T>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (Some(only), _) | (None, Some(only)) => only.to_string(),
        (None, None) => String::new(),
    }
}

/// The first of a list, and how many there are more.
fn some<T>(list: &[T], what: &str, line: fn(&T, &mut String), text: &mut String) {
    for one in list.iter().take(SHOWN) {
        line(one, text);
    }
    if let Some(more) = list.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(text, "  … and {more} more {what}: --json has all");
    }
}

fn file(file: &FileEntry, text: &mut String) {
    let sign = match file.change {
        "added" => '+',
        "removed" => '-',
        _ => '~',
    };
    let _ = write!(text, "  {sign} {}", file.path);
    if !file.fields.is_empty() {
        let _ = write!(text, ": {}", file.fields.join(", "));
    }
    let bytes = &file.bytes;
    if bytes.before != bytes.after && (bytes.before, bytes.after) != (None, Some(0)) {
        let sizes = arrow(bytes.before.map(size), bytes.after.map(size));
        let _ = write!(text, ", {sizes}");
    }
    text.push('\n');
}

fn packages(packages: &[PackageEntry], text: &mut String) {
    if packages.is_empty() {
        return;
    }
    let mut list: Vec<&PackageEntry> = packages.iter().collect();
    let change = |package: &PackageEntry| delta(&package.bytes);
    list.sort_by_key(|package| std::cmp::Reverse(change(package).unsigned_abs()));
    let all: i128 = packages.iter().map(change).sum();
    let _ = writeln!(text, "  packages: {}", signed(all));
    let line = |package: &&PackageEntry, text: &mut String| {
        let side = |versions: &Option<Vec<String>>| match versions.as_deref() {
            None | Some([]) => "∅".to_string(),
            Some(versions) => {
                let shown = versions
                    .iter()
                    .map(|version| if version.is_empty() { "ε" } else { version });
                shown.collect::<Vec<&str>>().join(", ")
            }
        };
        let (before, after) = (side(&package.versions.before), side(&package.versions.after));
        let versions = if before == after {
            format!("{before}, another build")
        } else {
            format!("{before} → {after}")
        };
        let _ = writeln!(
            text,
            "    {}: {versions}, {}",
            package.name,
            signed(delta(&package.bytes))
        );
    };
    some(&list, "packages", line, text);
}

fn delta(bytes: &Pair<u64>) -> i128 {
    i128::from(bytes.after.unwrap_or_default()) - i128::from(bytes.before.unwrap_or_default())
}

fn signed(bytes: i128) -> String {
    let shown = size(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX));
    match bytes {
        0 => "no bytes more or less".into(),
        1.. => format!("+{shown}"),
        _ => format!("-{shown}"),
    }
}

fn costs(update: &UpdateEntry, text: &mut String) {
    let bytes = |blocks: u64| size(blocks * update.block_size);
    let _ = writeln!(
        text,
        "  update: {} of {} blocks of {} are new, {}; {} are to be written, {}",
        update.new_blocks,
        update.blocks,
        size(update.block_size),
        bytes(update.new_blocks),
        update.changed_blocks,
        bytes(update.changed_blocks)
    );
    if let Some(fetched) = &update.fetched {
        let how = match fetched.index {
            0 => String::new(),
            index => format!(", {} of it the index", size(index)),
        };
        let _ = writeln!(
            text,
            "  RAUC fetches: {}{how} ({})",
            size(fetched.bytes),
            fetched.method
        );
    }
    let mut causes: Vec<(&String, &u64)> = update.causes.iter().collect();
    causes.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), *name));
    let line = |(name, bytes): &(&String, &u64), text: &mut String| {
        let _ = writeln!(text, "    {}: {}", name, size(**bytes));
    };
    some(&causes, "causes", line, text);
}
