//! Who asks caches that want to know it: netrc files, from where curl and Nix have them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remote::{Address, Netrc};
use spec::Spec;

use crate::args::logins::Logins;
use crate::credentials::{read, warn_of_mode};
use crate::environment::{text, variable};
use crate::failure::Failure;
use crate::ui::Ui;

/// Where Nix has its configuration.
const NIX_FOLDER: &str = "/etc/nix";

/// How deep files of Nix's configuration include each other at most.
const INCLUDES_MAX: usize = 8;

/// The netrc file for these addresses: the one of the options, of the specification, of the environment or of Nix. Where
/// nothing is far away, there is nobody to say a password to, and nothing is looked for.
pub(crate) fn netrc(
    args: &Logins,
    said: Option<&Path>,
    addresses: &[&str],
    ui: &Ui,
) -> Result<Option<Arc<Netrc>>, Failure> {
    let is_far = |address: &&str| Address::is_address(address) && !address.starts_with("file://");
    let any_far = addresses.iter().any(is_far);
    let named = match &args.netrc_file {
        Some(file) => Some(file.clone()),
        None if !any_far => None,
        None => said
            .map(Path::to_path_buf)
            .or_else(|| variable("NETRC").map(PathBuf::from)),
    };
    if let Some(file) = named {
        let netrc = Netrc::parse(&file.display().to_string(), &read(&file)?);
        let netrc = netrc.map_err(|error| Failure::input(error.to_string()))?;
        warn_of_mode(&file, PASSWORDS, ui);
        return Ok(Some(Arc::new(netrc)));
    }
    // A build of Nix sees nothing but its inputs.
    if !any_far || variable("NIX_BUILD_TOP").is_some() {
        return Ok(None);
    }
    let Some((file, netrc)) = of_nix() else {
        return Ok(None);
    };
    if addresses.iter().any(|address| netrc.knows(address)) {
        warn_of_mode(&file, PASSWORDS, ui);
    }
    Ok(Some(Arc::new(netrc)))
}

/// What is in such a file, and which mode it should have.
const PASSWORDS: [&str; 2] = ["the passwords in it", "this file's"];

/// Says so when a specification has a password: it is read by more people than one, and copied.
pub(crate) fn warn_of_passwords(spec: &Spec, ui: &Ui) {
    for address in spec.closure.iter().flat_map(|closure| &closure.from.0) {
        let shown = remote::shown(address);
        if shown != *address {
            ui.warn(&format!(
                "closure.from: {shown}: a specification is no place for a password; a netrc file is one (--netrc-file)"
            ));
        }
    }
}

/// Nix's own file. When it is there and cannot be used, that is said as soon as a server wants a password.
fn of_nix() -> Option<(PathBuf, Netrc)> {
    let set = nix_setting();
    let is_set = set.is_some();
    let file = set.unwrap_or_else(|| nix_folder().join("netrc"));
    let name = file.display().to_string();
    let netrc = match std::fs::read(&file) {
        Ok(bytes) => {
            Netrc::parse(&name, &bytes).unwrap_or_else(|error| Netrc::unreadable(&name, error.to_string()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && !is_set => return None,
        Err(error) => Netrc::unreadable(&name, error.to_string()),
    };
    Some((file, netrc))
}

fn nix_folder() -> PathBuf {
    variable("NIX_CONF_DIR").map_or_else(|| PathBuf::from(NIX_FOLDER), PathBuf::from)
}

/// `netrc-file` of Nix's configuration: the system's, then the user's, then the environment's; the last one counts.
fn nix_setting() -> Option<PathBuf> {
    let mut files = vec![nix_folder().join("nix.conf")];
    files.extend(user_files().into_iter().rev());
    let mut found = None;
    for file in files {
        if let Ok(text) = std::fs::read_to_string(&file) {
            set(&text, &file, INCLUDES_MAX, &mut found);
        }
    }
    if let Some(text) = text("NIX_CONFIG") {
        set(&text, Path::new(""), INCLUDES_MAX, &mut found);
    }
    found.filter(|path| path.is_absolute())
}

/// The files of the user's own settings; the first one counts most.
fn user_files() -> Vec<PathBuf> {
    if let Some(files) = variable("NIX_USER_CONF_FILES") {
        return std::env::split_paths(&files).collect();
    }
    let home = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&variable("HOME")?).join(".config")));
    let more = variable("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let folders = home.into_iter().chain(std::env::split_paths(&more));
    folders.map(|folder| folder.join("nix/nix.conf")).collect()
}

/// What a file of settings says, and what it includes.
fn set(text: &str, file: &Path, depth: usize, found: &mut Option<PathBuf>) {
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["include" | "!include", included] if depth > 0 => {
                let included = file.parent().unwrap_or(Path::new("")).join(included);
                if let Ok(text) = std::fs::read_to_string(&included) {
                    set(&text, &included, depth - 1, found);
                }
            }
            ["netrc-file", "=", value @ ..] => *found = Some(value.join(" ").into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_nix_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("more.conf"), "netrc-file = /more\n!include more.conf\n").unwrap();
        for (text, wanted) in [
            ("netrc-file = /a b\n", Some("/a b")),
            ("netrc-file=/a\n#netrc-file = /b\n", None),
            ("netrc-file = /a # why\nsandbox = true", Some("/a")),
            ("netrc-file = /a\nnetrc-file = /b\n", Some("/b")),
            ("netrc-file = /a\ninclude more.conf\n", Some("/more")),
            (
                "!include nothing\n!include more.conf\nnetrc-file = /a",
                Some("/a"),
            ),
        ] {
            let mut found = None;
            set(text, &path("nix.conf"), INCLUDES_MAX, &mut found);
            assert_eq!(found.as_deref(), wanted.map(Path::new), "{text}");
        }
    }
}
