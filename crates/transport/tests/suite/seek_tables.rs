//! Files in zstd's seekable format, read by a decoder that knows nothing but the format's specification.

use crate::images::{bytes, compressed, zoo};
use transport::Method;

fn number(bytes: &[u8]) -> usize {
    let bytes: [u8; 4] = bytes.try_into().unwrap();
    usize::try_from(u32::from_le_bytes(bytes)).unwrap()
}

struct Entry {
    compressed: std::ops::Range<usize>,
    decompressed: std::ops::Range<usize>,
    checksum: Vec<u8>,
}

fn entries(file: &[u8]) -> Vec<Entry> {
    let footer = &file[file.len() - 9..];
    assert_eq!(number(&footer[5..]), 0x8F92_EAB1);
    assert_eq!(footer[4], 0x80, "entries have checksums");
    let count = number(&footer[..4]);
    let table = file.len() - 9 - count * 12;
    assert_eq!(number(&file[table - 8..][..4]), 0x184D_2A5E);
    assert_eq!(number(&file[table - 4..][..4]), count * 12 + 9);
    let (mut compressed, mut decompressed) = (0, 0);
    let mut entries = Vec::new();
    for entry in file[table..].chunks_exact(12).take(count) {
        let (start, first) = (compressed, decompressed);
        compressed += number(&entry[..4]);
        decompressed += number(&entry[4..8]);
        entries.push(Entry {
            compressed: start..compressed,
            decompressed: first..decompressed,
            checksum: entry[8..].to_vec(),
        });
    }
    assert_eq!(compressed, table - 8, "frames end where the table begins");
    entries
}

#[test]
fn every_frame_is_found_and_read_alone() {
    let (_dir, path) = compressed(Method::Zstd);
    let (file, image) = (std::fs::read(path).unwrap(), bytes(&zoo()));
    let entries = entries(&file);
    assert_eq!(entries.last().unwrap().decompressed.end, image.len());
    for entry in &entries {
        let frame = &file[entry.compressed.clone()];
        let mut content = Vec::with_capacity(entry.decompressed.len());
        zstd_safe::decompress(&mut content, frame).unwrap();
        assert!(content == image[entry.decompressed.clone()]);
        // RFC 8878: a frame ends with the low bytes of its content's XXH64, which the decoder has compared.
        assert!(frame.ends_with(&entry.checksum));
        assert_eq!(frame[4] & 4, 4, "Content_Checksum_flag");
    }
    let zeros = |number: usize| &file[entries[number].compressed.clone()];
    assert_eq!(zeros(2), zeros(6), "bytes 8 to 12 MiB, and 24 to 28");
    assert!(zeros(2).len() < 1000);
}
