//! Boot counters in names: how often the boot loader may still try an image, and how often it has.
//!
//! ```text
//!  kilnos_2+3-0.efi ──boot──► +2-1 ──boot──► +1-2 ──boot──► +0-3      tried in vain: sorted last from now on
//!                      │ marked good
//!                      └──► kilnos_2.efi
//! ```
//!
//! <https://uapi-group.org/specifications/specs/boot_loader_specification/#boot-counting>

/// What images' names end with.
const ENDING: &str = ".efi";

/// A boot counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootCount {
    /// How often it is still tried.
    pub left: u32,
    /// How often it was.
    pub done: u32,
}

/// The name of an image with a counter, or without one when its boots are not counted.
#[must_use]
pub fn file(stem: &str, count: Option<BootCount>) -> String {
    let count = count.map_or_else(String::new, |BootCount { left, done }| format!("+{left}-{done}"));
    format!("{stem}{count}{ENDING}")
}

/// The name and the counter that an image's name has, as the boot loader reads it; none when it is no image's.
#[must_use]
pub fn read(file: &str) -> Option<(&str, Option<BootCount>)> {
    let whole = file.strip_suffix(ENDING)?;
    let count = |text: &str| {
        let (left, done) = match text.split_once('-') {
            Some((left, done)) => (number(left)?, number(done)?),
            None => (number(text)?, 0),
        };
        Some(BootCount { left, done })
    };
    // What looks like a counter and is none belongs to the name.
    match whole.rsplit_once('+').map(|(stem, text)| (stem, count(text))) {
        Some((stem, Some(count))) => Some((stem, Some(count))),
        _ => Some((whole, None)),
    }
}

fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// What names of a version look like on a device, the one of new versions first.
#[must_use]
pub fn patterns(stem: &str, counts: bool) -> [String; 3] {
    let counted = [format!("{stem}+@l-@d{ENDING}"), format!("{stem}+@l{ENDING}")];
    let plain = format!("{stem}{ENDING}");
    let [both, left] = counted;
    if counts {
        [both, left, plain]
    } else {
        [plain, both, left]
    }
}
