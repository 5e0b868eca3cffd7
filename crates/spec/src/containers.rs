//! The disk in containers.

use std::sync::Arc;

use container::{Compression, Format, Machine, Options};
use image::{Image, Spool};

use crate::Spec;
use crate::error::{Error, Result};
use crate::gather::Gathered;
use crate::outputs::{self, Transport};
use crate::parts::{Plan, Squashing, Work};
use crate::schema::{Compressor, Disk, Output};

/// The part that all containers are.
pub(crate) const PART: &str = "disk.output";

/// A disk in a container.
#[derive(Clone, Debug)]
pub struct Contained {
    /// The output's name.
    pub file: String,
    /// The container.
    pub format: Format,
    /// How its file travels.
    pub transport: Transport,
    /// Its bytes; none before [`contain`] has made them.
    pub image: Option<Arc<Image>>,
    /// What its data lies in, to become its output.
    pub spool: Option<Spool>,
}

/// What errors call a container.
fn place(file: &str) -> String {
    format!("{PART} {file:?}")
}

fn failed(file: &str) -> impl FnOnce(container::Error) -> Error {
    let place = place(file);
    |source| Error::Container { place, source }
}

fn options<'a>(disk: &Disk, output: &Output, file: &'a str, gathered: &Gathered) -> Result<Options<'a>> {
    let sector_size = disk.sector_size.unwrap_or(512).into();
    let bad = |key: &str, problem: String| Error::BadValue {
        place: format!("{}.{key}", place(file)),
        problem,
    };
    let compression = match output.compression {
        None => None,
        Some(Compressor::None) => Some(Compression::None),
        Some(Compressor::Zstd) => Some(Compression::Zstd),
        Some(Compressor::Zlib) => Some(Compression::Zlib),
        Some(other) => {
            let other = other.name();
            let problem = format!("{other:?}: is for file systems; containers have \"zstd\" and \"zlib\"");
            return Err(bad("compression", problem));
        }
    };
    let format = output.format.format();
    Ok(Options {
        sector_size,
        compression,
        level: output.level,
        machine: machine(disk, output, sector_size, bad)?,
        ..Options::new(format, file, gathered.seed.part("disk"))
    })
}

/// The machine that an OVA or a VMA describes.
fn machine(
    disk: &Disk,
    output: &Output,
    sector_size: u64,
    bad: impl Fn(&str, String) -> Error,
) -> Result<Machine> {
    let format = output.format.format();
    let of_machines = [
        ("memory", output.memory.is_some()),
        ("cpus", output.cpus.is_some()),
    ];
    for (key, given) in of_machines {
        if given && !matches!(format, Format::Ova | Format::Vma) {
            return Err(bad(
                key,
                format!("is for \"ova\" and \"vma\", and this is {:?}", format.name()),
            ));
        }
    }
    let usual = Machine::default();
    let machine = Machine {
        memory: output
            .memory
            .map_or(usual.memory, |memory| memory.bytes(sector_size)),
        cpus: output.cpus.unwrap_or(usual.cpus),
        uefi: is_for_uefi(disk),
    };
    if machine.memory == 0 || !machine.memory.is_multiple_of(1 << 20) {
        let problem = format!("{} bytes: must be a number of whole MiB", machine.memory);
        return Err(bad("memory", problem));
    }
    if machine.cpus == 0 {
        return Err(bad("cpus", "0: a machine has at least one".into()));
    }
    Ok(machine)
}

/// Whether only UEFI boots a disk: it has a system partition for that, and nothing for a BIOS.
fn is_for_uefi(disk: &Disk) -> bool {
    let has = |kind: &str| {
        disk.region
            .iter()
            .any(|region| region.kind.as_deref() == Some(kind))
    };
    has("esp") && !has("bios-boot") && disk.boot_code.is_none()
}

/// What the size of a disk that fits is a multiple of: what its containers need, and its alignment as far as that goes with it.
pub(crate) fn multiple(disk: &Disk, align: u64) -> u64 {
    let needed = disk.output.iter().map(|output| output.format.format().multiple());
    let needed = needed.max().unwrap_or(1);
    if align.is_multiple_of(needed) {
        align
    } else {
        needed
    }
}

/// Finds what is wrong with containers before anything is made.
pub(crate) fn check(spec: &Spec, disk: &Disk, gathered: &Gathered) -> Result<()> {
    if disk.only_outputs {
        let bad = |key: &str, problem: &str| Error::BadValue {
            place: format!("disk.{key}"),
            problem: problem.to_string(),
        };
        if disk.output.is_empty() {
            return Err(bad("only-outputs", "there is no [[disk.output]]"));
        }
        for (key, given) in [("compress", disk.compress.is_some()), ("bmap", disk.bmap)] {
            if given {
                let problem = "means nothing with only-outputs: the disk itself is no output";
                return Err(bad(key, problem));
            }
        }
    }
    for output in &disk.output {
        let file = outputs::contained(disk, output, gathered);
        let options = options(disk, output, &file, gathered)?;
        options.check().map_err(failed(&file))?;
        outputs::contained_transport(spec, output, &place(&file))?;
        if let Some(size) = disk.size {
            let size = size.bytes(options.sector_size);
            options.check_size(size).map_err(failed(&file))?;
        }
    }
    Ok(())
}

/// The containers of the disk, before anything is put into them.
pub(crate) fn named(spec: &Spec, disk: &Disk, gathered: &Gathered) -> Result<Vec<Contained>> {
    let named = |output: &Output| {
        let file = outputs::contained(disk, output, gathered);
        Ok(Contained {
            format: output.format.format(),
            transport: outputs::contained_transport(spec, output, &place(&file))?,
            file,
            image: None,
            spool: None,
        })
    };
    disk.output.iter().map(named).collect()
}

/// Puts the planned disk into its containers, which can take as long as compressing it. Does nothing in a plan whose file systems
/// are only estimated.
///
/// # Errors
/// When a container cannot hold the disk, or cannot be compressed.
pub fn contain(spec: &Spec, gathered: &Gathered, work: &Work, plan: &mut Plan) -> Result<()> {
    let (Some(disk), Some((planned, _))) = (&spec.disk, &plan.disk) else {
        return Ok(());
    };
    let Squashing::Spool(folder) = work.squashing else {
        return Ok(());
    };
    let how = container::Work {
        folder,
        threads: work.threads,
        progress: work.progress,
    };
    for (contained, output) in plan.contained.iter_mut().zip(&disk.output) {
        let options = options(disk, output, &contained.file, gathered)?;
        let made = container::plan(&planned.image, &options, &how);
        let made = made.map_err(failed(&contained.file))?;
        contained.image = Some(Arc::new(made.image));
        contained.spool = made.spool;
    }
    Ok(())
}
