//! What to do with what a build made.

use std::path::Path;

use disk::TypeId;

use crate::manifest::{FileEntry, Manifest};

/// Commands that make sense with these outputs, the one that is wanted most often first.
pub(super) fn commands(manifest: &Manifest, out: &Path) -> Vec<String> {
    let mut commands = Vec::new();
    let files = &manifest.files;
    let of = |part: &str| files.iter().find(|entry| entry.part == part);
    let shown = |file: &str| out.join(file).display().to_string();
    if let Some(disk) = of("disk") {
        let file = shown(&disk.file);
        commands.push(format!(
            "sudo kiln flash {file} /dev/DEVICE    # `kiln flash` lists devices"
        ));
    }
    let in_machine = of("disk.output").or_else(|| of("disk").filter(|_| has_esp(manifest)));
    if let Some(disk) = in_machine {
        commands.push(format!("kiln run {}", shown(&disk.file)));
    }
    let is_signed = |bundle: &&FileEntry| {
        Path::new(&bundle.file)
            .extension()
            .is_some_and(|ending| ending == "raucb")
    };
    if let Some(bundle) = of("bundle").filter(is_signed) {
        commands.push(format!(
            "kiln bundle verify {} --keyring CA.pem",
            shown(&bundle.file)
        ));
    }
    commands
}

/// Whether UEFI finds something to start on the disk.
fn has_esp(manifest: &Manifest) -> bool {
    let regions = manifest.disk.iter().flat_map(|disk| &disk.regions);
    let mut types = regions.filter_map(|region| match region.partition.as_ref()?.kind {
        TypeId::Guid(guid) => disk::type_of_guid(guid),
        TypeId::Mbr(_) => None,
    });
    types.any(|found| found.name == "esp")
}
