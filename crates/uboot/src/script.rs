//! Wrapping a script, and reading it back.

use zerocopy::big_endian::U32;
use zerocopy::{FromBytes, IntoBytes};

use crate::format::{
    Header, IH_COMP_NONE, IH_MAGIC, IH_NMLEN, IH_OS_LINUX, IH_TYPE_SCRIPT, LENGTHS_SIZE, Lengths,
    SCRIPT_LEN_MAX,
};
use crate::{Arch, Error, Result};

/// What the header of a boot script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOptions {
    /// The architecture.
    pub arch: Arch,
    /// Seconds since 1970.
    pub time: u32,
    /// A name for people, at most 32 bytes; mkimage leaves it empty when it is not told one.
    pub name: String,
}

/// What a boot script holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What its header says.
    pub options: ScriptOptions,
    /// The commands.
    pub source: Vec<u8>,
}

/// `boot.scr` out of `boot.cmd`.
///
/// # Errors
/// When the script is empty or too large, or the name does not fit.
pub fn script(source: &[u8], options: &ScriptOptions) -> Result<Vec<u8>> {
    let lengths = Lengths {
        script: U32::new(script_len(source.len() as u64)?),
        end: U32::ZERO,
    };
    let mut data = lengths.as_bytes().to_vec();
    data.extend_from_slice(source);
    let mut header = Header {
        ih_magic: U32::new(IH_MAGIC),
        ih_hcrc: U32::ZERO,
        ih_time: U32::new(options.time),
        ih_size: U32::new(lengths.script.get() + LENGTHS_SIZE),
        ih_load: U32::ZERO,
        ih_ep: U32::ZERO,
        ih_dcrc: U32::new(crc32fast::hash(&data)),
        ih_os: IH_OS_LINUX,
        ih_arch: options.arch.number(),
        ih_type: IH_TYPE_SCRIPT,
        ih_comp: IH_COMP_NONE,
        ih_name: name_field(&options.name)?,
    };
    header.ih_hcrc = U32::new(crc32fast::hash(header.as_bytes()));
    let mut bytes = header.as_bytes().to_vec();
    bytes.append(&mut data);
    Ok(bytes)
}

fn script_len(len: u64) -> Result<u32> {
    match u32::try_from(len) {
        Ok(0) => Err(Error::EmptyScript),
        Ok(len) if len <= SCRIPT_LEN_MAX => Ok(len),
        _ => Err(Error::ScriptTooLarge { len }),
    }
}

fn name_field(name: &str) -> Result<[u8; IH_NMLEN]> {
    if name.contains('\0') {
        return Err(Error::NameHasZero { name: name.into() });
    }
    let mut field = [0; IH_NMLEN];
    let Some(start) = field.get_mut(..name.len()) else {
        return Err(Error::NameTooLong {
            name: name.into(),
            len: name.len(),
        });
    };
    start.copy_from_slice(name.as_bytes());
    Ok(field)
}

/// Reads `boot.scr`. More is refused than U-Boot refuses: everything that [`script`] would not write, except for
/// the operating system, the compression and the two addresses, which mean nothing for a script.
///
/// # Errors
/// When it is not an intact boot script with one script in it.
pub fn read_script(bytes: &[u8]) -> Result<Script> {
    let wrong_length = |part, expected| Error::WrongLength {
        part,
        expected,
        len: bytes.len() as u64,
    };
    let Ok((magic, _)) = U32::read_from_prefix(bytes) else {
        return Err(wrong_length("header", size_of::<Header>() as u64));
    };
    if magic.get() != IH_MAGIC {
        return Err(Error::NotAnImage { found: magic.get() });
    }
    let Ok((header, data)) = Header::read_from_prefix(bytes) else {
        return Err(wrong_length("header", size_of::<Header>() as u64));
    };
    let unsigned = Header {
        ih_hcrc: U32::ZERO,
        ..header
    };
    check_crc("header", header.ih_hcrc, unsigned.as_bytes())?;
    if header.ih_type != IH_TYPE_SCRIPT {
        return Err(Error::NotAScript {
            found: header.ih_type,
        });
    }
    if data.len() as u64 != u64::from(header.ih_size.get()) {
        let end = size_of::<Header>() as u64 + u64::from(header.ih_size.get());
        return Err(wrong_length("data", end));
    }
    check_crc("data", header.ih_dcrc, data)?;
    let number = header.ih_arch;
    Ok(Script {
        options: ScriptOptions {
            arch: Arch::from_number(number).ok_or(Error::UnknownArchNumber { number })?,
            time: header.ih_time.get(),
            name: read_name(&header.ih_name)?,
        },
        source: read_source(data)?.to_vec(),
    })
}

/// Reads the boot script that some bytes begin with, as U-Boot does, which takes its length from the header. What is behind
/// it is not looked at: a script can lie in a partition. Answers how many bytes it has, too.
///
/// # Errors
/// As [`read_script`].
pub fn read_script_at_start(bytes: &[u8]) -> Result<(Script, usize)> {
    let len = Header::read_from_prefix(bytes).ok().and_then(|(header, _)| {
        let data = usize::try_from(header.ih_size.get()).ok()?;
        size_of::<Header>()
            .checked_add(data)
            .filter(|len| *len <= bytes.len())
    });
    let len = len.unwrap_or(bytes.len());
    read_script(bytes.get(..len).unwrap_or_default()).map(|script| (script, len))
}

fn check_crc(part: &'static str, stored: U32, bytes: &[u8]) -> Result<()> {
    let computed = crc32fast::hash(bytes);
    if stored.get() == computed {
        return Ok(());
    }
    Err(Error::WrongChecksum {
        part,
        stored: stored.get(),
        computed,
    })
}

fn read_name(field: &[u8; IH_NMLEN]) -> Result<String> {
    let end = field
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    match str::from_utf8(field.get(..end).unwrap_or_default()) {
        Ok(name) if !name.contains('\0') => Ok(name.to_owned()),
        _ => Err(Error::NameNotText),
    }
}

fn read_source(data: &[u8]) -> Result<&[u8]> {
    let Ok((lengths, source)) = Lengths::ref_from_prefix(data) else {
        return Err(Error::WrongLength {
            part: "data",
            expected: (size_of::<Header>() + size_of::<Lengths>()) as u64,
            len: (size_of::<Header>() + data.len()) as u64,
        });
    };
    if u64::from(lengths.script.get()) != source.len() as u64 || lengths.end != 0 {
        return Err(Error::WrongList {
            first: lengths.script.get(),
            second: lengths.end.get(),
            len: u32::try_from(source.len()).unwrap_or(u32::MAX),
        });
    }
    // U-Boot takes a length of zero for the list's end.
    script_len(source.len() as u64)?;
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str) -> ScriptOptions {
        ScriptOptions {
            arch: Arch::Arm64,
            time: 315_532_800,
            name: name.into(),
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let bytes = script(b"echo hi\n", &options("")).unwrap();
        let mut expected = vec![
            0x27, 0x05, 0x19, 0x56, 0x95, 0xfb, 0x42, 0x7f, 0x12, 0xce, 0xa6, 0x00, 0, 0, 0, 16, //
            0, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0x34, 0x01, 0x62, 5, 22, 6, 0,
        ];
        expected.extend_from_slice(&[0; 32]);
        expected.extend_from_slice(b"\0\0\0\x08\0\0\0\0echo hi\n");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn reads_what_it_writes() {
        for name in ["", "boot", &"n".repeat(32), "é"] {
            for source in [&b"x"[..], b"echo hi\n", &vec![0xff; 70_000]] {
                let read = read_script(&script(source, &options(name)).unwrap()).unwrap();
                assert_eq!((read.options, &read.source[..]), (options(name), source));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let name = "n".repeat(33);
        assert_eq!(
            script(b"x", &options(&name)),
            Err(Error::NameTooLong { name, len: 33 })
        );
        assert!(matches!(
            script(b"x", &options("a\0b")),
            Err(Error::NameHasZero { .. })
        ));
        assert_eq!(script(b"", &options("")), Err(Error::EmptyScript));
        assert_eq!(script_len(u64::from(u32::MAX) - 8), Ok(u32::MAX - 8));
        for len in [u64::from(u32::MAX) - 7, u64::from(u32::MAX) + 1, u64::MAX] {
            assert_eq!(script_len(len), Err(Error::ScriptTooLarge { len }));
        }
    }

    /// Both checksums set right again.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let data = crc32fast::hash(&bytes[64..]);
        bytes[24..28].copy_from_slice(&data.to_be_bytes());
        bytes[4..8].fill(0);
        let header = crc32fast::hash(&bytes[..64]);
        bytes[4..8].copy_from_slice(&header.to_be_bytes());
        bytes
    }

    #[test]
    fn every_changed_byte_is_found() {
        let good = script(b"run distro\n", &options("boot")).unwrap();
        for at in 0..good.len() {
            assert!(read_script(&good[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read_script(&bad).is_err(), "bit {bit} of byte {at}");
            }
        }
        let mut longer = good.clone();
        longer.push(0);
        let (read, len) = read_script_at_start(&longer).unwrap();
        assert_eq!((&read.source[..], len), (&b"run distro\n"[..], good.len()));
        assert!(read_script_at_start(&good[..good.len() - 1]).is_err());
        assert_eq!(
            read_script(&longer).unwrap_err().to_string(),
            "the data of the boot script should end at byte 83, the file has 84 bytes"
        );
    }

    #[test]
    fn sealed_lies_are_found() {
        let good = script(b"run distro\n", &options("boot")).unwrap();
        let lie = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            read_script(&sealed(bad))
        };
        assert_eq!(lie(30, 2), Err(Error::NotAScript { found: 2 }));
        assert_eq!(lie(29, 99), Err(Error::UnknownArchNumber { number: 99 }));
        assert!(matches!(lie(15, 18), Err(Error::WrongLength { .. })));
        assert!(matches!(lie(67, 12), Err(Error::WrongList { first: 12, .. })));
        assert!(matches!(lie(71, 1), Err(Error::WrongList { second: 1, .. })));
        assert_eq!(lie(50, b'x'), Err(Error::NameNotText));
        assert_eq!(lie(32, 0xff), Err(Error::NameNotText));
        // What means nothing for a script may be anything, such as mkimage's compression when not told one.
        assert!(lie(31, 1).is_ok() && lie(28, 17).is_ok());
        let mut short = good[..68].to_vec();
        short[15] = 4;
        assert!(matches!(
            read_script(&sealed(short)),
            Err(Error::WrongLength { .. })
        ));
    }
}
