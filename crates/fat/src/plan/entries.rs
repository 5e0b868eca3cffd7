//! The bytes of directories, and the label.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::survey::{Child, Directory, Target};
use crate::Error;
use crate::format::{DOT, DOT_DOT, NO_NAME, Short, attr};
use crate::time::Stamp;

/// Where something lies: its first cluster, or 0 when it has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) cluster: u32,
    /// The file's bytes; 0 for directories.
    pub(super) len: u32,
}

/// The eleven bytes of a label.
pub(super) fn label(text: &str) -> Result<[u8; 11], Error> {
    let bad = |problem| Error::BadOption {
        option: "label",
        value: format!("{text:?}"),
        problem,
    };
    if text.is_empty() {
        return Err(bad("is empty; leave it out for a file system without a label"));
    }
    if text.chars().any(|character| character.is_ascii_lowercase()) {
        return Err(bad(
            "must be upper case, because readers differ in what they make of lower case",
        ));
    }
    let legal = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"*+,./:;<=>?[\\]|".contains(&byte);
    if !text.bytes().all(legal) {
        return Err(bad("can hold A to Z, 0 to 9, space and !#$%&'()-@^_`{}~"));
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(bad("cannot begin or end with a space"));
    }
    if text.len() > 11 {
        return Err(bad("is longer than 11 characters"));
    }
    let mut label = [b' '; 11];
    label
        .iter_mut()
        .zip(text.bytes())
        .for_each(|(field, byte)| *field = byte);
    if label == NO_NAME {
        return Err(bad("is what a file system without a label says"));
    }
    Ok(label)
}

/// The entry of the label in the root directory.
pub(super) fn label_entry(label: [u8; 11], time: i64) -> Short {
    let nowhere = Place { cluster: 0, len: 0 };
    entry(label, 0, attr::VOLUME_ID, time, nowhere)
}

/// A directory's entries for itself and its parent.
pub(super) fn dots(directory: &Directory, own: Place, parent: Place) -> [Short; 2] {
    [(DOT, own), (DOT_DOT, parent)]
        .map(|(name, place)| entry(name, 0, attr::DIRECTORY, directory.mtime, place))
}

/// Appends the entries of one name.
pub(super) fn push_child(bytes: &mut Vec<u8>, child: &Child, place: Place) {
    for long in child.name.long_entries() {
        bytes.extend_from_slice(long.as_bytes());
    }
    let attr = match child.target {
        Target::Directory(_) => attr::DIRECTORY,
        Target::File(_) => attr::ARCHIVE,
    };
    let short = entry(child.name.short, child.name.nt_res, attr, child.mtime, place);
    bytes.extend_from_slice(short.as_bytes());
}

fn entry(name: [u8; 11], nt_res: u8, attr: u8, mtime: i64, place: Place) -> Short {
    let stamp = Stamp::new(mtime);
    let [a, b, c, d] = place.cluster.to_le_bytes();
    Short {
        name,
        attr,
        nt_res,
        crt_time_tenth: stamp.hundredths,
        crt_time: stamp.time.into(),
        crt_date: stamp.date.into(),
        lst_acc_date: stamp.date.into(),
        fst_clus_hi: U16::from_bytes([c, d]),
        wrt_time: stamp.time.into(),
        wrt_date: stamp.date.into(),
        fst_clus_lo: U16::from_bytes([a, b]),
        file_size: place.len.into(),
    }
}
