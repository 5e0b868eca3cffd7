//! `.hwids` and `.efifw`: which hardware needs which device tree, and firmware for it.
//!
//! ```text
//!  .hwids   28, type │ id of hardware │ name at │ compatible at    … │ 28 zero bytes │ texts, each with a zero byte
//!  .efifw   magic │ 16 │ length of its id │ of the firmware │ id, a zero byte │ firmware
//! ```
//!
//! Firmware computes ids of the hardware (CHIDs) out of what it says of itself; a stub compares them with these.
//! <https://github.com/systemd/systemd/blob/main/src/boot/chid.h>

use std::collections::BTreeSet;

use image::{Content, Layout};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Error, Result};

/// Bytes of a record, and the same as it says it.
const RECORD_LEN: usize = 28;
const RECORD_SIZE: u32 = 28;
/// The most bytes of all texts and records.
const LEN_MAX: usize = 16 << 20;
/// What firmware begins with, as a stub reads it.
const FIRMWARE_MAGIC: u32 = 0xfeed_dead;
/// Bytes before the id of firmware.
const FIRMWARE_HEAD: u32 = 16;

/// What hardware is described for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A device tree, by its `compatible`.
    DeviceTree,
    /// Firmware, by its id. Stubs since 258 know it.
    Firmware,
}

impl Kind {
    /// What a record begins with.
    fn descriptor(self) -> u32 {
        let kind = match self {
            Kind::DeviceTree => 1,
            Kind::Firmware => 2,
        };
        RECORD_SIZE | kind << 28
    }
}

/// A kind of hardware, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    kind: Kind,
    name: String,
    /// What it needs: a `compatible`, or the id of firmware.
    needs: String,
    ids: BTreeSet<Uuid>,
}

impl Hardware {
    /// Reads a description as ukify reads it: an object in JSON with `type`, `name`, `hwids`, and `compatible` or `fwid`.
    /// Errors call it `file`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &[u8], file: &str) -> Result<Hardware> {
        let bad = |problem: String| bad(".hwids", format!("{file}: {problem}"));
        let object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
        let text = |key: &str| {
            let value = object.get(key).and_then(Value::as_str);
            value
                .filter(|text| !text.is_empty() && !text.contains('\0'))
                .map(str::to_owned)
                .ok_or_else(|| bad(format!("{key}: must be there, and a text")))
        };
        let kind = text("type")?;
        let (kind, own, other) = match kind.as_str() {
            "devicetree" => (Kind::DeviceTree, "compatible", "fwid"),
            "uefi-fw" => (Kind::Firmware, "fwid", "compatible"),
            _ => return Err(bad(format!("type {kind:?}: must be devicetree or uefi-fw"))),
        };
        if object.contains_key(other) {
            return Err(bad(format!(
                "{other}: its type {:?} has {own} only",
                text("type")?
            )));
        }
        let ids = object.get("hwids").and_then(Value::as_array);
        let ids = ids.ok_or_else(|| bad("hwids: must be there, and a list".into()))?;
        let id = |value: &Value| {
            let id = value.as_str().and_then(|text| text.parse().ok());
            id.ok_or_else(|| bad(format!("hwids: {value} is no UUID")))
        };
        Ok(Hardware {
            kind,
            name: text("name")?,
            needs: text(own)?,
            ids: ids.iter().map(id).collect::<Result<_>>()?,
        })
    }
}

fn bad(section: &str, problem: String) -> Error {
    Error::BadSection {
        section: section.into(),
        problem,
    }
}

/// The bytes of `.hwids`. Descriptions of the same thing become one, in the place of the first.
///
/// # Errors
/// When they are too many.
pub fn hardware_ids(descriptions: &[Hardware]) -> Result<Vec<u8>> {
    let mut all: Vec<Hardware> = Vec::new();
    for one in descriptions {
        let same = |other: &&mut Hardware| {
            (other.kind, &other.name, &other.needs) == (one.kind, &one.name, &one.needs)
        };
        match all.iter_mut().find(same) {
            Some(first) => first.ids.extend(&one.ids),
            None => all.push(one.clone()),
        }
    }
    let texts: BTreeSet<&str> = all
        .iter()
        .flat_map(|one| [one.name.as_str(), one.needs.as_str()])
        .collect();
    let count: usize = all.iter().map(|one| one.ids.len()).sum::<usize>() + 1;
    let len = count * RECORD_LEN + texts.iter().map(|text| text.len() + 1).sum::<usize>();
    if len > LEN_MAX {
        return Err(bad(".hwids", format!("{len} bytes, the limit is {LEN_MAX}")));
    }
    let start = |wanted: &str| {
        let before = texts.iter().take_while(|text| **text != wanted);
        let offset = count * RECORD_LEN + before.map(|text| text.len() + 1).sum::<usize>();
        u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len);
    for one in &all {
        let descriptor = one.kind.descriptor();
        let (name, needs) = (start(&one.name), start(&one.needs));
        for id in &one.ids {
            bytes.extend_from_slice(&descriptor.to_le_bytes());
            bytes.extend_from_slice(&id.to_bytes_le());
            bytes.extend_from_slice(&name);
            bytes.extend_from_slice(&needs);
        }
    }
    bytes.extend_from_slice(&[0; RECORD_LEN]);
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    Ok(bytes)
}

/// A section `.efifw`: firmware under an id, which `.hwids` names.
///
/// # Errors
/// When it is empty or too large, or the id has a zero byte or none.
pub fn firmware(id: &str, payload: &Content) -> Result<Content> {
    if id.is_empty() || id.contains('\0') {
        return Err(bad(".efifw", format!("{id:?}: is no id of firmware")));
    }
    let lens = u32::try_from(id.len() + 1)
        .ok()
        .zip(u32::try_from(payload.len()).ok().filter(|len| *len > 0));
    let Some((id_len, payload_len)) = lens else {
        let problem = format!(
            "{id}: {} bytes, must be 1 byte to 4 GiB of firmware",
            payload.len()
        );
        return Err(bad(".efifw", problem));
    };
    let mut head = Vec::new();
    for number in [FIRMWARE_MAGIC, FIRMWARE_HEAD, id_len, payload_len] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.extend_from_slice(id.as_bytes());
    head.push(0);
    let start = head.len() as u64;
    let mut layout = Layout::new();
    layout.put(0, "id of firmware", head);
    layout.put(start, "firmware", payload.clone());
    Ok(layout.finish(start + payload.len())?.into())
}
