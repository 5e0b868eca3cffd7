//! What the first boot makes.
//!
//! `systemd-repart` compares its files, in the order of their names, with the partitions that are there: the first file
//! of a type stands for the first partition of that type, and so on. Files that are left over are partitions that it
//! makes, behind the highest number. So there is a file for each partition of the disk, in their order; a file for slot
//! B alone would stand for slot A.

use std::fmt::Write as _;

use disk::PartitionType;

use crate::{Device, Made, Partition, Result, Size};

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepartFile {
    /// Its name: `10-boot-a.conf`.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// What systemd-repart is told of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What its file is called, behind a number.
    pub name: String,
    /// What the partition holds.
    pub kind: PartitionType,
    /// Its name in the table, if it is made.
    pub label: Option<String>,
    /// How large it is.
    pub size: Size,
    /// The file system that is made in it, if it is made.
    pub format: Option<String>,
}

/// The files of `repart.d`.
///
/// # Errors
/// As [`Device::check`].
pub fn repart(device: &Device) -> Result<Vec<RepartFile>> {
    device.check()?;
    let of = |partition: &Partition| Definition {
        name: partition.name.clone(),
        kind: partition.kind,
        label: Some(partition.name.clone()),
        size: partition.size,
        format: match &partition.made {
            Made::FirstBoot(format) => format.clone(),
            Made::Factory(_) => None,
        },
    };
    let all: Vec<Definition> = device.partitions.iter().map(of).collect();
    Ok(definitions(&all))
}

/// Files of `repart.d`, whose names are in this order.
#[must_use]
pub fn definitions(definitions: &[Definition]) -> Vec<RepartFile> {
    let digits = (definitions.len() * 10).to_string().len();
    let file = |(index, definition): (usize, &Definition)| RepartFile {
        name: format!("{:0digits$}-{}.conf", (index + 1) * 10, definition.name),
        text: definition.text(),
    };
    definitions.iter().enumerate().map(file).collect()
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

impl Definition {
    /// Whether it holds a hash tree or a signature.
    fn is_of_verity(&self) -> bool {
        let known = self.kind.guid().and_then(disk::type_of_guid);
        known.is_some_and(|known| {
            ["-verity", "-verity-sig"]
                .iter()
                .any(|end| known.name.ends_with(end))
        })
    }

    fn text(&self) -> String {
        let mut text = String::from("[Partition]\n");
        if let Some(guid) = self.kind.guid() {
            let _ = writeln!(text, "Type={guid}");
        }
        if let Some(label) = &self.label {
            let _ = writeln!(text, "Label={label}");
        }
        match self.size {
            Size::Exactly(size) => {
                let _ = writeln!(text, "SizeMinBytes={size}\nSizeMaxBytes={size}");
                // Images are written to it as they are; a file system in it has no business to grow. Nobody expects one in
                // what belongs to dm-verity.
                if !self.is_of_verity() {
                    let _ = writeln!(text, "GrowFileSystem=off");
                }
            }
            Size::AtLeast(size) => {
                let _ = writeln!(text, "SizeMinBytes={size}");
            }
        }
        if let Some(format) = &self.format {
            let _ = writeln!(text, "Format={format}");
        }
        text
    }
}
