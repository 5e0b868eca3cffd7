//! `kiln squashfs`, `kiln fat`, `kiln script`: one part without a specification.
//!
//! Each makes a specification of one part out of its arguments, so that there is one way to make a part.

use std::path::{Path, PathBuf};

use serde::Serialize;
use spec::{Closure, FatBits, FileSystem, Format, Rehash, Spec, Squashing, Work};

use crate::args;
use crate::build::{alone, gather, hex, write};
use crate::failure::Failure;
use crate::folder::missing;
use crate::ui::{Ui, size};

pub(crate) fn squashfs(args: &args::Squashfs, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        format: Format::Squashfs,
        closure: args.closure.is_some(),
        tree: args.tree.clone(),
        keep: args.keep.iter().map(|kept| kept.lower()).collect(),
        symlinks: args.symlink.iter().cloned().collect(),
        directories: args.directory.clone(),
        compression: Some(args.compression.lower()),
        level: args.level,
        block_size: Some(args.block_size),
        max_size: args.max_size,
        ..FileSystem::default()
    };
    let closure = args.closure.clone().map(|from| Closure {
        from,
        store_root: args.store_root.clone(),
        toplevel: None,
    });
    let mut spec = Spec {
        schema: 1,
        closure,
        ..Spec::default()
    };
    spec.fs.insert("image".into(), fs);
    let rehash = if args.rehash {
        Rehash::Accept
    } else {
        Rehash::Compare
    };
    make(&spec, "fs.image", &args.out, rehash, threads, ui)
}

pub(crate) fn fat(args: &args::Fat, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        format: Format::Fat,
        tree: args.tree.clone(),
        files: args.file.iter().cloned().collect(),
        label: args.label.clone(),
        id: args.id.clone(),
        bits: args
            .bits
            .as_deref()
            .map(|bits| if bits == "16" { FatBits::B16 } else { FatBits::B32 }),
        size: args.size,
        free: args.free,
        sector_size: Some(args.sector_size),
        ..FileSystem::default()
    };
    let seed = Some(args.label.clone().unwrap_or_default());
    let mut spec = Spec {
        schema: 1,
        seed,
        ..Spec::default()
    };
    spec.fs.insert("image".into(), fs);
    make(&spec, "fs.image", &args.out, Rehash::Compare, threads, ui)
}

pub(crate) fn script(args: &args::Script, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let script = spec::Script {
        source: args.source.clone(),
        arch: args.arch.clone(),
        substitute: args.set.iter().cloned().collect(),
        time: Some(args.time),
        ..spec::Script::default()
    };
    let mut spec = Spec {
        schema: 1,
        ..Spec::default()
    };
    spec.script.insert("image".into(), script);
    make(&spec, "script.image", &args.out, Rehash::Compare, threads, ui)
}

/// What one of these commands says to machines.
#[derive(Serialize)]
struct Made {
    file: PathBuf,
    size: u64,
    sha256: String,
}

fn make(spec: &Spec, part: &str, out: &Path, rehash: Rehash, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(missing(folder));
    }
    let transport = spec::transports(spec).map_err(|error| Failure::from(error).without_part(part))?;
    let transport = transport.get(part).copied().unwrap_or_default();
    let target = image::Target::claim(out)?;
    let unnamed = |failure: Failure| failure.without_part(part);
    let gathered = gather(spec, Path::new(""), rehash, ui).map_err(unnamed)?;
    let squashing = Squashing::Spool(folder);
    let work = Work {
        folder: Path::new(""),
        squashing,
        threads,
        progress: ui,
        only: &[part.to_string()],
    };
    let plan = spec::plan(spec, &gathered, &work).map_err(|error| unnamed(error.into()))?;
    let Some(part) = plan.parts.first() else {
        return Ok(());
    };
    let (written, _) = write(target, &alone(&part.content)?, transport, threads, ui)?;
    let made = Made {
        file: out.to_path_buf(),
        size: written.size,
        sha256: hex(&written.sha256),
    };
    written.keep()?;
    if ui.json() {
        return ui.print_json(&made);
    }
    ui.print(&format!(
        "{}  {}  sha256 {}\n",
        made.file.display(),
        size(made.size),
        made.sha256
    ))
}

impl args::Kept {
    fn lower(self) -> spec::Kept {
        match self {
            args::Kept::Modes => spec::Kept::Modes,
            args::Kept::Owners => spec::Kept::Owners,
            args::Kept::Times => spec::Kept::Times,
            args::Kept::Xattrs => spec::Kept::Xattrs,
            args::Kept::HardLinks => spec::Kept::HardLinks,
        }
    }
}

impl args::Compressor {
    fn lower(self) -> spec::Compressor {
        match self {
            args::Compressor::Zstd => spec::Compressor::Zstd,
            args::Compressor::Xz => spec::Compressor::Xz,
            args::Compressor::Gzip => spec::Compressor::Gzip,
            args::Compressor::None => spec::Compressor::None,
        }
    }
}
