//! Hash trees in specifications: values, GUIDs, and what makes no sense.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod access;

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use disk::PartUuid;
use image::{Content, Kind, Silent};
use spec::{Detail, Plan, Rehash, Squashing, Work};

use access::access;

/// A root with a tree, and a boot file system and a script that know its root hash.
const SPEC: &str = r#"
schema = 1
name = "x"
seed = "seed"

[fs.root]
format = "ext4"
tree = "tree"
profile = "readonly"

[verity.root]
data = "fs.root"

[script.boot]
source = "boot.cmd"
arch = "arm64"
substitute = { root = "{fs.root.roothash}" }

[fs.boot]
format = "fat"
files = { "/boot.scr" = "{script.boot}" }
text = { "/cmdline" = "roothash={verity.root.roothash}" }

[disk]

[[disk.region]]
name = "boot"
type = "xbootldr"
content = "fs.boot"

[[disk.region]]
name = "root"
type = "root-arm64"
content = "fs.root"

[[disk.region]]
name = "root-verity"
type = "root-arm64-verity"
content = "verity.root"
"#;

fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    fs::create_dir(world.path().join("tree")).unwrap();
    for number in 0..20 {
        let file = world.path().join(format!("tree/{number}"));
        fs::write(file, format!("{number} ").repeat(5000)).unwrap();
    }
    fs::write(world.path().join("boot.cmd"), "setenv roothash @root@\n").unwrap();
    world
}

/// A plan, and the files that it refers to.
struct Made {
    plan: Plan,
    _world: tempfile::TempDir,
}

impl Deref for Made {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

fn plan(text: &str, estimate: Option<()>) -> Result<Made, String> {
    let world = world();
    let told = |error: spec::Error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    };
    let spec = spec::parse(text, Path::new("spec.toml")).map_err(told)?;
    let gathered = spec::gather(&spec, Rehash::Skip, &access(world.path())).map_err(told)?;
    let spools = std::env::temp_dir();
    let work = Work {
        folder: world.path(),
        squashing: match estimate {
            Some(()) => Squashing::Estimate,
            None => Squashing::Spool(&spools),
        },
        threads: 2,
        progress: &Silent,
        segments: None,
        roots: None,
        efi: None,
        release: None,
        only: &[],
    };
    let plan = spec::plan(&spec, &gathered, &work).map_err(told)?;
    Ok(Made { plan, _world: world })
}

fn refused(from: &str, to: &str) -> String {
    assert!(SPEC.contains(from), "{from}");
    plan(&SPEC.replace(from, to), None).err().unwrap()
}

fn content<'a>(plan: &'a Plan, name: &str) -> &'a Content {
    &plan.parts.iter().find(|part| part.name == name).unwrap().content
}

fn root(plan: &Plan, name: &str) -> Option<String> {
    let part = plan.parts.iter().find(|part| part.name == name).unwrap();
    let Detail::Verity { root, .. } = &part.detail else {
        panic!("{name} is no hash tree");
    };
    root.map(|root| {
        root.iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from_digit(digit.into(), 16).unwrap())
            .collect()
    })
}

/// What a file in the boot file system says.
fn says(plan: &Plan, path: &str) -> Vec<u8> {
    let boot = content(plan, "fs.boot");
    let tree = fat::read::FileSystem::open(Arc::new(boot.clone()), boot.len())
        .unwrap()
        .tree()
        .unwrap();
    match &tree.node(tree.lookup(path.as_bytes()).unwrap()).kind {
        Kind::File(content) => content.to_vec().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn guid(plan: &Plan, region: &str) -> String {
    let (planned, _) = plan.disk.as_ref().unwrap();
    let entry = planned.map.iter().find(|entry| entry.name == region).unwrap();
    match entry.partition.as_ref().map(|entry| entry.partuuid) {
        Some(PartUuid::Guid(guid)) => guid.simple().to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_root_hash_is_everywhere() {
    let plan = plan(SPEC, None).unwrap();
    let hash = root(&plan, "verity.root").unwrap();
    assert_eq!(says(&plan, "/cmdline"), format!("roothash={hash}").as_bytes());
    let script = uboot::read_script(&says(&plan, "/boot.scr")).unwrap().source;
    assert_eq!(script, format!("setenv roothash {hash}\n").as_bytes());
    assert_eq!(guid(&plan, "root") + &guid(&plan, "root-verity"), hash);
    let (data, tree) = (
        content(&plan, "fs.root"),
        content(&plan, "verity.root").to_vec().unwrap(),
    );
    let superblock = verity::read_superblock(&tree).unwrap();
    assert_eq!(superblock.data_blocks * 4096, data.len());
    assert_eq!(superblock.salt.len(), 32);
    let options = verity::Options {
        salt: superblock.salt,
        superblock: Some(superblock.uuid),
    };
    let work = verity::Work {
        spool: None,
        threads: 1,
        progress: &Silent,
    };
    let again = verity::plan(&Content::from(data.to_vec().unwrap()), &options, &work).unwrap();
    assert_eq!(again.root[..], bytes_of(&hash));
}

fn superblock(plan: &Plan) -> verity::Superblock {
    verity::read_superblock(&content(plan, "verity.root").to_vec().unwrap()).unwrap()
}

fn bytes_of(hash: &str) -> Vec<u8> {
    let pairs = (0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap());
    pairs.collect()
}

/// Whatever writes a disk may leave out what nobody relies on. Of a file system with a hash tree there is nothing
/// such: every block has its hash.
#[test]
fn a_file_system_with_a_tree_has_no_gaps() {
    let unmapped = |plan: &Plan| {
        let Content::Image(image) = content(plan, "fs.root") else {
            panic!("an ext4 is an image");
        };
        image.size() - image.mapped_len()
    };
    let without = SPEC
        .replace("[verity.root]\ndata = \"fs.root\"", "")
        .replace("fs.root.roothash", "fs.root.id");
    let without = without
        .replace("{verity.root.roothash}", "")
        .replace("content = \"verity.root\"", "size = \"1MiB\"");
    assert!(
        unmapped(&plan(&without, None).unwrap()) > 0,
        "the test is about gaps, and here are none"
    );
    assert_eq!(unmapped(&plan(SPEC, None).unwrap()), 0);
}

#[test]
fn estimates_know_no_root_hash() {
    for format in ["squashfs", "ext4"] {
        let text = SPEC
            .replace("\"ext4\"", &format!("\"{format}\""))
            .replace("profile = \"readonly\"", "");
        let (estimate, exact) = (plan(&text, Some(())).unwrap(), plan(&text, None).unwrap());
        assert_eq!(root(&estimate, "verity.root"), None);
        let zeros = "0".repeat(64);
        assert_eq!(
            says(&estimate, "/cmdline"),
            format!("roothash={zeros}").as_bytes()
        );
        let sizes = [&estimate, &exact].map(|plan| content(plan, "verity.root").len());
        if format == "ext4" {
            assert_eq!(sizes[0], sizes[1]);
        } else {
            assert!(sizes[0] >= sizes[1]);
        }
        let same = |name: &str| assert_eq!(content(&estimate, name).len(), content(&exact, name).len());
        same("fs.boot");
        same("script.boot");
    }
}

#[test]
fn keys_change_what_they_say() {
    let usual = plan(SPEC, None).unwrap();
    let with = |text: &str| plan(text, None).unwrap();
    let salted = with(&SPEC.replace(
        "data = \"fs.root\"\n",
        "data = \"fs.root\"\nsalt = \"00Ff\"\nfile = \"hashes\"\n",
    ));
    assert_eq!(superblock(&salted).salt, [0, 255]);
    assert_ne!(root(&usual, "verity.root"), root(&salted, "verity.root"));
    let part = salted
        .parts
        .iter()
        .find(|part| part.name == "verity.root")
        .unwrap();
    assert_eq!(part.files[0].0, "hashes");
    let seeded = with(&SPEC.replace("seed = \"seed\"", "seed = \"another\""));
    let superblocks = [&usual, &seeded].map(|plan| superblock(plan));
    assert_ne!(superblocks[0].uuid, superblocks[1].uuid);
    assert_ne!(superblocks[0].salt, superblocks[1].salt);
    let own = "01234567-89ab-cdef-0123-456789abcdef";
    let given = with(&SPEC.replace(
        "name = \"root-verity\"",
        &format!("name = \"root-verity\"\nguid = \"{own}\""),
    ));
    assert_eq!(guid(&given, "root-verity"), own.replace('-', ""));
    assert_eq!(guid(&given, "root"), guid(&usual, "root"));
    let empty = with(&SPEC.replace("data = \"fs.root\"\n", "data = \"fs.root\"\nsalt = \"\"\n"));
    assert!(superblock(&empty).salt.is_empty());
}

/// Two trees of one file system: each can be named, the file system's own value cannot, and its partition's GUID is
/// that of any other.
#[test]
fn two_trees_of_one_file_system() {
    let second = format!("{SPEC}\n[verity.second]\ndata = \"fs.root\"\n");
    let error = plan(&second, None).err().unwrap();
    assert_eq!(
        error,
        "script.boot.substitute.root: there is no value {fs.root.roothash}: fs.root has 2 hash trees\n\
         hint: say which one, such as {verity.root.roothash}"
    );
    let named = second.replace("{fs.root.roothash}", "{verity.second.roothash}");
    let plan = plan(&named, None).unwrap();
    let hash = root(&plan, "verity.root").unwrap();
    assert_ne!(Some(&hash), root(&plan, "verity.second").as_ref());
    assert_ne!(guid(&plan, "root"), hash[..32]);
    assert_eq!(guid(&plan, "root-verity"), hash[32..]);
}

#[test]
fn what_makes_no_sense_is_told() {
    let own = SPEC
        .replace("data = \"fs.root\"", "data = \"fs.boot\"")
        .replace("{fs.root.roothash}", "");
    let through = SPEC.replace(
        "tree = \"tree\"",
        "tree = \"tree\"\nfiles = { \"/boot.vfat\" = \"{fs.boot}\" }",
    );
    let said = [
        plan(&own, None).err().unwrap(),
        plan(&own, Some(())).err().unwrap(),
        plan(&through, None).err().unwrap(),
        refused("data = \"fs.root\"", "data = \"fs.rot\""),
        refused("data = \"fs.root\"", "data = \"script.boot\""),
        refused("data = \"fs.root\"", "data = \"fs.root\"\nsalt = \"0\""),
        refused("data = \"fs.root\"", "data = \"fs.root\"\nsalt = \"+1\""),
        refused(
            "data = \"fs.root\"",
            &format!("data = \"fs.root\"\nsalt = \"{}\"", "00".repeat(257)),
        ),
        refused("data = \"fs.root\"", "data = \"fs.root\"\nfile = \"boot.scr\""),
        refused("data = \"fs.root\"", "date = \"fs.root\""),
        refused("{verity.root.roothash}", "{verity.rot.roothash}"),
        refused("{verity.root.roothash}", "{verity.root.hash}"),
        refused("{fs.root.roothash}", "{fs.boot.roothash}"),
        refused("content = \"verity.root\"", "content = \"verity.boot\""),
        refused(
            "content = \"verity.root\"",
            "size = \"4KiB\"\ncontent = \"verity.root\"",
        ),
        refused("content = \"fs.boot\"", "content = \"fs.root\""),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}
