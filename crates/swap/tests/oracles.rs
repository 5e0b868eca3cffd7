//! util-linux takes the areas for its own, and makes the same.
#![expect(clippy::unwrap_used, reason = "functions of tests")]

#[path = "../../../tests/zoo/oracle.rs"]
mod oracle;

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{Content, Image};
use oracle::installed;
use swap::{Options, plan};
use uuid::Uuid;

fn run(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// An image in a file, with its hole.
fn store(image: &Image, file: &Path) {
    let head = image.extents().first().map(|extent| &extent.content);
    fs::write(file, head.map(Content::to_vec).unwrap().unwrap()).unwrap();
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(image.size()).unwrap();
}

#[test]
fn mkswap_makes_the_same_bytes_and_blkid_reads_them() {
    if !["mkswap", "swaplabel", "blkid"].into_iter().all(installed) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let uuid = "e8190672-b40d-45e4-a7cb-198532386075";
    for (size, label) in [
        (40_960, None),
        (10 << 20, Some("swap")),
        // A size with half a page at its end.
        ((10 << 20) + 2048, Some("fifteen letters")),
    ] {
        let options = Options {
            size,
            uuid: Uuid::try_parse(uuid).unwrap(),
            label: label.map(str::to_owned),
        };
        store(&plan(&options).unwrap(), &ours);
        fs::write(&theirs, vec![0; usize::try_from(size).unwrap()]).unwrap();
        let mut arguments = vec!["--pagesize", "4096", "--uuid", uuid];
        arguments.extend(label.iter().flat_map(|label| ["--label", label]));
        run("mkswap", &arguments, &theirs);
        assert!(
            fs::read(&ours).unwrap() == fs::read(&theirs).unwrap(),
            "{size} bytes, {label:?}"
        );
        assert_eq!(
            swap::read(&fs::read(&theirs).unwrap()).unwrap(),
            Options {
                size: size / 4096 * 4096,
                ..options
            }
        );
        let read = run("blkid", &["--probe", "--output", "export"], &ours);
        for line in [&*format!("UUID={uuid}"), "TYPE=swap", "VERSION=1"] {
            assert!(read.contains(line), "{line} in {read}");
        }
        let read = run("swaplabel", &[], &ours);
        assert!(read.contains(uuid), "{read}");
        assert_eq!(read.contains("LABEL"), label.is_some(), "{read}");
    }
}
