//! The smallest image that has a file with one compressed block: its tables are not compressed.

const METADATA_RAW: u16 = 0x8000;
const NO_TABLE: u64 = u64::MAX;
const NO_FRAGMENTS: u16 = 0x10;
const NO_XATTRS: u16 = 0x200;
const OPTIONS: u16 = 0x400;

/// What the image is made of.
pub(crate) struct Tiny<'a> {
    pub(crate) compressor: u16,
    pub(crate) block_size: u32,
    /// What follows the superblock.
    pub(crate) options: &'a [u8],
    /// The file's only block.
    pub(crate) block: &'a [u8],
    /// How many bytes it holds.
    pub(crate) len: usize,
    /// Where it begins, at least.
    pub(crate) start: usize,
}

/// A metadata block.
fn metadata(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap();
    [&(METADATA_RAW | len).to_le_bytes()[..], bytes].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn halves(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|half| half.to_le_bytes()).collect()
}

impl Tiny<'_> {
    /// An image whose file has this name.
    pub(crate) fn image(&self, name: &str) -> Vec<u8> {
        let mut image = vec![0; 96];
        if !self.options.is_empty() {
            image.extend(metadata(self.options));
        }
        image.resize(image.len().max(self.start), 0);
        let start = u32::try_from(image.len()).unwrap();
        image.extend(self.block);
        let inode_start = image.len() as u64;
        let (stored, len) = [self.block.len(), self.len]
            .map(|len| u32::try_from(len).unwrap())
            .into();
        let file = [
            halves(&[2, 0o644, 0, 0]),
            words(&[1, 1, start, u32::MAX, 0, len, stored]),
        ]
        .concat();
        let root_inode = file.len() as u64;
        let name_len = u16::try_from(name.len()).unwrap();
        let root = [
            halves(&[1, 0o755, 0, 0]),
            words(&[1, 2, 0, 2]),
            halves(&[12 + 8 + name_len + 3, 0]),
            words(&[3]),
        ]
        .concat();
        image.extend(metadata(&[file, root].concat()));
        let directory_start = image.len() as u64;
        let listing = [
            words(&[0, 0, 1]),
            halves(&[0, 0, 2, name_len - 1]),
            name.as_bytes().to_vec(),
        ]
        .concat();
        image.extend(metadata(&listing));
        let ids = image.len() as u64;
        image.extend(metadata(&words(&[0])));
        let id_start = image.len() as u64;
        image.extend(ids.to_le_bytes());
        let used = image.len() as u64;
        let flags = NO_FRAGMENTS | NO_XATTRS | if self.options.is_empty() { 0 } else { OPTIONS };
        let log = u16::try_from(self.block_size.ilog2()).unwrap();
        let places = [
            root_inode,
            used,
            id_start,
            NO_TABLE,
            inode_start,
            directory_start,
            NO_TABLE,
            NO_TABLE,
        ];
        let superblock = [
            b"hsqs".to_vec(),
            words(&[2, 1, self.block_size, 0]),
            halves(&[self.compressor, log, flags, 1, 4, 0]),
            places.iter().flat_map(|place| place.to_le_bytes()).collect(),
        ]
        .concat();
        image[..96].copy_from_slice(&superblock);
        image.resize(image.len().next_multiple_of(4096), 0);
        image
    }
}
