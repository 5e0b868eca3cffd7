//! Partitions with hashes: those of systemd-repart and Kiln have the same places, names and attributes, and veritysetup finds in
//! both what their lists say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::evaluated;
use super::refused::check;
use super::tables::{Pair, has_loops, sources};
use crate::nix_world::{names, world};
use crate::tools::{installed, run, tool};

#[test]
fn hashes_and_their_relatives_have_their_effects() {
    let Some(world) = world() else { return };
    let expected = json!({
        // HMAC-SHA256 of "verity-salt", as systemd-repart has it; the key is the seed.
        "salt": "a3e752820ae94d3c8dd3840aa4c4baeab6d67d7109af7fab1c970ab40443d455",
        "contents": ["fs.data", "verity.data"],
        "guids": [false, false],
        "attributes": [["read-only"], ["read-only"]],
        "sizes": {
            "usual": "10485760B",
            // What systemd's own test expects of 10 GiB.
            "most": "84557824B",
            "small": "532480B",
            "said": "100663296B",
            "best": null,
        },
        "blocks": "verity.data",
        "signed": {
            "signature": { "key": "/key.pem", "certificate": "/certificate.pem" },
            "attributes": ["read-only"],
            "content": "verity.data.signature",
            "size": "16384B",
        },
        "slot": "16384B",
        "labels": [["_empty", null], ["_empty of b", "_empty"]],
        "empty": ["growfs", "no-auto"],
        "erofs": {
            "usual": {
                "format": "erofs",
                "compression": "none",
                "uuid": "525dc770-6d1d-4630-8c89-6de20b907469",
            },
            "compressed": {
                "format": "erofs",
                "compression": "lz4hc",
                "level": 9,
                "max-size": "1073741824B",
                "uuid": "525dc770-6d1d-4630-8c89-6de20b907469",
            },
            "options": {
                "format": "erofs",
                "compression": "zstd",
                "level": 12,
                "cluster-size": "65536B",
                "label": "store",
                "uuid": "525dc770-6d1d-4630-8c89-6de20b907469",
            },
        },
        "swap": "swap",
        "lists": "two",
    });
    assert_eq!(evaluated(&world, "verity.effects"), expected);
}

/// What is refused, and words of what is said.
const REFUSED: [(&str, &str); 22] = [
    (
        "verityMode",
        "a: Verity = tree: must be off, data, hash or signature",
    ),
    ("noMatchKey", "a: Verity = data: VerityMatchKey is missing"),
    (
        "matchKeyAlone",
        "a: VerityMatchKey is for Verity = data, hash and signature",
    ),
    (
        "blockSize",
        "a: VerityHashBlockSizeBytes = 512: Kiln's hash trees have blocks of 4096 bytes",
    ),
    (
        "hashedFiles",
        "a: Verity = hash excludes Format, CopyBlocks, CopyFiles",
    ),
    (
        "signatureSize",
        "a: Verity = signature excludes SizeMinBytes: it has 16384 bytes",
    ),
    ("hashedBlocks", "a: Verity = data excludes CopyBlocks"),
    (
        "hashedNothing",
        "a: Verity = data: there is no file system to hash; say Format",
    ),
    (
        "dataAlone",
        "a: Verity = data: no partition has Verity = hash and VerityMatchKey = a",
    ),
    (
        "hashAlone",
        "a: Verity = hash: no partition has Verity = data and VerityMatchKey = a",
    ),
    (
        "signatureAlone",
        "a: Verity = signature: no partition has Verity = data",
    ),
    (
        "dataTwice",
        "other: VerityMatchKey = a: data is Verity = data too",
    ),
    (
        "otherType",
        "-verity: data, whose VerityMatchKey it has, is of type root-",
    ),
    (
        "otherSignature",
        "-verity-sig: data, whose VerityMatchKey it has, is of type root-",
    ),
    (
        "noKey",
        "signature: Verity = signature: there is no key; say `signature` of fromRepart",
    ),
    (
        "sameUuids",
        "b: UUID = 8f2d6e5a-95a8-4b0c-8f4e-0d6b1fd8fb0e: a has the same",
    ),
    (
        "nullUuid",
        "a: UUID = null: partitions are found by their UUIDs; leave it out",
    ),
    ("fullEmpty", "a: Format = empty: holds no files"),
    (
        "erofsCompression",
        "a: Compression = lzma: erofs has deflate lz4 lz4hc zstd",
    ),
    (
        "erofsLevel",
        "a: CompressionLevel = 3: there are levels with Compression = ",
    ),
    (
        "noArchitecture",
        "systemd has no name for the architecture m68k; say types that have one in their names",
    ),
    (
        "otherClosure",
        "b: Verity = data: its storePaths are not those of another partition",
    ),
];

#[test]
fn what_has_no_hashes_or_no_data_is_refused() {
    let Some(world) = world() else { return };
    check(&world, "verity.refused", &REFUSED);
}

/// What a list says, without what follows from random salts: the root hashes, and GUIDs that are halves of them.
fn masked(list: &Value) -> Value {
    let mut list = list.clone();
    for entry in list.as_array_mut().unwrap() {
        let entry = entry.as_object_mut().unwrap();
        entry.remove("roothash");
        let kind = entry["type"].as_str().unwrap().to_owned();
        if entry["label"] != "_empty" && kind != "usr-x86-64-verity" {
            entry.remove("uuid");
        }
    }
    list
}

/// A table without GUIDs, but for those that were said or derive from the seed.
fn without_guids(table: &[String]) -> Vec<String> {
    let kept = |line: &&str| !line.is_empty();
    let line = |line: &String| {
        let is_derived = line.contains("_empty") || line.contains("8F2D6E5A");
        let parts = line.split(", ").filter(kept);
        let parts: Vec<&str> = parts
            .filter(|part| is_derived || !part.starts_with("uuid="))
            .collect();
        parts.join(", ")
    };
    table.iter().map(line).collect()
}

/// Where the partitions of a disk begin, how long they are, their root hashes and GUIDs, by the names of their definitions.
pub(super) struct Listed<'a>(pub(super) &'a Value);

impl Listed<'_> {
    fn of(&self, file: &str) -> &Value {
        let mut entries = self.0.as_array().unwrap().iter();
        entries.find(|entry| entry["file"] == file).unwrap()
    }

    /// Whether a partition has hashes of another.
    pub(super) fn is_tree(&self, file: &str) -> bool {
        let kind = self.of(file)["type"].as_str().unwrap();
        kind.ends_with("-verity") && self.of(file)["roothash"].is_string()
    }

    pub(super) fn root(&self, file: &str) -> String {
        self.of(file)["roothash"].as_str().unwrap().to_owned()
    }

    pub(super) fn guid(&self, file: &str) -> String {
        self.of(file)["uuid"].as_str().unwrap().replace('-', "")
    }

    /// The bytes of a partition in a file of their own.
    pub(super) fn cut(&self, file: &str, disk: &Path, out: &Path) {
        let number = |key: &str| self.of(file)[key].as_u64().unwrap();
        let mut dd = tool("dd");
        dd.arg(format!("if={}", disk.display()))
            .arg(format!("of={}", out.display()))
            .args(["bs=4096", "status=none"])
            .arg(format!("skip={}", number("offset") / 4096))
            .arg(format!("count={}", number("raw_size") / 4096));
        run(&mut dd);
    }
}

/// Whether veritysetup finds every block to be what a root hash says.
pub(super) fn verified(data: &Path, tree: &Path, root: &str) -> bool {
    let mut veritysetup = tool("veritysetup");
    veritysetup.arg("verify").args([data, tree]).arg(root);
    veritysetup.output().unwrap().status.success()
}

#[test]
fn partitions_with_hashes_are_those_of_systemd_repart() {
    let tools = ["systemd-repart", "sfdisk", "veritysetup", "mkfs.ext4", "dd"];
    if !installed(&tools) || !has_loops() {
        return;
    }
    let Some(world) = world() else { return };
    let sources = sources();
    let case = evaluated(&world, "verity.compared").to_string();
    let case = case.replace("/SOURCES", sources.path().to_str().unwrap());
    let pair = Pair::make(&serde_json::from_str(&case).unwrap());
    assert_eq!(
        without_guids(&pair.table("ours")),
        without_guids(&pair.table("theirs"))
    );
    let (ours, theirs) = (pair.list_without_news("ours"), pair.list("theirs"));
    assert_eq!(masked(&ours), masked(&theirs));
    assert_eq!(
        keys(&ours),
        keys(&theirs),
        "systemd-repart says roothash of all or of none"
    );
    for (who, list) in [("ours", &ours), ("theirs", &theirs)] {
        let list = Listed(list);
        let disk = pair.folder(who).join(&pair.file);
        for (data, tree) in [
            ("10-root.conf", "20-verity.conf"),
            ("30-usr.conf", "40-usr-verity.conf"),
        ] {
            let root = list.root(tree);
            assert_eq!(list.guid(data), root[..32], "{who}");
            if data == "10-root.conf" {
                assert_eq!(list.guid(tree), root[32..], "{who}");
            }
            let [one, other] = ["data", "tree"].map(|name| pair.folder(who).join(name));
            list.cut(data, &disk, &one);
            list.cut(tree, &disk, &other);
            assert!(verified(&one, &other, &root), "{who} {data}");
            let turned: String = root.chars().rev().collect();
            assert!(!verified(&one, &other, &turned), "{who} {data}");
            fs::remove_file(one).unwrap();
            fs::remove_file(other).unwrap();
        }
        // Called by what its partition is called.
        let name = format!("appliance.root_{}.raw", list.guid("10-root.conf"));
        assert!(names(&pair.folder(who)).contains(&name), "{who}: {name}");
    }
    // systemd-repart says a root hash of trees alone until version 254, of all three since.
    assert_eq!(
        Listed(&ours).root("10-root.conf"),
        Listed(&ours).root("20-verity.conf")
    );
}

/// The keys of each entry.
fn keys(list: &Value) -> BTreeMap<String, Vec<String>> {
    let entries = list.as_array().unwrap().iter();
    entries
        .map(|entry| {
            let keys = entry.as_object().unwrap().keys().cloned().collect();
            (entry["file"].to_string(), keys)
        })
        .collect()
}
