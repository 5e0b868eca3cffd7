//! Whether images are sound: all strict checks, what was looked at, and what nothing vouches for.

use disk::PartUuid;
use disk::read::{Disk, Partition};
use image::{Content, FsVerity, Kind, NodeId, Tree};
use sha2::{Digest, Sha256};
use signature::Trust;

use crate::bundles::Bundle;
use crate::environments;
use crate::file_system::FileSystem;
use crate::format::Format;
use crate::hash_trees;
use crate::inside::{Inside, What, open};
use crate::{Error, Result, Work, disks, programs, root_signatures};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// What the manifest beside a file says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Its bytes.
    pub size: u64,
    /// Its digest, as `fsverity digest` prints it.
    pub fsverity: Option<[u8; 32]>,
    /// Its SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// What was found out of one part.
#[derive(Debug)]
pub struct Check {
    /// Where it is; empty for what was opened.
    pub path: Vec<u8>,
    /// What it is, such as `ext4`.
    pub what: &'static str,
    /// What was looked at.
    pub checked: Vec<&'static str>,
    /// What nothing vouches for, or was not looked at.
    pub unchecked: Vec<&'static str>,
    /// How it is.
    pub outcome: Outcome,
}

/// How something is.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is wrong with it.
    Sound,
    /// Something is.
    Damaged(Error),
    /// Nobody can tell: the format is not known, or it is encrypted.
    Unknown(Error),
}

/// Compares bytes with what a manifest says of them.
///
/// # Errors
/// When they cannot be read, or work is stopped. That they differ is an [`Outcome`].
pub fn check_manifest(content: &Content, manifest: &Manifest, work: &Work) -> Result<Check> {
    let mut check = Check {
        path: Vec::new(),
        what: "manifest",
        checked: vec!["its size"],
        unchecked: Vec::new(),
        outcome: Outcome::Sound,
    };
    let differs = |said: String, found: String| Outcome::Damaged(Error::NotAsManifest { said, found });
    if content.len() != manifest.size {
        let bytes = |len: u64| format!("{len} bytes");
        check.outcome = differs(bytes(manifest.size), bytes(content.len()));
        return Ok(check);
    }
    let mut fsverity = manifest.fsverity.map(|said| (said, FsVerity::default()));
    let mut sha256 = manifest.sha256.map(|said| (said, Sha256::new()));
    work.progress.begin("comparing with the manifest", content.len());
    each(content, work, &mut |bytes| {
        if let Some((_, fsverity)) = &mut fsverity {
            fsverity.update(bytes, None);
        }
        if let Some((_, sha256)) = &mut sha256 {
            sha256.update(bytes);
        }
    })?;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    };
    if let Some((said, computed)) = fsverity {
        check.checked.push("its fs-verity digest, over every byte");
        let found: [u8; 32] = computed.finish();
        if found != said {
            check.outcome = differs(format!("fsverity {}", hex(&said)), hex(&found));
        }
    }
    if let Some((said, computed)) = sha256 {
        check.checked.push("its SHA-256, over every byte");
        let found: [u8; 32] = computed.finalize().into();
        if found != said {
            check.outcome = differs(format!("sha256 {}", hex(&said)), hex(&found));
        }
    }
    Ok(check)
}

/// Hands on all bytes of a content.
fn each(content: &Content, work: &Work, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut reader = content.reader()?;
    let len = usize::try_from(content.len()).map_or(CHUNK, |len| len.min(CHUNK));
    let mut buffer = vec![0; len];
    while reader.remaining() > 0 {
        let filled = reader.fill(&mut buffer)?;
        take(&buffer[..filled]);
        work.progress.advance(filled as u64).map_err(image::Error::from)?;
    }
    Ok(reader.finish()?)
}

impl Inside {
    /// Checks all that is in it, part by part, as strictly as can be: who signed a bundle only where somebody is trusted. Then
    /// there has to be a bundle.
    ///
    /// # Errors
    /// What `tell` says, and when work is stopped.
    pub fn check<E: From<Error>>(
        &self,
        trust: Option<&Trust>,
        work: &Work,
        tell: &mut dyn FnMut(Check) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut checks = Checks {
            trust,
            work,
            tell,
            signed: 0,
        };
        checks.inside(self, &[])?;
        if trust.is_some() && checks.signed == 0 {
            // Without its last bytes, a bundle is a squashfs with something behind it.
            let seen = (Vec::new(), vec!["who signed it"], Err(Error::NotSigned));
            checks.tell(&[], Format::Bundle.name(), seen)?;
        }
        Ok(())
    }
}

/// What all checks need.
struct Checks<'a, E> {
    trust: Option<&'a Trust>,
    work: &'a Work<'a>,
    tell: &'a mut dyn FnMut(Check) -> Result<(), E>,
    /// How many bundles and root hashes were checked, which somebody may have signed.
    signed: usize,
}

/// What was looked at, what was not, and how that went.
type Seen = (Vec<&'static str>, Vec<&'static str>, Result<()>);

impl<E: From<Error>> Checks<'_, E> {
    fn tell(&mut self, path: &[u8], what: &'static str, seen: Seen) -> Result<(), E> {
        let (checked, unchecked, result) = seen;
        let outcome = match result {
            Ok(()) => Outcome::Sound,
            Err(Error::Image(error @ image::Error::Cancelled)) => return Err(Error::Image(error).into()),
            Err(error) if is_stopped(&error) => return Err(Error::Image(image::Error::Cancelled).into()),
            Err(
                error @ (Error::Unknown(_)
                | Error::Encrypted(_)
                | Error::NoFiles(_)
                | Error::UnsignedRoot
                | Error::Verity(verity::Error::Unsupported(_))
                | Error::Container(container::Error::Unsupported { .. })),
            ) => Outcome::Unknown(error),
            Err(error) => Outcome::Damaged(error),
        };
        (self.tell)(Check {
            path: path.to_vec(),
            what,
            checked,
            unchecked,
            outcome,
        })
    }

    fn inside(&mut self, inside: &Inside, path: &[u8]) -> Result<(), E> {
        let what = inside.format().name();
        match &inside.what {
            What::Disk(disk) => self.disk(inside, disk, path),
            What::FileSystem(file_system) => {
                let seen = file_system_seen(inside, file_system, self.work);
                self.tell(path, what, seen)
            }
            What::Bundle(bundle) => {
                self.signed += 1;
                let seen = bundle_seen(bundle, self.trust, self.work);
                self.tell(path, what, seen)?;
                self.members(inside, path)
            }
            What::Tree(Format::Script, _) => self.tell(
                path,
                what,
                (vec!["the checksums of header and data"], Vec::new(), Ok(())),
            ),
            What::Tree(Format::Efi, _) => self.tell(path, what, programs::check(&inside.content)),
            What::Tree(Format::Environment, _) => self.tell(path, what, environments::check(&inside.content)),
            What::Tree(..) => {
                let unchecked = vec!["contents of files: the format has no checksums of them"];
                self.tell(
                    path,
                    what,
                    (vec!["every header and its checksum"], unchecked, Ok(())),
                )
            }
            What::Compressed(format, inner) => {
                let read = each(&inner.content, self.work, &mut |_| {});
                let seen = match format {
                    Format::Container(_) => (
                        vec![
                            "the headers, and their checksums where there are some",
                            "that every block of the disk can be read",
                        ],
                        vec!["contents of blocks: the container has no checksums of them"],
                        read,
                    ),
                    _ => (vec!["every byte was decompressed"], Vec::new(), read),
                };
                self.tell(path, what, seen)?;
                self.inside(inner, path)
            }
            What::Outputs(outputs) => {
                for output in &**outputs {
                    self.image(&output.content, &join(path, &output.name))?;
                }
                Ok(())
            }
            What::Opaque(Format::Swap) => {
                let head = crate::format::head(&inside.content, swap::PAGE_SIZE);
                let read = head.and_then(|head| Ok(swap::read(&head).map(drop)?));
                self.tell(path, what, (vec!["the header"], vec!["what was swapped"], read))
            }
            What::Opaque(Format::RootSignature) => {
                self.signed += 1;
                let seen = root_signatures::check_alone(&inside.content, self.trust);
                self.tell(path, what, seen)
            }
            What::Opaque(_) => {
                let why = inside.why_opaque().unwrap_or_else(|error| error);
                self.tell(path, what, (Vec::new(), vec!["all of it"], Err(why)))
            }
        }
    }

    fn image(&mut self, content: &Content, path: &[u8]) -> Result<(), E> {
        match open(content.clone(), self.work) {
            Ok(inside) => self.inside(&inside, path),
            Err(error) => {
                let what = Format::of(content).map_or("unknown", Format::name);
                self.tell(path, what, (Vec::new(), vec!["all of it"], Err(error)))
            }
        }
    }

    fn members(&mut self, inside: &Inside, path: &[u8]) -> Result<(), E> {
        let What::Bundle(bundle) = &inside.what else {
            return Ok(());
        };
        for (name, id) in bundle.tree.children(NodeId::ROOT) {
            if let (Some(_), Kind::File(content)) = (bundle.image(name), &bundle.tree.node(id).kind) {
                self.image(content, &join(path, name))?;
            }
        }
        Ok(())
    }

    fn disk(&mut self, inside: &Inside, disk: &Disk, path: &[u8]) -> Result<(), E> {
        let is_gpt = disk.gpt().is_some();
        let checked = if is_gpt {
            vec![
                "both copies of the table with their checksums",
                "that partitions do not overlap",
            ]
        } else {
            vec!["the table", "that partitions do not overlap"]
        };
        let mut unchecked = vec!["what lies outside of partitions, such as boot loaders"];
        if !is_gpt {
            unchecked.push("the table's own bytes: an MBR has no checksum");
        }
        let problem = disk
            .problems
            .first()
            .map(|problem| Error::Table(problem.to_string()));
        self.tell(path, "disk", (checked, unchecked, problem.map_or(Ok(()), Err)))?;
        let named = disks::names(disk);
        for (name, partition) in &named {
            let content = disks::content(&inside.content, partition);
            let path = join(path, name.as_bytes());
            if root_signatures::is_for_signature(partition) {
                self.signed += 1;
                let seen = root_signatures::check_partition(&inside.content, disk, partition, self.trust);
                self.tell(&path, Format::RootSignature.name(), seen)?;
            } else if Format::of(&content).is_ok_and(|format| format == Format::HashTree) {
                let seen = hash_trees::check(&inside.content, disk, &named, partition, self.work);
                self.tell(&path, Format::HashTree.name(), seen)?;
            } else {
                self.image(&content, &path)?;
            }
        }
        Ok(())
    }
}

/// Whether work was stopped, wherever that was noticed.
fn is_stopped(error: &Error) -> bool {
    error.fault() == image::Fault::Cancelled
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    [path, b"/", name].concat()
}

/// Reads all that is there of a content: holes may be larger than anybody can wait for.
fn read_data(content: &Content, work: &Work) -> Result<()> {
    match content {
        Content::Image(image) => {
            let mut extents = image.extents().iter();
            extents.try_for_each(|extent| read_data(&extent.content, work))
        }
        Content::Zeros(_) => Ok(()),
        other => each(other, work, &mut |_| {}),
    }
}

/// Reads every file.
fn read_files(tree: &Tree, work: &Work) -> Result<()> {
    work.progress.begin("reading files", tree.content_len());
    for (id, node) in tree.nodes() {
        if let Kind::File(content) = &node.kind {
            read_data(content, work).map_err(|error| match tree.walk().find(|entry| entry.id == id) {
                Some(entry) => error.at(&entry.path),
                None => error,
            })?;
        }
    }
    Ok(())
}

fn file_system_seen(inside: &Inside, file_system: &FileSystem, work: &Work) -> Seen {
    match file_system {
        FileSystem::Squashfs(_) => {
            let read = || match inside.files()? {
                Some(tree) => read_files(&tree, work),
                None => Ok(()),
            };
            (
                vec!["every table", "every block, which was decompressed"],
                vec!["whether bytes are the ones that were written: the format has no checksums"],
                read(),
            )
        }
        FileSystem::Ext4(ext4) => {
            let mut unchecked =
                vec!["contents of files and targets of long links: the format has no checksums of them"];
            if !ext4.info().features.contains(&"metadata_csum") {
                unchecked.push("the bytes of all else: it was made without metadata_csum");
            }
            (
                vec![
                    "superblock, groups, inodes, directories and their checksums",
                    "bitmaps, counts and copies, each compared with what is in use",
                ],
                unchecked,
                ext4.check().map_err(Error::from),
            )
        }
        FileSystem::Fat(fat) => (
            vec![
                "boot sector and its copy",
                "both tables, and that every cluster is used once or free",
                "every directory",
            ],
            vec!["names, times and contents of files: the format has no checksums"],
            fat.check().map_err(Error::from),
        ),
        FileSystem::Btrfs(btrfs) => {
            let read = || {
                btrfs.check()?;
                match inside.files()? {
                    Some(tree) => read_files(&tree, work),
                    None => Ok(()),
                }
            };
            (
                vec![
                    "every node and its checksum",
                    "extents, free space, devices and chunks, each compared with what is in use",
                    "every file and its checksums",
                ],
                Vec::new(),
                read(),
            )
        }
        FileSystem::Erofs(erofs) => (
            vec![
                "the superblock and its checksum",
                "every inode and directory, and how often each inode is referred to",
                "every cluster, which was decompressed",
            ],
            vec!["whether bytes are the ones that were written: the format has no checksums of them"],
            erofs.check().map_err(Error::from),
        ),
    }
}

fn bundle_seen(bundle: &Bundle, trust: Option<&Trust>, work: &Work) -> Seen {
    let mut checked = vec![
        "the hash tree over every block",
        "the digest of every image, and its index",
        "that the manifest in it says what is signed",
    ];
    let mut unchecked = Vec::new();
    let bundle_work = bundle::Work {
        folder: work.folder,
        threads: work.threads,
        progress: work.progress,
        segments: None,
    };
    let result = match (&bundle.bundle, trust) {
        (bundle::Bundle::Signed(signed), Some(trust)) => {
            checked.push("the signature, and who made it");
            bundle::verify(signed, trust, &bundle_work).map(drop)
        }
        (bundle::Bundle::Signed(signed), None) => {
            unchecked.push("the signature: nobody is trusted without --keyring");
            let unsigned = signed.clone().unsign();
            unsigned.and_then(|unsigned| bundle::check(&unsigned, &bundle_work).map(drop))
        }
        (bundle::Bundle::Plain(plain), Some(trust)) => {
            checked = vec![
                "the signature over every byte, and who made it",
                "the digest of every image, and its index",
            ];
            bundle::verify_plain(plain, trust, &bundle_work).map(drop)
        }
        (bundle::Bundle::Plain(plain), None) => {
            checked = vec!["the digest of every image, and its index"];
            unchecked.push(
                "the signature, and all that it alone vouches for: nobody is trusted without --keyring",
            );
            bundle::check_plain(plain, &bundle_work).map(drop)
        }
        (bundle::Bundle::Unsigned(_), Some(_)) => {
            return (Vec::new(), vec!["all of it"], Err(Error::NotSigned));
        }
        (bundle::Bundle::Unsigned(unsigned), None) => {
            unchecked.push("the signature: there is none");
            bundle::check(unsigned, &bundle_work).map(drop)
        }
    };
    (checked, unchecked, result.map_err(Error::from))
}

/// A partition's UUID in a GPT.
pub(crate) fn guid(partition: &Partition) -> Option<u128> {
    match partition.entry.partuuid {
        PartUuid::Guid(guid) => Some(guid.as_u128()),
        PartUuid::Mbr { .. } => None,
    }
}
