//! What content is, by where it lies: what a map is colored by.

use crate::model::{Class, Node};

/// Folders, by their names, and what is in them, whatever its own name is; the outermost counts.
const FOLDERS: [(&str, Class); 22] = [
    ("firmware", Class::Firmware),
    ("modules", Class::Kernel),
    ("dtbs", Class::Kernel),
    ("locale", Class::Locales),
    ("locales", Class::Locales),
    ("i18n", Class::Locales),
    ("zoneinfo", Class::Locales),
    ("doc", Class::Documentation),
    ("docs", Class::Documentation),
    ("man", Class::Documentation),
    ("info", Class::Documentation),
    ("gtk-doc", Class::Documentation),
    ("licenses", Class::Documentation),
    ("include", Class::Development),
    ("pkgconfig", Class::Development),
    ("cmake", Class::Development),
    ("aclocal", Class::Development),
    ("site-packages", Class::Scripts),
    ("dist-packages", Class::Scripts),
    ("bin", Class::Programs),
    ("sbin", Class::Programs),
    ("libexec", Class::Programs),
];

/// What files are by the ends of their names.
const ENDINGS: [(&str, Class); 26] = [
    (".ko", Class::Kernel),
    (".ko.xz", Class::Kernel),
    (".ko.zst", Class::Kernel),
    (".dtb", Class::Kernel),
    (".dtbo", Class::Kernel),
    (".so", Class::Libraries),
    (".a", Class::Development),
    (".la", Class::Development),
    (".h", Class::Development),
    (".hpp", Class::Development),
    (".py", Class::Scripts),
    (".pyc", Class::Scripts),
    (".pl", Class::Scripts),
    (".pm", Class::Scripts),
    (".sh", Class::Scripts),
    (".lua", Class::Scripts),
    (".js", Class::Scripts),
    (".rb", Class::Scripts),
    (".mo", Class::Locales),
    (".efi", Class::Programs),
    (".fw", Class::Firmware),
    (".bin", Class::Firmware),
    (".md", Class::Documentation),
    (".html", Class::Documentation),
    (".1.gz", Class::Documentation),
    (".ucode", Class::Firmware),
];

/// What stands in the names of kernels and what is loaded with them.
const KERNELS: [&str; 7] = [
    "vmlinu",
    "bzImage",
    "zImage",
    "uImage",
    "initrd",
    "initramfs",
    "System.map",
];

/// The class of a file by its path, as it is shown; of one whose name says nothing, by whether it can be run.
#[must_use]
pub fn class_of(path: &str, is_executable: bool) -> Class {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for folder in folders.split('/') {
        if let Some((_, class)) = FOLDERS.iter().find(|(known, _)| *known == folder) {
            // A program's folder can hold its documentation, but not the other way round.
            let is_better = matches!(class, Class::Programs) && ends(name) == Some(Class::Libraries);
            return if is_better { Class::Libraries } else { *class };
        }
    }
    if KERNELS.iter().any(|part| name.contains(part)) || name == "Image" || name.contains("-Image") {
        return Class::Kernel;
    }
    if name.contains(".so.") {
        return Class::Libraries;
    }
    match ends(name) {
        None if is_executable && !name.contains('.') => Class::Programs,
        class => class.unwrap_or_default(),
    }
}

fn ends(name: &str) -> Option<Class> {
    let known = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
    known.map(|(_, class)| *class)
}

/// The class that most of some parts are of.
#[must_use]
pub fn most_of(parts: &[Node]) -> Class {
    let mut sums = [0_u64; Class::ALL.len()];
    for part in parts {
        if let Some(sum) = sums.get_mut(part.class as usize) {
            *sum = sum.saturating_add(part.bytes.most());
        }
    }
    let most = (0..sums.len()).max_by_key(|index| (sums[*index], std::cmp::Reverse(*index)));
    most.map_or(Class::Data, |index| Class::ALL[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_places_say() {
        for (path, class) in [
            ("/lib/modules/6.1.0/kernel/fs/ext4.ko.xz", Class::Kernel),
            ("/lib/firmware/brcm/x.txt", Class::Firmware),
            ("/lib/libc.so.6", Class::Libraries),
            ("/usr/bin/python3", Class::Programs),
            ("/share/doc/bin/x", Class::Documentation),
            ("/share/locale/de/LC_MESSAGES/x.mo", Class::Locales),
            ("/lib/python3.11/os.py", Class::Scripts),
            ("/Image", Class::Kernel),
            ("/lib/libz.a", Class::Development),
            ("/etc/passwd", Class::Data),
            ("passwd", Class::Data),
            ("/nixos/x-boot-vmlinuz-6.1", Class::Kernel),
        ] {
            assert_eq!(class_of(path, false), class, "{path}");
        }
        assert_eq!(class_of("/lib/systemd/systemd-logind", true), Class::Programs);
        assert_eq!(class_of("/config.txt", true), Class::Data);
    }
}
