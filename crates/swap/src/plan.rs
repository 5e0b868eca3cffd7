//! Options become an area.

use image::{Image, Layout};
use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::format::{Header, MAGIC, VERSION};
use crate::{Error, Options, PAGE_SIZE};

/// Makes a swap area: its header, and a hole.
///
/// # Errors
/// When the size or the label cannot be.
pub fn plan(options: &Options) -> Result<Image, Error> {
    options.check()?;
    let too_large = |_| Error::TooLarge { size: options.size };
    let last_page = u32::try_from(options.size / PAGE_SIZE - 1).map_err(too_large)?;
    let mut sws_volume = [0; 16];
    for (place, byte) in sws_volume
        .iter_mut()
        .zip(options.label.iter().flat_map(|label| label.bytes()))
    {
        *place = byte;
    }
    let header = Header {
        bootbits: [0; 1024],
        version: U32::new(VERSION),
        last_page: U32::new(last_page),
        nr_badpages: U32::ZERO,
        sws_uuid: options.uuid.into_bytes(),
        sws_volume,
        unused: [0; 3018],
        magic: MAGIC,
    };
    let mut layout = Layout::new();
    layout.put(0, "swap header", header.as_bytes().to_vec());
    // The header lies within the smallest area.
    layout
        .finish(options.size)
        .map_err(|error| Error::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use image::Fault;
    use uuid::Uuid;

    use super::*;
    use crate::{SIZE_MAX, SIZE_MIN};

    fn options(size: u64, label: Option<&str>) -> Options {
        Options {
            size,
            uuid: Uuid::from_u128(7),
            label: label.map(str::to_owned),
        }
    }

    #[test]
    fn limits_are_said() {
        assert!(plan(&options(SIZE_MIN, Some("fifteen letters"))).is_ok());
        assert!(plan(&options(SIZE_MAX, None)).is_ok());
        let told = |size, label: Option<&str>| {
            let error = plan(&options(size, label)).unwrap_err();
            (error.fault(), error.to_string())
        };
        let (fault, text) = told(SIZE_MIN - 1, None);
        assert_eq!(fault, Fault::Limit);
        assert_eq!(text, "a swap area of 40959 bytes: it has at least 40960");
        assert_eq!(told(SIZE_MAX + 1, None).0, Fault::Limit);
        let (fault, text) = told(SIZE_MIN, Some("sixteen letters!"));
        assert_eq!(fault, Fault::Request);
        assert_eq!(
            text,
            "label \"sixteen letters!\" has 16 bytes, a swap area's has at most 15"
        );
        assert_eq!(told(SIZE_MIN, Some("a\0b")).1, "label \"a\\0b\" has a zero in it");
    }

    #[test]
    fn only_the_header_has_bytes() {
        let image = plan(&options(1 << 30, Some("swap"))).unwrap();
        assert_eq!((image.size(), image.mapped_len()), (1 << 30, PAGE_SIZE));
    }
}
