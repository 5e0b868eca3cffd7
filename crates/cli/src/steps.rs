//! The steps that builds and plans share, and the warnings that come with them.

use spec::{Access, Gathered, Plan, Rehash, Spec, Work};

use crate::failure::Failure;
use crate::layouts;
use crate::ui::Ui;

/// Gathers, and warns about store paths that were taken although they differ from their registration.
pub(crate) fn gather(spec: &Spec, rehash: Rehash, access: &Access, ui: &Ui) -> Result<Gathered, Failure> {
    let gathered = spec::gather(spec, rehash, access)?;
    for difference in &gathered.rehashed {
        ui.warn(&format!("taken as found: {difference}"));
    }
    layouts::warn(&gathered, ui);
    Ok(gathered)
}

/// Plans, and warns about what is worth a look at the disk and at how it starts.
pub(crate) fn plan(spec: &Spec, gathered: &Gathered, work: &Work, ui: &Ui) -> Result<Plan, Failure> {
    let plan = spec::plan(spec, gathered, work)?;
    for warning in plan.disk.iter().flat_map(|(planned, _)| &planned.warnings) {
        ui.warn(&format!("disk: {warning}"));
    }
    for note in &plan.notes {
        ui.warn(note);
    }
    Ok(plan)
}
