//! Boot menus: `extlinux.conf` and the files that it names.
//!
//! U-Boot's standard boot looks for `/extlinux/extlinux.conf` and `/boot/extlinux/extlinux.conf` on each partition
//! that is bootable, shows the menu in it, and loads a kernel, an initial file system and a device tree from the
//! same partition. Paths that do not begin with a slash start at the menu's own folder:
//!
//! ```text
//!  extlinux/
//!  └── extlinux.conf                      DEFAULT nixos-default
//!                                         TIMEOUT 50                         tenths of a second
//!                                         LABEL nixos-default
//!                                           LINUX ../nixos/…-linux-6.12-Image
//!                                           INITRD ../nixos/…-initrd-linux-6.12-initrd
//!                                           APPEND init=/nix/store/…/init loglevel=4
//!                                           FDTDIR ../nixos/…-linux-6.12-dtbs
//!  nixos/
//!  ├── …-initrd-linux-6.12-initrd
//!  ├── …-linux-6.12-Image                 of /nix/store/…-linux-6.12/Image
//!  └── …-linux-6.12-dtbs/
//! ```
//!
//! [`tree`] makes what nixpkgs' `extlinux-conf-builder.sh` makes, and [`text`] the same menu byte for byte, so that
//! `nixos-rebuild` on the device goes on where the image ends. Three things differ on purpose: times are given and
//! in UTC; what cannot boot is an error and not left out; and device trees that were links are files, which a FAT
//! can hold too.

mod menu;
mod order;

use image::{Node, Tree};

pub use menu::{day, text};

/// A menu. The order of its entries does not matter: generations come newest first.
#[derive(Clone, Debug)]
pub struct Menu {
    /// How long it waits.
    pub timeout: Timeout,
    /// What it says of device trees.
    pub device_tree: DeviceTree,
    /// What starts when nobody chooses, and the only entry of most images.
    pub default: Entry,
    /// What else can be chosen.
    pub others: Vec<Choice>,
}

/// How long a menu waits before it starts the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// This many seconds; with none, no menu is shown.
    Seconds(u32),
    /// Until somebody chooses.
    Never,
}

/// What a menu says of device trees, which describe the hardware to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceTree {
    /// The folder of those entries that have one: the boot loader takes its board's from it.
    Folder,
    /// One in the folder of each entry: `rockchip/rk3328-rock64.dtb`.
    Named(String),
    /// Nothing: the boot loader has its own.
    None,
}

/// A system that can be started.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The toplevel's path, in which `init` lies.
    pub system: String,
    /// What the kernel is told beside `init`.
    pub kernel_params: String,
    /// The kernel.
    pub kernel: File,
    /// The initial file system.
    pub initrd: File,
    /// The folder of device trees.
    pub device_trees: Option<File>,
}

/// An entry beside the default.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The number of the profile's generation.
    pub generation: u32,
    /// The specialisation; none for the generation itself.
    pub specialisation: Option<String>,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    /// What its version is.
    pub version: String,
    /// What it starts.
    pub entry: Entry,
}

/// A file or folder that the boot loader reads.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it comes from: `/nix/store/…-linux-6.12/Image`. It makes the name in the boot tree.
    pub path: String,
    /// The file or folder, without links in it.
    pub tree: Tree,
}

/// An error of boot menus.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command line that the kernel would cut off.
    #[error(
        "{system}: the kernel's command line has {len} bytes, and Linux takes no more than {limit}: the rest would be cut off"
    )]
    CommandLineTooLong {
        /// The system.
        system: String,
        /// The line's bytes.
        len: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// A text that would end its line in the menu.
    #[error("{system}: {line:?} has a line break, which a boot menu cannot hold")]
    LineBreak {
        /// The system's path.
        system: String,
        /// The line of the menu that it would be.
        line: String,
    },
    /// A time that no calendar has.
    #[error("{system}: the time {time} is not between the years 1 and 9999")]
    Time {
        /// The system's path.
        system: String,
        /// Seconds since 1970.
        time: i64,
    },
    /// A system without the device tree that was asked for.
    #[error("{system}: there is no device tree {name:?} in its dtbs")]
    NoDeviceTree {
        /// The system's path.
        system: String,
        /// The device tree's path in the folder.
        name: String,
    },
    /// Two generations with one number.
    #[error("{label}: two entries of the boot menu have this label")]
    LabelTwice {
        /// The label.
        label: String,
    },
    /// The tree cannot be made.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl Error {
    /// Whose fault the error is.
    #[must_use]
    pub fn fault(&self) -> image::Fault {
        match self {
            Error::CommandLineTooLong { .. } | Error::LineBreak { .. } => image::Fault::Input,
            Error::NoDeviceTree { .. } | Error::Time { .. } | Error::LabelTwice { .. } => {
                image::Fault::Request
            }
            Error::Image(error) => error.fault(),
        }
    }
}

/// The result of making menus.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The boot tree of a menu: `/extlinux/extlinux.conf` and everything that it names. Contents are not copied.
///
/// # Errors
/// As [`text`]; and when a name is longer than a file system takes.
pub fn tree(menu: &Menu) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.add_at(b"/extlinux/extlinux.conf", Node::file(text(menu)?.into_bytes()))?;
    let folder = tree.make_directory(b"/nixos")?;
    let choices = menu.others.iter().map(|choice| &choice.entry);
    for entry in [&menu.default].into_iter().chain(choices) {
        for file in [&entry.kernel, &entry.initrd]
            .into_iter()
            .chain(&entry.device_trees)
        {
            let name = file.name();
            // Generations share what they have in common.
            if tree.children(folder).all(|(known, _)| known != name.as_bytes()) {
                tree.graft(folder, name.as_bytes(), file.tree.clone())?;
            }
        }
    }
    Ok(tree)
}

impl File {
    /// The name in the boot tree: of `/nix/store/…-linux-6.12/Image`, `…-linux-6.12-Image`.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.strip_prefix("/nix/store/").unwrap_or(&self.path);
        path.replace('/', "-")
    }
}
