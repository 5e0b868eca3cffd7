//! Bytes that nobody would write. Errors are fine; panics, endless work and lies are not.

use std::io;
use std::sync::{Arc, LazyLock};

use fat::read::FileSystem;
use fat::{Error, Kind, Options};
use image::{Fault, Image, Kind as NodeKind, ReadAt};
use proptest::prelude::*;

use crate::tools::{boot, put, zoo};

/// An image with some bytes changed.
#[derive(Debug)]
struct Patched {
    image: Image,
    patches: Vec<(u64, Vec<u8>)>,
}

impl ReadAt for Patched {
    fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        self.image.read_exact_at(buffer, start)?;
        for (place, bytes) in &self.patches {
            for (place, byte) in (*place..).zip(bytes) {
                let index = place
                    .checked_sub(start)
                    .and_then(|index| usize::try_from(index).ok());
                if let Some(target) = index.and_then(|index| buffer.get_mut(index)) {
                    *target = *byte;
                }
            }
        }
        Ok(())
    }
}

fn planned(kind: Kind) -> Image {
    let mut tree = zoo();
    put(&mut tree, "/more/Image", crate::tools::file(100_000));
    let options = Options {
        kind,
        label: Some("HOSTILE".into()),
        ..Options::default()
    };
    fat::plan(&tree, &options).unwrap().image
}

static IMAGES: LazyLock<[Image; 2]> = LazyLock::new(|| [planned(Kind::Fat16), planned(Kind::Fat32)]);

/// Reads everything. What is read must be as long as it says.
fn read_all(source: Arc<dyn ReadAt>, size: u64) -> Result<(), Error> {
    let file_system = FileSystem::open(source, size)?;
    let info = file_system.info();
    let tree = file_system.tree()?;
    assert!(info?.size <= size);
    for (_, node) in tree.nodes() {
        if let NodeKind::File(content) = &node.kind {
            assert!(content.len() <= size);
            assert_eq!(content.to_vec().unwrap().len() as u64, content.len());
        }
    }
    Ok(())
}

/// Places that matter: those of boot sector, tables and directories, and the beginnings of each.
fn places(image: &Image) -> Vec<std::ops::Range<u64>> {
    let lines = image.map().into_iter();
    let matters = lines.filter(|line| !line.label.starts_with('/') && !line.label.ends_with("free clusters"));
    matters
        .flat_map(|line| [line.start..line.end, line.start..line.end.min(line.start + 96)])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes(
        which in 0_usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), prop_oneof![
            prop::collection::vec(any::<u8>(), 1..5),
            prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 3, 0x41, 0x10, 0x0f, 0xe5, 0xff]), 1..5),
        ]), 1..6),
    ) {
        let image = IMAGES[which].clone();
        let places = places(&image);
        let patches = changes.into_iter().map(|(place, offset, bytes)| {
            let place = place.get(&places);
            (place.start + offset % (place.end - place.start), bytes)
        });
        let size = image.size();
        let source = Patched { patches: patches.collect(), image };
        _ = read_all(Arc::new(source), size);
    }

    #[test]
    fn cut_off(which in 0_usize..2, size in any::<prop::sample::Index>()) {
        let image = IMAGES[which].clone();
        let size = size.index(usize::try_from(image.size()).unwrap()) as u64;
        prop_assert!(read_all(Arc::new(image), size).is_err());
    }

    #[test]
    fn noise_behind_a_boot_sector(which in 0_usize..2, noise in prop::collection::vec(any::<u8>(), 1..4000), place in 0_u64..6) {
        let image = IMAGES[which].clone();
        let places = places(&image);
        let start = places[usize::try_from(place).unwrap() % places.len()].start.max(512);
        let size = image.size();
        _ = read_all(Arc::new(Patched { image, patches: vec![(start, noise)] }), size);
    }

    #[test]
    fn nothing_but_noise(mut bytes in prop::collection::vec(any::<u8>(), 0..20_000), signed in any::<prop::sample::Index>()) {
        if signed.index(2) == 1 && bytes.len() >= 512 {
            bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
            bytes[11..14].copy_from_slice(&[0, 2, 1]);
        }
        let size = bytes.len() as u64;
        let content: image::Content = bytes.into();
        prop_assert!(read_all(Arc::new(content), size).is_err());
    }
}

/// A planned boot partition and where its parts lie.
struct Victim {
    image: Image,
}

impl Victim {
    fn new(kind: Kind) -> Victim {
        let options = Options {
            kind,
            cluster_size: Some(512),
            ..Options::default()
        };
        Victim {
            image: fat::plan(&boot(3000), &options).unwrap().image,
        }
    }

    fn start(&self, label: &str) -> u64 {
        let extents = self.image.extents().iter();
        extents
            .filter(|extent| &*extent.label == label)
            .map(|extent| extent.start)
            .next()
            .unwrap()
    }

    /// The image with these bytes changed.
    fn patched(&self, label: &str, offset: u64, bytes: &[u8]) -> Arc<Patched> {
        let start = self.start(label) + offset;
        Arc::new(Patched {
            image: self.image.clone(),
            patches: vec![(start, bytes.to_vec())],
        })
    }

    /// The error when these bytes are changed.
    fn with(&self, label: &str, offset: u64, bytes: &[u8]) -> Error {
        read_all(self.patched(label, offset, bytes), self.image.size()).unwrap_err()
    }
}

#[test]
fn damage_is_told() {
    let victim = Victim::new(Kind::Fat32);
    let table = "file allocation table 1";
    // Clusters: 2 root, 3 /dtbs, 4 /dtbs/rockchip, then 6 of /Image.
    let errors = [
        victim.with(table, 5 * 4, &[5, 0, 0, 0]),
        victim.with(table, 3 * 4, &[5, 0, 0, 0]),
        victim.with(table, 6 * 4, &[0, 0, 0, 0]),
        victim.with(table, 6 * 4, &[0xf7, 0xff, 0xff, 0x0f]),
        victim.with(table, 6 * 4, &[0xff, 0xff, 0xff, 0x0f]),
        victim.with(table, 10 * 4, &[0, 0, 8, 0]),
        victim.with(table, 10 * 4, &[11, 0, 0, 0]),
        victim.with("directory /dtbs", 0, b"X"),
        victim.with("directory /dtbs", 26, &[9]),
        victim.with("directory /dtbs/rockchip", 32 + 26, &[9]),
        victim.with("root directory", 32 + 28, &[0, 0, 0, 0]),
        victim.with("boot sector", 44, &[1]),
        victim.with("boot sector", 13, &[3]),
        victim.with("boot sector", 32, &[0xff, 0xff, 0xff, 0xff]),
        victim.with("boot sector", 510, &[0]),
    ];
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(shown, @r#"
    [
        "/Image: cluster 5 is in use twice",
        "/dtbs: cluster 5 is in use twice",
        "/Image: cluster 6 is in use and free",
        "/Image: cluster 6 is in use and bad",
        "/Image: 3000 bytes need 6 clusters, and it has 2",
        "/Image: cluster 524288 does not exist",
        "/Image: has more than 6 clusters",
        "/dtbs: the directory does not begin with . and ..: . is missing",
        "/dtbs: its entry . is another directory",
        "/dtbs/rockchip: its entry .. is not the directory that it is in",
        "/Image: has clusters, but no bytes",
        "boot sector: the root directory starts at cluster 1, which is none",
        "not FAT16 or FAT32: clusters of 3 sectors",
        "boot sector: fat32 with 4294966223 clusters, the limit is 268435445",
        "not FAT16 or FAT32: the boot sector does not end with 55 aa",
    ]
    "#);
    assert!(
        errors
            .iter()
            .all(|error| matches!(error.fault(), Fault::Damaged | Fault::Input))
    );
}

/// A directory that is its own child would be read forever.
#[test]
fn directories_in_circles() {
    for kind in [Kind::Fat16, Kind::Fat32] {
        let victim = Victim::new(kind);
        let own = if kind == Kind::Fat32 { 3 } else { 2 };
        let error = victim.with("directory /dtbs", 64 + 26, &[own]);
        assert!(
            error.to_string().contains("is in use twice") || error.to_string().contains(". is another"),
            "{error}"
        );
    }
}

/// Old systems move short entries without the long ones before them.
#[test]
fn long_names_that_belong_to_nothing_are_ignored() {
    let victim = Victim::new(Kind::Fat16);
    let name = |offset, bytes: &[u8]| {
        let source = victim.patched("directory /dtbs/rockchip", offset, bytes);
        let tree = FileSystem::open(source, victim.image.size())
            .unwrap()
            .tree()
            .unwrap();
        let directory = tree.lookup(b"/dtbs/rockchip").unwrap();
        let (name, _) = tree.children(directory).next().unwrap();
        image::show(name)
    };
    assert_eq!(name(0, b"."), "rk3328-rock64.dtb");
    // Two long entries follow those for directory and parent; then comes the short one.
    assert_eq!(name(4 * 32, b"X"), "XK3328~1.DTB");
    assert_eq!(name(2 * 32, &[0xe5]), "RK3328~1.DTB");
    assert_eq!(name(3 * 32, &[0xe5]), "RK3328~1.DTB");
    assert_eq!(name(2 * 32, &[0x43]), "RK3328~1.DTB");
    assert_eq!(name(3 * 32 + 13, &[0]), "RK3328~1.DTB");
}
