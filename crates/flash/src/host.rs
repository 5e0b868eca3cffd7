//! What the system knows of its disks: `/sys/class/block`, `/proc/self/mountinfo` and `/proc/swaps`, below a folder of the caller.

use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use image::{Keep, Kind, NodeId};
use rustix::io::Errno;

use crate::device::{self, Device};
use crate::obstacle::{self, Obstacle};
use crate::{Error, MARK, Result};

/// The longest file of the system that is read.
const LEN_MAX: u64 = 16 << 20;

/// A system, as its kernel shows it.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

/// A block device of any kind, partitions included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its name in `/sys/class/block`.
    pub(crate) name: String,
    /// Major and minor number, as the kernel writes them.
    pub(crate) number: String,
    /// The disk that it is a partition of.
    pub(crate) parent: Option<String>,
    /// What is made of it: RAID, logical volumes, encryption.
    pub(crate) holders: Vec<String>,
    /// Where the kernel keeps it.
    pub(crate) folder: PathBuf,
}

/// Something that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Major and minor number of the file system's device.
    pub(crate) number: String,
    /// Where.
    pub(crate) at: String,
    /// The device's name, as far as the file system says one.
    pub(crate) source: String,
}

impl Host {
    /// The system whose `sys`, `proc` and `dev` are in a folder: `/`, except in tests.
    #[must_use]
    pub fn at(root: &Path) -> Host {
        Host {
            root: root.to_path_buf(),
        }
    }

    /// All disks with at least one byte, sorted by name.
    ///
    /// # Errors
    /// When the system does not say what there is.
    pub fn devices(&self) -> Result<Vec<Device>> {
        let nodes = self.nodes()?;
        let (mounts, swaps) = (self.mounts()?, self.swaps()?);
        let disks = nodes.iter().filter(|node| device::is_disk(node));
        let devices = disks.map(|node| self.describe(node, &nodes, &mounts, &swaps));
        let mut devices: Vec<Device> = devices.filter(|device| device.size > 0).collect();
        devices.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(devices)
    }

    /// What the system says of a path: nothing of a file that stands for a disk.
    ///
    /// # Errors
    /// When the path cannot be looked up, or the system does not say what there is.
    pub fn device(&self, path: &Path) -> Result<Option<Device>> {
        let failed = |source| Error::Open {
            path: path.to_path_buf(),
            source,
        };
        let meta = std::fs::metadata(path).map_err(failed)?;
        if !meta.file_type().is_block_device() {
            if meta.is_file() {
                return Ok(None);
            }
            return Err(Error::NoDisk {
                path: path.to_path_buf(),
            });
        }
        let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
        let nodes = self.nodes()?;
        let number = format!("{major}:{minor}");
        let Some(node) = nodes.iter().find(|node| node.number == number) else {
            return Err(failed(Errno::NXIO.into()));
        };
        let device = self.describe(node, &nodes, &self.mounts()?, &self.swaps()?);
        Ok(Some(device))
    }

    fn describe(&self, node: &Node, nodes: &[Node], mounts: &[Mount], swaps: &[String]) -> Device {
        let mut device = Device::read(node, nodes);
        device.obstacle = obstacle::find(node, nodes, mounts, swaps);
        if device.obstacle.is_none() && device.is_read_only {
            device.obstacle = Some(Obstacle::ReadOnly);
        }
        device.is_partly_written = self.is_marked(&device.path);
        device
    }

    /// Whether a device has the mark, as far as this user may read it.
    fn is_marked(&self, path: &Path) -> bool {
        let path = self.root.join(path.strip_prefix("/").unwrap_or(path));
        let mut start = [0; MARK.len()];
        let file = std::fs::File::open(path);
        file.and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == MARK
    }

    pub(crate) fn nodes(&self) -> Result<Vec<Node>> {
        let class = self.root.join("sys/class/block");
        let names = names(&class)?;
        Ok(names.iter().filter_map(|name| Node::read(&class, name)).collect())
    }

    fn mounts(&self) -> Result<Vec<Mount>> {
        let text = self.text("proc/self/mountinfo")?;
        Ok(text.lines().filter_map(Mount::parse).collect())
    }

    /// The names of what is swapped to, without folders.
    fn swaps(&self) -> Result<Vec<String>> {
        let text = self.text("proc/swaps")?;
        let path = |line: &str| Some(unescaped(line.split_whitespace().next()?));
        Ok(text.lines().skip(1).filter_map(path).collect())
    }

    fn text(&self, file: &str) -> Result<String> {
        let path = self.root.join(file);
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path).and_then(|file| file.take(LEN_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            // A kernel without swap has no list of it.
            Err(error) if error.kind() == ErrorKind::NotFound && file == "proc/swaps" => Ok(String::new()),
            Err(source) => Err(Error::System { path, source }),
        }
    }
}

impl Node {
    /// Where it is, in `/dev`.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new("/dev").join(self.name.replace('!', "/"))
    }

    /// What the kernel says of a device; nothing when it has just gone.
    fn read(class: &Path, name: &str) -> Option<Node> {
        let folder = std::fs::canonicalize(class.join(name)).ok()?;
        let number = line(&folder.join("dev"))?;
        let is_partition = folder.join("partition").exists();
        let parent = folder.parent().and_then(Path::file_name);
        let holders = names(&folder.join("holders")).unwrap_or_default();
        Some(Node {
            name: name.to_owned(),
            number,
            parent: parent
                .filter(|_| is_partition)
                .map(|parent| parent.to_string_lossy().into_owned()),
            holders,
            folder,
        })
    }
}

impl Mount {
    /// A line of `mountinfo`: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
    fn parse(line: &str) -> Option<Mount> {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let number = front.next()?.to_owned();
        let at = unescaped(front.nth(1)?);
        let source = unescaped(back.split(' ').nth(1)?);
        Some(Mount { number, at, source })
    }
}

/// The names in a folder of the kernel, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |source| Error::System {
        path: folder.to_path_buf(),
        source,
    };
    let tree =
        image::scan_entries(folder, Keep::default()).map_err(|error| failed(io::Error::other(error)))?;
    let links = tree
        .children(NodeId::ROOT)
        .filter(|(_, id)| matches!(tree.node(*id).kind, Kind::Symlink(_)));
    let name = |(name, _): (&[u8], NodeId)| std::ffi::OsStr::from_bytes(name).to_string_lossy().into_owned();
    Ok(links.map(name).collect())
}

/// The first line of a file of the kernel, without spaces around it; nothing when it is empty or not there.
pub(crate) fn line(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(4096).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next()?.trim_matches(['\0', ' ', '\t']);
    (!line.is_empty()).then(|| line.to_owned())
}

/// A field of the kernel's tables, where `\040` is a space.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &behind[3..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
