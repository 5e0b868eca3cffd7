//! The members of an archive, one after the other: what headers, and what comes before them, say together.

use std::io::Read;

use image::{Content, Device, Directory, Keep, Kind, Layout, Meta, Node, Spool, Xattr, show};

use super::format::{GID, Header, MODE, MTIME, SIZE, UID, kind, until_zero};
use super::sparse::{self, Map, Sparse};
use super::stream::Stream;
use crate::acl::Acl;
use crate::attributes;
use crate::error::{Error, Result};
use crate::pax::{Pax, Records};

/// The longest path that Linux takes.
pub(super) const PATH_MAX: usize = 4096;

/// As much is taken for the name of one entry, or for all that pax says of it.
const EXTENDED_MAX: usize = 1 << 20;

/// As much of all names, links, attributes and maps is kept of an archive.
const KEPT_MAX: u64 = 1 << 30;

/// Files, folders and links in one archive.
pub(super) const MEMBERS_MAX: usize = 1 << 22;

/// All sparse files of an archive have at most so many bytes, holes and all: as much as a file system can hold here.
const SPARSE_MAX: u64 = 1 << 44;

/// What an archive has to say of a path.
pub(super) struct Member {
    /// The path, as it is said.
    pub(super) path: Vec<u8>,
    /// What lies there.
    pub(super) what: What,
}

pub(super) enum What {
    /// A new node.
    Node(Node),
    /// One more name of what lies at this path.
    HardLink(Vec<u8>),
}

/// What comes before a header and belongs to it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Records>,
}

/// Reads members out of a stream, and their contents into a spool.
pub(super) struct Members<'a, R> {
    stream: Stream<'a, R>,
    keep: Keep,
    spool: &'a Spool,
    spooled: u64,
    global: Records,
    count: usize,
    kept: u64,
    sparse: u64,
}

impl<'a, R: Read> Members<'a, R> {
    pub(super) fn new(stream: Stream<'a, R>, keep: Keep, spool: &'a Spool) -> Members<'a, R> {
        Members {
            stream,
            keep,
            spool,
            spooled: 0,
            global: Records::default(),
            count: 0,
            kept: 0,
            sparse: 0,
        }
    }

    /// The next member; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>> {
        let mut extended: Option<Extended> = None;
        while let Some(header) = self.stream.header()? {
            let size = header.number(SIZE).and_then(|size| u64::try_from(size).ok());
            let len = size.ok_or_else(|| self.stream.damaged("a size that is no number"))?;
            match header.kind() {
                kind::GLOBAL_PAX => {
                    let bytes = self.extension(len)?;
                    let added = self.global.add(&bytes);
                    added.map_err(|problem| self.stream.damaged(problem))?;
                    if self.global.len() > EXTENDED_MAX {
                        return Err(self.stream.damaged("global extended headers of more than 1 MiB"));
                    }
                }
                kind::PAX | kind::SOLARIS_PAX => {
                    let bytes = self.extension(len)?;
                    let mut records = Records::default();
                    let added = records.add(&bytes);
                    added.map_err(|problem| self.stream.damaged(problem))?;
                    let known = &mut extended.get_or_insert_default().records;
                    if known.replace(records).is_some() {
                        return Err(self.stream.damaged("two extended headers for one entry"));
                    }
                }
                kind::GNU_LONG_NAME => {
                    let name = until_zero(&self.extension(len)?).to_vec();
                    extended.get_or_insert_default().name = Some(name);
                }
                kind::GNU_LONG_LINK => {
                    let link = until_zero(&self.extension(len)?).to_vec();
                    extended.get_or_insert_default().link = Some(link);
                }
                kind::GNU_LABEL => {
                    self.stream.pass(len, |_| Ok(()))?;
                    self.stream.padding(len)?;
                }
                _ => return self.member(&header, &extended.unwrap_or_default(), len).map(Some),
            }
        }
        match extended {
            Some(_) => Err(self.stream.damaged("an extended header with nothing behind it")),
            None => Ok(None),
        }
    }

    /// What a header brings for others.
    fn extension(&mut self, len: u64) -> Result<Vec<u8>> {
        let problem = "an extended header of more than 1 MiB";
        self.stream.bytes(len, EXTENDED_MAX, problem)
    }

    fn member(&mut self, header: &Header, extended: &Extended, len: u64) -> Result<Member> {
        let none = Records::default();
        let own = extended.records.as_ref().unwrap_or(&none);
        let global = std::mem::take(&mut self.global);
        let pax = Pax { global: &global, own };
        let said = own.said("GNU.sparse.name").or_else(|| pax.get("path"));
        let path = said.map(<[u8]>::to_vec).or_else(|| extended.name.clone());
        let path = path.or_else(|| header.path());
        let path = path.ok_or_else(|| {
            let problem = "a header with a prefix, which is neither that of POSIX nor that of GNU,";
            self.stream.damaged(problem)
        })?;
        let shown = show(&path);
        self.count += 1;
        if self.count > MEMBERS_MAX {
            return Err(self.odd(&shown, format!("more than {MEMBERS_MAX} entries")));
        }
        let what = self.what(header, extended, pax, &path, len, &shown)?;
        self.keep_of(&path, &what, &shown)?;
        self.global = global;
        Ok(Member { path, what })
    }

    fn what(
        &mut self,
        header: &Header,
        extended: &Extended,
        pax: Pax,
        path: &[u8],
        len: u64,
        shown: &str,
    ) -> Result<What> {
        let odd = |problem: String| self.odd(shown, problem);
        let len = pax.number("size").map_err(odd)?.unwrap_or(len);
        if pax.get("GNU.volume.filename").is_some() {
            return Err(odd(CONTINUED.into()));
        }
        let target = || self.target(header, extended, pax, shown);
        let kind = match header.kind() {
            kind::HARD_LINK => return Ok(What::HardLink(target()?)),
            kind::SYMLINK => Kind::Symlink(target()?.into()),
            // Old archives tell folders by a slash at the end. Whatever length is said, none has a content.
            kind::OLD_FILE | kind::FILE | kind::CONTIGUOUS_FILE if path.ends_with(b"/") => {
                Kind::Directory(Directory::default())
            }
            kind::DIRECTORY => Kind::Directory(Directory::default()),
            kind::GNU_DUMP_DIRECTORY => {
                self.stream.pass(len, |_| Ok(()))?;
                self.stream.padding(len)?;
                Kind::Directory(Directory::default())
            }
            kind::CHAR_DEVICE => Kind::CharDevice(device(header).map_err(odd)?),
            kind::BLOCK_DEVICE => Kind::BlockDevice(device(header).map_err(odd)?),
            kind::FIFO => Kind::Fifo,
            kind::GNU_CONTINUED => return Err(odd(CONTINUED.into())),
            kind::SOLARIS_ACL => return Err(odd("is an access list of Solaris, which is not read".into())),
            // POSIX: what is not known is a file.
            _ => Kind::File(self.file(header, pax.own, len, shown)?),
        };
        let meta = self.meta(header, pax, &kind);
        let meta = meta.map_err(|problem| self.odd(shown, problem))?;
        Ok(What::Node(Node { meta, kind }))
    }

    fn target(&self, header: &Header, extended: &Extended, pax: Pax, shown: &str) -> Result<Vec<u8>> {
        let said = pax.get("linkpath").or(extended.link.as_deref());
        let target = said.unwrap_or_else(|| header.link_name());
        match target.len() {
            0 => Err(self.odd(shown, "is a link to nothing".into())),
            len if len >= PATH_MAX => {
                let limit = PATH_MAX - 1;
                Err(self.odd(shown, format!("is a link to {len} bytes, the limit is {limit}")))
            }
            _ => Ok(target.to_vec()),
        }
    }

    /// The content of a file, which moves into the spool.
    fn file(&mut self, header: &Header, own: &Records, len: u64, shown: &str) -> Result<Content> {
        let problem = match sparse::read(&mut self.stream, header, own, len)? {
            Sparse::No => return self.content(len),
            Sparse::Map(map, data) => {
                self.sparse = self.sparse.saturating_add(map.size);
                if self.sparse <= SPARSE_MAX {
                    self.charge(32 * map.parts.len() as u64, shown)?;
                    return self.holed(&map, data);
                }
                format!("more than {SPARSE_MAX} bytes of sparse files")
            }
            Sparse::Unknown => "is sparse in a way that is not known; pack it without --sparse".into(),
            Sparse::Damaged => "its map of holes makes no sense".into(),
        };
        Err(self.odd(shown, problem))
    }

    fn content(&mut self, len: u64) -> Result<Content> {
        let start = self.spooled;
        let mut end = start;
        self.stream.pass(len, |bytes| {
            self.spool.write_at(bytes, end)?;
            end += bytes.len() as u64;
            Ok(())
        })?;
        self.stream.padding(len)?;
        self.spooled = end;
        Ok(self.spool.span(start, len))
    }

    /// A content with holes.
    fn holed(&mut self, map: &Map, data: u64) -> Result<Content> {
        let mut from = self.spooled;
        self.content(data)?;
        let mut layout = Layout::new();
        let label: std::sync::Arc<str> = "data".into();
        for (start, len) in &map.parts {
            layout.put(*start, label.clone(), self.spool.span(from, *len));
            from += len;
        }
        Ok(layout.finish(map.size)?.into())
    }

    /// Counts what stays in memory.
    fn keep_of(&mut self, path: &[u8], what: &What, shown: &str) -> Result<()> {
        let link = match what {
            What::HardLink(target) => target.len(),
            What::Node(node) => {
                let xattrs = &node.meta.xattrs;
                let xattrs = xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len());
                let target = match &node.kind {
                    Kind::Symlink(target) => target.len(),
                    _ => 0,
                };
                target + xattrs.sum::<usize>()
            }
        };
        self.charge((path.len() + link) as u64, shown)
    }

    fn charge(&mut self, len: u64, shown: &str) -> Result<()> {
        self.kept += len;
        if self.kept > KEPT_MAX {
            let problem = format!("more than {KEPT_MAX} bytes of names, links, attributes and maps of holes");
            return Err(self.odd(shown, problem));
        }
        Ok(())
    }

    /// As [`image::scan`] has it.
    fn meta(&self, header: &Header, pax: Pax, kind: &Kind) -> Result<Meta, String> {
        let Keep {
            modes,
            owners,
            times,
            xattrs,
            ..
        } = self.keep;
        let unread = |what: &str| format!("its {what} cannot be read");
        let said = header.number(MODE).and_then(|mode| u64::try_from(mode).ok());
        let said = said.ok_or_else(|| unread("mode"))?;
        let mode = match kind {
            Kind::Symlink(_) => 0o777,
            _ if modes => u16::try_from(said & 0o7777).unwrap_or(0),
            Kind::Directory(_) => 0o555,
            _ if said & 0o100 != 0 => 0o555,
            _ => 0o444,
        };
        let owner = |key: &str, field| {
            let number = match pax.number(key)? {
                Some(number) => number.into(),
                None => header.number(field).ok_or_else(|| unread(key))?,
            };
            u32::try_from(number).map_err(|_| format!("its {key} is {number}, the limit is {}", u32::MAX))
        };
        let mtime = || {
            let said = pax
                .seconds("mtime")?
                .map(i128::from)
                .or_else(|| header.number(MTIME));
            said.and_then(|seconds| i64::try_from(seconds).ok())
                .ok_or_else(|| unread("mtime"))
        };
        let mut meta = Meta {
            mode,
            uid: if owners { owner("uid", UID)? } else { 0 },
            gid: if owners { owner("gid", GID)? } else { 0 },
            mtime: if times { mtime()? } else { 1 },
            xattrs: Vec::new(),
        };
        if xattrs {
            self.attributes(&mut meta, pax)?;
        }
        Ok(meta)
    }

    /// Attributes and access lists. A list of who may do what has the last word on the mode, as where it is set.
    fn attributes(&self, meta: &mut Meta, pax: Pax) -> Result<(), String> {
        let mut found = attributes::read(pax)?;
        let lists = [("SCHILY.acl.access", ACCESS), ("SCHILY.acl.default", DEFAULT)];
        for (key, name) in lists {
            // GNU tar writes both; the text has names in the place of numbers.
            let acl = match (found.remove(name), pax.get(key)) {
                (Some(value), _) => Acl::of_value(&value).ok_or("its access list makes no sense")?,
                (None, Some(text)) => Acl::read(text)?,
                (None, None) => continue,
            };
            if name == ACCESS && self.keep.modes {
                meta.mode = meta.mode & !0o777 | acl.mode();
            }
            if acl.is_extended() || name == DEFAULT {
                found.insert(name.into(), acl.value());
            }
        }
        let xattr = |(name, value): (Vec<u8>, Vec<u8>)| Xattr {
            name: name.into(),
            value: value.into(),
        };
        meta.xattrs = found.into_iter().map(xattr).collect();
        Ok(())
    }

    pub(super) fn odd(&self, entry: &str, problem: String) -> Error {
        Error::Entry {
            archive: self.stream.archive.into(),
            entry: entry.to_string(),
            problem,
        }
    }
}

/// The attributes that Linux keeps access lists in.
const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

const CONTINUED: &str =
    "is continued from another volume; unpack the volumes with `tar --multi-volume`, and pack them anew";

fn device(header: &Header) -> Result<Device, String> {
    let numbers = header.device().and_then(|(major, minor)| {
        Some(Device {
            major: u32::try_from(major).ok()?,
            minor: u32::try_from(minor).ok()?,
        })
    });
    numbers.ok_or_else(|| "is a device whose numbers cannot be read".to_string())
}
