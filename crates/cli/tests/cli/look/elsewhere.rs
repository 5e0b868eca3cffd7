//! More that leads out of the folder that something is extracted to: names in a btrfs, whose checksums are right all the same,
//! names in archives, and links that share their name with a folder.

use std::fs;

use super::hostile::{NAMES, extracts, replace};
use super::shell;
use crate::oracle::installed;
use crate::world::World;

const NODE: usize = 16 << 10;

/// CRC-32C without the inversion at its end.
fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 * (crc & 1))
        })
    })
}

/// What entries of a directory are found by.
fn hash(name: &[u8]) -> [u8; 9] {
    const DIR_ITEM: u8 = 84;
    let mut key = [0; 9];
    key[0] = DIR_ITEM;
    key[1..5].copy_from_slice(&crc32c(0xffff_fffe, name).to_le_bytes());
    key
}

/// Gives the file another name in all nodes, and makes their checksums right.
fn rename(bytes: &mut [u8], name: &[u8]) {
    let id = bytes[(64 << 10) + 32..][..16].to_vec();
    for node in bytes.chunks_exact_mut(NODE) {
        let is_superblock = &node[64..72] == b"_BHRfS_M";
        if node[32..48] != id[..] || is_superblock {
            continue;
        }
        let (old_hash, new_hash) = (hash(b"QQQQQQQ"), hash(name));
        for start in 0..NODE - 9 {
            if node[start..].starts_with(&old_hash) {
                node[start..start + 9].copy_from_slice(&new_hash);
            } else if node[start..].starts_with(b"QQQQQQQ") {
                node[start..start + 7].copy_from_slice(name);
            }
        }
        let crc = !crc32c(u32::MAX, &node[32..]);
        node[..4].copy_from_slice(&crc.to_le_bytes());
    }
}

#[test]
fn names_in_a_btrfs() {
    let world = World::new();
    shell(&world, "mkdir src; echo evil >src/QQQQQQQ");
    world.done(&["btrfs", "--tree", "src", "--out", "x.btrfs"]);
    let sound = fs::read(world.path("x.btrfs")).unwrap();
    fs::remove_file(world.path("x.btrfs")).unwrap();
    let renamed = |name: &[u8]| {
        let mut bytes = sound.clone();
        rename(&mut bytes, name);
        world.write("hostile", &bytes);
        extracts(&world, "hostile")
    };
    assert_eq!(renamed(b"harmles"), Some(0));
    assert!(world.path("jail/outer/in/harmles").is_file());
    for name in &NAMES[..2] {
        let code = renamed(name);
        assert!(matches!(code, Some(3 | 6)), "{} {code:?}", name.escape_ascii());
    }
}

#[test]
fn names_in_archives() {
    if !installed("python3") {
        return;
    }
    let world = World::new();
    let script = "import tarfile,io,sys\nt=tarfile.open('x.tar','w',format=tarfile.PAX_FORMAT)\n\
                  i=tarfile.TarInfo(sys.argv[1]);i.size=5\nt.addfile(i,io.BytesIO(b'evil\\n'))\nt.close()\n";
    world.write("make.py", script.as_bytes());
    for name in [
        "../evil",
        "../../evil",
        "a/../../evil",
        "./../evil",
        "..",
        "/../evil",
    ] {
        shell(&world, &format!("python3 make.py {name}"));
        let code = extracts(&world, "x.tar");
        assert!(matches!(code, Some(3 | 6)), "{name}: {code:?}");
    }
    // What has a root in front is below the folder.
    shell(&world, "python3 make.py /evil");
    assert_eq!(extracts(&world, "x.tar"), Some(0));
    assert!(world.path("jail/outer/in/evil").is_file());
}

/// If the link were made, and then the folder were taken for it, the file would be outside.
#[test]
fn links_of_the_name_of_a_folder() {
    if !installed("mksquashfs") || !installed("mke2fs") {
        return;
    }
    let world = World::new();
    shell(
        &world,
        "mkdir -p src/QQQQQQQ; echo evil >src/QQQQQQQ/evil; ln -s ../.. src/LLLLLLL; \
         mksquashfs src x.squashfs -noI -noD -noF -noX -comp gzip -no-progress >log; \
         mke2fs -q -t ext4 -O ^metadata_csum,^dir_index -d src x.ext4 4M",
    );
    for file in ["x.squashfs", "x.ext4"] {
        assert_eq!(extracts(&world, file), Some(0));
        replace(&world, file, b"QQQQQQQ", b"LLLLLLL");
        assert_eq!(extracts(&world, file), Some(6), "{file}");
    }
}
