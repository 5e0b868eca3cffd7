//! The update bundle: its keys become options, and file systems its images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bundle::{ExtraFile, ImageOptions, Options, Packing, Target, Unsigned, manifest};
use image::Content;
use squashfs::Compression;

use crate::error::{Error, Result};
use crate::expand::expand;
use crate::parts::{Planner, Squashing};
use crate::schema::{Bundle, BundleImage, Compressor, FileSystem, Format};
use crate::trees::Values;
use crate::{disks, formats, outputs};

/// A bundle that is planned, and its output's name.
#[derive(Debug)]
pub struct PlannedBundle {
    /// The name of the signed bundle's file.
    pub file: String,
    /// What is to be signed; nothing when it was only estimated.
    pub unsigned: Option<Unsigned>,
    /// Its bytes without the signature; the most that it can take when it was only estimated.
    pub size: u64,
    /// What it is for.
    pub compatible: String,
    /// The version of what it brings.
    pub version: Option<String>,
    /// The slots that it fills, with the images' names and bytes, where they have files.
    pub images: Vec<(String, Option<(String, u64)>)>,
}

/// Refuses what makes no sense before anything is read.
pub(crate) fn check(bundle: &Bundle, planner: &mut Planner) -> Result<()> {
    let spec = planner.spec;
    for (slot, image) in &bundle.image {
        let content = match (&image.content, &image.raw) {
            (Some(content), None) => content,
            (None, Some(_)) => continue,
            (None, None) if needs_no_file(image) => {
                check_without_file(slot, image)?;
                continue;
            }
            _ => {
                return Err(bad(
                    &format!("bundle.image.{slot}"),
                    "needs either content or raw; neither is needed with hooks = [\"install\"] or type = \"emptyfs\"",
                ));
            }
        };
        let place = format!("bundle.image.{slot}.content");
        disks::check_part(&place, content, spec)?;
        if content.starts_with("script.") {
            let problem = format!("{content:?}: must be a file system or a hash tree");
            return Err(Error::BadValue { place, problem });
        }
    }
    options(bundle, planner, Contents::None).map(drop)
}

/// Plans the bundle, and the file systems in it.
pub(crate) fn plan(bundle: &Bundle, planner: &mut Planner) -> Result<PlannedBundle> {
    let options = options(bundle, planner, Contents::Planned)?;
    let failed = |source| Error::Bundle { source };
    let (unsigned, size) = match planner.work.squashing {
        Squashing::Estimate => (None, bundle::at_most(&options).map_err(failed)?),
        Squashing::Spool(folder) => {
            let work = bundle::Work {
                folder,
                threads: planner.work.threads,
                progress: planner.work.progress,
                segments: planner.work.segments,
            };
            let unsigned = bundle::plan(&options, &work).map_err(failed)?;
            let size = unsigned.payload().len();
            (Some(unsigned), size)
        }
    };
    let image = |image: &ImageOptions| {
        let manifest::Image { slot, filename, .. } = image.manifest.clone();
        (slot, filename.zip(image.content.as_ref().map(Content::len)))
    };
    Ok(PlannedBundle {
        file: outputs::bundle(bundle, planner.gathered),
        unsigned,
        size,
        images: options.images.iter().map(image).collect(),
        compatible: options.compatible,
        version: options.version,
    })
}

/// Whether images' bytes are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// They are planned.
    Planned,
    /// They are not needed: only keys are checked.
    None,
}

fn options(bundle: &Bundle, planner: &mut Planner, contents: Contents) -> Result<Options> {
    let target = match &bundle.target_rauc {
        None => Target::default(),
        Some(text) => text
            .parse()
            .map_err(|problem| bad("bundle.target-rauc", problem))?,
    };
    let version = bundle.version.as_ref();
    let place = "bundle.version";
    let version = version.map(|text| expand(text, place, |key| planner.text(key, place)));
    let mut images = Vec::new();
    for (slot, image) in &bundle.image {
        images.push(self::image(slot, image, target, planner, contents)?);
    }
    let sector_size = planner.sector_size();
    let block_size = bundle.block_size.map(|size| size.bytes(sector_size));
    let block_size = block_size.map(|size| {
        u32::try_from(size).map_err(|_| bad("bundle.block-size", format!("{size} bytes: the limit is 1 MiB")))
    });
    let options = Options {
        target,
        compatible: bundle.compatible.clone(),
        version: version.transpose()?,
        description: bundle.description.clone(),
        build: bundle.build.clone(),
        min_rauc_version: bundle.min_rauc_version.clone(),
        images,
        hooks: hooks(bundle, planner.work.folder)?,
        handler: handler(bundle, planner.work.folder)?,
        files: extra(bundle, planner.work.folder)?,
        meta: bundle.meta.clone(),
        compression: compression(bundle, planner)?,
        block_size: block_size.transpose()?.unwrap_or(16 << 10),
        time: bundle.time.unwrap_or(1),
    };
    options.check().map_err(|source| Error::Bundle { source })?;
    Ok(options)
}

fn bad(place: &str, problem: impl Into<String>) -> Error {
    Error::BadValue {
        place: place.to_string(),
        problem: problem.into(),
    }
}

/// Whether something else than a file's bytes comes into the slot.
fn needs_no_file(image: &BundleImage) -> bool {
    image.hooks.iter().any(|hook| hook == "install") || image.kind.as_deref() == Some("emptyfs")
}

/// Refuses keys that are about a file where there is none.
fn check_without_file(slot: &str, image: &BundleImage) -> Result<()> {
    let said = [
        ("file", image.file.is_some()),
        ("adaptive", image.adaptive == Some(true)),
        ("compress", image.compress.is_some()),
    ];
    match said.into_iter().find(|(_, said)| *said) {
        None => Ok(()),
        Some((key, _)) => Err(bad(
            &format!("bundle.image.{slot}.{key}"),
            "there is no file: it has neither content nor raw",
        )),
    }
}

/// Whether RAUC looks for an image's blocks in the slots: it does where it writes whole blocks itself.
fn is_sought_by_blocks(image: &manifest::Image, len: u64, target: Target) -> bool {
    let blocks = matches!(image.known_kind(), Some("ext4" | "squashfs" | "vfat" | "raw"));
    target >= Target::ADAPTIVE && len.is_multiple_of(4096) && blocks && !image.is_installed_by_hook()
}

fn image(
    slot: &str,
    image: &BundleImage,
    target: Target,
    planner: &mut Planner,
    contents: Contents,
) -> Result<ImageOptions> {
    let mut manifest = manifest::Image {
        slot: slot.to_string(),
        kind: image.kind.clone(),
        hooks: image.hooks.clone(),
        ..manifest::Image::default()
    };
    if image.content.is_none() && image.raw.is_none() && needs_no_file(image) {
        return Ok(ImageOptions {
            manifest,
            content: None,
            packing: Packing::Stored,
        });
    }
    let fs = file_system(image, planner);
    let own = |raw: &PathBuf| Some(raw.file_name()?.to_string_lossy().into_owned());
    let file = image.file.clone().or_else(|| own(image.raw.as_ref()?));
    // RAUC takes the name's ending for what it is; of a hash tree it knows nothing.
    let ending = fs.map_or("img", |fs| outputs::ending_in_bundles(fs.format));
    manifest.filename = Some(file.unwrap_or_else(|| format!("{}.{ending}", slot.replace('.', "-"))));
    let packing = if image.compress.unwrap_or(!fs.is_none_or(formats::is_dense)) {
        Packing::Compressed
    } else {
        Packing::Stored
    };
    // What is not planned yet has the size that is said, or one that is no mistake.
    let size = fs
        .and_then(|fs| fs.size)
        .map(|size| size.bytes(planner.sector_size()));
    let content = match (contents, &image.content, &image.raw) {
        (_, _, Some(raw)) => host_file(&format!("bundle.image.{slot}.raw"), raw, planner.work.folder)?,
        (Contents::Planned, Some(name), _) => planner.part(name)?.content.clone(),
        _ => Content::Zeros(size.unwrap_or(1 << 20)),
    };
    let sought = is_sought_by_blocks(&manifest, content.len(), target);
    if image.adaptive.unwrap_or(sought) {
        manifest.adaptive = bundle::adaptive();
    }
    Ok(ImageOptions {
        manifest,
        content: Some(content),
        packing,
    })
}

/// The file system that an image is, if it is one.
fn file_system<'a>(image: &BundleImage, planner: &Planner<'a>) -> Option<&'a FileSystem> {
    planner
        .spec
        .fs
        .get(image.content.as_deref()?.strip_prefix("fs.")?)
}

fn hooks(bundle: &Bundle, folder: &Path) -> Result<Option<(manifest::Hooks, Content)>> {
    let Some(keys) = &bundle.hooks else {
        return Ok(None);
    };
    let (filename, content) = program("bundle.hooks", &keys.source, keys.file.as_deref(), folder)?;
    let hooks = keys.hooks.clone();
    Ok(Some((manifest::Hooks { filename, hooks }, content)))
}

fn handler(bundle: &Bundle, folder: &Path) -> Result<Option<(manifest::Handler, Content)>> {
    let Some(keys) = &bundle.handler else {
        return Ok(None);
    };
    let (filename, content) = program("bundle.handler", &keys.source, keys.file.as_deref(), folder)?;
    let args = keys.args.clone();
    Ok(Some((manifest::Handler { filename, args }, content)))
}

fn extra(bundle: &Bundle, folder: &Path) -> Result<BTreeMap<String, ExtraFile>> {
    let files = bundle.extra.iter().map(|(name, keys)| {
        let content = host_file(&format!("bundle.extra.{name}"), &keys.source, folder)?;
        let mode = if keys.executable { 0o755 } else { 0o644 };
        Ok((name.clone(), ExtraFile { content, mode }))
    });
    files.collect()
}

/// A program of the host: its name in the bundle and its bytes.
fn program(place: &str, source: &Path, file: Option<&str>, folder: &Path) -> Result<(String, Content)> {
    let own = || source.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = file.map(ToString::to_string).or_else(own);
    let name = name.ok_or_else(|| bad(place, format!("{}: is no file", source.display())))?;
    Ok((name, host_file(place, source, folder)?))
}

fn host_file(place: &str, file: &Path, folder: &Path) -> Result<Content> {
    Content::host_file(folder.join(file)).map_err(|source| Error::Tree {
        part: place.to_string(),
        source,
    })
}

/// The level of zstd where nobody says one: in blocks as small as a bundle's, 19 takes more than twice the time, and
/// finds two thousandths.
const ZSTD_LEVEL: u32 = 15;

/// A device that can read a squashfs in the bundle can read the bundle, so that one's compressor is the best guess; and
/// who compresses that one quickly is in a hurry.
fn compression(bundle: &Bundle, planner: &Planner) -> Result<Compression> {
    let images = bundle.image.values();
    let squashfs = images
        .filter_map(|image| file_system(image, planner))
        .find(|fs| fs.format == Format::Squashfs);
    let like = squashfs.map(|fs| (fs.compression.unwrap_or(Compressor::Zstd), fs.level));
    let compressor = bundle.compression.or(like.map(|(compressor, _)| compressor));
    let compressor = compressor.unwrap_or(Compressor::Gzip);
    let usual = like.and_then(|(other, level)| level.filter(|_| other == compressor));
    let usual = match compressor {
        Compressor::Zstd => Some(usual.unwrap_or(ZSTD_LEVEL).min(ZSTD_LEVEL)),
        _ => usual,
    };
    let level = bundle.level.or(usual);
    let compression = formats::compression("bundle", compressor, level)?;
    Ok(formats::with_effort(compression, planner.spec.profile))
}
