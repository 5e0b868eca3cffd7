//! What the first boot makes.
//!
//! `systemd-repart` compares its files, in the order of their names, with the partitions that are there: the first file
//! of a type stands for the first partition of that type, and so on. Files that are left over are partitions that it
//! makes, behind the highest number. So there is a file for each partition of the disk, in their order; a file for slot
//! B alone would stand for slot A.

use std::fmt::Write as _;

use crate::{Device, Made, Partition, Result, Size};

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepartFile {
    /// Its name: `10-boot-a.conf`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The files of `repart.d`.
///
/// # Errors
/// As [`Device::check`].
pub fn repart(device: &Device) -> Result<Vec<RepartFile>> {
    device.check()?;
    // The order of the names is the order of the partitions.
    let digits = (device.partitions.len() * 10).to_string().len();
    let files = device
        .partitions
        .iter()
        .enumerate()
        .map(|(index, partition)| RepartFile {
            name: format!("{:0digits$}-{}.conf", (index + 1) * 10, partition.name),
            text: definition(partition),
        });
    Ok(files.collect())
}

/// A drop-in for systemd-repart's service. It tells it the disk, which it cannot find when the root is in memory, and to
/// discard nothing: it would discard the gap before the first partition too, where loaders lie.
///
/// # Errors
/// As [`Device::check`].
pub fn repart_service(device: &Device) -> Result<String> {
    device.check()?;
    let node = &device.disk.node;
    Ok(format!(
        "[Service]\nExecStart=\nExecStart=systemd-repart --dry-run=no --discard=no {node}\n"
    ))
}

fn definition(partition: &Partition) -> String {
    let mut text = String::from("[Partition]\n");
    if let Some(guid) = partition.kind.guid() {
        let _ = writeln!(text, "Type={guid}");
    }
    let _ = writeln!(text, "Label={}", partition.name);
    match partition.size {
        Size::Exactly(size) => {
            let _ = writeln!(text, "SizeMinBytes={size}\nSizeMaxBytes={size}");
            // Images are written to it as they are; a file system in it has no business to grow.
            let _ = writeln!(text, "GrowFileSystem=off");
        }
        Size::AtLeast(size) => {
            let _ = writeln!(text, "SizeMinBytes={size}");
        }
    }
    if let Made::FirstBoot(Some(format)) = &partition.made {
        let _ = writeln!(text, "Format={format}");
    }
    text
}
