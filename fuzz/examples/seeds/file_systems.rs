//! Images of all formats.

use std::path::Path;

use fuzz::sparse::Sparse;
use fuzz::trees::noise;
use image::{Device, Kind, Meta, Node, NodeId, ReadAt as _, Seed, Silent, Spool, Tree, Xattr};
use squashfs::Compression;

use super::Seeds;

/// Files of several sizes, two levels of directories, and a name that is long for FAT.
pub(super) fn files() -> Result<Tree, image::Error> {
    let mut tree = Tree::default();
    for (path, len) in [
        ("/Image", 9000),
        ("/EFI/BOOT/BOOTAA64.EFI", 700),
        ("/dtbs/rk3328-rock64.dtb", 513),
        ("/empty", 0),
    ] {
        tree.add_at(path.as_bytes(), Node::file(noise(len, 4)))?;
    }
    Ok(tree)
}

/// The same, and all that SquashFS knows besides.
pub(super) fn odd_files() -> Result<Tree, image::Error> {
    let mut tree = files()?;
    let null = Device { major: 1, minor: 3 };
    for (path, kind) in [
        ("/dev/null", Kind::CharDevice(null)),
        ("/dev/disk", Kind::BlockDevice(null)),
        ("/dev/pipe", Kind::Fifo),
        ("/dev/log", Kind::Socket),
        ("/init", Kind::Symlink(b"/sbin/init".as_slice().into())),
    ] {
        tree.add_at(
            path.as_bytes(),
            Node {
                meta: Meta::root(0o644),
                kind,
            },
        )?;
    }
    let xattr = |name: &[u8], value: &[u8]| Xattr {
        name: name.into(),
        value: value.into(),
    };
    for path in ["/Image", "/dev", "/dev/pipe", "/init"] {
        let id = tree.lookup(path.as_bytes()).unwrap_or(NodeId::ROOT);
        tree.node_mut(id).meta.xattrs = vec![xattr(b"security.selinux", b"t"), xattr(b"user.note", b"noted")];
    }
    if let Some(image) = tree.lookup(b"/Image") {
        tree.link(NodeId::ROOT, b"vmlinuz", image)?;
    }
    Ok(tree)
}

pub(super) fn squashfs_images() -> Seeds {
    let mut seeds = Vec::new();
    let compressions = [
        Compression::None,
        Compression::Gzip { level: 6 },
        Compression::Xz { level: 0 },
        Compression::Zstd { level: 3 },
    ];
    for (compression, tree) in compressions
        .into_iter()
        .flat_map(|it| [(it, odd_files()), (it, Ok(Tree::default()))])
    {
        let options = squashfs::Options {
            block_size: 4096,
            compression,
            time: 1,
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
        let image = squashfs::plan(&tree?, &options, &work)?.image;
        let mut bytes = vec![0; usize::try_from(image.size())?];
        image.read_exact_at(&mut bytes, 0)?;
        seeds.push(bytes);
    }
    Ok(seeds)
}

pub(super) fn fat_images() -> Seeds {
    let mut seeds = Vec::new();
    for kind in [fat::Kind::Fat16, fat::Kind::Fat32] {
        for (sector_size, cluster_size) in [(512, 512), (512, 2048), (4096, 4096)] {
            let options = fat::Options {
                kind,
                sector_size,
                cluster_size: Some(cluster_size),
                label: Some("BOOT-A".into()),
                ..fat::Options::default()
            };
            seeds.push(Sparse::describe(&fat::plan(&files()?, &options)?.image));
        }
    }
    Ok(seeds)
}

/// A directory with a hash tree, a file in several pieces, and all that was in other images.
pub(super) fn many_files() -> Result<Tree, image::Error> {
    let mut tree = odd_files()?;
    let many = tree.make_directory(b"/many")?;
    let Some(file) = tree.lookup(b"/empty") else {
        return Ok(tree);
    };
    for number in 0..300 {
        tree.link(many, format!("name-of-file-{number}").as_bytes(), file)?;
    }
    let pieces: Vec<u8> = (1..7)
        .flat_map(|step| [noise(40, step), vec![0; 160 << 10]].concat())
        .collect();
    tree.add_at(b"/pieces", Node::file(pieces))?;
    tree.add_at(b"/link", Node::symlink("t".repeat(90)))?;
    Ok(tree)
}

pub(super) fn ext4_images() -> Seeds {
    let mut seeds = Vec::new();
    for profile in [
        ext4::Profile::Portable,
        ext4::Profile::UbootLegacy,
        ext4::Profile::Readonly,
    ] {
        for tree in [many_files()?, Tree::default()] {
            let seed = Seed::new(b"seed");
            let options = ext4::Options {
                profile,
                journal: ext4::Journal::None,
                grow_to: 1 << 30,
                ..ext4::Options::new(seed.uuid("fs"), seed.uuid("hash"))
            };
            let image = Sparse::describe(&ext4::plan(&tree, &options)?.image);
            if profile == ext4::Profile::UbootLegacy {
                seeds.push(without_checksums(image.clone()));
            }
            seeds.push(image);
        }
    }
    Ok(seeds)
}

/// An ext4 image that does without the checksums of its group descriptors, so that changes are noticed late.
fn without_checksums(mut image: Vec<u8>) -> Vec<u8> {
    const SUPERBLOCK_PAGE: [u8; 4] = 2_u32.to_le_bytes();
    for page in image[4..].chunks_exact_mut(516) {
        if page.starts_with(&SUPERBLOCK_PAGE) {
            page[4 + 100] &= !0x10;
        }
    }
    image
}

/// Compressed in each way.
pub(super) fn erofs_images() -> Seeds {
    let mut seeds = Vec::new();
    for (compression, profile) in [
        (erofs::Compression::None, erofs::Profile::Portable),
        (erofs::Compression::Lz4 { level: 1 }, erofs::Profile::Portable),
        (erofs::Compression::Deflate { level: 6 }, erofs::Profile::Portable),
        (erofs::Compression::Zstd { level: 3 }, erofs::Profile::Portable),
        (erofs::Compression::Zstd { level: 3 }, erofs::Profile::Modern),
    ] {
        let mut tree = many_files()?;
        tree.add_at(
            b"/text",
            Node::file("some text, again and again; ".repeat(900).into_bytes()),
        )?;
        let options = erofs::Options {
            profile,
            compression,
            cluster: erofs::CLUSTER_MIN,
            ..erofs::Options::new(Seed::new(b"seed").uuid("fs"))
        };
        let spool = Spool::create(Path::new("."))?;
        let work = erofs::Work {
            spool: &spool,
            threads: 1,
            digests: &[],
            progress: &Silent,
            reuse: None,
        };
        seeds.push(Sparse::describe(&erofs::plan(&tree, &options, &work)?.image));
    }
    Ok(seeds)
}

/// Compressed in each way, with subvolumes; some without checksums of data, so that streams are reached.
pub(super) fn btrfs_images() -> Seeds {
    let mut seeds = Vec::new();
    for (compression, metadata) in [
        (btrfs::Compression::None, btrfs::Metadata::Dup),
        (btrfs::Compression::Lzo, btrfs::Metadata::Single),
        (btrfs::Compression::Zlib { level: 6 }, btrfs::Metadata::Single),
        (btrfs::Compression::Zstd { level: 3 }, btrfs::Metadata::Single),
    ] {
        for profile in [btrfs::Profile::Portable, btrfs::Profile::Modern] {
            let mut tree = many_files()?;
            tree.add_at(
                b"/text",
                Node::file("some text, again and again; ".repeat(900).into_bytes()),
            )?;
            let seed = Seed::new(b"seed");
            let dev = tree.lookup(b"/dev").unwrap_or(NodeId::ROOT);
            let options = btrfs::Options {
                compression,
                metadata,
                profile,
                subvolumes: [(dev, btrfs::Access::ReadOnly)].into(),
                ..btrfs::Options::new(seed.uuid("fs"), seed)
            };
            let spool = Spool::create(Path::new("."))?;
            let work = btrfs::Work {
                spool: &spool,
                threads: 1,
                digests: &[],
                progress: &Silent,
                reuse: None,
            };
            let image = btrfs::plan(&tree, &options, &work)?.image;
            seeds.push(Sparse::describe(&image));
            if profile == btrfs::Profile::Portable && metadata == btrfs::Metadata::Single {
                let bytes = without_sums(image::Content::from(image).to_vec()?);
                seeds.push(Sparse::describe_bytes(&bytes));
            }
        }
    }
    Ok(seeds)
}

/// A btrfs whose inodes say that their data has no checksums.
fn without_sums(mut image: Vec<u8>) -> Vec<u8> {
    let fsid = image[65536 + 32..65536 + 48].to_vec();
    for node in image[1 << 20..].chunks_exact_mut(16384) {
        let number =
            |node: &[u8], at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| node[at + byte])) as usize;
        let is_of_files = node[32..48] == fsid && node[88] == 5 && node[100] == 0;
        for item in 0..if is_of_files { number(node, 96) } else { 0 } {
            let head = 101 + item * 25;
            if node[head + 8] == 1 {
                let data = 101 + number(node, head + 17);
                node[data + 64] |= 1;
            }
        }
    }
    image
}
