//! The names of the files that a specification makes.

use std::collections::BTreeMap;
use std::path::Path;

use image::Sums;
use transport::{Method, Options};

use crate::containers::PART;
use crate::error::{Error, Result};
use crate::schema::{
    Bundle, Compress, Container, Disk, Effort, FileSystem, Format, Output, Region, Script, Sum, Verity,
    VeritySignature,
};
use crate::{Gathered, Spec, beside, devices, netboot, release_plan, ukis};

/// How an output travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// How its file is compressed.
    pub compress: Option<Options>,
    /// Whether it comes with a block map.
    pub bmap: bool,
    /// What of it has a SHA-256.
    pub sums: Sums,
}

/// How the outputs of a specification travel.
#[derive(Clone, Debug, Default)]
pub struct Transports {
    /// By the names of their parts.
    parts: BTreeMap<String, Transport>,
    /// All others: as they are.
    others: Transport,
}

impl Transports {
    /// How an output of this part travels.
    #[must_use]
    pub fn of(&self, part: &str) -> Transport {
        self.parts.get(part).copied().unwrap_or(self.others)
    }
}

impl Transport {
    fn new(part: &str, compress: Option<Compress>, level: Option<u32>, bmap: bool) -> Result<Transport> {
        let bad = |problem: String| Error::BadValue {
            place: format!("{part}.compress-level"),
            problem,
        };
        let compress = match (compress, level) {
            (Some(compress), level) => {
                let options = Options::new(compress.method(), level);
                Some(options.map_err(|error| bad(error.to_string()))?)
            }
            (None, None) => None,
            (None, Some(level)) => return Err(bad(format!("{level}: means nothing without compress"))),
        };
        let sums = Sums::default();
        Ok(Transport { compress, bmap, sums })
    }

    /// The same with checksums: those that were asked for, and one of what is published, unless it is thrown away.
    fn summed(self, spec: &Spec, published: bool) -> Transport {
        let sums = if spec.digests.contains(&Sum::Sha256) {
            Sums::All
        } else if published && spec.profile != Some(Effort::Dev) {
            Sums::File
        } else {
            Sums::None
        };
        Transport { sums, ..self }
    }

    /// The name of the block map of an output with this name: that of the image before it is compressed.
    #[must_use]
    pub fn bmap_file(&self, file: &str) -> Option<String> {
        let ending = self.compress.map_or("", |options| options.method.ending());
        let image = file.strip_suffix(ending).unwrap_or(file);
        self.bmap.then(|| format!("{image}.bmap"))
    }
}

impl Compress {
    pub(crate) fn method(self) -> Method {
        match self {
            Compress::Zstd => Method::Zstd,
            Compress::Xz => Method::Xz,
            Compress::Gzip => Method::Gzip,
        }
    }
}

/// How outputs travel.
///
/// # Errors
/// When a level is none of its format.
pub fn transports(spec: &Spec) -> Result<Transports> {
    let mut parts = BTreeMap::new();
    for (key, fs) in &spec.fs {
        let part = format!("fs.{key}");
        let transport = Transport::new(&part, fs.compress, fs.compress_level, fs.bmap)?;
        parts.insert(part, transport.summed(spec, transport.compress.is_some()));
    }
    if let Some(disk) = &spec.disk {
        let transport = Transport::new("disk", disk.compress, disk.compress_level, disk.bmap)?;
        let transport = transport.summed(spec, transport.compress.is_some());
        parts.insert("disk".to_string(), transport);
        for region in disk.region.iter().filter(|region| region.file.is_some()) {
            let transport = Transport {
                bmap: false,
                ..transport
            };
            parts.insert(beside::region_part(&region.name), transport);
        }
    }
    if spec.bundle.is_some() {
        let transport = Transport::default().summed(spec, true);
        parts.insert("bundle".to_string(), transport);
    }
    let others = Transport::default().summed(spec, false);
    Ok(Transports { parts, others })
}

/// The name of an output's file, which says how it is compressed.
fn compressed(file: String, compress: Option<Compress>) -> String {
    match compress.map(|compress| compress.method().ending()) {
        Some(ending) if !file.ends_with(ending) => file + ending,
        _ => file,
    }
}

/// How names of images of a format end in a bundle, by which RAUC tells what they are: it writes what it has no type for as
/// it is.
pub(crate) fn ending_in_bundles(format: Format) -> &'static str {
    match format {
        Format::Btrfs | Format::Erofs | Format::Swap => "img",
        known => ending(known),
    }
}

/// How names of images of a format end.
fn ending(format: Format) -> &'static str {
    match format {
        Format::Squashfs => "squashfs",
        Format::Fat => "vfat",
        Format::Ext4 => "ext4",
        Format::Btrfs => "btrfs",
        Format::Erofs => "erofs",
        Format::Swap => "swap",
    }
}

/// The output of a file system.
pub(crate) fn file_system(key: &str, fs: &FileSystem) -> String {
    let file = fs.file.clone();
    let file = file.unwrap_or_else(|| format!("{key}.{}", ending(fs.format)));
    compressed(file, fs.compress)
}

/// The outputs of a script: itself, and the commands in it for people.
pub(crate) fn script(key: &str, script: &Script) -> (String, String) {
    let file = script.file.clone().unwrap_or_else(|| format!("{key}.scr"));
    let readable = Path::new(&file).with_extension("cmd");
    (file, readable.to_string_lossy().into_owned())
}

/// The output of a hash tree.
pub(crate) fn hash_tree(key: &str, verity: &Verity) -> String {
    verity.file.clone().unwrap_or_else(|| format!("{key}.verity"))
}

/// The outputs of the signature of a root hash: itself, or what is to be signed.
pub(crate) fn root_signature(key: &str, signature: &VeritySignature) -> (String, String) {
    let file = signature.file.clone();
    let file = file.unwrap_or_else(|| format!("{key}.verity-sig"));
    (file, format!("{key}.roothash"))
}

/// The output of a unified kernel image, or of another program that firmware starts; and of one that is not signed yet.
pub(crate) fn efi(key: &str, file: Option<&String>) -> (String, String) {
    let file = file.cloned().unwrap_or_else(|| format!("{key}.efi"));
    let unsigned = format!("{file}.unsigned");
    (file, unsigned)
}

/// What is to be signed of what a TPM will hold of an image.
pub(crate) fn policies(key: &str) -> String {
    format!("{key}.pcrsig.unsigned")
}

/// The output of the disk.
pub(crate) fn disk(disk: &Disk, gathered: &Gathered) -> String {
    let file = disk
        .file
        .clone()
        .unwrap_or_else(|| format!("{}.img", gathered.name));
    compressed(file, disk.compress)
}

/// The output of the disk in a container.
pub(crate) fn contained(disk: &Disk, output: &Output, gathered: &Gathered) -> String {
    let format = output.format.format();
    let file = output.file.clone().unwrap_or_else(|| {
        let stem = disk.file.as_deref().unwrap_or(&gathered.name);
        format!(
            "{}.{}",
            stem.strip_suffix(".img").unwrap_or(stem),
            format.ending()
        )
    });
    compressed(file, contained_compress(output))
}

/// How the file of a container is compressed as a whole. Google's is a tar that is, whatever else is said.
fn contained_compress(output: &Output) -> Option<Compress> {
    match output.format {
        Container::Gce => output.compress.or(Some(Compress::Gzip)),
        _ => output.compress,
    }
}

/// How the file of a container travels; `place` is what errors call it.
pub(crate) fn contained_transport(spec: &Spec, output: &Output, place: &str) -> Result<Transport> {
    let compress = contained_compress(output);
    if output.format == Container::Gce && compress != Some(Compress::Gzip) {
        return Err(Error::BadValue {
            place: format!("{place}.compress"),
            problem: "\"gce\" is compressed with gzip: Google takes nothing else".into(),
        });
    }
    let transport = Transport::new(place, compress, output.compress_level, false)?;
    Ok(transport.summed(spec, true))
}

/// The output of a region of the disk, if it has one.
pub(crate) fn region(disk: &Disk, region: &Region) -> Option<String> {
    let file = region.file.clone();
    file.map(|file| compressed(file, disk.compress))
}

/// The output of the bundle.
pub(crate) fn bundle(bundle: &Bundle, gathered: &Gathered) -> String {
    let file = bundle.file.clone();
    file.unwrap_or_else(|| format!("{}.raucb", gathered.name))
}

/// The outputs of a bundle that is not signed: itself, and what is to be signed.
#[must_use]
pub fn unsigned_bundle(file: &str) -> (String, String) {
    (format!("{file}.unsigned"), format!("{file}.manifest"))
}

/// The output that lists all others.
#[must_use]
pub fn manifest(gathered: &Gathered) -> String {
    format!("{}.manifest.json", gathered.name)
}

/// Refuses names that lead out of the output folder, and names that come twice.
pub(crate) fn check(spec: &Spec, gathered: &Gathered) -> Result<()> {
    check_name("name", &manifest(gathered), &gathered.name)?;
    let mut files = vec![(manifest(gathered), "the manifest".to_string())];
    for (key, fs) in &spec.fs {
        files.push((file_system(key, fs), format!("fs.{key}")));
    }
    for (key, part) in &spec.script {
        let (file, readable) = script(key, part);
        files.push((file, format!("script.{key}")));
        files.push((readable, format!("script.{key} (its commands)")));
    }
    for (key, part) in &spec.verity {
        files.push((hash_tree(key, part), format!("verity.{key}")));
        if let Some(signature) = &part.signature {
            let (file, root_hash) = root_signature(key, signature);
            files.push((file, format!("verity.{key}.signature")));
            files.push((
                root_hash,
                format!("verity.{key}.signature (what is to be signed)"),
            ));
        }
    }
    let ukis = spec
        .uki
        .iter()
        .map(|(key, uki)| (format!("uki.{key}"), key, &uki.file));
    let others = spec
        .efi
        .iter()
        .map(|(key, efi)| (format!("efi.{key}"), key, &efi.file));
    for (part, key, file) in ukis.chain(others) {
        let (file, unsigned) = efi(key, file.as_ref());
        files.extend([(file, part.clone()), (unsigned, part)]);
    }
    for (key, _) in spec.uki.iter().filter(|(_, uki)| uki.measure.is_some()) {
        let part = format!("uki.{key} (what is to be signed of what a TPM will hold)");
        files.push((policies(key), part));
    }
    for part in ukis::variables(spec) {
        let file = part.trim_start_matches("secure-boot.");
        files.push((format!("{file}.auth"), part));
    }
    for part in devices::names(spec) {
        let file = devices::output(part, &gathered.name);
        files.extend(file.map(|file| (file, part.to_string())));
    }
    if let Some(part) = &spec.disk {
        if !part.only_outputs {
            files.push((disk(part, gathered), "disk".to_string()));
        }
        for output in &part.output {
            let format = output.format.format();
            files.push((contained(part, output, gathered), format!("{PART} ({format})")));
        }
        for entry in &part.region {
            let file = region(part, entry);
            files.extend(file.map(|file| (file, beside::region_part(&entry.name))));
        }
        let list = part.partition_list.clone();
        files.extend(list.map(|file| (file, beside::LIST.to_string())));
    }
    if let Some(part) = &spec.netboot {
        let netboot::Files {
            kernel,
            initrd,
            parameters,
            ipxe,
            kexec,
        } = netboot::files(part);
        let named = [
            (kernel, "kernel"),
            (initrd, "initrd"),
            (parameters, "kernel-params"),
            (ipxe, "ipxe"),
            (kexec, "kexec"),
        ];
        files.extend(named.map(|(file, name)| (file, format!("{}.{name}", netboot::PART))));
    }
    if let Some(part) = &spec.bundle {
        let file = bundle(part, gathered);
        let (unsigned, manifest) = unsigned_bundle(&file);
        for file in [file, unsigned, manifest] {
            files.push((file, "bundle".to_string()));
        }
    }
    if let Some(part) = &spec.release {
        files.push((release_plan::folder(part).to_owned(), "release".to_string()));
    }
    for (part, transport) in transports(spec)?.parts {
        let image = files.iter().find(|(_, made)| *made == part);
        let bmap = image.and_then(|(file, _)| transport.bmap_file(file));
        files.extend(bmap.map(|bmap| (bmap, format!("{part} (its block map)"))));
    }
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (file, part) in files {
        check_name(&format!("{part}.file"), &file, &file)?;
        if let Some(first) = seen.insert(file.clone(), part.clone()) {
            return Err(Error::FileTwice {
                file,
                first,
                second: part,
            });
        }
    }
    Ok(())
}

/// `file` is the name of a file in the output folder; `said` is what the specification says at `place`.
fn check_name(place: &str, file: &str, said: &str) -> Result<()> {
    if Path::new(file).file_name() == Some(file.as_ref()) && !file.contains('\0') {
        return Ok(());
    }
    Err(Error::BadValue {
        place: place.to_string(),
        problem: format!("{said:?}: must be the name of a file, without folders"),
    })
}
