//! cryptsetup's `veritysetup` and a tree made in Python agree.

use std::path::Path;
use std::process::Command;

use crate::oracle::installed;
use crate::support::{COUNTS, all, bytes, hex, plan, salted};
use uuid::Uuid;
use verity::{Options, read_superblock};

/// Runs a tool in a folder and answers what it says, if it is there.
fn run(dir: &Path, tool: &str, arguments: &[&str]) -> Option<(bool, String)> {
    if !installed(tool) {
        return None;
    }
    let output = Command::new(tool)
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// What stands behind a label in veritysetup's answer.
fn field<'a>(text: &'a str, label: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("{label} in {text}")).trim()
}

#[test]
fn python_makes_the_same_trees() {
    let dir = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/tree.py");
    for count in COUNTS {
        for salt in [&b""[..], b"0123456789abcdef0123456789abcdef"] {
            std::fs::write(dir.path().join("data"), bytes(count)).unwrap();
            let arguments = [script, "data", "tree", &hex(salt)];
            let Some((fine, root)) = run(dir.path(), "python3", &arguments) else {
                return;
            };
            assert!(fine, "{root}");
            let planned = plan(&bytes(count), &salted(salt));
            assert_eq!(root.trim(), hex(&planned.root), "{count} blocks");
            assert!(std::fs::read(dir.path().join("tree")).unwrap() == all(&planned.image));
        }
    }
}

/// What veritysetup formats is what is planned here, byte for byte.
#[test]
fn veritysetup_makes_the_same_trees() {
    let dir = tempfile::tempdir().unwrap();
    let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    for count in COUNTS {
        for salt in [vec![], vec![0xab], vec![7; 32], (0..=255).collect()] {
            for superblock in [None, Some(uuid)] {
                let options = Options {
                    salt: salt.clone(),
                    superblock,
                };
                let salt = if salt.is_empty() { "-".into() } else { hex(&salt) };
                let id = format!("--uuid={uuid}");
                let head = if superblock.is_some() {
                    &id
                } else {
                    "--no-superblock"
                };
                std::fs::write(dir.path().join("data"), bytes(count)).unwrap();
                let _ = std::fs::remove_file(dir.path().join("tree"));
                let arguments = ["format", "--salt", &salt, head, "data", "tree"];
                let Some((fine, text)) = run(dir.path(), "veritysetup", &arguments) else {
                    return;
                };
                assert!(fine, "{text}");
                let planned = plan(&bytes(count), &options);
                assert_eq!(field(&text, "Root hash:"), hex(&planned.root), "{count} blocks");
                let theirs = std::fs::read(dir.path().join("tree")).unwrap();
                assert!(
                    theirs == all(&planned.image),
                    "{count} blocks, salt {salt}, {head}"
                );
                if superblock.is_some() {
                    let read = read_superblock(&theirs).unwrap();
                    assert_eq!(
                        (read.uuid, read.data_blocks, read.salt),
                        (uuid, count, options.salt)
                    );
                }
            }
        }
    }
}

/// Ours, verified and dumped by veritysetup; and refused by it, when one bit is another.
#[test]
fn veritysetup_verifies_our_trees() {
    let dir = tempfile::tempdir().unwrap();
    for count in COUNTS {
        let options = Options {
            salt: vec![0x5a; 32],
            superblock: Some(Uuid::from_u128(u128::from(count))),
        };
        let mut data = bytes(count);
        let planned = plan(&data, &options);
        std::fs::write(dir.path().join("data"), &data).unwrap();
        std::fs::write(dir.path().join("tree"), all(&planned.image)).unwrap();
        let root = hex(&planned.root);
        let verify = || run(dir.path(), "veritysetup", &["verify", "data", "tree", &root]);
        let Some((fine, text)) = verify() else { return };
        assert!(fine, "{count} blocks: {text}");
        let (fine, dump) = run(dir.path(), "veritysetup", &["dump", "tree"]).unwrap();
        assert!(fine, "{dump}");
        assert_eq!(field(&dump, "Data blocks:"), count.to_string());
        assert_eq!(
            field(&dump, "UUID:"),
            Uuid::from_u128(u128::from(count)).to_string()
        );
        assert_eq!(field(&dump, "Salt:"), hex(&options.salt));
        *data.last_mut().unwrap() ^= 1;
        std::fs::write(dir.path().join("data"), &data).unwrap();
        let (fine, _) = verify().unwrap();
        assert!(!fine, "{count} blocks: a flipped bit");
    }
}
