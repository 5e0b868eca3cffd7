//! `kiln squashfs`, `kiln ext4`, `kiln btrfs`, `kiln erofs`, `kiln fat`, `kiln script`: one part without a specification.
//!
//! Each makes a specification of one part out of its arguments, so that there is one way to make a part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::Content;
use spec::{Closure, Detail, FatBits, FileSystem, Format, Rehash, Sources, Spec, Squashing, Work};

use crate::access::access;
use crate::args::blocks::Effort;
use crate::args::btrfs::Btrfs;
use crate::args::caching::Caching;
use crate::args::erofs::Erofs;
use crate::args::one::{Ext4, Fat, Script, Squashfs};
use crate::args::source::{self, Fetch, Source};
use crate::failure::Failure;
use crate::folder;
use crate::inputs;
use crate::manifest::Made;
use crate::outputs::{alone, complete, write};
use crate::places::{self, Places};
use crate::reuse::{Description, Place, SegmentEntry, SegmentsEntry};
use crate::steps::{gather, plan};
use crate::ui::Ui;

/// What verbs of formats with segments have in common.
struct Segmented<'a> {
    source: &'a Source,
    out: &'a Path,
    /// Where the description of the segments goes.
    segments: Option<&'a Path>,
    caching: &'a Caching,
}

impl Segmented<'_> {
    /// Makes the part, with what caches have of it.
    fn make(&self, spec: &Spec, threads: usize, ui: &Ui) -> Result<(), Failure> {
        let caching = places::written(self.caching);
        inputs::check(spec, Path::new(""), caching.iter().map(PathBuf::as_path))?;
        let gathering = &self.source.gathering;
        let places = Places::open(self.caching, &gathering.fetch.logins, ui)?;
        let one = One {
            spec,
            part: "fs.image",
            out: self.out,
            rehash: gathering.rehash(),
            segments: self.segments,
            places: Some(&places),
            fetch: Some(&gathering.fetch),
        };
        let made = make(&one, threads, ui);
        places.close(ui);
        made
    }
}

pub(crate) fn squashfs(args: &Squashfs, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        format: Format::Squashfs,
        compression: Some(args.blocks.compression.lower()),
        level: args.blocks.level,
        block_size: Some(args.blocks.block_size),
        max_size: args.max_size,
        ..args.source.lower()
    };
    let mut spec = args.source.spec(fs, None);
    spec.profile = args.blocks.profile.map(Effort::lower);
    args.sums.apply(&mut spec);
    let segmented = Segmented {
        source: &args.source,
        out: &args.out,
        segments: args.segments.as_deref(),
        caching: &args.caching,
    };
    segmented.make(&spec, threads, ui)
}

pub(crate) fn ext4(args: &Ext4, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let registration = Some(args.registration.clone()).filter(|path| !path.is_empty());
    let fs = FileSystem {
        format: Format::Ext4,
        registration: registration.filter(|_| args.source.has_store()),
        database: args.database,
        label: args.label.clone(),
        uuid: args.uuid.clone(),
        profile: Some(args.profile.lower()),
        size: args.size,
        free: args.free,
        free_inodes: args.free_inodes,
        journal: args.journal,
        grow_to: Some(args.grow_to),
        compress: args.output.compress(),
        compress_level: args.output.compress_level,
        ..args.source.lower()
    };
    let mut spec = args.source.spec(fs, args.label.as_deref());
    args.output.sums.apply(&mut spec);
    let one = One {
        spec: &spec,
        part: "fs.image",
        out: &args.output.out,
        rehash: args.source.gathering.rehash(),
        segments: None,
        places: None,
        fetch: Some(&args.source.gathering.fetch),
    };
    make(&one, threads, ui)
}

pub(crate) fn btrfs(args: &Btrfs, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let registration = Some(args.registration.clone()).filter(|path| !path.is_empty());
    let mut subvolumes = BTreeMap::new();
    for (path, subvolume) in &args.subvolume {
        if subvolumes.insert(path.clone(), *subvolume).is_some() {
            return Err(Failure::usage(format!("--subvolume {path}: is given twice")));
        }
    }
    let fs = FileSystem {
        format: Format::Btrfs,
        registration: registration.filter(|_| args.source.has_store()),
        database: args.database,
        label: args.label.clone(),
        uuid: args.uuid.clone(),
        profile: Some(args.profile.lower()),
        metadata: Some(args.metadata.lower()),
        compression: Some(args.compression.lower()),
        level: args.level,
        deduplicate: Some(!args.no_deduplicate),
        subvolumes,
        size: args.size,
        free: args.free,
        compress: args.output.compress(),
        compress_level: args.output.compress_level,
        ..args.source.lower()
    };
    let mut spec = args.source.spec(fs, args.label.as_deref());
    args.output.sums.apply(&mut spec);
    let segmented = Segmented {
        source: &args.source,
        out: &args.output.out,
        segments: args.segments.as_deref(),
        caching: &args.caching,
    };
    segmented.make(&spec, threads, ui)
}

pub(crate) fn erofs(args: &Erofs, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        format: Format::Erofs,
        registration: args.registration.clone().filter(|_| args.source.has_store()),
        database: args.database,
        label: args.label.clone(),
        uuid: args.uuid.clone(),
        compression: Some(args.compression.lower()),
        level: args.level,
        cluster_size: args.cluster_size,
        profile: args.modern.then_some(spec::Profile::Modern),
        max_size: args.max_size,
        compress: args.output.compress(),
        compress_level: args.output.compress_level,
        ..args.source.lower()
    };
    let mut spec = args.source.spec(fs, args.label.as_deref());
    spec.profile = args.profile.map(Effort::lower);
    args.output.sums.apply(&mut spec);
    let segmented = Segmented {
        source: &args.source,
        out: &args.output.out,
        segments: args.segments.as_deref(),
        caching: &args.caching,
    };
    segmented.make(&spec, threads, ui)
}

pub(crate) fn fat(args: &Fat, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let fs = FileSystem {
        format: Format::Fat,
        tree: tree(&args.tree),
        files: args
            .file
            .iter()
            .map(|(path, source)| (path.clone(), Sources(vec![source.clone()])))
            .collect(),
        label: args.label.clone(),
        id: args.id.clone(),
        bits: args
            .bits
            .as_deref()
            .map(|bits| if bits == "16" { FatBits::B16 } else { FatBits::B32 }),
        size: args.size,
        free: args.free,
        sector_size: Some(args.sector_size),
        compress: args.output.compress(),
        compress_level: args.output.compress_level,
        ..args.files.lower(FileSystem::default())
    };
    let seed = Some(args.label.clone().unwrap_or_default());
    let mut spec = Spec {
        schema: 1,
        seed,
        ..Spec::default()
    };
    spec.fs.insert("image".into(), fs);
    args.output.sums.apply(&mut spec);
    let one = One {
        spec: &spec,
        part: "fs.image",
        out: &args.output.out,
        rehash: Rehash::Compare,
        segments: None,
        places: None,
        fetch: None,
    };
    make(&one, threads, ui)
}

pub(crate) fn script(args: &Script, threads: usize, ui: &Ui) -> Result<(), Failure> {
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
    args.sums.apply(&mut spec);
    let one = One {
        spec: &spec,
        part: "script.image",
        out: &args.out,
        rehash: Rehash::Compare,
        segments: None,
        places: None,
        fetch: None,
    };
    make(&one, threads, ui)
}

/// A part that is made alone.
struct One<'a> {
    spec: &'a Spec,
    part: &'a str,
    out: &'a Path,
    rehash: Rehash,
    /// The file that receives where its segments are.
    segments: Option<&'a Path>,
    /// Where it may have segments.
    places: Option<&'a Places>,
    /// How binary caches are spoken to, when there may be some.
    fetch: Option<&'a Fetch>,
}

fn make(one: &One, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let One { spec, part, out, .. } = *one;
    let out = &*folder::followed(out);
    let described = one.segments.map(folder::followed);
    let download = one.fetch.and_then(|fetch| fetch.download_dir.as_deref());
    let written = [out].into_iter().chain(described.as_deref()).chain(download);
    inputs::check(spec, Path::new(""), written)?;
    let folder = folder::of(out)?;
    let unnamed = |failure: Failure| failure.without_part(part);
    let transport = spec::transports(spec).map_err(|error| unnamed(error.into()))?;
    let transport = transport.of(part);
    let target = image::Target::claim(out)?;
    let nothing = Fetch::default();
    let fetch = one.fetch.unwrap_or(&nothing);
    let access = access(fetch, spec.closure.as_ref(), Path::new(""), folder, threads, ui)?;
    let gathered = gather(spec, one.rehash, &access, ui).map_err(unnamed)?;
    let near = one.places.map(Places::near).unwrap_or_default();
    let work = Work {
        folder: Path::new(""),
        squashing: Squashing::Spool(folder),
        threads,
        progress: ui,
        segments: one.places.map(|places| cache::Places {
            near: &near,
            shared: places.shared(),
        }),
        roots: None,
        efi: None,
        release: None,
        only: &[part.to_string()],
    };
    let plan = plan(spec, &gathered, &work, ui).map_err(unnamed)?;
    let Some(part) = plan.parts.first() else {
        return Ok(());
    };
    let image = alone(&part.content)?;
    let target = complete(target, &image, part.spool.as_ref(), transport);
    let (written, _) = write(target, &image, transport, threads, ui)?;
    let made = Made::new(out, &written).of(&gathered);
    let described = described
        .map(|file| describe(&file, out, &part.detail, ui))
        .transpose()?;
    if let Some(described) = described {
        // Never does a description stand beside an image that it does not describe.
        described.clear()?;
        written.keep()?;
        described.keep()?;
    } else {
        written.keep()?;
    }
    if ui.json() {
        return ui.print_json(&made);
    }
    ui.print(&made.line())
}

/// Writes down where the segments of a file system are.
fn describe(file: &Path, out: &Path, detail: &Detail, ui: &Ui) -> Result<image::Written, Failure> {
    let (part, segments) = match detail {
        Detail::Squashfs { segments, .. } => ("squashfs", segments),
        Detail::Btrfs { segments, .. } => ("btrfs", segments),
        Detail::Erofs { segments, .. } => ("erofs", segments),
        _ => {
            return Err(Failure::usage(
                "only a squashfs, a btrfs and an erofs have segments",
            ));
        }
    };
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let place = Place {
        file: name.into_owned(),
        image: None,
        start: 0,
    };
    let description = Description {
        schema: None,
        segments: vec![SegmentsEntry {
            part: part.into(),
            places: vec![place],
            segments: segments.iter().map(SegmentEntry::new).collect(),
        }],
    };
    let text = serde_json::to_vec_pretty(&description).map_err(|error| Failure::usage(error.to_string()))?;
    let image = alone(&Content::from(text))?;
    Ok(image::write(file, &image, ui)?)
}

/// What `--tree` says.
fn tree(said: &[String]) -> Option<Sources> {
    (!said.is_empty()).then(|| Sources(said.to_vec()))
}

impl Source {
    /// A file system of this content, of any format.
    fn lower(&self) -> FileSystem {
        FileSystem {
            closure: self.has_store(),
            layout: self.layout.map(source::Layout::lower),
            env: self.env.clone(),
            merge_usr: self.merge_usr,
            tree: tree(&self.tree),
            keep: self.keep.iter().map(|kept| kept.lower()).collect(),
            symlinks: self.symlink.iter().cloned().collect(),
            directories: self.directory.clone(),
            ..self.files.lower(FileSystem::default())
        }
    }

    /// Whether there is a store in it.
    fn has_store(&self) -> bool {
        !self.closure.is_empty() && !matches!(self.layout, Some(source::Layout::Fhs))
    }

    fn spec(&self, fs: FileSystem, name: Option<&str>) -> Spec {
        let closure = (!self.closure.is_empty()).then(|| Closure {
            from: Sources(self.closure.clone()),
            paths: self.path.clone(),
            trusted_keys: self.trusted_key.clone(),
            allow_unsigned: self.allow_unsigned,
            netrc_file: None,
            store_root: self.store_root.clone(),
            toplevel: None,
            check: None,
        });
        Spec {
            schema: 1,
            name: name.unwrap_or_default().to_string(),
            closure,
            fs: std::iter::once(("image".to_string(), fs)).collect(),
            ..Spec::default()
        }
    }
}
