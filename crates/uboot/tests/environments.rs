//! What U-Boot's own tools say of our environments, and what we say of theirs.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use oracle::installed;
use proptest::prelude::*;
use uboot::{ByteOrder, Copies, EnvironmentError, EnvironmentOptions, environment, read_environment};

fn variables(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// What mkenvimage makes of variables; none when it refuses them.
fn mkenvimage(
    dir: &Path,
    variables: &BTreeMap<String, String>,
    options: &EnvironmentOptions,
) -> Option<Vec<u8>> {
    let (text, image) = (dir.join("env.txt"), dir.join("env.img"));
    let lines = variables.iter().map(|(name, value)| format!("{name}={value}\n"));
    std::fs::write(&text, lines.collect::<String>()).unwrap();
    let mut command = Command::new("mkenvimage");
    command.args([
        "-s",
        &options.size.to_string(),
        "-p",
        &options.padding.to_string(),
    ]);
    if options.flags.is_some() {
        command.arg("-r");
    }
    if options.byte_order == ByteOrder::Big {
        command.arg("-b");
    }
    let output = command.arg("-o").args([&image, &text]).output().unwrap();
    output.status.success().then(|| std::fs::read(image).unwrap())
}

#[test]
fn mkenvimage_writes_the_same_bytes() {
    if !installed("mkenvimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(4000);
    let cases = [
        variables(&[("bootcmd", "run a; run b")]),
        variables(&[("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3"), ("BOOT_B_LEFT", "3")]),
        variables(&[("a", "b=c ${d} \"e\" \\ \u{e9} #"), ("z", &long)]),
    ];
    for variables in &cases {
        for (size, flags, padding, byte_order) in [
            (0x2000, None, 0xff, ByteOrder::Little),
            (0x2000, Some(1), 0xff, ByteOrder::Little),
            (0x4_0000, None, 0, ByteOrder::Little),
            (0x2000, Some(1), 0x55, ByteOrder::Big),
        ] {
            let options = EnvironmentOptions {
                size,
                flags,
                padding,
                byte_order,
            };
            let ours = environment(variables, &options).unwrap();
            assert!(
                mkenvimage(dir.path(), variables, &options).unwrap() == ours,
                "{options:?}"
            );
            let copies = if flags.is_some() { Copies::Two } else { Copies::One };
            let read = read_environment(&ours, copies, byte_order).unwrap();
            assert_eq!((&read.variables, read.flags), (variables, flags));
        }
    }
}

#[test]
fn mkenvimage_has_the_same_limit() {
    if !installed("mkenvimage") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for flags in [None, Some(1)] {
        for size in 20..40 {
            let options = EnvironmentOptions {
                flags,
                ..EnvironmentOptions::new(size)
            };
            let variables = variables(&[("name", "a value of 22 bytes..")]);
            let theirs = mkenvimage(dir.path(), &variables, &options);
            let ours = environment(&variables, &options);
            match (ours, theirs) {
                (Ok(ours), theirs) => assert_eq!(Some(ours), theirs, "{size}"),
                (Err(error), None) => assert!(matches!(error, EnvironmentError::Full { .. })),
                // It lets the list go without its end when that is the last byte, which U-Boot would miss.
                (Err(_), Some(theirs)) => {
                    let copies = if flags.is_some() { Copies::Two } else { Copies::One };
                    let read = read_environment(&theirs, copies, ByteOrder::Little);
                    assert_eq!(read, Err(EnvironmentError::NoEnd), "{size}");
                }
            }
        }
    }
}

/// Variables that can be stored.
fn some_variables() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[A-Za-z_.:\u{e9}][A-Za-z0-9_#]{0,9}", "[^\0\n]{1,30}", 0..12)
}

proptest! {
    #[test]
    fn reads_what_it_writes(variables in some_variables(), flags: Option<u8>, padding: u8, big: bool) {
        let byte_order = if big { ByteOrder::Big } else { ByteOrder::Little };
        let options = EnvironmentOptions { size: 4096, flags, padding, byte_order };
        let bytes = environment(&variables, &options).unwrap();
        prop_assert_eq!(bytes.len(), 4096);
        let copies = if flags.is_some() { Copies::Two } else { Copies::One };
        let read = read_environment(&bytes, copies, byte_order).unwrap();
        prop_assert_eq!(read.variables, variables);
        prop_assert_eq!(read.flags, flags);
    }

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200), seal: bool) {
        let mut bytes = data;
        if seal && bytes.len() > 4 {
            let crc = crc32fast::hash(&bytes[4..]).to_le_bytes();
            bytes[..4].copy_from_slice(&crc);
        }
        let _ = read_environment(&bytes, Copies::One, ByteOrder::Little);
        let _ = read_environment(&bytes, Copies::Two, ByteOrder::Big);
    }
}
