//! `kiln info`: what an image is, and what its parts are.

use std::fmt::Write as _;

use image::show;
use inspect::{FileSystem, Format, Inside, Last, Reach, Spot, What, Work};
use serde_json::{Map, Value, json};

use super::entry::PartitionEntry;
use crate::args::look::Info;
use crate::failure::Failure;
use crate::ui::{Ui, hex, size};

pub(crate) fn run(args: &Info, threads: usize, ui: &Ui) -> Result<(), Failure> {
    let spool = std::env::temp_dir();
    let work = super::work(&spool, threads, ui);
    let inside = super::open(&args.image, &work, ui)?;
    let how = (Last::Followed, Reach::Entries);
    let found = super::find(&args.image, &inside, &args.path, how, &work)?;
    let failed = |error| super::failure(&args.image, error);
    let inside = match &found.spot {
        Spot::Inside(inside) => inside.clone(),
        _ => found.open(&work).map_err(failed)?,
    };
    if let What::Opaque(Format::Unknown) = inside.plain().what {
        return Err(failed(inside.plain().why_opaque().unwrap_or_else(|error| error)));
    }
    let value = about(&inside, &work, true).map_err(failed)?;
    if ui.json() {
        return ui.print_json(&value);
    }
    let mut text = String::new();
    lines(&value, 0, &mut text);
    ui.print(&text)
}

/// All that is known of something, and with `parts`, of what it consists of.
pub(crate) fn about(inside: &Inside, work: &Work, parts: bool) -> inspect::Result<Value> {
    let mut about = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            about.insert(key.into(), value);
        }
    };
    put("format", json!(inside.format().name()));
    if !matches!(inside.what, What::Outputs(_)) {
        put("size", json!(inside.content.len()));
    }
    let known = match &inside.what {
        What::Disk(disk) => of_disk(inside, disk, work, parts),
        What::FileSystem(file_system) => of_file_system(file_system)?,
        What::Bundle(bundle) => of_bundle(bundle, work, parts),
        What::Tree(Format::Efi, tree) => of_program(inside, tree)?,
        What::Tree(_, tree) => json!({ "entries": tree.walk().count() - 1, "content": tree.content_len() }),
        What::Compressed(_, inner) => json!({ "inside": self::about(inner, work, parts)? }),
        What::Outputs(outputs) => {
            let mut list = Vec::new();
            for output in &**outputs {
                list.push(json!({
                    "file": show(&output.name),
                    "part": output.part.as_deref().map(show),
                    "size": output.content.len(),
                    "format": Format::of(&output.content)?.name(),
                }));
            }
            json!({ "outputs": list })
        }
        What::Opaque(format) => of_opaque(inside, *format)?,
    };
    if let Value::Object(known) = known {
        for (key, value) in known {
            put(&key, value);
        }
    }
    Ok(Value::Object(about))
}

fn of_part(content: image::Content, work: &Work) -> Value {
    match inspect::open(content, work).and_then(|inside| about(&inside, work, false)) {
        Ok(value) => value,
        Err(error) => json!({ "problem": error.to_string() }),
    }
}

fn of_disk(inside: &Inside, disk: &disk::read::Disk, work: &Work, parts: bool) -> Value {
    let table = match &disk.table {
        disk::read::Table::Gpt(_) => "gpt",
        disk::read::Table::Mbr(_) => "mbr",
        disk::read::Table::Hybrid(..) => "hybrid",
    };
    let mut partitions = Vec::new();
    for (name, partition) in inspect::partition_names(disk) {
        let mut entry = serde_json::to_value(PartitionEntry::new(partition)).unwrap_or_default();
        if let Value::Object(entry) = &mut entry {
            entry.insert("path".into(), json!(format!("/{}", show(name.as_bytes()))));
            if parts {
                let content = inspect::partition_content(&inside.content, partition);
                entry.insert("content".into(), of_part(content, work));
            }
        }
        partitions.push(entry);
    }
    let problems: Vec<String> = disk.problems.iter().map(ToString::to_string).collect();
    json!({
        "table": table,
        "id": disk.id().to_string(),
        "sector_size": disk.sector_size.bytes(),
        "problems": if problems.is_empty() { Value::Null } else { json!(problems) },
        "partitions": partitions,
    })
}

fn of_file_system(file_system: &FileSystem) -> inspect::Result<Value> {
    Ok(match file_system {
        FileSystem::Squashfs(archive) => {
            let info = archive.info();
            json!({
                "compressor": info.compressor,
                "block_size": info.block_size,
                "inodes": info.inode_count,
                "used": info.used,
                "time": info.time,
            })
        }
        FileSystem::Ext4(file_system) => {
            let info = file_system.info();
            json!({
                "label": info.label,
                "uuid": info.uuid.to_string(),
                "used_size": info.size,
                "block_size": info.block_size,
                "free": info.free,
                "inodes": info.inodes,
                "free_inodes": info.free_inodes,
                "features": info.features.join(" "),
                "time": info.time,
            })
        }
        FileSystem::Fat(file_system) => {
            let info = file_system.info()?;
            json!({
                "variant": info.variant.to_string(),
                "label": info.label,
                "volume_id": format!("{:08x}", info.volume_id),
                "used_size": info.size,
                "cluster_size": info.cluster_size,
                "free": info.free,
            })
        }
        FileSystem::Btrfs(file_system) => {
            let info = file_system.info();
            json!({
                "label": info.label,
                "uuid": info.uuid.to_string(),
                "used_size": info.size,
                "used": info.used,
                "node_size": info.node_size,
                "generation": info.generation,
            })
        }
        FileSystem::Erofs(file_system) => {
            let info = file_system.info();
            json!({
                "label": info.label,
                "uuid": info.uuid.to_string(),
                "used_size": info.size,
                "block_size": info.block_size,
                "inodes": info.inodes,
                "compressors": Some(info.compressors.join(" ")).filter(|names| !names.is_empty()),
            })
        }
    })
}

fn of_bundle(bundle: &inspect::Bundle, work: &Work, parts: bool) -> Value {
    let manifest = &bundle.manifest;
    let mut images = Vec::new();
    for image in &manifest.images {
        let file = image.filename.as_deref();
        let content = file.and_then(|file| bundle.file(file.as_bytes()));
        images.push(json!({
            "slot": image.slot,
            "file": file,
            "size": image.size,
            "sha256": hex(&image.sha256),
            "content": content.filter(|_| parts).map(|content| of_part(content.clone(), work)),
        }));
    }
    json!({
        "signed": !matches!(bundle.bundle, ::bundle::Bundle::Unsigned(_)),
        "signature": "not checked: `kiln bundle info` and `kiln check --keyring` do that",
        "compatible": manifest.compatible,
        "version": manifest.version,
        "description": manifest.description,
        "build": manifest.build,
        "images": images,
    })
}

/// What a program is for, what is in it, and whose certificates have signed it.
fn of_program(inside: &Inside, tree: &image::Tree) -> inspect::Result<Value> {
    let (machine, signers) = inspect::signed_by(&inside.content)?;
    let signers: Vec<Value> = signers
        .iter()
        .map(|signed| {
            let certificate = &signed.signer;
            json!({ "subject": certificate.subject(), "certificate": hex(&certificate.fingerprint()) })
        })
        .collect();
    let sections = tree
        .walk()
        .skip(1)
        .map(|entry| show(entry.path()))
        .collect::<Vec<_>>();
    Ok(json!({ "machine": machine, "signed_by": signers, "sections": sections.join(" ") }))
}

fn of_opaque(inside: &Inside, format: Format) -> inspect::Result<Value> {
    let head = |len: u64| inspect::head(&inside.content, len);
    Ok(match format {
        Format::Swap => {
            let options = swap::read(&head(swap::PAGE_SIZE)?)?;
            json!({ "label": options.label, "uuid": options.uuid.to_string(), "used_size": options.size })
        }
        Format::HashTree => {
            let superblock = verity::read_superblock(&head(verity::SUPERBLOCK_SIZE)?)?;
            json!({
                "uuid": superblock.uuid.to_string(),
                "data_size": superblock.data_blocks.saturating_mul(verity::BLOCK_SIZE),
                "salt": hex(&superblock.salt),
            })
        }
        Format::RootSignature => {
            let (signature, bare) = inspect::read_root_signature(&inside.content)?;
            json!({
                "root_hash": hex(&signature.root),
                "signer": bare.contents().signer.subject(),
                "certificate": hex(&signature.fingerprint),
            })
        }
        _ => json!({ "note": inside.why_opaque()?.to_string() }),
    })
}

/// The same as lines for people: bytes get their unit.
fn lines(value: &Value, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    let Value::Object(known) = value else { return };
    // What it is comes first, what it consists of last.
    let rank = |value: &Value| usize::from(value.is_object() || value.is_array());
    let first = |key: &str| {
        ["format", "path", "table", "size"]
            .iter()
            .position(|known| *known == key)
    };
    let mut sorted: Vec<(&String, &Value)> = known.iter().collect();
    sorted.sort_by_key(|(key, value)| (rank(value), first(key).unwrap_or(usize::MAX)));
    for (key, value) in sorted {
        let shown = key.replace('_', " ");
        match value {
            Value::Null => {}
            Value::Object(_) => {
                let _ = writeln!(text, "{indent}{shown}:");
                lines(value, level + 1, text);
            }
            Value::Array(values) => {
                let _ = writeln!(text, "{indent}{shown}:");
                for value in values {
                    match value {
                        Value::Object(_) => {
                            let mut item = String::new();
                            lines(value, level + 2, &mut item);
                            let rest = item.trim_start();
                            let _ = write!(text, "{indent}  - {rest}");
                        }
                        other => {
                            let _ = writeln!(text, "{indent}  - {}", plain(other, ""));
                        }
                    }
                }
            }
            other => {
                let _ = writeln!(text, "{indent}{shown}: {}", plain(other, key));
            }
        }
    }
}

fn plain(value: &Value, key: &str) -> String {
    let bytes = key.ends_with("size") || matches!(key, "free" | "used" | "content" | "start");
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if bytes => number.as_u64().map_or_else(|| number.to_string(), size),
        Value::Number(number) => number.to_string(),
        other => other.to_string(),
    }
}
