//! The core image: put together, compressed, and told where it lies.

use liblzma::stream::{Action, Filters, LzmaOptions, MatchFinder, Mode, Status, Stream};

use crate::elf::{self, Memory};
use crate::{Error, Folder, Result, modules};

/// The bytes of a sector. Neither the BIOS nor GRUB's first stage know others.
pub const SECTOR_LEN: usize = 512;

/// The bytes of `boot.img` that are not the partition table.
pub const BOOT_CODE_LEN: usize = 440;

/// What a core image can do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The modules' names, without those that they need.
    pub modules: Vec<String>,
    /// A script that runs first.
    pub config: Option<String>,
    /// GRUB's folder, which the script can say anew: `/boot/grub`.
    pub prefix: String,
}

/// A core image that does not know where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    boot: [u8; SECTOR_LEN],
    bytes: Vec<u8>,
    modules: Vec<String>,
}

/// A core image that lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What the BIOS runs: the disk's first bytes.
    pub boot_code: [u8; BOOT_CODE_LEN],
    /// The core image, whole sectors.
    pub core: Vec<u8>,
}

/// The address at which `kernel.img` wants to lie, and the core is loaded before it is decompressed.
const KERNEL_ADDRESS: u32 = 0x9000;
/// Where the core begins in memory without its first sector (`GRUB_BOOT_MACHINE_KERNEL_ADDR`, 0x8000, and that sector).
const DECOMPRESSOR_ADDRESS: usize = 0x8200;
/// One past the last address that a core may have before it is decompressed.
const CORE_END: u64 = 0x78000;
/// One past the last address of the kernel with its zeros.
const KERNEL_END: u64 = 0x68000;

/// What begins the list of modules.
const MODULES_MAGIC: &[u8; 4] = b"mimg";
/// The bytes before the first module.
const MODULES_HEADER_LEN: u32 = 12;

/// What an object of the list is.
#[derive(Clone, Copy)]
enum Object {
    Module = 0,
    Config = 2,
    Prefix = 3,
}

/// Where `lzma_decompress.img` has the length of what is compressed, and behind it that of what comes out. The length of
/// the Reed-Solomon code, the next, stays 0: there is none.
const COMPRESSED_LEN_AT: usize = 8;
/// Where `boot.img` has the sector of the core.
const BOOT_SECTOR_AT: usize = 0x5c;
/// Where `boot.img` has the drive: 0xff for the one that the BIOS names.
const BOOT_DRIVE_AT: usize = 0x64;
/// Where `boot.img` jumps over what mends the drive's number for BIOSes that say a wrong one. Without the jump, the number
/// of a hard disk is mended; GRUB's installer takes it out for these alone, too.
const BOOT_DRIVE_CHECK_AT: usize = 0x66;
/// Two instructions that do nothing.
const NO_JUMP: [u8; 2] = [0x90, 0x90];
/// Where `diskboot.img` has its first list entry: start (8 bytes), sectors (2), segment (2). More would lie before it.
const BLOCK_LIST_AT: usize = SECTOR_LEN - BLOCK_LIST_ENTRY_LEN;
const BLOCK_LIST_ENTRY_LEN: usize = 12;
/// The segment of [`DECOMPRESSOR_ADDRESS`].
const BLOCK_LIST_SEGMENT: u16 = 0x820;

/// Makes a core image of GRUB's files.
///
/// # Errors
/// When a file or module is not there or not what it should be, or the core is larger than what can be loaded.
pub fn core(folder: &Folder, options: &Options) -> Result<Core> {
    let boot = folder.read_exactly::<SECTOR_LEN>("boot.img")?;
    let diskboot = folder.read_exactly::<SECTOR_LEN>("diskboot.img")?;
    for (name, image) in [("boot.img", &boot), ("diskboot.img", &diskboot)] {
        if image.iter().all(|byte| *byte == 0) {
            return Err(folder.bad(name, "has nothing but zeros"));
        }
    }
    let modules = modules::ordered(folder, &options.modules)?;
    let payload = payload(folder, options, &modules)?;
    let compressed = compress(&payload)?;
    let mut bytes = diskboot.to_vec();
    bytes.extend(decompressor(folder, compressed.len(), payload.len())?);
    bytes.extend(compressed);
    let (len, limit) = (bytes.len() as u64, CORE_END - u64::from(KERNEL_ADDRESS));
    if len > limit {
        return Err(Error::TooLarge { len, limit });
    }
    bytes.resize(bytes.len().next_multiple_of(SECTOR_LEN), 0);
    Ok(Core { boot, bytes, modules })
}

impl Core {
    /// Its bytes, whole sectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes, which none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The modules in it, in their order.
    #[must_use]
    pub fn modules(&self) -> &[String] {
        &self.modules
    }

    /// The core image, when it lies in one piece from a sector on, and what leads there.
    #[must_use]
    pub fn at(&self, sector: u64) -> Installed {
        let mut boot_code = [0; BOOT_CODE_LEN];
        boot_code.copy_from_slice(&self.boot[..BOOT_CODE_LEN]);
        put(&mut boot_code, BOOT_SECTOR_AT, &sector.to_le_bytes());
        put(&mut boot_code, BOOT_DRIVE_AT, &[0xff]);
        put(&mut boot_code, BOOT_DRIVE_CHECK_AT, &NO_JUMP);

        let mut core = self.bytes.clone();
        // At most 889: the largest core.
        let sectors = u16::try_from(core.len() / SECTOR_LEN - 1).unwrap_or(u16::MAX);
        put(&mut core, BLOCK_LIST_AT, &(sector + 1).to_le_bytes());
        put(&mut core, BLOCK_LIST_AT + 8, &sectors.to_le_bytes());
        put(&mut core, BLOCK_LIST_AT + 10, &BLOCK_LIST_SEGMENT.to_le_bytes());
        // The end of the list.
        put(
            &mut core,
            BLOCK_LIST_AT - BLOCK_LIST_ENTRY_LEN,
            &[0; BLOCK_LIST_ENTRY_LEN],
        );
        Installed { boot_code, core }
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// What is compressed: the kernel's memory and the list of modules.
fn payload(folder: &Folder, options: &Options, modules: &[String]) -> Result<Vec<u8>> {
    let Memory { address, bytes, end } =
        elf::memory(&folder.read("kernel.img")?).map_err(|problem| folder.bad("kernel.img", problem))?;
    if address != KERNEL_ADDRESS || end > KERNEL_END {
        let problem = format!(
            "wants to lie from {address:#x} to {end:#x}, and GRUB's kernel lies at {KERNEL_ADDRESS:#x}, below {KERNEL_END:#x}"
        );
        return Err(folder.bad("kernel.img", problem));
    }
    let mut list = Vec::new();
    for name in modules {
        let file = folder.read(&format!("{name}.mod"))?;
        add(&mut list, Object::Module, file);
    }
    if let Some(config) = &options.config {
        add(
            &mut list,
            Object::Config,
            text(config, "the config of GRUB's core image")?,
        );
    }
    let prefix = text(&options.prefix, "the prefix of GRUB's core image")?;
    add(&mut list, Object::Prefix, prefix);

    let mut payload = bytes;
    payload.resize(payload.len().next_multiple_of(4), 0);
    payload.extend_from_slice(MODULES_MAGIC);
    payload.extend_from_slice(&MODULES_HEADER_LEN.to_le_bytes());
    payload.extend_from_slice(&(MODULES_HEADER_LEN + length(list.len())).to_le_bytes());
    payload.extend(list);
    Ok(payload)
}

/// A text with its end.
fn text(text: &str, what: &'static str) -> Result<Vec<u8>> {
    if text.contains('\0') {
        return Err(Error::ZeroByte { what });
    }
    Ok([text.as_bytes(), b"\0"].concat())
}

/// An object: type, length with these eight bytes, and its bytes, whole words.
fn add(list: &mut Vec<u8>, object: Object, mut bytes: Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    list.extend_from_slice(&(object as u32).to_le_bytes());
    list.extend_from_slice(&(length(bytes.len()) + 8).to_le_bytes());
    list.extend(bytes);
}

/// A length as GRUB writes it. Files have up to 4 MiB, so what is more than this is far too large anyway.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX - 64)
}

/// What unpacks the rest, told how much that is.
fn decompressor(folder: &Folder, compressed_len: usize, payload_len: usize) -> Result<Vec<u8>> {
    const NAME: &str = "lzma_decompress.img";
    let mut image = folder.read(NAME)?;
    let room = KERNEL_ADDRESS as usize - DECOMPRESSOR_ADDRESS;
    if !(COMPRESSED_LEN_AT + 8..=room).contains(&image.len()) {
        let problem = format!("has {} bytes, and there is room for {room}", image.len());
        return Err(folder.bad(NAME, problem));
    }
    put(
        &mut image,
        COMPRESSED_LEN_AT,
        &length(compressed_len).to_le_bytes(),
    );
    put(
        &mut image,
        COMPRESSED_LEN_AT + 4,
        &length(payload_len).to_le_bytes(),
    );
    Ok(image)
}

/// LZMA without a header, in the parameters that GRUB's decompressor has built in.
fn compress(payload: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: liblzma::stream::Error| Error::Compress(error.to_string());
    let mut options = LzmaOptions::new_preset(9).map_err(failed)?;
    options
        .dict_size(1 << 16)
        .literal_context_bits(3)
        .literal_position_bits(0)
        .position_bits(2)
        .mode(Mode::Normal)
        .match_finder(MatchFinder::BinaryTree4)
        .nice_len(273);
    let mut stream = Stream::new_raw_encoder(Filters::new().lzma1(&options)).map_err(failed)?;
    // What cannot be compressed gets longer by a hundredth at most.
    let mut output = vec![0; payload.len() + payload.len() / 16 + (1 << 12)];
    loop {
        let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let written = usize::try_from(stream.total_out()).unwrap_or(usize::MAX);
        let status = stream
            .process(&payload[read..], &mut output[written..], Action::Finish)
            .map_err(failed)?;
        if matches!(status, Status::StreamEnd) {
            output.truncate(usize::try_from(stream.total_out()).unwrap_or(usize::MAX));
            return Ok(output);
        }
        if written == output.len() {
            return Err(Error::Compress("it gets longer".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::tests::elf;
    use std::fs;
    use std::path::Path;

    /// A folder whose files have the right lengths.
    fn folder(dir: &Path) -> Folder {
        let kernel = elf(&[(1, 6, KERNEL_ADDRESS, b"code!", 5)]);
        for (name, bytes) in [
            ("boot.img", vec![0xb0; 512]),
            ("diskboot.img", vec![0xd1; 512]),
            ("lzma_decompress.img", vec![0x17; 2848]),
            ("kernel.img", kernel),
            ("moddep.lst", b"one:\ntwo: one\n".to_vec()),
            ("one.mod", b"1".to_vec()),
            ("two.mod", b"22".to_vec()),
        ] {
            fs::write(dir.join(name), bytes).unwrap();
        }
        Folder::new(dir)
    }

    fn two() -> Options {
        Options {
            modules: vec!["two".into()],
            config: Some("set a=b\n".into()),
            prefix: "/grub".into(),
        }
    }

    #[test]
    fn a_payload_has_the_kernel_the_modules_the_config_and_the_prefix() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let modules = ["one".to_string(), "two".into()];
        let payload = payload(&folder, &two(), &modules).unwrap();
        let mut wanted = b"code!\0\0\0mimg\x0c\0\0\0".to_vec();
        wanted.extend_from_slice(&[12 + 12 + 12 + 20 + 16, 0, 0, 0]);
        wanted.extend_from_slice(b"\0\0\0\0\x0c\0\0\x001\0\0\0\0\0\0\0\x0c\0\0\x0022\0\0");
        wanted.extend_from_slice(b"\x02\0\0\0\x14\0\0\0set a=b\n\0\0\0\0");
        wanted.extend_from_slice(b"\x03\0\0\0\x10\0\0\0/grub\0\0\0");
        assert_eq!(payload, wanted);
    }

    #[test]
    fn a_core_is_told_where_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let core = core(&folder(dir.path()), &two()).unwrap();
        assert_eq!(core.modules(), ["one", "two"]);
        assert_eq!(core.len() % 512, 0);
        let sectors = u16::try_from(core.len() / 512).unwrap();
        let Installed { boot_code, core } = core.at(0x0102_0304_0506);
        let mut wanted = [0xb0; 440];
        wanted[0x5c..0x64].copy_from_slice(b"\x06\x05\x04\x03\x02\x01\0\0");
        wanted[0x64..0x68].copy_from_slice(b"\xff\xb0\x90\x90");
        assert_eq!(boot_code, wanted);
        assert_eq!(core[..488], [0xd1; 488]);
        assert_eq!(core[488..500], [0; 12]);
        assert_eq!(core[500..508], *b"\x07\x05\x04\x03\x02\x01\0\0");
        assert_eq!(core[508..510], (sectors - 1).to_le_bytes());
        assert_eq!(core[510..512], *b"\x20\x08");
        // No Reed-Solomon code, if GRUB's file has none.
        assert_eq!(core[512 + 16..512 + 20], [0x17; 4]);
    }

    #[test]
    fn what_cannot_be_a_core_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display().to_string();
        let folder = folder(dir.path());
        let problem = |options: &Options| {
            let error = core(&folder, options).unwrap_err();
            error.to_string().replace(&path, "i386-pc")
        };
        let zero = Options {
            prefix: "/a\0b".into(),
            ..two()
        };
        assert_eq!(
            problem(&zero),
            "the prefix of GRUB's core image has a zero byte in it, which would end it"
        );
        // Bytes that cannot be compressed.
        let noise: Vec<u8> = (0..600_000_u64)
            .map(|number| {
                (number.wrapping_mul(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).to_le_bytes()[0]
            })
            .collect();
        fs::write(dir.path().join("one.mod"), noise).unwrap();
        let error = problem(&two());
        assert!(error.contains("than the 454656 that a BIOS can load"), "{error}");
        for (file, bytes, wanted) in [
            (
                "one.mod",
                vec![0; 5 << 20],
                "has 5242880 bytes, and no file of GRUB's has that many",
            ),
            (
                "lzma_decompress.img",
                vec![0; 3585],
                "has 3585 bytes, and there is room for 3584",
            ),
            ("diskboot.img", vec![0; 512], "has nothing but zeros"),
            ("boot.img", vec![1; 513], "has 513 bytes, and should have 512"),
            ("moddep.lst", vec![0xff], "is not text"),
            (
                "kernel.img",
                elf(&[(1, 6, 0x8200, b"x", 1)]),
                "wants to lie from 0x8200 to 0x8201, and GRUB's kernel lies at 0x9000, below 0x68000",
            ),
        ] {
            let kept = fs::read(dir.path().join(file)).unwrap();
            fs::write(dir.path().join(file), bytes).unwrap();
            assert_eq!(problem(&two()), format!("i386-pc/{file}: {wanted}"));
            fs::write(dir.path().join(file), kept).unwrap();
            if file == "one.mod" {
                fs::write(dir.path().join(file), "1").unwrap();
            }
        }
        fs::remove_file(dir.path().join("one.mod")).unwrap();
        assert!(problem(&two()).starts_with("i386-pc/one.mod: "));
    }
}
