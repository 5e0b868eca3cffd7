//! Bills of materials: the closure, and the files that lie beside it.
//!
//! Nothing in one depends on an image that was made, so `kiln sbom` says without making any what a build says.

use std::path::Path;

use image::Content;
use sbom::{Bill, Meta, Package};

use crate::Spec;
use crate::error::{Error, Result};
use crate::expand::expand;
use crate::gather::{self, Gathered};
use crate::parts::{Beside, Planner, Work};
use crate::pieces;
use crate::schema::{Sbom, SbomFormat};
use crate::sources::{self, Access};

/// What `--only` calls it.
pub(crate) const PART: &str = "sbom";

/// The first second of 1980, which FAT can say, too: the time where nobody has said one.
const USUAL_TIME: u64 = 315_532_800;

/// The outputs.
pub(crate) fn files(sbom: &Sbom, gathered: &Gathered) -> Vec<(SbomFormat, String)> {
    let file = |format: &SbomFormat| (*format, format!("{}.{}", gathered.name, format.ending()));
    sbom.formats.iter().map(file).collect()
}

/// What a part with a bill in it is called.
pub(crate) fn part(format: SbomFormat) -> String {
    format!("{PART}.{}", format.name())
}

/// Finds what is wrong before anything is made.
pub(crate) fn check(sbom: &Sbom) -> Result<()> {
    let bad = |key: &str, problem: String| Error::BadValue {
        place: format!("sbom.{key}"),
        problem,
    };
    if sbom.formats.is_empty() {
        return Err(bad(
            "formats",
            "is empty: \"cyclonedx\", \"spdx\", or both".into(),
        ));
    }
    for (number, format) in sbom.formats.iter().enumerate() {
        if sbom.formats[..number].contains(format) {
            return Err(bad("formats", format!("{:?} is there twice", format.name())));
        }
    }
    for (key, text) in [("supplier", &sbom.supplier), ("contact", &sbom.contact)] {
        let is_line = |text: &String| !text.trim().is_empty() && !text.contains(char::is_control);
        if let Some(text) = text.as_ref().filter(|text| !is_line(text)) {
            return Err(bad(key, format!("{text:?}: must be a line of text")));
        }
    }
    if let Some(contact) = &sbom.contact {
        if !sbom::is_contact(contact) {
            let problem = format!("{contact:?}: must be an address of mail, or of a page (https://…)");
            return Err(bad("contact", problem));
        }
        if sbom.supplier.is_none() {
            return Err(bad("contact", "is that of the supplier, who is missing".into()));
        }
    }
    if let Some(time) = sbom.time.filter(|time| *time > sbom::TIME_MAX) {
        let problem = format!(
            "{time}: must be at most {}, the end of the year 9999",
            sbom::TIME_MAX
        );
        return Err(bad("time", problem));
    }
    Ok(())
}

/// What Nix knows of packages.
pub(crate) fn meta(sbom: &Sbom, folder: &Path) -> Result<Meta> {
    let mut meta = Meta::default();
    for file in &sbom.meta {
        let path = folder.join(file);
        let bytes = image::read_regular(&path).map_err(|source| Error::Tree {
            part: "sbom.meta".into(),
            source: image::Error::Read { path, source },
        })?;
        let place = file.display().to_string();
        meta.add(Meta::parse(&place, &bytes).map_err(|error| Error::NotA {
            place: "sbom.meta".into(),
            problem: error.to_string(),
        })?);
    }
    Ok(meta)
}

/// The bills that a specification asks for, and what is to be said about them.
pub(crate) fn plan(sbom: &Sbom, planner: &mut Planner) -> Result<(Vec<Beside>, Vec<String>)> {
    let bill = of_all(sbom, planner)?;
    let beside = |(format, file): (SbomFormat, String)| {
        Ok(Beside {
            part: part(format),
            file,
            content: Content::from(written(&bill, format)?),
        })
    };
    let bills = files(sbom, planner.gathered).into_iter().map(beside);
    let notes = notes(bill.knows_references(), &planner.gathered.meta);
    Ok((bills.collect::<Result<_>>()?, notes))
}

/// A bill, written down, and what is to be said about it.
#[derive(Clone, Debug)]
pub struct WrittenBill {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What could not be said in it.
    pub notes: Vec<String>,
    /// How many packages are in it.
    pub packages: usize,
    /// How many files beside them.
    pub files: usize,
}

impl WrittenBill {
    fn new(bill: &Bill, meta: &Meta, format: SbomFormat) -> Result<WrittenBill> {
        Ok(WrittenBill {
            bytes: written(bill, format)?,
            notes: notes(bill.knows_references(), meta),
            packages: bill.packages.len(),
            files: bill.files.len(),
        })
    }
}

/// The bill of all that a specification makes. Nothing is made for it.
///
/// # Errors
/// When anything in the specification does not fit together, or something cannot be read.
pub fn bill(spec: &Spec, gathered: &Gathered, work: &Work, format: SbomFormat) -> Result<WrittenBill> {
    let sbom = spec.sbom.clone().unwrap_or_default();
    let mut planner = Planner::new(spec, gathered, work);
    let bill = of_all(&sbom, &mut planner)?;
    WrittenBill::new(&bill, &gathered.meta, format)
}

/// The bill of a specification's closure alone. Of store paths and binary caches, only what is said about them is read.
///
/// # Errors
/// When the closure cannot be read, or contradicts itself.
pub fn bill_of_closure(spec: &Spec, access: &Access, format: SbomFormat) -> Result<WrittenBill> {
    let sbom = spec.sbom.clone().unwrap_or_default();
    check(&sbom)?;
    let meta = meta(&sbom, access.folder)?;
    let closure = match &spec.closure {
        Some(source) => sources::closure(source, access)?,
        None => nix::Closure::default(),
    };
    let bill = Bill {
        version: sbom.version.clone(),
        seed: gather::seed_of(spec, &spec.name, &closure),
        packages: packages(&closure, &meta),
        ..empty(&sbom, &spec.name)
    };
    let bill = bill.ordered(&meta).map_err(|error| failed(&error))?;
    WrittenBill::new(&bill, &meta, format)
}

/// How many notes about what was left out are shown one by one.
const NOTES_MAX: usize = 5;

fn notes(knows_references: bool, meta: &Meta) -> Vec<String> {
    let mut notes = Vec::new();
    if !knows_references {
        notes.push(
            "the closure's source does not say what store paths refer to, so the bill of materials has no dependencies \
             (a registration, a database or a binary cache says it)"
                .to_string(),
        );
    }
    let left_out = |note: &String| format!("left out of the bill of materials: {note}");
    notes.extend(meta.notes().iter().take(NOTES_MAX).map(left_out));
    let more = meta.notes().len().saturating_sub(NOTES_MAX);
    if more > 0 {
        notes.push(format!(
            "left out of the bill of materials: {more} more such values"
        ));
    }
    notes
}

/// The product's version.
pub(crate) fn version(sbom: &Sbom, gathered: &Gathered) -> Result<Option<String>> {
    let Some(text) = &sbom.version else {
        // A system need not say one.
        return Ok(gathered.value("version", "sbom.version").ok());
    };
    let version = expand(text, "sbom.version", |key| match key {
        "version" | "series" => gathered.value(key, "sbom.version"),
        _ => Err(gather::unknown("sbom.version", key, &["version", "series"])),
    })?;
    Ok(Some(version))
}

fn of_all(sbom: &Sbom, planner: &mut Planner) -> Result<Bill> {
    let gathered = planner.gathered;
    let bill = Bill {
        version: version(sbom, gathered)?,
        seed: gathered.seed,
        roots: gathered.toplevel.iter().map(ToString::to_string).collect(),
        packages: packages(&gathered.closure, &gathered.meta),
        files: pieces::files(planner)?,
        ..empty(sbom, &gathered.name)
    };
    bill.ordered(&gathered.meta).map_err(|error| failed(&error))
}

/// A bill with nothing in it.
fn empty(sbom: &Sbom, name: &str) -> Bill {
    Bill {
        name: name.to_string(),
        version: None,
        supplier: sbom.supplier.clone(),
        contact: sbom.contact.clone(),
        seed: image::Seed::new(&[]),
        time: sbom.time.unwrap_or(USUAL_TIME),
        roots: Vec::new(),
        packages: Vec::new(),
        files: Vec::new(),
    }
}

fn packages(closure: &nix::Closure, meta: &Meta) -> Vec<Package> {
    let package = |info: &nix::PathInfo| Package {
        nar_hash: info.nar_hash.map(|hash| hash.0),
        nar_size: info.nar_size,
        references: info
            .references
            .as_ref()
            .map(|all| all.iter().map(ToString::to_string).collect()),
        ..Package::new(info.path.as_str(), info.path.name(), meta)
    };
    closure.paths().iter().map(package).collect()
}

fn written(bill: &Bill, format: SbomFormat) -> Result<Vec<u8>> {
    let written = match format {
        SbomFormat::Cyclonedx => sbom::cyclonedx(bill),
        SbomFormat::Spdx => sbom::spdx(bill),
    };
    written.map_err(|error| failed(&error))
}

fn failed(error: &sbom::Error) -> Error {
    Error::BadValue {
        place: PART.into(),
        problem: error.to_string(),
    }
}
