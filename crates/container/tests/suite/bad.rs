//! Disks that containers cannot hold.

use std::path::Path;

use container::{Compression, Error, Format};
use image::{Fault, Layout};

use crate::disks::{GIB, MIB, contained, options};

fn error(format: Format, size: u64) -> Error {
    let image = Layout::new().finish(size).unwrap();
    contained(&image, &options(format, "disk"), Path::new("/"), 1).unwrap_err()
}

#[test]
fn sizes_are_refused_with_numbers() {
    let odd = error(Format::VhdFixed, 3 * MIB + 512);
    assert_eq!(
        odd.to_string(),
        "the disk has 3146240 bytes, vhd-fixed needs a multiple of 1048576; the next is 4194304"
    );
    assert_eq!(odd.fault(), Fault::Request);
    let large = error(Format::Vhd, 2041 * GIB);
    assert_eq!(
        large.to_string(),
        "the disk has 2191507062784 bytes, vhd has at most 2190433320960"
    );
    assert_eq!(large.fault(), Fault::Limit);
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Raw) {
        assert_eq!(error(format, 0).fault(), Fault::Request, "{format}");
        assert!(
            matches!(error(format, MIB + 512), Error::NotAMultiple { .. }),
            "{format}"
        );
    }
}

#[test]
fn sectors_of_4096_bytes_are_for_containers_without_sectors() {
    for format in Format::ALL {
        let options = container::Options {
            sector_size: 4096,
            ..options(format, "disk")
        };
        let fits = matches!(format, Format::Raw | Format::Qcow2 | Format::AndroidSparse);
        assert_eq!(options.check().is_ok(), fits, "{format}");
    }
}

#[test]
fn compressions_and_levels_are_those_of_the_container() {
    let said = |format, compression, level| {
        let options = container::Options {
            compression,
            level,
            ..options(format, "disk")
        };
        options.check().map_err(|error| error.to_string())
    };
    let (zstd, zlib) = (Some(Compression::Zstd), Some(Compression::Zlib));
    for (format, compression, level, wanted) in [
        (
            Format::Vhdx,
            zstd,
            None,
            "vhdx has no compression \"zstd\"; it has: none",
        ),
        (
            Format::Ova,
            zstd,
            None,
            "ova has no compression \"zstd\"; it has: zlib",
        ),
        (Format::Qcow2, zstd, Some(23), "23: levels of zstd are 1 to 22"),
        (Format::Qcow2, zlib, Some(10), "10: levels of zlib are 1 to 9"),
        (
            Format::Qcow2,
            None,
            Some(3),
            "3: means nothing for qcow2 without compression",
        ),
        (Format::VmdkStream, None, Some(0), "0: levels of zlib are 1 to 12"),
    ] {
        assert_eq!(said(format, compression, level), Err(wanted.to_string()));
    }
    assert_eq!(said(Format::Ova, None, Some(12)), Ok(()));
    assert_eq!(said(Format::Qcow2, zstd, Some(22)), Ok(()));
}
