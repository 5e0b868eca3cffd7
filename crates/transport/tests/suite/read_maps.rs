//! Block maps, read back: ours, bmaptool's, older ones, and what is none.

use std::fs;
use std::process::Command;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use transport::{BlockMap, BlockMapError};

use crate::block_maps::bmap;
use crate::images::{bytes, hex, zoo};
use crate::oracle::installed;

#[test]
fn ours_is_read_and_its_checksums_are_those_of_the_image() {
    let image = zoo();
    let map = BlockMap::parse(bmap(&image).as_bytes()).unwrap();
    let bytes = bytes(&image);
    assert_eq!((map.image_size, map.block_size), (bytes.len() as u64, 4096));
    assert!(map.ranges.len() > 2);
    for range in &map.ranges {
        let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let found: [u8; 32] = Sha256::digest(&bytes[part]).into();
        assert_eq!(range.sha256, Some(found));
    }
}

/// bmaptool's own has comments, and ranges of one block without an end.
#[test]
fn that_of_bmaptool_is_read() {
    if !installed("bmaptool") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, file) = (dir.path().join("image"), dir.path().join("image.bmap"));
    let mut content = vec![0; 1 << 20];
    content[300_000..420_000].fill(7);
    content[900_000] = 1;
    fs::write(&image, &content).unwrap();
    let made = Command::new("fallocate").arg("--dig-holes").arg(&image).status();
    assert!(made.unwrap().success());
    let mut create = Command::new("bmaptool");
    create.args(["create", "--output"]).args([&file, &image]);
    assert!(create.output().unwrap().status.success());
    let text = fs::read_to_string(&file).unwrap();
    let map = BlockMap::parse(text.as_bytes()).unwrap();
    assert_eq!((map.image_size, map.unknown_sum), (1 << 20, None));
    let has = |at: u64| {
        map.ranges
            .iter()
            .any(|range| (range.start..range.end).contains(&at))
    };
    assert!(has(300_000) && has(419_999) && has(900_000), "{text}");
    for range in &map.ranges {
        let part = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let found: [u8; 32] = Sha256::digest(&content[part]).into();
        assert_eq!(range.sha256, Some(found), "{text}");
    }
}

/// A map with its own checksum, which is right.
fn sealed(text: &str) -> String {
    let text = text.replace("OWN", &"0".repeat(64));
    let own = hex(&Sha256::digest(&text));
    text.replacen(&"0".repeat(64), &own, 1)
}

const OLD: &str = "<bmap version=\"1.2\"><ImageSize> 8191 </ImageSize><BlockSize>4096</BlockSize>\
                   <BlocksCount>2</BlocksCount><BlockMap><Range sha1=\"00\"> 1 </Range></BlockMap></bmap>";

#[test]
fn older_ones_are_read_without_checksums() {
    let map = BlockMap::parse(OLD.as_bytes()).unwrap();
    assert_eq!(map.ranges[0].start..map.ranges[0].end, 4096..8191);
    assert_eq!((map.ranges[0].sha256, map.mapped_len()), (None, 4095));
    let sha1 = OLD.replace("<BlockMap>", "<ChecksumType> sha1 </ChecksumType><BlockMap>");
    assert_eq!(
        BlockMap::parse(sha1.as_bytes()).unwrap().unknown_sum.unwrap(),
        "sha1"
    );
}

/// What has 64 digits is no SHA-256 for that alone, and what bmaptool wrote up to version 1.3 has no `ChecksumType`.
#[test]
fn checksums_are_those_that_the_map_names() {
    let digits = "ab".repeat(32);
    let ranges = format!("<ChecksumType>KIND</ChecksumType><BlockMap><Range chksum=\"{digits}\">");
    let other = OLD.replace("<BlockMap><Range sha1=\"00\">", &ranges);
    let map = BlockMap::parse(other.replace("KIND", "sha512/256").as_bytes()).unwrap();
    assert_eq!(
        (map.ranges[0].sha256, map.unknown_sum.as_deref()),
        (None, Some("sha512/256"))
    );
    for version in ["1.2", "1.3"] {
        let map = BlockMap::parse(OLD.replace("1.2", version).as_bytes()).unwrap();
        assert_eq!(map.unknown_sum.as_deref(), Some("sha1"), "{version}");
    }
    let none = OLD.replace(" sha1=\"00\"", "");
    assert_eq!(BlockMap::parse(none.as_bytes()).unwrap().unknown_sum, None);
    let unnamed = other.replace("<ChecksumType>KIND</ChecksumType>", "");
    let error = BlockMap::parse(unnamed.as_bytes()).unwrap_err().to_string();
    assert!(error.ends_with("no `ChecksumType` says of which kind"), "{error}");
    let own = "<ChecksumType>sha256</ChecksumType><BmapFileChecksum>OWN</BmapFileChecksum>";
    let short = other
        .replace("<ChecksumType>KIND</ChecksumType>", own)
        .replace(&digits, "abc");
    let error = BlockMap::parse(sealed(&short).as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("the range 1 is \"abc\", not 64 digits"),
        "{error}"
    );
}

/// Tags that are no ranges take no memory: these would be sixteen times as long as their text.
#[test]
fn as_many_tags_as_fit_are_read() {
    let tags = "<a>".repeat(4 << 20);
    let long = OLD.replace("</bmap>", &format!("{tags}</bmap>"));
    assert_eq!(BlockMap::parse(long.as_bytes()).unwrap().ranges.len(), 1);
    let most = peak_kib();
    assert!(most < 100 << 10, "{most} KiB");
}

/// The most memory that this process has had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_is_none_is_told() {
    let refused = |text: &str| BlockMap::parse(text.as_bytes()).unwrap_err().to_string();
    for (from, to, wanted) in [
        ("<bmap", "<map", "has no element `bmap`"),
        (
            "\"1.2\"",
            "\"3.0\"",
            "its version is \"3.0\", and 1 and 2 are known",
        ),
        ("8191", "-1", "`ImageSize` is \"-1\", not a number"),
        (">4096<", ">4095<", "blocks have 4095 bytes, not a power of two"),
        (">2<", ">3<", "8191 bytes are not 3 blocks of 4096 bytes"),
        (
            " 1 ",
            " 1-2 ",
            "the range 1-2 overlaps the one before it, or ends behind the image's 2 blocks",
        ),
        (" 1 ", " one ", "a range is \"one\", not two numbers"),
        ("</bmap>", "</bmap", "a tag does not end"),
    ] {
        let said = refused(&OLD.replace(from, to));
        assert!(said.contains(wanted), "{said}");
    }
    let new = OLD.replace("1.2", "2.0").replace(
        "<BlockMap>",
        "<ChecksumType>sha256</ChecksumType><BmapFileChecksum>OWN</BmapFileChecksum><BlockMap>",
    );
    assert!(BlockMap::parse(sealed(&new).as_bytes()).is_ok());
    // One flipped byte: the map of another image.
    let changed = sealed(&new).replace(" 1 ", " 0 ");
    let error = BlockMap::parse(changed.as_bytes()).unwrap_err();
    assert!(matches!(error, BlockMapError::Damaged { .. }), "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "(<bmap version=\"2.0\">|<Range chksum=\"|<!--|-->|<\\?|>|\"|[0-9 -]{1,20}|ImageSize|BlockSize|é|.){0,30}",
    ) {
        let _ = BlockMap::parse(text.as_bytes());
    }
}
