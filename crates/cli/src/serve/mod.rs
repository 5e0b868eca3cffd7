//! `kiln serve`: an image for other programs, without a file.

mod command;
mod source;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;

use nbd::{Address, Export, Limits, Serving};
use serde::Serialize;
use tempfile::TempDir;

use crate::args::serve::Serve;
use crate::failure::Failure;
use crate::stop;
use crate::ui::{Ui, size};
pub(crate) use command::run as run_command;
pub(crate) use source::open;

pub(crate) fn run(args: &Serve, threads: usize, ui: &Ui) -> Result<ExitCode, Failure> {
    let place = Place::of(args)?;
    // Whoever cannot listen learns it before the work.
    nbd::check(&place.address)?;
    if place.is_far() {
        let listen = args.listen.as_ref().map(shown).unwrap_or_default();
        ui.warn(&format!(
            "{listen}: can be reached from other machines: nothing is encrypted, and whoever connects reads the image"
        ));
    }
    let opened = open(&args.source, args.part.as_deref(), threads, ui)?;
    let export = Export::new(&opened.name, &opened.description, opened.content)?;
    let size = export.size();
    let served = start(export, &place.address)?;
    let serving = &served.0;
    if let [program, arguments @ ..] = &args.command[..] {
        let fill = |argument: &OsString| filled(argument, serving);
        let arguments: Vec<OsString> = arguments.iter().map(fill).collect();
        return run_command(&fill(program), &arguments);
    }
    announce(&opened.name, size, serving, ui)?;
    stop::wait();
    Err(Failure::stopped())
}

/// What is served. A socket's name goes with this, or with the process.
pub(crate) struct Served(pub(crate) Serving);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.remove_name();
    }
}

/// Serves an export from now on.
pub(crate) fn start(export: Export, address: &Address) -> Result<Served, Failure> {
    let serving = nbd::start(export, address, Limits::default())?;
    let last = serving.clone();
    stop::before_exit(move || last.remove_name());
    Ok(Served(serving))
}

/// Where clients connect.
struct Place {
    address: Address,
    /// The folder of a socket that nobody has named.
    _folder: Option<TempDir>,
}

impl Place {
    fn of(args: &Serve) -> Result<Place, Failure> {
        let says_socket = args
            .command
            .iter()
            .any(|word| position(word, "{socket}").is_some());
        let (address, folder) = match (&args.socket, &args.listen) {
            (None, Some(_)) if says_socket => {
                return Err(
                    Failure::usage("{socket}: with --listen there is none").hint("say {uri} in its place")
                );
            }
            (None, Some(address)) => (address.clone(), None),
            (Some(socket), _) => (Address::Socket(socket.clone()), None),
            (None, None) => {
                let (address, folder) = own_socket()?;
                (address, Some(folder))
            }
        };
        Ok(Place {
            address,
            _folder: folder,
        })
    }

    fn is_far(&self) -> bool {
        matches!(&self.address, Address::Port(address) if !address.ip().is_loopback())
    }
}

/// A socket in a folder of its own, where the system has temporary files.
pub(crate) fn own_socket() -> Result<(Address, TempDir), Failure> {
    let parent = std::env::temp_dir();
    let folder = tempfile::Builder::new().prefix("kiln-").tempdir_in(&parent);
    let folder = folder.map_err(|error| {
        let hint = "choose another folder for temporary files with $TMPDIR";
        Failure::output(
            format!("{}: cannot be written to: {error}", parent.display()),
            Some(hint.into()),
        )
    })?;
    Ok((Address::Socket(folder.path().join("disk")), folder))
}

fn shown(address: &Address) -> String {
    match address {
        Address::Socket(path) => path.display().to_string(),
        Address::Port(address) => address.to_string(),
    }
}

/// Where a text is in a word of a command.
fn position(word: &OsStr, text: &str) -> Option<usize> {
    word.as_bytes()
        .windows(text.len())
        .position(|window| window == text.as_bytes())
}

/// A word of a command with what it stands for.
fn filled(word: &OsStr, serving: &Serving) -> OsString {
    let socket = match serving.address() {
        Address::Socket(path) => path.as_os_str().to_owned(),
        Address::Port(_) => OsString::new(),
    };
    let values = [("{uri}", OsString::from(serving.uri())), ("{socket}", socket)];
    let mut rest = word.as_bytes();
    let mut bytes = Vec::new();
    while let Some((&first, behind)) = rest.split_first() {
        let value = values.iter().find(|(name, _)| rest.starts_with(name.as_bytes()));
        if let Some((name, value)) = value {
            bytes.extend(value.as_bytes());
            rest = &rest[name.len()..];
        } else {
            bytes.push(first);
            rest = behind;
        }
    }
    OsString::from_vec(bytes)
}

/// What is served, for machines.
#[derive(Serialize)]
struct Announced<'a> {
    export: &'a str,
    size: u64,
    uri: String,
    socket: Option<PathBuf>,
    address: Option<String>,
}

fn announce(name: &str, bytes: u64, serving: &Serving, ui: &Ui) -> Result<(), Failure> {
    let (socket, address) = match serving.address() {
        Address::Socket(path) => (Some(path.clone()), None),
        Address::Port(address) => (None, Some(address.to_string())),
    };
    if ui.json() {
        return ui.print_json(&Announced {
            export: name,
            size: bytes,
            uri: serving.uri(),
            socket,
            address,
        });
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}", serving.uri());
    let _ = writeln!(text, "{name}, {}, read-only, until it is stopped", size(bytes));
    ui.print(&text)
}
