//! `kiln sbom`: what is in the images of a specification, or in a closure, as a bill of materials.

use std::path::Path;

use image::Content;
use spec::{Closure, Sources, Spec, Squashing, Work, WrittenBill};

use crate::access::access;
use crate::args::sbom::SbomArgs;
use crate::failure::Failure;
use crate::folder;
use crate::inputs;
use crate::logins::warn_of_passwords;
use crate::manifest::Made;
use crate::outputs::alone;
use crate::steps::gather;
use crate::ui::Ui;

pub(crate) fn run(args: &SbomArgs, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let out = &*folder::followed(&args.out);
    let mut spec = match &args.spec {
        Some(file) => spec::read(file)?,
        None => of_closure(args),
    };
    args.apply(&mut spec);
    warn_of_passwords(&spec, ui);
    let folder = args.spec.as_deref().and_then(Path::parent);
    let folder = folder.unwrap_or(Path::new(""));
    let fetch = &args.gathering.fetch;
    let written = [out].into_iter().chain(fetch.download_dir.as_deref());
    inputs::check(&spec, folder, written)?;
    let beside = folder::of(out)?;
    let access = access(fetch, spec.closure.as_ref(), folder, beside, threads, ui)?;
    let format = args.format.lower();
    let bill = if args.spec.is_some() {
        let gathered = gather(&spec, args.gathering.rehash(), &access, ui)?;
        let work = Work {
            folder,
            squashing: Squashing::Estimate,
            threads,
            progress: ui,
            segments: None,
            roots: None,
            efi: None,
            release: None,
            only: &[],
        };
        spec::bill(&spec, &gathered, &work, format)?
    } else {
        spec::bill_of_closure(&spec, &access, format)?
    };
    let WrittenBill {
        bytes,
        notes,
        packages,
        files,
    } = bill;
    for note in &notes {
        ui.warn(note);
    }
    let written = image::write(out, &*alone(&Content::from(bytes))?, ui)?;
    let made = Made::new(out, &written);
    written.keep()?;
    if ui.json() {
        return ui.print_json(&made);
    }
    ui.print(&format!(
        "{}{packages} packages, {files} files beside them\n",
        made.line()
    ))
}

/// A specification of a closure and nothing else.
fn of_closure(args: &SbomArgs) -> Spec {
    let closure = Closure {
        from: Sources(args.closure.clone()),
        paths: args.path.clone(),
        trusted_keys: args.trusted_key.clone(),
        allow_unsigned: args.allow_unsigned,
        ..Closure::default()
    };
    Spec {
        schema: 1,
        name: args.name.clone(),
        closure: Some(closure),
        ..Spec::default()
    }
}
