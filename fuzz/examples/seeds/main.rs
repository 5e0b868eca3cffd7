//! Writes `corpus/TARGET/seed-N`: small valid inputs that fuzzing starts from.

mod containers;
mod file_systems;
mod programs;

use std::error::Error;
use std::path::Path;

use containers::containers;
use file_systems::{btrfs_images, erofs_images, ext4_images, fat_images, squashfs_images};
use fuzz::sparse::Sparse;
use fuzz::trees::noise;
use image::{Image, Node, ReadAt as _, Seed, Silent, Spool, Tree};
use programs::programs;

type Seeds = Result<Vec<Vec<u8>>, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let targets = [
        ("squashfs_read", squashfs_images()?),
        ("fat_read", fat_images()?),
        ("ext4_read", ext4_images()?),
        ("btrfs_read", btrfs_images()?),
        ("erofs_read", erofs_images()?),
        ("disk_read", disks()?),
        ("inspect", anything()?),
        ("container_read", containers()?),
        ("uboot_script", scripts()?),
        ("uki_read", programs()?),
        ("bundle_read", bundles()?),
        ("signature_verify", SIGNED.map(Vec::from).to_vec()),
        ("nix_nar", nars()),
        ("nix_registration", registrations()),
        ("squashfs_plan", noises()),
        ("btrfs_plan", noises()),
        ("erofs_plan", noises()),
        ("fat_plan", noises()),
        ("disk_plan", noises()),
        ("cache_segment", noises()),
        ("archive_tar", archives()?),
        ("transport_in_place", compressed()?),
        ("uboot_environment", environments()?),
        ("spec_parse", [SPEC, SPEC_JSON].map(Vec::from).to_vec()),
    ];
    for (target, seeds) in targets {
        let folder = Path::new("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}

/// A signature and a certificate, as OpenSSL makes them.
const SIGNED: [&[u8]; 2] = [
    include_bytes!("../../seeds/signature.der"),
    include_bytes!("../../seeds/certificate.der"),
];

/// An image in several chunks, as it is compressed here.
fn compressed() -> Seeds {
    use image::{Encode as _, Piece};
    use transport::{Method, Options};

    let mut seeds = Vec::new();
    for (method, level) in [(Method::Zstd, 1), (Method::Xz, 0)] {
        let options = Options::new(method, Some(level))?;
        let (mut encoder, mut out) = (transport::Encoder::new(options, 1)?, Vec::new());
        encoder.put(&Piece::Bytes(std::sync::Arc::new(noise(3000, 5))), &mut out)?;
        encoder.put(&Piece::Zeros(5 << 20), &mut out)?;
        encoder.put(&Piece::Bytes(std::sync::Arc::new(noise(100, 6))), &mut out)?;
        encoder.finish(&mut out)?;
        seeds.push(out);
    }
    Ok(seeds)
}

/// One copy, and two.
fn environments() -> Seeds {
    let variables = [("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "3")];
    let variables = variables
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .into();
    let of = |flags| uboot::EnvironmentOptions {
        flags,
        ..uboot::EnvironmentOptions::new(512)
    };
    let one = uboot::environment(&variables, &of(None))?;
    let mut two = uboot::environment(&variables, &of(Some(1)))?;
    two.extend(uboot::environment(&variables, &of(Some(2)))?);
    Ok(vec![one, two])
}

/// Archives of GNU and POSIX, with long names, links, and attributes.
fn archives() -> Seeds {
    let mut seeds = Vec::new();
    for mut header in [tar::Header::new_gnu(), tar::Header::new_ustar()] {
        let mut builder = tar::Builder::new(Vec::new());
        header.set_mode(0o755);
        header.set_size(5);
        builder.append_data(&mut header, "folder/file", &b"bytes"[..])?;
        builder.append_pax_extensions([("SCHILY.xattr.user.a", &b"b"[..]), ("mtime", b"1.5")])?;
        builder.append_data(&mut header, "folder/second", &b"other"[..])?;
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Link);
        builder.append_link(&mut header, "link", "folder/file")?;
        header.set_entry_type(tar::EntryType::Symlink);
        builder.append_link(&mut header, "symlink", "folder")?;
        seeds.push(builder.into_inner()?);
    }
    Ok(seeds)
}

/// A bundle of the format plain. Who has signed what, nobody looks at here.
fn plain_bundle() -> Result<Vec<u8>, Box<dyn Error>> {
    let image = noise(5000, 9);
    let digest = "0".repeat(64);
    let manifest = format!(
        "[update]\ncompatible=rock64\n\n[image.boot]\nfilename=boot.vfat\nsize={}\nsha256={digest}\n",
        image.len()
    );
    let mut tree = Tree::default();
    tree.add_at(b"/boot.vfat", Node::file(image))?;
    tree.add_at(b"/manifest.raucm", Node::file(manifest.into_bytes()))?;
    let options = squashfs::Options {
        block_size: 4096,
        ..squashfs::Options::default()
    };
    let spool = Spool::create(Path::new("."))?;
    let work = squashfs::Work {
        spool: &spool,
        threads: 1,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    let image = squashfs::plan(&tree, &options, &work)?.image;
    let mut bytes = vec![0; usize::try_from(image.size())?];
    image.read_exact_at(&mut bytes, 0)?;
    bytes.extend(DETACHED);
    bytes.extend(u64::try_from(DETACHED.len())?.to_be_bytes());
    Ok(bytes)
}

/// A signature that is detached from what it signs.
const DETACHED: &[u8] = include_bytes!("../../seeds/detached.der");

/// An unsigned bundle and its manifest, and a plain one.
fn bundles() -> Seeds {
    let image = bundle::ImageOptions {
        manifest: bundle::manifest::Image {
            slot: "boot".into(),
            filename: Some("boot.vfat".into()),
            adaptive: bundle::adaptive(),
            ..bundle::manifest::Image::default()
        },
        content: Some(noise(8192, 9).into()),
        packing: bundle::Packing::Stored,
    };
    let options = bundle::Options {
        compatible: "rock64".into(),
        images: vec![image],
        ..bundle::Options::default()
    };
    let work = bundle::Work {
        folder: Path::new("."),
        threads: 1,
        progress: &Silent,
        segments: None,
    };
    let unsigned = bundle::plan(&options, &work)?;
    let file = image::Content::Image(std::sync::Arc::new(unsigned.image()?));
    Ok(vec![file.to_vec()?, unsigned.text().to_vec(), plain_bundle()?])
}

fn disks() -> Seeds {
    let region = |name: &str, size, kind| -> Result<disk::Region, disk::Error> {
        Ok(disk::Region {
            name: name.into(),
            place: None,
            size: Some(size),
            content: Some(noise(600, 4).into()),
            partition: Some(disk::Partition::new(disk::PartitionType::parse(kind)?)),
        })
    };
    let regions = [
        region("boot-a", 16 << 10, "xbootldr")?,
        region("rootfs-a", 32 << 10, "root-arm64")?,
    ];
    let image = |table, sector_size, regions: &[disk::Region]| -> Result<Image, disk::Error> {
        let options = disk::Options {
            table,
            sector_size,
            align: 4096,
            ..disk::Options::new(Seed::new(b"seed"))
        };
        Ok(disk::plan(&options, regions)?.image)
    };
    let gpt = |entries, header_hole| disk::Gpt {
        disk_guid: None,
        entries,
        header_hole,
    };
    let (small, large) = (disk::SectorSize::B512, disk::SectorSize::B4096);
    let mut shown = regions.clone();
    if let Some(partition) = &mut shown[0].partition {
        partition.mbr_type = Some(disk::PartitionType::parse("fat32")?);
    }
    let many: Vec<disk::Region> = (0..7)
        .map(|number| region(&format!("p{number}"), 8 << 10, "linux"))
        .collect::<Result<_, _>>()?;
    let mbr = disk::Mbr::default;
    let images = [
        (1, image(disk::Table::Gpt(gpt(128, 0)), small, &regions)?),
        (1, image(disk::Table::Gpt(gpt(4, 8192)), small, &regions)?),
        (1, image(disk::Table::Gpt(gpt(56, 0)), large, &regions)?),
        (1, image(disk::Table::Hybrid(gpt(128, 0), mbr()), small, &shown)?),
        (0, image(disk::Table::Mbr(mbr()), small, &regions)?),
        (8, image(disk::Table::Mbr(mbr()), small, &many)?),
        (10, image(disk::Table::Mbr(mbr()), large, &many)?),
    ];
    Ok(images
        .iter()
        .map(|(flags, image)| [vec![*flags], Sparse::describe(image)].concat())
        .collect())
}

fn scripts() -> Seeds {
    let options = uboot::ScriptOptions {
        arch: uboot::Arch::Arm64,
        time: 1,
        name: "boot".into(),
    };
    let script = uboot::script(b"setenv id @id@\nboot\n", &options)?;
    Ok([0, 1]
        .map(|flags| [vec![flags], script.clone()].concat())
        .to_vec())
}

/// One of everything: file systems and disks as sparse pages, the others as they are.
fn anything() -> Seeds {
    let mut seeds = Vec::new();
    for sparse in [fat_images()?, ext4_images()?, btrfs_images()?] {
        seeds.extend(sparse.iter().map(|seed| [&[1][..], seed].concat()));
    }
    // The first byte of these is about something else.
    seeds.extend(disks()?.iter().map(|seed| [&[1][..], &seed[1..]].concat()));
    for whole in [
        squashfs_images()?,
        bundles()?,
        archives()?,
        compressed()?,
        environments()?,
    ] {
        seeds.extend(whole.iter().map(|seed| [&[0][..], seed].concat()));
    }
    Ok(seeds)
}

/// A NAR with everything that there is, and a narinfo.
fn nars() -> Vec<Vec<u8>> {
    let string = |text: &str| {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let words = "nix-archive-1 ( type directory entry ( name d node ( type directory ) ) entry ( name f node \
        ( type regular contents twelve-bytes ) ) entry ( name l node ( type symlink target d/x ) ) entry ( name x node \
        ( type regular executable  contents #! ) ) )";
    let narinfo = "StorePath: /nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a\nURL: nar/x.nar.xz\nCompression: xz\n\
        NarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\nNarSize: 456\n\
        References: v83yia23qrmm0484d2fz9ak12pbfd5x8-glibc\nSig: one:AA==\nCA: text:sha256:00\n";
    vec![words.split(' ').flat_map(string).collect(), narinfo.into()]
}

fn registrations() -> Vec<Vec<u8>> {
    const A: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a";
    const B: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-b";
    const BASE32: &str = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
    const BASE16: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const SRI: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    [
        format!("{A}\n{BASE32}\n1292192\n\n2\n{A}\n{B}\n{B}\n{BASE16}\n7\n{A}\n0\n"),
        format!("{B}\n{SRI}\n120\n\n0\n"),
        format!("{B}\n{A}\n"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Any bytes make trees, regions and options.
fn noises() -> Vec<Vec<u8>> {
    (1..9)
        .map(|number: u32| noise(100 << number.min(5), number))
        .collect()
}

const SPEC: &str = r#"schema = 1
name = "rock64-{version}"
seed = "rock64"
[closure]
from = "closure-info"
toplevel = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-a"
[fs.rootfs]
format = "squashfs"
compression = "zstd"
level = 19
block-size = "1MiB"
closure = true
symlinks = { "/init" = "{toplevel}/init" }
directories = ["/proc", "/sys"]
max-size = "1GiB"
[script.boot]
source = "boot.cmd"
arch = "arm64"
substitute = { id = "{fs.rootfs.id}" }
[fs.boot]
format = "fat"
label = "BOOT-A"
bits = 32
size = "128MiB"
free = "28MiB"
keep = ["modes", "times"]
files = { "/boot.scr" = "{script.boot}" }
[disk]
table = "gpt"
size = "1170MiB"
sector-size = 512
[[disk.region]]
name = "idbloader"
raw = "idbloader.img"
offset = "64s"
[[disk.region]]
name = "boot-a"
type = "xbootldr"
offset = "16MiB"
size = "128MiB"
content = "fs.boot"
attributes = ["no-auto"]
"#;

const SPEC_JSON: &str = r#"{"schema": 1, "name": "x", "closure": {"from": "store-paths"},
 "fs": {"boot": {"format": "fat", "size": 1048576, "bits": 16}},
 "disk": {"table": "none", "region": [{"name": "a", "raw": "a.img", "offset": "64s", "number": 1}]}}
"#;
