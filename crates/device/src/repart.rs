//! What the first boot makes.
//!
//! `systemd-repart` compares its files, in the order of their names, with the partitions that are there: the first file
//! of a type stands for the first partition of that type, and so on. Files that are left over are partitions that it
//! makes, behind the highest number. So there is a file for each partition of the disk, in their order; a file for slot
//! B alone would stand for slot A.

use std::fmt::Write as _;

use crate::{Device, Made, Partition, Result, Size};

/// A file for `/usr/lib` or `/etc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepartFile {
    /// Its path: `repart.d/10-boot-a.conf`.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The files for the first boot: `repart.d/*.conf`, and a drop-in for systemd-repart's service, below
/// `systemd/system`.
///
/// The drop-in tells the service the disk, since it cannot know it from a root in memory, and to discard nothing: it
/// would discard the gap before the first partition too, where loaders lie.
///
/// # Errors
/// As [`Device::check`].
pub fn repart(device: &Device) -> Result<Vec<RepartFile>> {
    device.check()?;
    let digits = (device.partitions.len() * 10).to_string().len();
    let mut files: Vec<RepartFile> = Vec::new();
    for (index, partition) in device.partitions.iter().enumerate() {
        files.push(RepartFile {
            path: format!("repart.d/{:0digits$}-{}.conf", (index + 1) * 10, partition.name),
            text: definition(partition),
        });
    }
    let node = &device.disk.node;
    files.push(RepartFile {
        path: "systemd/system/systemd-repart.service.d/50-disk.conf".to_owned(),
        text: format!("[Service]\nExecStart=\nExecStart=systemd-repart --dry-run=no --discard=no {node}\n"),
    });
    Ok(files)
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
