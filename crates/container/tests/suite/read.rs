//! What is in containers is read again: in ours, and in those that QEMU makes.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use container::read::{Disk, open, recognise};
use container::{Compression, Format, Options};
use image::{Image, ReadAt};
use proptest::prelude::*;

use crate::disks::{KIB, MIB, contained, disk, kinds, options, store};
use crate::oracle::installed;

/// The formats that are read.
const READ: [Format; 7] = [
    Format::Qcow2,
    Format::Vhd,
    Format::VhdFixed,
    Format::Vhdx,
    Format::Vdi,
    Format::Vmdk,
    Format::VmdkStream,
];

fn opened(source: Arc<dyn ReadAt>, len: u64) -> container::Result<Disk> {
    let format = recognise(&*source, len).unwrap().expect("a container");
    open(format, source, len)
}

fn of_file(path: &Path) -> container::Result<Disk> {
    let file = File::open(path).unwrap();
    let len = file.metadata().unwrap().len();
    opened(Arc::new(file), len)
}

fn assert_same(disk: &Disk, wanted: &Image, name: &str) {
    assert_eq!(disk.size(), wanted.size(), "{name}");
    let mut place = 0;
    while place < wanted.size() {
        // Parts that are no multiple of any block.
        let len = (wanted.size() - place).min(3 * MIB + 777);
        let [mut one, mut other] = [1, 2].map(|byte| vec![byte; usize::try_from(len).unwrap()]);
        disk.read_exact_at(&mut one, place).unwrap();
        wanted.read_exact_at(&mut other, place).unwrap();
        assert!(one == other, "{name}: {len} bytes from {place} on");
        place += len;
    }
    assert!(
        disk.read_exact_at(&mut [0; 2], wanted.size() - 1).is_err(),
        "{name}"
    );
}

#[test]
fn ours_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    for image in [
        kinds(dir.path()),
        disk(33 * MIB, &[8 * KIB, 9 * MIB - 10, 20 * MIB]),
    ] {
        for format in READ {
            for compression in [None, Some(Compression::Zstd), Some(Compression::Zlib)] {
                let options = Options {
                    compression,
                    ..options(format, "disk")
                };
                if options.check().is_err() {
                    continue;
                }
                let planned = contained(&image, &options, dir.path(), 2).unwrap().image;
                let len = planned.size();
                let found = opened(Arc::new(planned), len).unwrap();
                assert_same(&found, &image, &format!("{format} {compression:?}"));
            }
        }
    }
}

#[test]
fn those_of_qemu_are_read() {
    if !installed("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = disk(33 * MIB, &[8 * KIB, 9 * MIB - 10, 20 * MIB]);
    let (raw, file) = (dir.path().join("raw"), dir.path().join("container"));
    store(&image, &raw);
    for arguments in [
        "qcow2",
        "qcow2 -o compat=0.10",
        "qcow2 -o cluster_size=2M",
        "qcow2 -o cluster_size=512",
        "qcow2 -c",
        "qcow2 -c -o compression_type=zstd",
        "qcow2 -c -o cluster_size=4096",
        "vpc -o force_size=on",
        "vpc -o subformat=fixed,force_size=on",
        "vhdx",
        "vhdx -o block_size=32M",
        "vhdx -o subformat=fixed",
        "vdi",
        "vdi -o static=on",
        "vmdk",
        "vmdk -o subformat=streamOptimized",
    ] {
        let _ = std::fs::remove_file(&file);
        let done = Command::new("qemu-img")
            .args(["convert", "-f", "raw", "-O"])
            .args(arguments.split(' '))
            .args([&raw, &file])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments}: {said}");
        assert_same(&of_file(&file).unwrap(), &image, arguments);
    }
}

#[test]
fn what_is_elsewhere_or_encrypted_is_refused_by_name() {
    if !installed("qemu-img") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("raw"), vec![1; 1 << 20]).unwrap();
    for (arguments, wanted) in [
        (
            "-f qcow2 -b raw -F raw file",
            "the qcow2 cannot be read here: what is not in it is in the backing file \"raw\"",
        ),
        (
            "-f qcow2 -o data_file=data,data_file_raw=on file 1M",
            "the qcow2 cannot be read here: its data are in another file",
        ),
        (
            "-f qcow2 -o extended_l2=on,cluster_size=128k file 1M",
            "the qcow2 cannot be read here: it has subclusters",
        ),
        ("-f vmdk -o subformat=monolithicFlat file 1M", ""),
        (
            "-f vmdk -b parent.vmdk -F vmdk file",
            "the vmdk cannot be read here: what is not in it is in a parent of the id",
        ),
    ] {
        let file = dir.path().join("file");
        let _ = std::fs::remove_file(&file);
        let qemu = |arguments: &str| {
            let mut command = Command::new("qemu-img");
            let command = command.arg("create").args(arguments.split(' '));
            let done = command.current_dir(dir.path()).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{arguments}: {said}");
        };
        qemu("-f vmdk parent.vmdk 1M");
        qemu(arguments);
        if wanted.is_empty() {
            // A text, which no container is.
            let bytes = image::Content::from(std::fs::read(&file).unwrap());
            assert!(recognise(&bytes, bytes.len()).unwrap().is_none());
            continue;
        }
        let error = of_file(&file).unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{arguments}: {error}");
        assert_eq!(error.fault(), image::Fault::Input);
    }
}

/// Reads all that a container claims to have, at most some of it.
fn read_all(bytes: &[u8]) {
    let source: Arc<dyn ReadAt> = Arc::new(image::Content::from(bytes));
    let len = bytes.len() as u64;
    let Ok(Some(format)) = recognise(&*source, len) else {
        return;
    };
    let Ok(disk) = open(format, source, len) else {
        return;
    };
    let mut buffer = vec![0; 100_000];
    for number in 0..40 {
        let place = disk.size() / 40 * number;
        let len = usize::try_from(disk.size() - place).map_or(buffer.len(), |len| len.min(buffer.len()));
        let _ = disk.read_exact_at(&mut buffer[..len], place);
    }
}

/// The first bytes of containers, where their headers and tables are, and all of small ones.
fn small(format: Format, compression: Option<Compression>) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        compression,
        ..options(format, "disk")
    };
    let image = disk(MIB, &[8 * KIB]);
    let planned = contained(&image, &options, dir.path(), 1).unwrap().image;
    let mut bytes = vec![0; usize::try_from(planned.size()).unwrap()];
    planned.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn damaged_headers_are_errors() {
    for (format, place, byte, wanted) in [
        (
            Format::Qcow2,
            23,
            40,
            "the qcow2 is damaged: clusters of 2^40 bytes; they have 2^9 to 2^21",
        ),
        (
            Format::Qcow2,
            39,
            0,
            "the qcow2 is damaged: 0 entries of the L1 table, 1048576 bytes need 1",
        ),
        (
            Format::Qcow2,
            7,
            9,
            "the qcow2 cannot be read here: version 9, and 2 and 3 are known",
        ),
        (
            Format::Qcow2,
            40,
            9,
            "the qcow2 is damaged: the L1 table of 1 entries at 648518346341416960",
        ),
        (
            Format::Qcow2,
            35,
            2,
            "the qcow2 cannot be read here: it is encrypted with LUKS",
        ),
        (
            Format::Qcow2,
            35,
            1,
            "the qcow2 cannot be read here: it is encrypted with AES",
        ),
        (
            Format::Vhd,
            50,
            9,
            "the vhd is damaged: the checksum of the footer at 0 is wrong",
        ),
        (
            Format::Vhd,
            544,
            9,
            "the vhd is damaged: the checksum of the header at 512 is wrong",
        ),
        (
            Format::Vdi,
            376,
            1,
            "the vdi is damaged: blocks of 1048577 bytes; they have 512 to 268435456, a power of two",
        ),
        (
            Format::Vdi,
            370,
            255,
            "the vdi is damaged: 1 entries of the map for 16711680 bytes",
        ),
        (
            Format::Vmdk,
            20,
            3,
            "the vmdk is damaged: blocks of 1536 bytes; they have 512 to 4194304, a power of two",
        ),
        (
            Format::Vmdk,
            45,
            9,
            "the vmdk is damaged: grain tables of 2304 entries; they have at most 512",
        ),
    ] {
        let mut bytes = small(format, None);
        bytes[place] = byte;
        let len = bytes.len() as u64;
        let error = open(format, Arc::new(image::Content::from(bytes)), len).unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}

#[test]
fn what_is_too_far_away_is_an_error() {
    // Blocks before each of which there is more than a file can have.
    let mut bytes = small(Format::Vdi, None);
    bytes[380..384].fill(0xff);
    bytes[512..516].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff]);
    let len = bytes.len() as u64;
    let vdi = open(Format::Vdi, Arc::new(image::Content::from(bytes)), len).unwrap();
    let error = vdi.read_exact_at(&mut [0; 10], 0).unwrap_err();
    assert!(
        error.to_string().contains("behind the end of the file"),
        "{error}"
    );
    assert!(
        open(
            Format::VhdFixed,
            Arc::new(image::Content::from(vec![0; 100])),
            100
        )
        .is_err()
    );
    let mut bytes = small(Format::Vhdx, None);
    bytes[(64 << 10) + 9] = 1;
    read_all(&bytes);
    bytes[(128 << 10) + 9] = 1;
    let len = bytes.len() as u64;
    let error = open(Format::Vhdx, Arc::new(image::Content::from(bytes)), len).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the vhdx is damaged: the checksums of both headers are wrong"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Whatever stands in headers and tables: there is an answer, and no panic.
    #[test]
    fn garbage_is_answered(
        number in 0..8_usize,
        garbage in prop::collection::vec((0..200_000_usize, any::<u8>()), 1..40),
        end in 0..1_200_000_usize,
    ) {
        static SMALL: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let small = SMALL.get_or_init(|| {
            let zstd = Some(Compression::Zstd);
            let mut small: Vec<Vec<u8>> = READ.into_iter().map(|format| small(format, None)).collect();
            small.push(self::small(Format::Qcow2, zstd));
            small
        });
        let mut bytes = small[number].clone();
        for (place, byte) in garbage {
            // Half of it goes where headers are.
            let place = if place % 2 == 0 { place % 1100 } else { place };
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        read_all(&bytes);
        bytes.truncate(end.max(600));
        read_all(&bytes);
    }
}
