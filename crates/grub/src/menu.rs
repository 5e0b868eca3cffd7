//! Menus: `grub.cfg`, as NixOS has one.
//!
//! ```text
//!  search --set=drive1 --fs-uuid 1f…        the file system with the kernels
//!  set default=0
//!  set timeout=5
//!  menuentry "NixOS - Default" --class nixos --unrestricted {
//!    search --set=drive1 --fs-uuid 1f…
//!    linux ($drive1)/nix/store/…-linux-6.12/bzImage init=/nix/store/…/init loglevel=4
//!    initrd ($drive1)/nix/store/…-initrd/initrd
//!  }
//!  submenu "NixOS - All configurations" --class submenu { … }
//! ```
//!
//! [`text`] makes what nixpkgs' `install-grub.pl` makes of the same systems, as far as what boots is concerned, so that
//! `nixos-rebuild` on the machine goes on where the image ends. Dates are given, and pictures and fonts are left out.

use std::fmt::Write as _;

use crate::{Error, Result};

/// A menu. Its choices are in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Menu {
    /// How GRUB finds the file system with the kernels.
    pub search: Search,
    /// How long it waits.
    pub timeout: Timeout,
    /// The entry that starts when nobody chooses, counted from 0.
    pub default: u32,
    /// The serial line on which it is shown, too.
    pub serial: Option<Serial>,
    /// Lines before the entries.
    pub extra_config: String,
    /// Lines behind the entries.
    pub extra_entries: String,
    /// What can be chosen at once.
    pub entries: Vec<Entry>,
    /// What can be chosen beside that: older systems.
    pub others: Vec<Entry>,
}

/// How GRUB finds a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// By its UUID, or the id of a FAT, such as `2178-694E`.
    Uuid(String),
    /// By a file that is in no other one; for those that have no UUID.
    File(String),
}

/// How long a menu waits before it starts the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// This many seconds; with none, no menu is shown.
    Seconds(u32),
    /// Until somebody chooses.
    Never,
}

/// A serial line of a PC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial {
    /// Its number: 0 for the first, which Linux calls `ttyS0`.
    pub unit: u32,
    /// Bits in a second.
    pub speed: u32,
}

/// A system that can be started.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What the menu calls it.
    pub title: String,
    /// The toplevel's path, in which `init` lies.
    pub system: String,
    /// What the kernel is told beside `init`.
    pub kernel_params: String,
    /// The kernel's path in the file system.
    pub kernel: String,
    /// That of the initial file system.
    pub initrd: String,
}

impl Search {
    /// The command of an embedded config, where there are no options: it sets a variable.
    #[must_use]
    pub fn embedded(&self, variable: &str) -> String {
        match self {
            Search::Uuid(uuid) => format!("search.fs_uuid {uuid} {variable}"),
            Search::File(path) => format!("search.file {} {variable}", word(path)),
        }
    }

    fn command(&self) -> String {
        match self {
            Search::Uuid(uuid) => format!("search --set=drive1 --fs-uuid {uuid}"),
            Search::File(path) => format!("search --set=drive1 --file {}", word(path)),
        }
    }
}

/// The usual beginning. `grub-reboot` says `next_entry`, for one start.
const HEAD: &str = "\
# Generated file, all changes will be lost on nixos-rebuild!

SEARCH
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ \"${next_entry}\" ]; then
  set default=\"${next_entry}\"
  set next_entry=
  save_env next_entry
  set timeout=1
else
  set default=DEFAULT
  set timeout=TIMEOUT
fi
";

/// `grub.cfg`.
///
/// # Errors
/// When a system's parameters cannot be handed on: see [`Error`].
pub fn text(menu: &Menu) -> Result<String> {
    let timeout = match menu.timeout {
        Timeout::Seconds(seconds) => seconds.to_string(),
        Timeout::Never => "-1".into(),
    };
    let mut text = HEAD
        .replace("SEARCH", &menu.search.command())
        .replace("DEFAULT", &menu.default.to_string())
        .replace("TIMEOUT", &timeout);
    if let Some(Serial { unit, speed }) = menu.serial {
        let _ = write!(
            text,
            "serial --unit={unit} --speed={speed}\nterminal_input console serial\nterminal_output console serial\n"
        );
    }
    add_lines(&mut text, &menu.extra_config);
    for entry in &menu.entries {
        text.push('\n');
        text.push_str(&shown(&menu.search, entry)?);
    }
    if !menu.others.is_empty() {
        text.push_str("\nsubmenu \"NixOS - All configurations\" --class submenu {\n");
        for entry in &menu.others {
            text.push_str(&shown(&menu.search, entry)?);
        }
        text.push_str("}\n");
    }
    add_lines(&mut text, &menu.extra_entries);
    Ok(text)
}

/// Adds lines, of which the last ends.
fn add_lines(text: &mut String, lines: &str) {
    text.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        text.push('\n');
    }
}

/// `COMMAND_LINE_SIZE` of x86 without the zero at its end.
const COMMAND_LINE_MAX: usize = 2047;
/// What GRUB puts before the command line, the kernel's path apart: a drive's name can be a bit longer.
const BOOT_IMAGE: &str = "BOOT_IMAGE=(hd0,gpt128) ";

fn shown(search: &Search, entry: &Entry) -> Result<String> {
    let Entry {
        title,
        system,
        kernel_params,
        kernel,
        initrd,
    } = entry;
    let len = format!("{BOOT_IMAGE}{kernel}init={system}/init {kernel_params}").len();
    if len > COMMAND_LINE_MAX {
        return Err(Error::CommandLineTooLong {
            system: system.clone(),
            len,
            limit: COMMAND_LINE_MAX,
        });
    }
    let title = in_quotes(title);
    let parameters = parameters(kernel_params).map_err(|problem| Error::BadParameters {
        system: system.clone(),
        problem,
    })?;
    for text in [&title, system, kernel, initrd] {
        if text.contains(['\n', '\0']) {
            return Err(Error::BadParameters {
                system: system.clone(),
                problem: "a name has a line break in it",
            });
        }
    }
    let (search, kernel, initrd) = (search.command(), word(kernel), word(initrd));
    let space = if parameters.is_empty() { "" } else { " " };
    Ok(format!(
        "menuentry \"{title}\" --class nixos --unrestricted {{
  {search}
  linux ($drive1){kernel} init={}/init{space}{parameters}
  initrd ($drive1){initrd}
}}
",
        word(system)
    ))
}

/// A text between double quotes.
fn in_quotes(text: &str) -> String {
    let escaped = |one: char| match one {
        '"' | '\\' | '$' => vec!['\\', one],
        _ => vec![one],
    };
    text.chars().flat_map(escaped).collect()
}

/// Whether a character means something to GRUB's scripts outside of quotes.
fn is_special(one: char) -> bool {
    ";|&<>{}$#".contains(one)
}

/// A path as one word of GRUB's scripts.
#[must_use]
pub fn word(text: &str) -> String {
    let escaped = |one: char| {
        if is_special(one) || "'\"\\ \t".contains(one) {
            vec!['\\', one]
        } else {
            vec![one]
        }
    };
    text.chars().flat_map(escaped).collect()
}

/// A kernel's parameters, so that the kernel gets them as they are. GRUB takes quotes away and puts new ones around
/// what has spaces in it, which means the same to the kernel. The problem is a text.
fn parameters(text: &str) -> Result<String, &'static str> {
    let mut quote = None;
    let mut quoted = String::new();
    for one in text.trim().chars() {
        match one {
            '\n' | '\0' => return Err("the kernel's parameters have a line break in them"),
            '\\' => {
                return Err("the kernel's parameters have a \\ in them, which GRUB doubles");
            }
            '"' | '\'' if quote.is_none() => quote = Some(one),
            _ if quote == Some(one) => quote = None,
            '$' if quote == Some('"') => quoted.push('\\'),
            _ if quote.is_none() && is_special(one) => quoted.push('\\'),
            _ => {}
        }
        quoted.push(one);
    }
    match quote {
        None => Ok(quoted),
        Some(_) => Err("the kernel's parameters have a quote without its other one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(title: &str, kernel_params: &str) -> Entry {
        Entry {
            title: title.into(),
            system: "/nix/store/s".into(),
            kernel_params: kernel_params.into(),
            kernel: "/nix/store/l/bzImage".into(),
            initrd: "/nix/store/i/initrd".into(),
        }
    }

    fn menu() -> Menu {
        Menu {
            search: Search::Uuid("2178-694E".into()),
            timeout: Timeout::Seconds(5),
            default: 0,
            serial: None,
            extra_config: String::new(),
            extra_entries: String::new(),
            entries: vec![entry("NixOS - Default", "loglevel=4")],
            others: Vec::new(),
        }
    }

    #[test]
    fn a_menu_is_what_nixos_has() {
        assert_eq!(
            text(&menu()).unwrap(),
            r#"# Generated file, all changes will be lost on nixos-rebuild!

search --set=drive1 --fs-uuid 2178-694E
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ]; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set timeout=1
else
  set default=0
  set timeout=5
fi

menuentry "NixOS - Default" --class nixos --unrestricted {
  search --set=drive1 --fs-uuid 2178-694E
  linux ($drive1)/nix/store/l/bzImage init=/nix/store/s/init loglevel=4
  initrd ($drive1)/nix/store/i/initrd
}
"#
        );
    }

    #[test]
    fn what_is_asked_for_is_in_it() {
        let all = Menu {
            search: Search::File("/a b/grub.cfg".into()),
            timeout: Timeout::Never,
            default: 2,
            serial: Some(Serial { unit: 1, speed: 9600 }),
            extra_config: "set color_normal=white/black".into(),
            extra_entries: "menuentry \"Memtest\" {\n}\n".into(),
            others: vec![entry("NixOS - Configuration 1 (\"$x\")", "")],
            ..menu()
        };
        let text = text(&all).unwrap();
        assert_eq!(all.search.embedded("root"), r"search.file /a\ b/grub.cfg root");
        for wanted in [
            "search --set=drive1 --file /a\\ b/grub.cfg\n",
            "  set default=2\n  set timeout=-1\nfi\nserial --unit=1 --speed=9600\nterminal_input console serial\n\
             terminal_output console serial\nset color_normal=white/black\n\nmenuentry",
            "\nsubmenu \"NixOS - All configurations\" --class submenu {\nmenuentry \"NixOS - Configuration 1 (\\\"\\$x\\\")\" ",
            "/init\n  initrd ",
            "}\n}\nmenuentry \"Memtest\" {\n}\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn parameters_reach_the_kernel() {
        for (given, written) in [
            ("", ""),
            ("quiet", "quiet"),
            ("rd.luks=a;b $x #y", "rd.luks=a\\;b \\$x \\#y"),
            (r#"dyndbg="file a;b $c""#, r#"dyndbg="file a;b \$c""#),
            ("a='$b'", "a='$b'"),
        ] {
            assert_eq!(parameters(given).unwrap(), written);
        }
        for given in ["a\nb", "a\\b", "a\"b", "it's"] {
            parameters(given).unwrap_err();
        }
    }

    #[test]
    fn what_linux_would_cut_off_is_an_error() {
        let used = format!("{BOOT_IMAGE}/nix/store/l/bzImageinit=/nix/store/s/init ").len();
        let with = |len: usize| Menu {
            entries: vec![entry("x", &"y".repeat(len))],
            ..menu()
        };
        text(&with(COMMAND_LINE_MAX - used)).unwrap();
        let error = text(&with(COMMAND_LINE_MAX - used + 1)).unwrap_err().to_string();
        assert!(
            error.contains("has 2048 bytes, and Linux takes no more than 2047"),
            "{error}"
        );
    }
}
