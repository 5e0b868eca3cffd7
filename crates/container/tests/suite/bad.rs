//! Disks that containers cannot hold.

use container::{Error, Format, plan};
use image::{Fault, Layout};

use crate::disks::{GIB, MIB, options};

fn error(format: Format, size: u64) -> Error {
    let image = Layout::new().finish(size).unwrap();
    plan(&image, &options(format, "disk")).unwrap_err()
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
            matches!(error(format, MIB + 4096), Error::NotAMultiple { .. }),
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
        let fits = matches!(format, Format::Raw | Format::Qcow2);
        assert_eq!(options.check().is_ok(), fits, "{format}");
    }
}
