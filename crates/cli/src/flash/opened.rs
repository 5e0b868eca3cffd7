//! The image that is flashed: its file, its plain bytes, and its block map.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flash::Source;
use image::{Content, Progress as _};
use inspect::Format;
use transport::{BLOCK_MAP_MAX, BlockMap, Coding};

use crate::args::flash::Flash;
use crate::described;
use crate::failure::Failure;
use crate::look;
use crate::ui::Ui;

/// As many plain bytes say what an image in a stream is.
const HEAD: usize = 1 << 20;

/// The first bytes of an Android sparse image, which fastboot writes.
const SPARSE: [u8; 4] = [0x3a, 0xff, 0x26, 0xed];

/// An image that can be read.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) source: Source,
    /// What its plain bytes are.
    pub(super) format: Format,
    pub(super) map: Option<BlockMap>,
    pub(super) map_path: Option<PathBuf>,
    /// Its plain bytes, when that is known without unpacking it.
    len: Option<u64>,
    /// The bytes of its file.
    file_len: u64,
}

/// Opens an image, and the block map beside it.
pub(super) fn open(path: &Path, args: &Flash, threads: usize, ui: &Ui) -> Result<Opened, Failure> {
    let path = disk_of(path)?;
    let is_text = |ending: &str| path.extension().is_some_and(|found| found == ending);
    if ["toml", "json"].into_iter().any(is_text) {
        return Err(Failure::usage(format!("{}: is no image", path.display()))
            .hint("`kiln build` makes one of a specification, and says how to flash it"));
    }
    let content = look::content(&path)?;
    let file_len = content.len();
    let (source, format, len) = plain(&path, content, threads, ui)?;
    check(&path, &source, format)?;
    let map_path = match &args.bmap {
        Some(given) => Some(given.clone()),
        None if args.no_bmap => None,
        None => beside(&path),
    };
    let map = map_path.as_deref().map(read_map).transpose()?;
    Ok(Opened {
        path,
        source,
        format,
        map,
        map_path,
        len,
        file_len,
    })
}

/// The disk among the outputs of a build.
fn disk_of(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let manifests = described::beside(path);
    let files = manifests.iter().flat_map(|manifest| &manifest.files);
    let is_map = |file: &described::File| {
        Path::new(&file.file)
            .extension()
            .is_some_and(|ending| ending == "bmap")
    };
    let is_image = |file: &&described::File| file.part == "disk" && !is_map(file);
    let mut disks = files.filter(is_image);
    match (disks.next(), disks.next()) {
        (Some(disk), None) => {
            // A name that leads elsewhere stays here.
            let name = Path::new(&disk.file).file_name().unwrap_or_default();
            Ok(path.join(name))
        }
        (first, _) => {
            let found = if first.is_some() {
                "several disks"
            } else {
                "no disk"
            };
            Err(Failure::usage(format!(
                "{}: is a folder with {found}, as its manifests say",
                path.display()
            ))
            .hint("say the image's file"))
        }
    }
}

/// The plain bytes of an image: read in place where that is possible, and else as a stream.
fn plain(
    path: &Path,
    content: Content,
    threads: usize,
    ui: &Ui,
) -> Result<(Source, Format, Option<u64>), Failure> {
    let at = |failure: Failure| failure.at(path);
    let format = Format::of(&content).map_err(|error| at(error.into()))?;
    match format {
        Format::Compressed(coding) => {
            let found = transport::in_place(&content, coding);
            let found = found.map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
            if let Some(plain) = found {
                let format = Format::of(&plain).map_err(|error| at(error.into()))?;
                let len = plain.len();
                return Ok((Source::Content(plain), format, Some(len)));
            }
            let source = stream(path.to_path_buf(), coding, None);
            let head = source
                .head(HEAD)
                .map_err(|source| at(flash::Error::Image { at: 0, source }.into()))?;
            // Of some formats, the first bytes are not enough to be sure.
            let format = Format::of(&Content::from(head)).unwrap_or(Format::Unknown);
            Ok((source, format, None))
        }
        Format::Container(_) => {
            let spool = std::env::temp_dir();
            let work = look::work(&spool, threads, ui);
            let inside = inspect::open(content, &work).map_err(|error| at(error.into()))?;
            let plain = inside.plain();
            let len = plain.content.len();
            Ok((Source::Content(plain.content.clone()), plain.format(), Some(len)))
        }
        format => {
            let len = content.len();
            Ok((Source::Content(content), format, Some(len)))
        }
    }
}

/// A file that is unpacked from its start to its end, as often as it is asked for.
fn stream(path: PathBuf, coding: Coding, heard: Option<Ui>) -> Source {
    Source::Stream(Box::new(move || {
        let file = Heard {
            file: File::open(&path)?,
            ui: heard.clone(),
        };
        transport::decode(coding, file)
    }))
}

/// A file, with what is read of it as progress.
struct Heard {
    file: File,
    ui: Option<Ui>,
}

impl Read for Heard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        if let Some(ui) = &self.ui {
            ui.advance(len as u64)
                .map_err(|_| io::Error::other(image::Error::Cancelled))?;
        }
        Ok(len)
    }
}

/// An image of this kind belongs on a disk.
fn check(path: &Path, source: &Source, format: Format) -> Result<(), Failure> {
    let hint = match format {
        Format::Bundle | Format::CryptBundle => "a device installs it with RAUC",
        Format::Container(_) | Format::Compressed(_) => "unpack it first: one layer is unpacked on the way",
        Format::Tar | Format::Script | Format::Efi | Format::Outputs => {
            "a disk, a file system, or one of them compressed or in a container is written"
        }
        _ => {
            let head = source.head(SPARSE.len()).unwrap_or_default();
            if head != SPARSE {
                return Ok(());
            }
            return Err(
                Failure::usage(format!("{}: is an Android sparse image", path.display()))
                    .hint("`fastboot flash` writes it, or `simg2img` unpacks it first"),
            );
        }
    };
    let name = format.name();
    Err(Failure::usage(format!("{}: is no disk: {name} is in it", path.display())).hint(hint))
}

/// What an image's name ends with when it is compressed.
const PACKED: [&str; 7] = ["bz2", "gz", "lz4", "lzma", "xz", "zst", "zstd"];

/// What the names of images end with. Anything else can be the end of a version, and the name without it that of another one.
const IMAGES: [&str; 20] = [
    "bin", "btrfs", "erofs", "ext2", "ext3", "ext4", "hddimg", "img", "iso", "qcow2", "raw", "rootfs",
    "sdcard", "sdimg", "squashfs", "vdi", "vfat", "vhd", "vhdx", "wic",
];

/// The block map beside an image: of its name, of that before it was compressed, or of that without the ending of images.
fn beside(path: &Path) -> Option<PathBuf> {
    let without = |path: &Path, endings: &[&str]| {
        let ending = path.extension()?.to_str()?;
        endings.contains(&ending).then(|| path.with_extension(""))
    };
    let unpacked = without(path, &PACKED);
    let bare = without(unpacked.as_deref().unwrap_or(path), &IMAGES);
    let names = [Some(path.to_path_buf()), unpacked, bare];
    names.into_iter().flatten().find_map(|path| {
        let mut name = OsString::from(path.file_name()?);
        name.push(".bmap");
        let map = path.with_file_name(name);
        map.is_file().then_some(map)
    })
}

fn read_map(path: &Path) -> Result<BlockMap, Failure> {
    let content = look::content(path)?;
    if content.len() > BLOCK_MAP_MAX {
        return Err(Failure::input(format!(
            "{}: has {} bytes, and a block map at most {BLOCK_MAP_MAX}",
            path.display(),
            content.len()
        )));
    }
    let bytes = content.to_vec()?;
    BlockMap::parse(&bytes).map_err(|error| {
        Failure::new(error.fault(), format!("{}: {error}", path.display()))
            .hint("--no-bmap writes everything, without a block map")
    })
}

impl Opened {
    /// How many plain bytes there are: as its block map says, as it says itself, or as unpacking it shows.
    pub(super) fn size(&self, ui: &Ui) -> Result<u64, Failure> {
        let failed = |source: io::Error| {
            let problem = format!("{}: cannot be unpacked: {source}", self.path.display());
            Failure::new(flash::Error::Image { at: 0, source }.fault(), problem)
        };
        match (self.len, &self.map) {
            (Some(len), Some(map)) if len != map.image_size => Err(Failure::from(flash::Error::OtherSize {
                found: len,
                said: map.image_size,
            })
            .at(&self.path)),
            (Some(len), _) => Ok(len),
            (None, Some(map)) => Ok(map.image_size),
            (None, None) => {
                ui.begin(&format!("measuring {}", self.path.display()), self.file_len);
                let content = look::content(&self.path)?;
                let Format::Compressed(coding) = Format::of(&content)? else {
                    return Ok(content.len());
                };
                let measured = stream(self.path.clone(), coding, Some(ui.clone()));
                measured.measure().map_err(failed)
            }
        }
    }

    /// What the block map is called, for people.
    pub(super) fn shown_map(&self) -> String {
        let path = self.map_path.as_deref().unwrap_or(Path::new(""));
        path.display().to_string()
    }
}
