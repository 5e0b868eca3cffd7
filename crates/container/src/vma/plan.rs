//! Planning VMAs.

use std::ops::Range;

use image::{Image, Layout, Seed};
use md5::{Digest, Md5};
use zerocopy::{FromZeros, IntoBytes};

use super::format::{
    BLOCK, CLUSTER_BLOCKS, CLUSTERS, DEVICE, EXTENT_MAGIC, Extent, HEADER_MULTIPLE, Header, MAGIC, VERSION,
};
use crate::map::Present;
use crate::{Error, Format, Machine, Result};

/// What the configuration and the file call the disk.
const DRIVE: &str = "drive-virtio0";

/// The file.
pub(crate) fn plan(image: &Image, file: &str, machine: &Machine, seed: &Seed) -> Result<Image> {
    let uuid = *seed.uuid("vma").as_bytes();
    let present = Present::of(image, BLOCK)?;
    let mut layout = Layout::new();
    let header = header(image, &configuration(file, machine), uuid)?;
    let mut place = header.len() as u64;
    layout.put(0, "vma header", header);
    let mut runs = present.runs();
    let clusters = image.size().div_ceil(BLOCK * CLUSTER_BLOCKS);
    let mut first = 0;
    while first < clusters {
        let last = (first + CLUSTERS as u64).min(clusters);
        let blocks = first * CLUSTER_BLOCKS..last * CLUSTER_BLOCKS;
        let behind = runs.partition_point(|run| run.end <= blocks.start);
        runs = &runs[behind..];
        let inside: Vec<Range<u64>> = runs
            .iter()
            .take_while(|run| run.start < blocks.end)
            .map(|run| run.start.max(blocks.start)..run.end.min(blocks.end))
            .collect();
        layout.put(place, "vma extent", extent(first..last, &inside, uuid).as_bytes());
        place += size_of::<Extent>() as u64;
        for run in inside {
            let bytes = run.start * BLOCK..run.end * BLOCK;
            let len = bytes.end - bytes.start;
            layout.put_all(place, image.slice(bytes));
            place += len;
        }
        first = last;
    }
    Ok(layout.finish(place)?)
}

/// The header of an extent with these clusters, of which these blocks are stored.
fn extent(clusters: Range<u64>, blocks: &[Range<u64>], uuid: [u8; 16]) -> Extent {
    let mut extent = Extent::new_zeroed();
    extent.magic = EXTENT_MAGIC;
    extent.uuid = uuid;
    let mut stored = 0;
    let mut blocks = blocks.iter().cloned().flatten().peekable();
    for (info, cluster) in extent.blockinfo.iter_mut().zip(clusters) {
        let mut mask = 0_u64;
        while let Some(block) = blocks.next_if(|block| block / CLUSTER_BLOCKS == cluster) {
            mask |= 1 << (block % CLUSTER_BLOCKS);
            stored += 1;
        }
        *info = ((mask << 48) | (DEVICE << 32) | cluster).into();
    }
    extent.block_count = stored.into();
    extent.md5sum = Md5::digest(extent.as_bytes()).into();
    extent
}

/// The file's header with its buffer.
fn header(image: &Image, configuration: &str, uuid: [u8; 16]) -> Result<Vec<u8>> {
    let too_large = |_| Error::TooLarge {
        format: Format::Vma,
        size: image.size(),
        max: super::SIZE_MAX,
    };
    // A place of 0 is none.
    let mut buffer = vec![0];
    let mut add = |bytes: &[u8]| -> Result<u32> {
        let place = u32::try_from(buffer.len()).map_err(too_large)?;
        buffer.extend(u16::try_from(bytes.len()).map_err(too_large)?.to_le_bytes());
        buffer.extend(bytes);
        Ok(place)
    };
    let name = add(b"qemu-server.conf\0")?;
    let data = add(configuration.as_bytes())?;
    let device = add(format!("{DRIVE}\0").as_bytes())?;
    let start = size_of::<Header>() as u64;
    let size = (start + buffer.len() as u64).next_multiple_of(HEADER_MULTIPLE);
    let number = |number: u64| u32::try_from(number).map_err(too_large);
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.version = VERSION.into();
    header.uuid = uuid;
    header.ctime = 1.into();
    header.blob_buffer_offset = number(start)?.into();
    header.blob_buffer_size = number(buffer.len() as u64)?.into();
    header.header_size = number(size)?.into();
    header.config_names[0] = name.into();
    header.config_data[0] = data.into();
    let info = &mut header.dev_info[1];
    info.devname_ptr = device.into();
    info.size = image.size().into();
    let bytes = |header: &Header| {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(&buffer);
        bytes.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        bytes
    };
    header.md5sum = Md5::digest(bytes(&header)).into();
    Ok(bytes(&header))
}

/// The machine in the words of Proxmox' `qm`: what restoring it starts with.
fn configuration(file: &str, machine: &Machine) -> String {
    let Machine { memory, cpus, uefi } = machine;
    let stem = file.strip_suffix(".vma").unwrap_or(file);
    let stem = stem.strip_prefix("vzdump-qemu-").unwrap_or(stem);
    // A name of a host, as Proxmox takes it.
    let plain = |one: char| if one.is_ascii_alphanumeric() { one } else { '-' };
    let name: String = stem.chars().map(plain).take(60).collect();
    let name = match name.trim_matches('-') {
        "" => "machine",
        name => name,
    };
    let bios = if *uefi { "ovmf" } else { "seabios" };
    let memory = memory >> 20;
    format!(
        "agent: 1\nbios: {bios}\nboot: order=virtio0\ncores: {cpus}\nmemory: {memory}\nname: {name}\n\
         net0: virtio=00:00:00:00:00:00,bridge=vmbr0,firewall=1\nostype: l26\nscsihw: virtio-scsi-single\n\
         serial0: socket\nvirtio0: local-lvm:vm-9999-disk-0\n#qmdump#map:virtio0:{DRIVE}:local-lvm:raw:\n"
    )
}
