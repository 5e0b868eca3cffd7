//! Boot menus of file systems: systems of the closure become entries.

use image::Tree;
use uboot::extlinux::{self, Choice, DeviceTree, Entry, File, Menu, Timeout};

use crate::error::{Error, Result};
use crate::expand::expand;
use crate::gather::Gathered;
use crate::schema::Extlinux;
use crate::trees::Values;

/// Where U-Boot looks for a menu, beside the root.
pub(crate) const USUAL_FOLDER: &str = "/boot";

/// What NixOS waits when it is not told.
const USUAL_SECONDS: i64 = 5;

/// The menu of a part and the files that it names, as a tree with `extlinux` and `nixos` in its root. `time` is
/// shown for generations when the menu has none of its own.
pub(crate) fn tree(
    part: &str,
    options: &Extlinux,
    time: u32,
    gathered: &Gathered,
    values: &mut dyn Values,
) -> Result<Tree> {
    let place = format!("{part}.extlinux");
    let bad = |problem: String| Error::BadValue {
        place: place.clone(),
        problem,
    };
    let Some(toplevel) = &gathered.toplevel else {
        return Err(bad("a boot menu needs a [closure] with a toplevel".into()));
    };
    let timeout = match options.timeout.unwrap_or(USUAL_SECONDS) {
        ..0 => Timeout::Never,
        seconds => Timeout::Seconds(u32::try_from(seconds).map_err(|_| {
            let limit = u32::MAX;
            bad(format!("timeout = {seconds}: the limit is {limit} seconds"))
        })?),
    };
    let device_tree = match (&options.dtb_name, options.device_trees) {
        (Some(_), Some(false)) => {
            return Err(bad("dtb-name means nothing with device-trees = false".into()));
        }
        (Some(name), _) => DeviceTree::Named(name.clone()),
        (None, Some(false)) => DeviceTree::None,
        (None, _) => DeviceTree::Folder,
    };
    let mut others = Vec::new();
    for (number, system) in &options.generations {
        let place = format!("{place}.generations.{number:?}");
        let path = expand(system, &place, |key| values.text(key, &place))?;
        let generation = number.parse().map_err(|_| Error::BadValue {
            place,
            problem: "the key must be the number of a generation".into(),
        })?;
        others.extend(choices(
            generation,
            &path,
            options.time.unwrap_or(time),
            gathered,
        )?);
    }
    let menu = Menu {
        timeout,
        device_tree,
        default: entry(nix::system(&gathered.tree, toplevel.as_str())?),
        others,
    };
    extlinux::tree(&menu).map_err(|source| Error::Extlinux {
        part: part.to_string(),
        source,
    })
}

/// A generation and its specialisations.
fn choices(generation: u32, path: &str, time: u32, gathered: &Gathered) -> Result<Vec<Choice>> {
    let mut systems = vec![(None, path.to_string())];
    for name in nix::specialisations(&gathered.tree, path)? {
        let path = format!("{path}/specialisation/{name}");
        systems.push((Some(name), path));
    }
    let choice = |(specialisation, path): (Option<String>, String)| {
        let system = nix::system(&gathered.tree, &path)?;
        Ok(Choice {
            generation,
            specialisation,
            time: time.into(),
            version: system.version.clone(),
            entry: entry(system),
        })
    };
    systems.into_iter().map(choice).collect()
}

fn entry(system: nix::System) -> Entry {
    Entry {
        system: system.path,
        kernel_params: system.kernel_params,
        kernel: file(system.kernel),
        initrd: file(system.initrd),
        device_trees: system.device_trees.map(file),
    }
}

fn file(file: nix::BootFile) -> File {
    File {
        path: file.path,
        tree: file.tree,
    }
}
