//! OVA: a tar of a description, checksums and a VMDK, from which VirtualBox and VMware make a machine.
//!
//! ```text
//!  │ NAME.ovf │ NAME.mf │ NAME-disk1.vmdk                     │ 1024 zeros │
//!    the       SHA-256   a stream, compressed into the spool
//!    machine   of both
//! ```
//!
//! The description says how many bytes the VMDK has. It is as long whatever it says, so that the place of the VMDK is known before
//! that was compressed, and the spool becomes the file.

use image::{Image, Layout, Seed, Spool};
use sha2::{Digest, Sha256};

use crate::tar::{RECORD, end, header, seal};
use crate::vmdk::stream;
use crate::{Machine, Options, Planned, Result, Work};

/// The archive.
pub(crate) fn plan(image: &Image, options: &Options, seed: &Seed, work: &Work) -> Result<Planned> {
    let name = options.file.strip_suffix(".ova").unwrap_or(options.file);
    // A name in a header has at most 100 bytes.
    let mut stem = String::new();
    for character in name.chars() {
        let plain = character.is_ascii_alphanumeric() || "._+-".contains(character);
        stem.push(if plain { character } else { '_' });
    }
    stem.truncate(80);
    let disk = format!("{stem}-disk1.vmdk");
    let spool = Spool::create(work.folder)?;
    let description = |len| describe(&stem, &disk, len, image.size(), &options.machine);
    let sums = |description: &[u8], sha256: &[u8]| {
        let (description, sha256) = (hex(&Sha256::digest(description)), hex(sha256));
        format!("SHA256({stem}.ovf)= {description}\nSHA256({disk})= {sha256}\n").into_bytes()
    };
    let room = |bytes: &[u8]| RECORD + (bytes.len() as u64).next_multiple_of(RECORD);
    let text = description(0);
    let start = room(&text) + room(&sums(&text, &[0; 32])) + RECORD;
    let streamed = stream(image, options, &disk, seed, work, (&spool, start))?;

    let text = description(streamed.len);
    let sums = sums(&text, &streamed.sha256);
    let mut layout = Layout::new();
    let mut place = 0;
    for (name, bytes) in [(format!("{stem}.ovf"), text), (format!("{stem}.mf"), sums)] {
        let len = bytes.len() as u64;
        layout.put(place, "tar header", &seal(header(&name, len))[..]);
        layout.put(place + RECORD, name, bytes);
        place += RECORD + len.next_multiple_of(RECORD);
    }
    layout.put(place, "tar header", &seal(header(&disk, streamed.len))[..]);
    layout.put(start, disk, spool.span(start, streamed.len));
    let size = end(&mut layout, (start + streamed.len).next_multiple_of(RECORD));
    Ok(Planned {
        image: layout.finish(size)?,
        spool: Some(spool),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The description of a machine, in the words of DMTF's DSP0243 1.x.
fn describe(name: &str, disk: &str, len: u64, capacity: u64, machine: &Machine) -> Vec<u8> {
    let Machine { memory, cpus, uefi } = machine;
    let memory = memory >> 20;
    // As long for each number.
    let len = format!("{:22}", format!("\"{len}\""));
    let firmware = if *uefi {
        "      <vmw:Config ovf:required=\"false\" vmw:key=\"firmware\" vmw:value=\"efi\"/>\n"
    } else {
        ""
    };
    let cim = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2";
    let items = [
        item(
            1,
            3,
            &[("AllocationUnits", "hertz * 10^6")],
            &format!("{cpus} virtual CPU"),
            &[("VirtualQuantity", &cpus.to_string())],
        ),
        item(
            2,
            4,
            &[("AllocationUnits", "byte * 2^20")],
            &format!("{memory} MiB of memory"),
            &[("VirtualQuantity", &memory.to_string())],
        ),
        item(
            3,
            20,
            &[("Address", "0")],
            "SATA controller",
            &[("ResourceSubType", "AHCI")],
        ),
        item(
            4,
            17,
            &[("AddressOnParent", "0")],
            "Disk",
            &[("HostResource", "ovf:/disk/disk1"), ("Parent", "3")],
        ),
        item(
            5,
            10,
            &[("AutomaticAllocation", "true"), ("Connection", "NAT")],
            "Network card",
            &[("ResourceSubType", "E1000")],
        ),
    ];
    let items = items.concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" \
         xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\" \
         xmlns:rasd=\"{cim}/CIM_ResourceAllocationSettingData\" \
         xmlns:vssd=\"{cim}/CIM_VirtualSystemSettingData\" \
         xmlns:vmw=\"http://www.vmware.com/schema/ovf\">\n  \
         <References>\n    \
         <File ovf:href=\"{disk}\" ovf:id=\"file1\" ovf:size={len}/>\n  \
         </References>\n  \
         <DiskSection>\n    \
         <Info>The disk</Info>\n    \
         <Disk ovf:capacity=\"{capacity}\" ovf:capacityAllocationUnits=\"byte\" ovf:diskId=\"disk1\" \
         ovf:fileRef=\"file1\" \
         ovf:format=\"http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized\"/>\n  \
         </DiskSection>\n  \
         <NetworkSection>\n    \
         <Info>The network</Info>\n    \
         <Network ovf:name=\"NAT\"><Description>NAT</Description></Network>\n  \
         </NetworkSection>\n  \
         <VirtualSystem ovf:id=\"{name}\">\n    \
         <Info>The machine</Info>\n    \
         <Name>{name}</Name>\n    \
         <OperatingSystemSection ovf:id=\"101\" vmw:osType=\"otherLinux64Guest\">\n      \
         <Info>Linux</Info>\n    \
         </OperatingSystemSection>\n    \
         <VirtualHardwareSection>\n      \
         <Info>The hardware</Info>\n      \
         <System>\n        \
         <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>\n        \
         <vssd:InstanceID>0</vssd:InstanceID>\n        \
         <vssd:VirtualSystemIdentifier>{name}</vssd:VirtualSystemIdentifier>\n        \
         <vssd:VirtualSystemType>vmx-11</vssd:VirtualSystemType>\n      \
         </System>\n\
         {items}{firmware}    \
         </VirtualHardwareSection>\n  \
         </VirtualSystem>\n\
         </Envelope>\n"
    )
    .into_bytes()
}

/// A part of the machine. Its properties are in the order of their names, as the schema has them.
fn item(id: u32, kind: u32, before: &[(&str, &str)], name: &str, behind: &[(&str, &str)]) -> String {
    let line = |name: &str, value: &str| format!("        <rasd:{name}>{value}</rasd:{name}>\n");
    let mut lines: Vec<(String, String)> = Vec::new();
    let (id, kind) = (id.to_string(), kind.to_string());
    let own = [
        ("ElementName", name),
        ("InstanceID", &id),
        ("ResourceType", &kind),
    ];
    for (name, value) in before.iter().chain(&own).chain(behind) {
        lines.push(((*name).to_string(), line(name, value)));
    }
    lines.sort();
    let lines: String = lines.into_iter().map(|(_, line)| line).collect();
    format!("      <Item>\n{lines}      </Item>\n")
}
