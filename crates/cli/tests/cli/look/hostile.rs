//! Images whose names and links lead out of the folder that they are extracted to.

use std::fs;

use image::{Kind, Node, Silent, Spool, Tree};

use super::shell;
use crate::oracle::installed;
use crate::world::World;

/// Extracts, and looks whether anything is anywhere else: what was refused has left nothing, either.
pub(super) fn extracts(world: &World, image: &str) -> Option<i32> {
    shell(
        world,
        "rm -rf jail; mkdir -p jail/outer; echo before >jail/evil; echo before >evil",
    );
    let before = world.files();
    let said = world.run(&["extract", image, "--out", "jail/outer/in", "--mine"]);
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    let after = world.files();
    let is_outside = |path: &String| !path.starts_with("/jail/outer/in");
    let outside = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        let files = files.clone().into_iter();
        files.filter(|(path, _)| is_outside(path)).collect::<Vec<_>>()
    };
    assert_eq!(outside(&before), outside(&after), "{image}: {}", said.stderr);
    if said.code != Some(0) {
        assert_eq!(before, after, "{image}: {}", said.stderr);
    }
    said.code
}

/// Replaces bytes in a file, wherever they are, by as many.
pub(super) fn replace(world: &World, file: &str, from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(world.path(file)).unwrap();
    let mut count = 0;
    for start in 0..bytes.len() - from.len() {
        if bytes[start..].starts_with(from) {
            bytes[start..start + to.len()].copy_from_slice(to);
            count += 1;
        }
    }
    assert!(count > 0, "{file}");
    fs::write(world.path(file), bytes).unwrap();
}

pub(super) const NAMES: [&[u8]; 6] = [
    b"../evil",
    b"/evil/x",
    b"..\0xxxx",
    b"a/../..",
    b"evil\0.x",
    b"sub/x/y",
];

#[test]
fn names_that_lead_elsewhere_are_refused() {
    if !["mksquashfs", "mke2fs", "mcopy"].into_iter().all(installed) {
        return;
    }
    let world = World::new();
    shell(
        &world,
        "mkdir src; echo evil >src/QQQQQQQ; mksquashfs src x.squashfs -noI -noD -noF -noX -comp gzip -no-progress >log; \
         mke2fs -q -t ext4 -O ^metadata_csum,^dir_index -d src x.ext4 4M; \
         mkfs.vfat -F 16 -C x.vfat 16384 >>log; MTOOLSRC=/dev/null mcopy -i x.vfat src/QQQQQQQ ::/; \
         mv src/QQQQQQQ src/qqqqqqq.long; MTOOLSRC=/dev/null mmd -i x.vfat ::/sub; \
         MTOOLSRC=/dev/null mcopy -i x.vfat src/qqqqqqq.long ::/sub/",
    );
    for name in NAMES {
        for file in ["x.squashfs", "x.ext4"] {
            fs::copy(world.path(file), world.path("hostile")).unwrap();
            replace(&world, "hostile", b"QQQQQQQ", name);
            assert_eq!(
                extracts(&world, "hostile"),
                Some(6),
                "{file} {}",
                name.escape_ascii()
            );
        }
        // A short name, and a long one, whose parts have five, six and two units.
        fs::copy(world.path("x.vfat"), world.path("hostile")).unwrap();
        replace(&world, "hostile", b"QQQQQQQ", name);
        assert_ne!(extracts(&world, "hostile"), None, "FAT {}", name.escape_ascii());
        fs::copy(world.path("x.vfat"), world.path("hostile")).unwrap();
        let wide = |name: &[u8]| -> Vec<u8> { name.iter().flat_map(|byte| [*byte, 0]).collect() };
        replace(&world, "hostile", &wide(b"qqqqq"), &wide(&name[..5]));
        replace(
            &world,
            "hostile",
            &wide(b"qq.lon"),
            &wide(&[&name[5..], b".lon"].concat()),
        );
        let code = extracts(&world, "hostile");
        assert!(
            matches!(code, Some(0 | 6)),
            "FAT {} {code:?}",
            name.escape_ascii()
        );
    }
    // The names `.` and `..` themselves, of a file that is there twice.
    for name in [b".", b"."] {
        shell(
            &world,
            "rm -rf src; mkdir src; echo evil >src/Q; mksquashfs src y.squashfs -noappend -noI -noD -noF -noX -no-progress >log",
        );
        replace(&world, "y.squashfs", b"Q", name);
        assert_eq!(extracts(&world, "y.squashfs"), Some(6));
    }
}

#[test]
fn partitions_are_named_by_number_where_their_names_lead_elsewhere() {
    if !installed("sgdisk") {
        return;
    }
    let world = World::new();
    shell(
        &world,
        "truncate -s 8M x.img; sgdisk -n 1:2048:4095 -c 1:../evil -n 2:4096:6143 -c 2:.. -n 3:6144:8191 -c 3:/tmp/evil x.img",
    );
    assert_eq!(world.done(&["ls", "x.img"]), "1\n2\n3\n");
    assert_eq!(extracts(&world, "x.img"), Some(0));
    assert_eq!(shell(&world, "ls jail/outer/in"), "1\n2\n3\n");
}

#[test]
fn links_are_made_and_never_followed() {
    let world = World::new();
    // A link, and files that lie in a folder of its name in the next entry of an archive.
    shell(
        &world,
        "mkdir -p a b/link; ln -s ../.. a/link; echo evil >b/link/evil; tar -C a -cf x.tar link; tar -C b -rf x.tar link/evil; \
         mkdir links; ln -s ../../evil links/up; ln -s /etc/passwd links/absolute; ln -s . links/self",
    );
    assert_ne!(extracts(&world, "x.tar"), None);
    assert!(!world.path("jail/outer/evil").exists());
    world.done(&["squashfs", "--tree", "links", "--out", "x.squashfs"]);
    assert_eq!(extracts(&world, "x.squashfs"), Some(0));
    let absolute = fs::read_link(world.path("jail/outer/in/absolute")).unwrap();
    assert_eq!(absolute.to_str(), Some("/etc/passwd"));
    // What stands where the folder shall be is neither followed nor filled.
    shell(
        &world,
        "rm -rf jail; mkdir -p jail/outer jail/else; ln -s ../else jail/outer/.in.kiln-new; ln -s ../../evil jail/outer/in",
    );
    let said = world.run(&["extract", "x.squashfs", "--out", "jail/outer/.in.kiln-new/y"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = world.run(&["extract", "x.squashfs", "--out", "jail/outer/in"]);
    assert_ne!(said.code, Some(0));
    assert_eq!(fs::read(world.path("evil")).unwrap(), b"before\n");
}

#[test]
fn set_id_bits_do_not_change_hands_and_devices_need_root() {
    let world = World::new();
    let mut tree = Tree::default();
    tree.add_at(b"/bin/su", Node::file(&b"text"[..]).mode(0o6755))
        .unwrap();
    let device = image::Device { major: 1, minor: 3 };
    let null = Node {
        meta: image::Meta::root(0o666),
        kind: Kind::CharDevice(device),
    };
    tree.add_at(b"/dev/null", null).unwrap();
    write(&world, &tree, "x.squashfs");
    assert_eq!(
        world.done(&["ls", "-l", "x.squashfs", "/bin/su"]),
        "-rwsr-sr-x   1     0     0            4 1970-01-01 00:00:01 su\n"
    );
    let said = world.run(&["extract", "x.squashfs", "/bin", "--out", "bin", "--mine"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stderr
            .contains("warning: everything belongs to you: 1 files are without their set-id bits"),
        "{}",
        said.stderr
    );
    assert_eq!(shell(&world, "stat -c %a bin/su"), "755\n");
    let said = world.run(&["extract", "x.squashfs", "/bin/su", "--out", "su"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(shell(&world, "stat -c %a su"), "755\n");
}

fn write(world: &World, tree: &Tree, name: &str) {
    let spool = Spool::create(&world.path(".")).unwrap();
    let options = squashfs::Options::default();
    let work = squashfs::Work {
        spool: &spool,
        threads: 1,
        digests: &[],
        progress: &Silent,
        reuse: None,
    };
    let planned = squashfs::plan(tree, &options, &work).unwrap();
    image::write(&world.path(name), &planned.image, &Silent)
        .unwrap()
        .keep()
        .unwrap();
}

/// Readers refuse what no system could reach, and nothing is left of what the host's paths are too short for.
#[test]
fn ten_thousand_levels() {
    let world = World::new();
    for (levels, code) in [(10_000, 6), (2000, 0), (1000, 0)] {
        let mut tree = Tree::default();
        let path = b"/d".repeat(levels);
        tree.add_at(&[&path[..], b"/file"].concat(), Node::file(&b"deep"[..]))
            .unwrap();
        write(&world, &tree, "x.squashfs");
        let said = world.run(&["ls", "-R", "x.squashfs"]);
        assert_eq!(said.code, Some(code), "{}", said.stderr);
        let extracted = extracts(&world, "x.squashfs");
        if code == 0 {
            assert_eq!(said.stdout.lines().count(), levels + 2);
            let text = String::from_utf8(path).unwrap() + "/file";
            assert_eq!(world.done(&["cat", "x.squashfs", &text]), "deep");
        }
        assert!(
            matches!(
                (levels, extracted),
                (10_000, Some(6)) | (2000, Some(0 | 5)) | (1000, Some(0))
            ),
            "{extracted:?}"
        );
    }
    let deep = vec!["d"; 10_000].join("/");
    let script = "import tarfile,io\nt=tarfile.open('x.tar','w',format=tarfile.PAX_FORMAT)\ni=tarfile.TarInfo('DEEP/f');i.size=1\nt.addfile(i,io.BytesIO(b'x'))";
    world.write("make.py", script.replace("DEEP", &deep).as_bytes());
    shell(&world, "python3 make.py");
    assert_ne!(extracts(&world, "x.tar"), None);
}
