//! `kiln segments`: which segments images of a closure have, and some of them made in advance.

use std::fmt::Write as _;
use std::path::Path;

use cache::{Cache, Segments as _};
use nix::StorePath;
use serde::Serialize;
use spec::{Closure, Effort, FileSystem, Segment, Segmenting, Sources};

use crate::args::blocks;
use crate::args::segments::{Command, Compressor, Format, Kind, List, Make, Stored};
use crate::cache::info;
use crate::failure::Failure;
use crate::ui::{Ui, size};

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
    let fs = args.kind.lower()?;
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
    if let Compressor::None = args.compression {
        let problem = "--compression none: there are no segments where nothing is compressed";
        return Err(Failure::usage(problem));
    }
    let fs = FileSystem {
        compression: Some(args.compression.lower()),
        level: args.level,
        ..args.kind.lower()?
    };
    let profile = args.profile.map(blocks::Effort::lower);
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

impl Kind {
    /// As a specification has it.
    fn lower(&self) -> Result<FileSystem, Failure> {
        let format = match (self.format, self.block_size, self.cluster_size) {
            (Format::Squashfs, _, None) => spec::Format::Squashfs,
            (Format::Btrfs, None, None) => spec::Format::Btrfs,
            (Format::Erofs, None, _) => spec::Format::Erofs,
            (Format::Btrfs, ..) => {
                return Err(Failure::usage("--block-size: the blocks of a btrfs have 128KiB"));
            }
            (Format::Squashfs, ..) => {
                return Err(Failure::usage(
                    "--cluster-size: a squashfs has blocks: --block-size",
                ));
            }
            (Format::Erofs, ..) => {
                return Err(Failure::usage(
                    "--block-size: an erofs has clusters: --cluster-size",
                ));
            }
        };
        if self.modern && format != spec::Format::Erofs {
            return Err(Failure::usage("--modern: is for an erofs: --format erofs"));
        }
        Ok(FileSystem {
            format,
            profile: self.modern.then_some(spec::Profile::Modern),
            block_size: self.block_size,
            cluster_size: self.cluster_size,
            // Which segments there are does not depend on the compressor, if there is one.
            compression: (format == spec::Format::Erofs).then_some(spec::Compressor::Zstd),
            ..FileSystem::default()
        })
    }
}

impl Stored {
    /// As a specification has it.
    fn closure(&self, paths: &[StorePath]) -> Closure {
        Closure {
            from: Sources(vec![self.closure.clone()]),
            paths: texts(paths),
            trusted_keys: Vec::new(),
            allow_unsigned: false,
            netrc_file: None,
            store_root: self.store_root.clone(),
            toplevel: None,
            check: None,
        }
    }
}
