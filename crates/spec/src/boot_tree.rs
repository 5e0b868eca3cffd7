//! Boot menus of file systems: systems of the closure become entries.

use std::cmp::Reverse;
use std::collections::BTreeMap;

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
    for (generation, path) in generations(&place, &options.generations, options.limit, values)? {
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

/// The newest generations and the paths of their systems, newest first.
pub(crate) fn generations(
    place: &str,
    all: &BTreeMap<String, String>,
    limit: Option<usize>,
    values: &mut dyn Values,
) -> Result<Vec<(u32, String)>> {
    let mut generations = Vec::new();
    for (number, system) in all {
        let place = format!("{place}.generations.{number:?}");
        let path = expand(system, &place, |key| values.text(key, &place))?;
        let generation: u32 = number.parse().map_err(|_| Error::BadValue {
            place,
            problem: "the key must be the number of a generation".into(),
        })?;
        generations.push((generation, path));
    }
    generations.sort_by_key(|(generation, _)| Reverse(*generation));
    generations.truncate(limit.unwrap_or(usize::MAX));
    Ok(generations)
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::schema::FileSystem;
    use image::{Content, Fault, Kind, Node, Seed};

    /// Values that need nothing but the closure.
    struct OfClosure<'a>(&'a Gathered);

    impl Values for OfClosure<'_> {
        fn text(&mut self, key: &str, place: &str) -> Result<String> {
            self.0.value(key, place)
        }

        fn search(&self, _: &str, _: &FileSystem) -> Result<grub::menu::Search> {
            Ok(grub::menu::Search::File(String::new()))
        }

        fn part(&mut self, _: &str, _: &str) -> Result<Option<Content>> {
            Ok(None)
        }
    }

    fn system(name: &str) -> String {
        let letter = match name {
            "old" => "g",
            "plain" => "h",
            _ => "i",
        };
        format!("/nix/store/{}-nixos-system-{name}", letter.repeat(32))
    }

    /// The store of the fixtures.
    fn gathered(toplevel: &str) -> Gathered {
        let mut tree = Tree::default();
        let store = include_str!("../tests/fixtures/extlinux/store.txt");
        for line in store.lines().filter(|line| !line.starts_with('#')) {
            let link = line.split_once(" -> ");
            let link = link.map(|(path, target)| (path, Node::symlink(target)));
            let file = |(path, text): (_, &str)| (path, Node::file(text.as_bytes()));
            let file = line.split_once(" = ").map(file);
            let (path, node) = link.or(file).unwrap();
            tree.add_at(path.as_bytes(), node).unwrap();
        }
        Gathered {
            closure: nix::Closure::default(),
            tree,
            digests: Vec::new(),
            archives: BTreeMap::new(),
            roots: BTreeMap::new(),
            rehashed: Vec::new(),
            hashes: crate::Hashes::Compared,
            toplevel: Some(system(toplevel).parse().unwrap()),
            seed: Seed::new(b""),
            name: "x".into(),
            meta: sbom::Meta::default(),
        }
    }

    fn made(toplevel: &str, options: &Extlinux) -> Result<Tree> {
        let gathered = gathered(toplevel);
        tree("fs.boot", options, 1, &gathered, &mut OfClosure(&gathered))
    }

    /// The menu, and the other files as the fixtures list them.
    fn shown(tree: &Tree) -> [String; 2] {
        let mut texts = [String::new(), String::new()];
        for entry in tree.walk() {
            let content = match &tree.node(entry.id).kind {
                Kind::File(content) => String::from_utf8(content.to_vec().unwrap()).unwrap(),
                Kind::Directory(_) => continue,
                other => panic!("{other:?}"),
            };
            match image::show(&entry.path).as_str() {
                "/extlinux/extlinux.conf" => texts[0] = content,
                path => writeln!(texts[1], "{} = {content}", &path[1..]).unwrap(),
            }
        }
        texts
    }

    fn options(text: &str) -> Extlinux {
        toml::from_str(text).unwrap()
    }

    macro_rules! fixture {
        ($name:literal) => {
            [
                include_str!(concat!("../tests/fixtures/extlinux/", $name, ".conf")),
                include_str!(concat!("../tests/fixtures/extlinux/", $name, ".tree")),
            ]
        };
    }

    #[test]
    fn trees_are_those_of_nixpkgs() {
        let (old, plain) = (system("old"), system("plain"));
        for (expected, toplevel, options) in [
            (fixture!("at-build-time"), "new", "timeout = 0".to_string()),
            (
                fixture!("generations"),
                "new",
                format!(
                    "time = 1763683200\ngenerations = {{ 9 = {old:?}, 10 = {plain:?}, 11 = '{{toplevel}}' }}"
                ),
            ),
            (
                fixture!("named"),
                "old",
                "timeout = 1\ndtb-name = 'rockchip/rk3328-rock64.dtb'".into(),
            ),
            (
                fixture!("without-device-trees"),
                "plain",
                format!(
                    "timeout = -1\ntime = 1763683200\ndevice-trees = false\n\
                     generations = {{ 11 = {:?}, 10 = '{{toplevel}}' }}",
                    system("new")
                ),
            ),
        ] {
            let made = made(toplevel, &self::options(&options)).unwrap();
            assert_eq!(shown(&made), expected, "{options}");
        }
    }

    /// As the builder's `-g`, which counts generations and not their specialisations.
    #[test]
    fn a_menu_has_the_newest_generations() {
        let (old, plain) = (system("old"), system("plain"));
        let labels = |limit: &str| {
            let all =
                format!("{limit}\ngenerations = {{ 9 = {old:?}, 10 = {plain:?}, 11 = '{{toplevel}}' }}");
            let [menu, _] = shown(&made("new", &options(&all)).unwrap());
            let labels = menu.lines().filter_map(|line| line.strip_prefix("LABEL nixos-"));
            labels.map(str::to_string).collect::<Vec<_>>()
        };
        let all = labels("");
        assert!(all.contains(&"9-default".into()), "{all:?}");
        assert_eq!(labels("limit = 3"), all);
        let two: Vec<_> = all
            .iter()
            .filter(|label| !label.starts_with("9-"))
            .cloned()
            .collect();
        assert_eq!(labels("limit = 2"), two);
        assert_eq!(labels("limit = 0"), ["default"]);
    }

    #[test]
    fn contents_are_those_of_the_closure() {
        let gathered = gathered("new");
        let made = tree(
            "fs.boot",
            &Extlinux::default(),
            1,
            &gathered,
            &mut OfClosure(&gathered),
        )
        .unwrap();
        let bytes = |tree: &Tree, path: &str| {
            let Kind::File(Content::Bytes(bytes)) = &tree.node(tree.lookup(path.as_bytes()).unwrap()).kind
            else {
                panic!("{path} is no file")
            };
            bytes.clone()
        };
        let linux = format!("{}-linux-6.12.7", "b".repeat(32));
        let theirs = bytes(&gathered.tree, &format!("/nix/store/{linux}/lib/boot/Image"));
        let ours = bytes(&made, &format!("/nixos/{linux}-lib-boot-Image"));
        assert!(std::sync::Arc::ptr_eq(&ours, &theirs));
    }

    #[test]
    fn what_cannot_boot_is_named() {
        let error = |options: &str| {
            let error = made("plain", &self::options(options)).unwrap_err();
            (error.to_string(), error.fault())
        };
        let gone = format!("/nix/store/{}-nixos-system-gone", "j".repeat(32));
        for (options, message, fault) in [
            (
                "timeout = 4294967296".into(),
                "fs.boot.extlinux: timeout = 4294967296: the limit is 4294967295 seconds".into(),
                Fault::Request,
            ),
            (
                "dtb-name = 'a.dtb'\ndevice-trees = false".into(),
                "fs.boot.extlinux: dtb-name means nothing with device-trees = false".into(),
                Fault::Request,
            ),
            (
                "dtb-name = 'a.dtb'".into(),
                format!(
                    "fs.boot: {}: there is no device tree \"a.dtb\" in its dtbs",
                    system("plain")
                ),
                Fault::Request,
            ),
            (
                "generations.one = '{toplevel}'".into(),
                "fs.boot.extlinux.generations.\"one\": the key must be the number of a generation".into(),
                Fault::Request,
            ),
            (
                "generations.1 = '{kernl}'".into(),
                "fs.boot.extlinux.generations.\"1\": there is no value {kernl}".into(),
                Fault::Request,
            ),
            (
                format!("generations.1 = '{gone}'"),
                format!("{gone}: is not in the closure"),
                Fault::Input,
            ),
            (
                "generations.1 = '/nix/store'".into(),
                "/nix/store/kernel: is not in the closure".into(),
                Fault::Input,
            ),
            (
                "generations = { 1 = '{toplevel}', 01 = '{toplevel}' }".into(),
                "fs.boot: nixos-1-default: two entries of the boot menu have this label".into(),
                Fault::Request,
            ),
        ] {
            let options: String = options;
            assert_eq!(error(&options), (message, fault), "{options}");
        }
        let mut without = gathered("plain");
        without.toplevel = None;
        let error = tree(
            "fs.boot",
            &Extlinux::default(),
            1,
            &without,
            &mut OfClosure(&without),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "fs.boot.extlinux: a boot menu needs a [closure] with a toplevel"
        );
    }
}
