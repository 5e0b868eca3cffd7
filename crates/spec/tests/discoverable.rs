//! Partitions that are found by a root hash: for every place and architecture, and what does not belong together.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod access;

use std::fs;
use std::path::Path;

use disk::{PartUuid, TypeId};
use image::Silent;
use spec::{Detail, Plan, Rehash, RootSigner, Squashing, Work};

use access::access;

const SPEC: &str = r#"
schema = 1
name = "x"
seed = "seed"

[fs.root]
format = "squashfs"
tree = "tree"

[fs.other]
format = "squashfs"
tree = "tree"

[verity.root]
data = "fs.root"

[verity.root.signature]
certificate = "nobody.pem"

[disk]

[[disk.region]]
name = "a"
type = "root-arm64"
content = "fs.root"

[[disk.region]]
name = "b"
type = "root-arm64-verity"
content = "verity.root"

[[disk.region]]
name = "c"
type = "root-arm64-verity-sig"
content = "verity.root.signature"
"#;

/// Who signs what cannot be checked here: nothing.
struct Later;

impl RootSigner for Later {
    fn sign(&self, tree: &str, text: &[u8]) -> Result<Option<Vec<u8>>, signature::Error> {
        assert_eq!((tree, text.len()), ("root", 64));
        Ok(None)
    }
}

fn plan(text: &str) -> Result<Plan, String> {
    let world = tempfile::tempdir().unwrap();
    fs::create_dir(world.path().join("tree")).unwrap();
    fs::write(world.path().join("tree/file"), "x".repeat(100_000)).unwrap();
    let told = |error: spec::Error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    };
    let spec = spec::parse(text, Path::new("spec.toml")).map_err(told)?;
    let gathered = spec::gather(&spec, Rehash::Skip, &access(world.path())).map_err(told)?;
    let spools = std::env::temp_dir();
    let work = Work {
        folder: world.path(),
        squashing: Squashing::Spool(&spools),
        threads: 1,
        progress: &Silent,
        segments: None,
        roots: Some(&Later),
        efi: None,
        release: None,
        only: &[],
    };
    spec::plan(&spec, &gathered, &work).map_err(told)
}

fn refused(changes: &[(&str, &str)]) -> String {
    let changed = changes.iter().fold(SPEC.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    plan(&changed).err().unwrap()
}

/// Type and GUID of the partition of a region.
fn partition(plan: &Plan, region: &str) -> (String, String) {
    let (planned, _) = plan.disk.as_ref().unwrap();
    let entry = planned.map.iter().find(|entry| entry.name == region).unwrap();
    let entry = entry.partition.as_ref().unwrap();
    match (entry.kind, entry.partuuid) {
        (TypeId::Guid(kind), PartUuid::Guid(guid)) => (kind.to_string(), guid.simple().to_string()),
        other => panic!("{other:?}"),
    }
}

/// As the Discoverable Partitions Specification lists them.
const TYPES: [(&str, [&str; 3]); 10] = [
    (
        "root-x86-64",
        [
            "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
            "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
            "41092b05-9fc8-4523-994f-2def0408b176",
        ],
    ),
    (
        "root-arm64",
        [
            "b921b045-1df0-41c3-af44-4c6f280d3fae",
            "df3300ce-d69f-4c92-978c-9bfb0f38d820",
            "6db69de6-29f4-4758-a7a5-962190f00ce3",
        ],
    ),
    (
        "root-riscv64",
        [
            "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
            "b6ed5582-440b-4209-b8da-5ff7c419ea3d",
            "efe0f087-ea8d-4469-821a-4c2a96a8386a",
        ],
    ),
    (
        "root-arm",
        [
            "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
            "7386cdf2-203c-47a9-a498-f2ecce45a2d6",
            "42b0455f-eb11-491d-98d3-56145ba9d037",
        ],
    ),
    (
        "root-x86",
        [
            "44479540-f297-41b2-9af7-d131d5f0458a",
            "d13c5d3b-b5d1-422a-b29f-9454fdc89d76",
            "5996fc05-109c-48de-808b-23fa0830b676",
        ],
    ),
    (
        "usr-x86-64",
        [
            "8484680c-9521-48c6-9c11-b0720656f69e",
            "77ff5f63-e7b6-4633-acf4-1565b864c0e6",
            "e7bb33fb-06cf-4e81-8273-e543b413e2e2",
        ],
    ),
    (
        "usr-arm64",
        [
            "b0e01050-ee5f-4390-949a-9101b17104e9",
            "6e11a4e7-fbca-4ded-b9e9-e1a512bb664e",
            "c23ce4ff-44bd-4b00-b2d4-b41b3419e02a",
        ],
    ),
    (
        "usr-riscv64",
        [
            "beaec34b-8442-439b-a40b-984381ed097d",
            "8f1056be-9b05-47c4-81d6-be53128e5b54",
            "d2f9000a-7a18-453f-b5cd-4d32f77a7b32",
        ],
    ),
    (
        "usr-arm",
        [
            "7d0359a3-02b3-4f0a-865c-654403e70625",
            "c215d751-7bcd-4649-be90-6627490a4c05",
            "d7ff812f-37d1-4902-a810-d76ba57b975a",
        ],
    ),
    (
        "usr-x86",
        [
            "75250d76-8cc6-458e-bd66-bd47cc81a812",
            "8f461b0d-14ee-4e81-9aa9-049b6fb97abd",
            "974a71c0-de41-43c3-be5d-5c5ccd1ad2c0",
        ],
    ),
];

#[test]
fn every_place_and_architecture() {
    for (name, types) in TYPES {
        let plan = plan(&SPEC.replace("root-arm64", name)).unwrap();
        let found = ["a", "b", "c"].map(|region| partition(&plan, region));
        assert_eq!(found.clone().map(|(kind, _)| kind), types, "{name}");
        let part = plan.parts.iter().find(|part| part.name == "verity.root");
        let Detail::Verity { root: Some(root), .. } = part.unwrap().detail else {
            panic!("a root hash");
        };
        let hash = verity::signed_text(&root);
        let [(_, data), (_, tree), (_, signature)] = found;
        assert_eq!(data + &tree, hash, "{name}");
        assert!(
            !hash.contains(&signature),
            "that of the signature derives from the seed"
        );
        let part = plan
            .parts
            .iter()
            .find(|part| part.name == "verity.root.signature");
        let (file, content) = &part.unwrap().files[0];
        assert_eq!(
            (file.as_str(), content.to_vec().unwrap()),
            ("root.roothash", hash.into_bytes())
        );
    }
}

/// A store of its own is found by its root hash alone, whatever its type.
#[test]
fn types_that_nobody_finds_are_not_looked_at() {
    let text = SPEC
        .replace("\"root-arm64\"", "\"linux\"")
        .replace("\"root-arm64-verity\"", "\"linux\"")
        .replace("\"root-arm64-verity-sig\"", "\"linux\"");
    let plan = plan(&text).unwrap();
    let (_, data) = partition(&plan, "a");
    assert_ne!(data, partition(&plan, "b").1);
    let alone = text.replace("type = \"linux\"\ncontent = \"verity.root\"", "size = \"1MiB\"");
    assert!(alone.len() < text.len() && self::plan(&alone).is_ok());
}

#[test]
fn what_does_not_belong_together_is_told() {
    let region = |name: &str| {
        SPEC.split("[[disk.region]]")
            .find(|text| text.contains(name))
            .unwrap()
    };
    let without = |name: &str| (format!("[[disk.region]]{}", region(name)), String::new());
    let tree = without("name = \"b\"");
    let data = without("name = \"a\"");
    let said = [
        // Data without a tree, and the other way round.
        refused(&[(&tree.0, "")]),
        refused(&[(&data.0, "")]),
        // A signature that nobody makes.
        refused(&[("[verity.root.signature]\ncertificate = \"nobody.pem\"\n", "")]),
        refused(&[("certificate = \"nobody.pem\"", "key = \"k\"\nattach = \"a\"")]),
        refused(&[("certificate = \"nobody.pem\"", "purpose = \"all\"")]),
        // Types that do not match.
        refused(&[("root-arm64-verity\"", "usr-arm64-verity\"")]),
        refused(&[("root-arm64-verity\"", "root-x86-64-verity\"")]),
        refused(&[("root-arm64-verity-sig", "usr-arm64-verity-sig")]),
        refused(&[("\"root-arm64-verity\"", "\"root-arm64\"")]),
        refused(&[("\"root-arm64\"", "\"root-arm64-verity\"")]),
        refused(&[("\"root-arm64-verity-sig\"", "\"root-arm64-verity\"")]),
        // One GUID for two.
        refused(&[(
            "[[disk.region]]\nname = \"b\"",
            "[[disk.region]]\nname = \"a2\"\ntype = \"root-arm64\"\ncontent = \"fs.root\"\n\n[[disk.region]]\nname = \"b\"",
        )]),
        refused(&[
            (
                "name = \"a\"\n",
                "name = \"a\"\nguid = \"01234567-89ab-cdef-0123-456789abcdef\"\n",
            ),
            (
                "name = \"b\"\n",
                "name = \"b\"\nguid = \"01234567-89ab-cdef-0123-456789abcdef\"\n",
            ),
        ]),
        // Architectures.
        refused(&[("\"root-arm64\"", "\"root-sparc64\"")]),
        refused(&[("root-arm64-verity\"", "usr-m68k-verity\"")]),
        refused(&[("\"root-arm64\"", "\"root-aarch64\"")]),
        refused(&[("\"root-arm64-verity\"", "\"usr-verity\"")]),
        refused(&[("\"root-arm64\"", "\"root-riscv46\"")]),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}
