//! NBD clients from anywhere: raw bytes when the first byte is odd, else options and requests with their magic numbers
//! right, and whatever lengths and numbers in them.
#![no_main]

use std::io::{self, Write};

use image::{Content, Layout};
use libfuzzer_sys::fuzz_target;
use nbd::{Export, negotiate, transmit};

const SIZE: u64 = 256 << 10;

/// Takes replies, and remembers their length and the first of them.
#[derive(Default)]
struct Replies {
    first: Vec<u8>,
    len: u64,
}

impl Write for Replies {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let missing = 18usize.saturating_sub(self.first.len());
        self.first.extend(bytes.iter().take(missing));
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn export() -> Export {
    let mut layout = Layout::new();
    layout.put(5000, "bytes", vec![7; 30_000]);
    layout.put(100_000, "zeros", Content::Zeros(9000));
    layout.put(SIZE - 1, "end", &b"x"[..]);
    let image = layout.finish(SIZE).expect("the image of the target");
    Export::new("disk", "fuzzed", image.into()).expect("the export of the target")
}

/// What a client says: its flags, options up to a GO, and requests. Each takes some bytes of the input.
fn guided(mut data: &[u8]) -> Vec<u8> {
    let mut said = 3u32.to_be_bytes().to_vec();
    let mut is_going = false;
    while let [kind, len, rest @ ..] = data {
        let (payload, behind) = rest.split_at(rest.len().min(usize::from(*len)));
        data = behind;
        if is_going {
            said.extend(0x2560_9513u32.to_be_bytes());
            said.extend([0, kind >> 4, 0, kind & 15]);
            let mut fields = [0; 20];
            fields[..payload.len().min(20)].copy_from_slice(&payload[..payload.len().min(20)]);
            // Most places and lengths would be far beyond the end.
            fields[8..13].fill(0);
            fields[16] = 0;
            said.extend(fields);
            said.extend(payload.iter().skip(20));
        } else {
            is_going = kind & 15 == 7 && kind >> 4 == 0;
            let payload = if is_going { &[0; 6][..] } else { payload };
            said.extend(b"IHAVEOPT\0\0\0");
            said.push(kind & 15);
            said.extend(u32::try_from(payload.len()).unwrap_or(0).to_be_bytes());
            said.extend(payload);
        }
    }
    said
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let said = if first & 1 == 1 {
        rest.to_vec()
    } else {
        guided(rest)
    };
    let (export, mut replies) = (export(), Replies::default());
    let mut input = &said[..];
    if let Ok(Some(agreed)) = negotiate(&mut input, &mut replies, &export) {
        let _ = transmit(&mut input, &mut replies, &export, agreed);
    }
    assert_eq!(replies.first, b"NBDMAGICIHAVEOPT\0\x03");
    // A request of 28 bytes gets no more than the export and headers, an option no more than a few lines.
    assert!(replies.len <= 18 + (said.len() as u64 / 16 + 1) * (SIZE + 4096 * 28));
});
