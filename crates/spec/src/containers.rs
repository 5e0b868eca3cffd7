//! The disk in containers.

use std::sync::Arc;

use container::{Format, Options};
use image::{Image, Spool};

use crate::Spec;
use crate::error::{Error, Result};
use crate::gather::Gathered;
use crate::outputs::{self, Transport};
use crate::parts::{Planner, Squashing};
use crate::schema::{Disk, Output};

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
    /// Its bytes; none when file systems in it were only estimated.
    pub image: Option<Arc<Image>>,
    /// What its data lies in, to become its output.
    pub spool: Option<Spool>,
}

/// What errors call a container.
fn place(file: &str) -> String {
    format!("{PART} {file:?}")
}

fn options<'a>(disk: &Disk, output: &Output, file: &'a str, gathered: &Gathered) -> Options<'a> {
    Options {
        format: output.format.format(),
        sector_size: disk.sector_size.unwrap_or(512).into(),
        seed: gathered.seed.part("disk"),
        file,
    }
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
                return Err(bad(
                    key,
                    "means nothing with only-outputs: the disk itself is no output",
                ));
            }
        }
    }
    for output in &disk.output {
        let file = outputs::contained(disk, output, gathered);
        let failed = |source| Error::Container {
            place: place(&file),
            source,
        };
        let options = options(disk, output, &file, gathered);
        options.check().map_err(failed)?;
        outputs::contained_transport(spec, output, &place(&file))?;
        if let Some(size) = disk.size {
            options
                .check_size(size.bytes(options.sector_size))
                .map_err(failed)?;
        }
    }
    Ok(())
}

/// Puts the disk into its containers.
pub(crate) fn plan(disk: &Disk, image: &Image, planner: &Planner) -> Result<Vec<Contained>> {
    let plan = |output: &Output| {
        let file = outputs::contained(disk, output, planner.gathered);
        let transport = outputs::contained_transport(planner.spec, output, &place(&file))?;
        let options = options(disk, output, &file, planner.gathered);
        let image = match planner.work.squashing {
            Squashing::Estimate => None,
            Squashing::Spool(_) => {
                let failed = |source| Error::Container {
                    place: place(&file),
                    source,
                };
                Some(Arc::new(container::plan(image, &options).map_err(failed)?))
            }
        };
        let format = options.format;
        Ok(Contained {
            file,
            format,
            transport,
            image,
            spool: None,
        })
    };
    disk.output.iter().map(plan).collect()
}
