//! Headers back into options.

use uuid::Uuid;
use zerocopy::FromBytes;

use crate::format::{Header, MAGIC, VERSION};
use crate::{Error, Options, PAGE_SIZE};

/// Reads the header at the beginning of an area. The size is that of its pages.
///
/// # Errors
/// When the bytes are too few, or no header as Linux takes it.
pub fn read(bytes: &[u8]) -> Result<Options, Error> {
    let damaged = |problem: &str| Err(Error::Damaged(problem.to_owned()));
    let Ok((header, _)) = Header::read_from_prefix(bytes) else {
        return damaged("fewer bytes than a page");
    };
    if header.magic != MAGIC {
        return damaged("the first page does not end with SWAPSPACE2");
    }
    if header.version != VERSION {
        return damaged("another version than 1");
    }
    if header.last_page == 0 {
        return damaged("no page beside the header");
    }
    let end = header.sws_volume.iter().position(|byte| *byte == 0);
    let label = header.sws_volume.get(..end.unwrap_or(header.sws_volume.len()));
    let label = String::from_utf8_lossy(label.unwrap_or_default()).into_owned();
    Ok(Options {
        size: (u64::from(header.last_page.get()) + 1) * PAGE_SIZE,
        uuid: Uuid::from_bytes(header.sws_uuid),
        label: Some(label).filter(|label| !label.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SIZE_MIN, plan};

    proptest! {
        #[test]
        fn what_is_written_is_read(pages in 10_u64..1 << 32, uuid: u128, label in "[a-zA-Z0-9_-]{0,15}") {
            let options = Options {
                size: pages * PAGE_SIZE,
                uuid: Uuid::from_u128(uuid),
                label: Some(label).filter(|label| !label.is_empty()),
            };
            let image = plan(&options).unwrap();
            let bytes = image.extents()[0].content.to_vec().unwrap();
            prop_assert_eq!(read(&bytes), Ok(options));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_told() {
        let options = Options {
            size: SIZE_MIN,
            uuid: Uuid::nil(),
            label: None,
        };
        let bytes = plan(&options).unwrap().extents()[0].content.to_vec().unwrap();
        for place in [1024, 4086, 4095] {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1;
            assert!(read(&flipped).is_err(), "{place}");
        }
        assert!(read(&bytes[..4095]).is_err());
        let mut empty = bytes;
        empty[1028..1032].fill(0);
        assert!(read(&empty).is_err());
    }
}
