//! What grew, since an older image, manifest or report.

use std::path::Path;

use inspect::compare::split;
use report::{Listed, Report, SCHEMA};

use crate::args::look::Image;
use crate::args::report::Report as Args;
use crate::described::{self, Described};
use crate::failure::Failure;
use crate::look;
use crate::ui::Ui;

/// Longer reports are not read.
const LEN_MAX: u64 = 512 << 20;

/// Adds to a report what is different from something older.
pub(super) fn compare(
    report: &mut Report,
    old: &Path,
    args: &Args,
    work: &inspect::Work,
    ui: &Ui,
) -> Result<(), Failure> {
    let name = old.file_name().unwrap_or(old.as_os_str());
    let name = name.to_string_lossy().into_owned();
    let ends = |ending: &str| name.ends_with(ending);
    if ends(described::ENDING) {
        let described = Described::read(old, &look::content(old)?)?;
        if !described.outputs_are_beside(old) {
            return by_nars(report, old, &described, args);
        }
    } else if (ends(".html") || ends(".json"))
        && let Some(before) = read(old)?
    {
        report.against(&Listed::of(&before, split), &Listed::of(report, split));
        return Ok(());
    }
    let image = Image {
        image: old.to_path_buf(),
        planning: args.image.planning.clone(),
    };
    let (mut before, damage) = super::make(&image, args.path.as_encoded_bytes(), None, work, ui)?;
    if let Some(damage) = damage {
        ui.warn(&damage.message);
        report.notes.push(format!(
            "{name} is damaged: what could not be read of it seems to have come."
        ));
    }
    before.name = name;
    report.against(&Listed::of(&before, split), &Listed::of(report, split));
    Ok(())
}

/// A manifest alone knows the sizes of store paths.
fn by_nars(report: &mut Report, old: &Path, described: &Described, args: &Args) -> Result<(), Failure> {
    let now = described::of(&args.image.image).ok_or_else(|| {
        Failure::input(format!(
            "{}: the outputs that it names are not beside it, and {} has no manifest to compare it with",
            old.display(),
            args.image.image.display()
        ))
        .hint("compare with the older image, or with a report that `kiln report --json` has made of it")
    })?;
    let name = old.file_name().unwrap_or_default().to_string_lossy();
    let before = Listed::of_nars(&name, described.nars(), split);
    let now = Listed::of_nars(&report.name, now.nars(), split);
    report.against(&before, &now);
    Ok(())
}

/// What a report has and a specification has not.
#[derive(Default, serde::Deserialize)]
struct Kind {
    tree: Option<serde::de::IgnoredAny>,
    totals: Option<serde::de::IgnoredAny>,
}

fn text(path: &Path) -> Result<String, Failure> {
    let content = look::content(path)?;
    if content.len() > LEN_MAX {
        let problem = format!(
            "{}: has {} bytes, the limit is {LEN_MAX}",
            path.display(),
            content.len()
        );
        return Err(Failure::input(problem));
    }
    Ok(String::from_utf8_lossy(&content.to_vec()?).into_owned())
}

/// Reads a report, as JSON or as a page; nothing when the JSON is a specification.
fn read(path: &Path) -> Result<Option<Report>, Failure> {
    let text = text(path)?;
    let failed = |problem: String| Failure::input(format!("{}: {problem}", path.display()));
    let can_be_other = path.extension().is_some_and(|ending| ending == "json");
    let json = match report::json_of_page(&text) {
        _ if text.trim_start().starts_with('{') => &*text,
        Some(json) => json,
        None if can_be_other => return Ok(None),
        None => return Err(failed("is no page that `kiln report` has made".into())),
    };
    let report: Report = match serde_json::from_str(json) {
        Ok(report) => report,
        Err(error) => {
            let kind: Kind = serde_json::from_str(json).unwrap_or_default();
            let is_report = kind.tree.is_some() && kind.totals.is_some();
            if can_be_other && !is_report {
                return Ok(None);
            }
            return Err(failed(format!("is no report: {error}")));
        }
    };
    match report.schema {
        SCHEMA => Ok(Some(report)),
        other => Err(failed(format!(
            "is a report of schema {other}, and those of {SCHEMA} are read"
        ))
        .hint("a newer kiln has made it")),
    }
}
