//! What a release consists of: its files, and what devices get of it into their root.

use disk::PartUuid;
use image::{Content, Layout, Node, Tree};
use release::{names, transfers};
use uuid::Uuid;

use crate::disks;
use crate::error::{Error, Result};
use crate::outputs::Transport;
use crate::parts::{Detail, Planner, Squashing};
use crate::releases::{PART, Release, Slot, no_release};
use crate::schema::{self, Sum};

/// The value that is a folder of transfer files.
pub(crate) const TRANSFERS: &str = "release.transfers";
/// The value that is a keyring.
pub(crate) const KEYRING: &str = "release.keyring";
/// The bytes of a keyring where nobody has the key: what a plan shows.
const KEYRING_MOST: u64 = 4096;

/// What signs releases. Who plans has no keys.
pub trait ReleaseSigner: Sync {
    /// The keys whose releases devices take; none where the key is elsewhere and nobody has given a keyring.
    ///
    /// # Errors
    /// When the key cannot sign itself.
    fn keyring(&self, id: &str) -> Result<Option<Vec<u8>>, signature::Error>;
}

/// A release that is planned.
#[derive(Debug)]
pub struct PlannedRelease {
    /// The folder that it lies in.
    pub folder: String,
    /// What the system is called.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its files but for the sums and their signature.
    pub files: Vec<ReleaseFile>,
    /// The parts that lack a signature, so that there is no release yet.
    pub unsigned: Vec<String>,
    /// The day after which devices take it no more.
    pub best_before: Option<String>,
    /// The oldest systemd on the devices.
    pub systemd: u32,
}

/// A file of a release.
#[derive(Debug)]
pub struct ReleaseFile {
    /// Its name.
    pub file: String,
    /// What is in it.
    pub content: Content,
    /// How it travels.
    pub transport: Transport,
    /// The partition that it is for; none for an image.
    pub slot: Option<ReleaseSlot>,
}

/// A partition that a file is for.
#[derive(Clone, Debug)]
pub struct ReleaseSlot {
    /// Its region.
    pub region: String,
    /// Its bytes, which each later version has to fit into.
    pub size: u64,
    /// What the partition table calls it.
    pub label: String,
    /// Its UUID, if devices find it by that.
    pub uuid: Option<Uuid>,
}

/// What a partition's file is called.
fn file_name(release: &Release, slot: &Slot, uuid: Option<Uuid>) -> String {
    let ending = release.compress.filter(|_| slot.is_compressed);
    let ending = ending.map_or("", |options| options.method.ending());
    names::partition_file(
        &release.id,
        release.version.as_str(),
        uuid,
        &slot.region.name,
        ending,
    )
}

/// Plans the release of a disk that is planned.
pub(crate) fn plan(
    keys: &schema::Release,
    disk: Option<&disk::Planned>,
    planner: &mut Planner,
) -> Result<Option<PlannedRelease>> {
    let Some(release) = Release::new(planner)? else {
        return Ok(None);
    };
    let (mut files, mut unsigned) = (Vec::new(), Vec::new());
    let is_estimate = matches!(planner.work.squashing, Squashing::Estimate);
    for slot in &release.slots {
        let entry = disk.and_then(|disk| disk.map.iter().find(|entry| entry.name == slot.region.name));
        let (size, partition) = entry.map_or((0, None), |entry| (entry.size(), entry.partition));
        let limit = slot.region.min_size.map(|size| size.bytes(planner.sector_size()));
        let part = planner.part(slot.content)?;
        if let Some(limit) = limit {
            part.check_size(limit, &format!("disk.region {:?}.min-size", slot.region.name))?;
        }
        if let Detail::RootSignature { signed: false, .. } = part.detail {
            unsigned.push(part.name.clone());
        }
        let content = part.content.clone();
        let content = if slot.is_signature {
            filled(content, size)?
        } else {
            content
        };
        let uuid = partition.and_then(|partition| match partition.partuuid {
            PartUuid::Guid(uuid) => Some(uuid),
            PartUuid::Mbr { .. } => None,
        });
        let uuid = uuid.filter(|_| slot.is_found_by_uuid);
        files.push(ReleaseFile {
            file: file_name(&release, slot, uuid),
            content,
            transport: transport(&release, planner, slot.is_compressed),
            slot: Some(ReleaseSlot {
                region: slot.region.name.clone(),
                size,
                label: slot.label.clone(),
                uuid,
            }),
        });
    }
    files.extend(image(&release, &mut unsigned, planner)?);
    if is_estimate {
        unsigned.clear();
    }
    Ok(Some(PlannedRelease {
        folder: folder(keys).to_owned(),
        id: release.id.to_string(),
        version: release.version.to_string(),
        files,
        unsigned,
        best_before: keys.best_before.clone(),
        systemd: release.systemd,
    }))
}

/// The image that starts the version, if there is one.
fn image(
    release: &Release,
    unsigned: &mut Vec<String>,
    planner: &mut Planner,
) -> Result<Option<ReleaseFile>> {
    let Some((name, _)) = release.uki else {
        return Ok(None);
    };
    let part = planner.part(&format!("uki.{name}"))?;
    if let Detail::Uki {
        signed: Some(false), ..
    } = part.detail
    {
        unsigned.push(part.name.clone());
    }
    Ok(Some(ReleaseFile {
        file: names::uki_file(&release.id, release.version.as_str()),
        content: part.content.clone(),
        transport: transport(release, planner, false),
        slot: None,
    }))
}

/// The folder of the output.
pub(crate) fn folder(keys: &schema::Release) -> &str {
    keys.folder.as_deref().unwrap_or(PART)
}

/// A content with zeros up to the end of its partition: what else was there would be read with it.
fn filled(content: Content, size: u64) -> Result<Content> {
    let len = content.len();
    if len >= size {
        return Ok(content);
    }
    let mut layout = Layout::new();
    layout.put(0, "signature", content);
    layout.put(len, "zeros", Content::Zeros(size - len));
    Ok(layout.finish(size)?.into())
}

fn transport(release: &Release, planner: &Planner, is_compressed: bool) -> Transport {
    let all = planner.spec.digests.contains(&Sum::Sha256);
    Transport {
        compress: release.compress.filter(|_| is_compressed),
        bmap: false,
        sums: if all { image::Sums::All } else { image::Sums::File },
    }
}

impl Planner<'_> {
    /// The folder of transfer files.
    pub(crate) fn transfers(&self) -> Result<Tree> {
        let (Some(keys), Some(release)) = (&self.spec.release, Release::new(self)?) else {
            return Err(no_release("files", TRANSFERS));
        };
        let Some(url) = &keys.url else {
            return Err(Error::Misfit {
                place: "release.url".into(),
                problem: "is missing, and transfer files say where releases are".into(),
                hint: "say url = \"https://…\", where a web server has the folder".into(),
            });
        };
        let slots = release.slots.iter().map(transfer_slot);
        let options = transfers::Options {
            id: &release.id,
            url,
            is_signed: keys.sign.is_some(),
            systemd: release.systemd,
            slots: slots.collect::<Result<_>>()?,
            tries: release.uki.map(|_| release.tries),
        };
        let mut tree = Tree::default();
        for file in transfers::files(&options) {
            let path = format!("/{}", file.name);
            tree.add_at(path.as_bytes(), Node::file(file.text.into_bytes()))?;
        }
        Ok(tree)
    }

    /// The keys whose releases devices take.
    pub(crate) fn keyring(&self, place: &str) -> Result<Content> {
        let Some(release) = Release::new(self)? else {
            return Err(no_release(place, KEYRING));
        };
        let sign = self.spec.release.as_ref().and_then(|keys| keys.sign.as_ref());
        let Some(sign) = sign else {
            return Err(Error::Misfit {
                place: place.to_owned(),
                problem: format!("{{{KEYRING}}}: nobody signs releases"),
                hint: "say who: release.sign".into(),
            });
        };
        if let Some(file) = &sign.keyring {
            let content = Content::host_file(self.work.folder.join(file));
            return content.map_err(|source| Error::Tree {
                part: "release.sign.keyring".into(),
                source,
            });
        }
        let failed = |source| Error::RootSignature {
            part: "release.sign".into(),
            root: String::new(),
            source: Box::new(source),
        };
        let made = match self.work.release {
            Some(signer) => signer.keyring(release.id.as_str()).map_err(failed)?,
            None => None,
        };
        match made {
            Some(bytes) => Ok(Content::from(bytes)),
            None if self.work.release.is_none() => Ok(Content::Zeros(KEYRING_MOST)),
            None => Err(Error::Misfit {
                place: "release.sign.keyring".into(),
                problem: "the key is elsewhere, and only it can make a keyring that gpg believes".into(),
                hint: "`kiln release key` makes the file where the key is; name it here".into(),
            }),
        }
    }
}

/// A slot for transfer files.
fn transfer_slot(slot: &Slot) -> Result<transfers::Slot> {
    let guid = slot.kind.guid().unwrap_or_default();
    let name = disk::type_of_guid(guid).map(|known| known.name);
    Ok(transfers::Slot {
        region: slot.region.name.clone(),
        label: slot.label_pattern.clone(),
        kind: transfers::kind(name, guid),
        attributes: disks::attributes(slot.region, slot.kind)?.0,
        has_uuid: slot.is_found_by_uuid,
        is_compressed: !slot.is_signature,
    })
}
