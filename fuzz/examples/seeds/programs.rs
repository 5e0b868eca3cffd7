//! Programs that firmware starts, in small.

use image::Content;
use uki::{Options, Parts};

use crate::Seeds;

/// A stub and what was made of it, a description of hardware, and signatures.
pub(crate) fn programs() -> Seeds {
    let stub = stub();
    let options = Options {
        base: Parts {
            cmdline: Some(Content::from(&b"quiet"[..])),
            linux: Some(Content::from(stub.clone())),
            ..Parts::default()
        },
        ..Options::default()
    };
    let planned = uki::plan(&Content::from(stub.clone()), &options, None)?;
    Ok(vec![
        stub,
        Content::from(planned.image).to_vec()?,
        br#"{"type": "devicetree", "name": "a", "compatible": "b", "hwids": ["00112233-4455-6677-8899-aabbccddeeff"]}"#
            .to_vec(),
        br#"{"sha256": [{"pcrs": [11], "pkfp": "00", "pol": "00", "sig": "AAAA"}]}"#.to_vec(),
    ])
}

/// A PE file for x86-64 with three sections of 512 bytes, one of them a line of SBAT.
fn stub() -> Vec<u8> {
    const SECTIONS: [(&[u8], &[u8]); 3] = [
        (b".text\0\0\0", b"code"),
        (b".sbat\0\0\0", b"sbat,1,SBAT Version,sbat,1,url\nx,1,X,x,1,url\n"),
        (b".sdmagic", b"#### LoaderInfo: systemd-stub 257.13-1 ####"),
    ];
    let mut bytes = vec![0; 0x400];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // The machine, the number of sections, the length of the optional header.
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &3_u16.to_le_bytes());
    put(0x54, &240_u16.to_le_bytes());
    // PE32+, alignments, sizes of image and headers, EFI application, 16 directories.
    put(0x58, &0x20b_u16.to_le_bytes());
    put(0x58 + 32, &0x1000_u32.to_le_bytes());
    put(0x58 + 36, &0x200_u32.to_le_bytes());
    put(0x58 + 56, &0x4000_u32.to_le_bytes());
    put(0x58 + 60, &0x400_u32.to_le_bytes());
    put(0x58 + 68, &10_u16.to_le_bytes());
    put(0x58 + 108, &16_u32.to_le_bytes());
    for (number, (name, content)) in SECTIONS.into_iter().enumerate() {
        let at = 0x58 + 240 + 40 * number;
        let number = u32::try_from(number).unwrap_or(0);
        let len = u32::try_from(content.len()).unwrap_or(0);
        put(at, name);
        put(at + 8, &len.to_le_bytes());
        put(at + 12, &(0x1000 * (number + 1)).to_le_bytes());
        put(at + 16, &0x200_u32.to_le_bytes());
        put(at + 20, &(0x400 + 0x200 * number).to_le_bytes());
        put(at + 36, &0x4000_0040_u32.to_le_bytes());
    }
    for (_, content) in SECTIONS {
        let mut section = content.to_vec();
        section.resize(0x200, 0);
        bytes.extend(section);
    }
    bytes
}
