//! SBAT: which generations of boot loaders are in a file, so that broken ones can be revoked.
//!
//! The texts are lines of CSV; the first says which version of the scheme they follow.
//! <https://github.com/rhboot/shim/blob/main/SBAT.md>

use image::Content;

use crate::{Pe, Result};

const FIRST: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";
/// What an image with a kernel says of itself.
const UKI: &str = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/";
/// What an addon says of itself.
const ADDON: &str =
    "uki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html";

/// The text of an image: the lines of these files, then its own, or what is usual where there are none.
pub(crate) fn text(files: &[(&Pe, &Content)], own: Option<&str>, is_addon: bool) -> Result<Content> {
    let mut lines = vec![FIRST.to_string()];
    for (pe, content) in files {
        let Some(section) = pe.section(content, b".sbat")? else {
            continue;
        };
        let text = String::from_utf8_lossy(&section).into_owned();
        lines.extend(after_first(text.trim_end_matches('\0')));
    }
    match own {
        Some(text) => lines.extend(after_first(text)),
        None if is_addon => lines.push(ADDON.into()),
        None => lines.push(UKI.into()),
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Ok(Content::from(text.into_bytes()))
}

/// The lines behind the first, of a text that is SBAT.
fn after_first(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    match lines.next() {
        Some(first) if first.starts_with("sbat,") => lines.map(str::to_string).collect(),
        _ => Vec::new(),
    }
}
