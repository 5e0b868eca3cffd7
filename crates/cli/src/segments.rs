//! `kiln segments`: which segments images of a closure have, and some of them made in advance.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cache::{Cache, Segments as _};
use clap::Subcommand;
use nix::StorePath;
use serde::Serialize;
use spec::{Amount, Closure, Effort, FileSystem, Segment, Segmenting, Sources};

use crate::args::{self, Blocks, Compressor};
use crate::cache::info;
use crate::failure::Failure;
use crate::ui::{Ui, size};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the segments of an image and their bytes; --json says which store paths are in each
    List(List),
    /// Make segments, which builds take with --reuse
    Make(Make),
}

/// A closure in a store of this machine.
#[derive(Debug, clap::Args)]
struct Stored {
    /// A closure: a folder of closureInfo, a registration, a references graph in JSON, a list of store paths, a store's
    /// database or the folder that it lies under
    #[arg(long, value_name = "SOURCE")]
    closure: String,
    /// The folder under which nix/store lies
    #[arg(long, value_name = "DIR")]
    store_root: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    stored: Stored,
    /// A store path that is wanted of a database, with all that it refers to; can be repeated
    #[arg(long, value_name = "STORE-PATH")]
    path: Vec<StorePath>,
    /// Bytes of a block, 4KiB to 1MiB
    #[arg(long, default_value = "1MiB")]
    block_size: Amount,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Make {
    #[command(flatten)]
    stored: Stored,
    /// A store path whose segment is made; those of the whole closure when not given; can be repeated
    #[arg(long, value_name = "STORE-PATH")]
    path: Vec<StorePath>,
    /// A store path that holds large files which these have too, as the list says; can be repeated
    #[arg(long, value_name = "STORE-PATH", requires = "path")]
    original: Vec<StorePath>,
    #[command(flatten)]
    blocks: Blocks,
    /// The folder that receives them; it has the layout of a cache
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(command: &Command, threads: usize, ui: &Ui) -> Result<(), Failure> {
    match command {
        Command::List(args) => list(args, threads, ui),
        Command::Make(args) => make(args, threads, ui),
    }
}

#[derive(Serialize)]
struct Listing {
    segments: Vec<Entry>,
}

/// A segment, for machines.
#[derive(Serialize)]
struct Entry {
    label: String,
    paths: Vec<String>,
    originals: Vec<String>,
    bytes: u64,
}

impl From<Segment> for Entry {
    fn from(segment: Segment) -> Entry {
        Entry {
            label: segment.label,
            paths: texts(&segment.paths),
            originals: texts(&segment.originals),
            bytes: segment.content_len,
        }
    }
}

fn texts(paths: &[StorePath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

fn list(args: &List, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        block_size: Some(args.block_size),
        ..FileSystem::default()
    };
    let closure = args.stored.closure(&args.path);
    let spool = std::env::temp_dir();
    let segmenting = segmenting(&closure, &fs, None, &spool, threads, ui);
    let segments = segmenting.list().map_err(failure)?;
    let segments: Vec<Entry> = segments.into_iter().map(Entry::from).collect();
    if ui.json() {
        return ui.print_json(&Listing { segments });
    }
    let mut text = String::new();
    for segment in &segments {
        let _ = writeln!(text, "{:>11}  {}", size(segment.bytes), segment.label);
    }
    ui.print(&text)
}

fn make(args: &Make, threads: usize, ui: &Ui) -> Result<(), Failure> {
    if let Compressor::None = args.blocks.compression {
        let problem = "--compression none: there are no segments where nothing is compressed";
        return Err(Failure::usage(problem));
    }
    let fs = FileSystem {
        compression: Some(args.blocks.compression.lower()),
        level: args.blocks.level,
        block_size: Some(args.blocks.block_size),
        ..FileSystem::default()
    };
    let profile = args.blocks.profile.map(args::Effort::lower);
    let cache = Cache::open(&args.out, u64::MAX)?;
    let roots = [&args.path[..], &args.original].concat();
    let closure = args.stored.closure(&roots);
    let segmenting = segmenting(&closure, &fs, profile, &args.out, threads, ui);
    let keys = segmenting
        .make(&args.path, &args.original, &cache)
        .map_err(failure)?;
    // A cache that cannot keep something is no failure of a build, and one here.
    let missing = keys.iter().any(|key| cache.find(key).is_none());
    let warnings = cache.warnings();
    if missing {
        return Err(Failure::output(warnings.join("\n"), None));
    }
    for warning in &warnings {
        ui.warn(warning);
    }
    info(args.out.clone(), &cache, ui)
}

fn segmenting<'a>(
    closure: &'a Closure,
    fs: &'a FileSystem,
    profile: Option<Effort>,
    spool: &'a Path,
    threads: usize,
    ui: &'a Ui,
) -> Segmenting<'a> {
    Segmenting {
        closure,
        fs,
        profile,
        folder: Path::new(""),
        spool,
        threads,
        progress: ui,
    }
}

fn failure(error: spec::Error) -> Failure {
    Failure::from(error).without_part("segments")
}

impl Stored {
    /// As a specification has it.
    fn closure(&self, paths: &[StorePath]) -> Closure {
        Closure {
            from: Sources(vec![self.closure.clone()]),
            paths: texts(paths),
            trusted_keys: Vec::new(),
            allow_unsigned: false,
            store_root: self.store_root.clone(),
            toplevel: None,
        }
    }
}
