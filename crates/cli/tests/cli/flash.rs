//! Images onto files that stand for disks, and what is no image or no disk.

use std::fs::{self, File};

use crate::oracle::installed;
use crate::world::{Said, World};

const BUILD: [&str; 4] = ["build", "spec.toml", "--out", "out"];
/// The disk that it makes, not compressed.
const IMAGE: &str = "out/demo-25.11.img";
const DISK: u64 = 48 << 20;

/// A build of the disk with these keys, and a disk that an older image was on.
fn world(keys: &str) -> World {
    let world = World::with("[disk]\n", &format!("[disk]\n{keys}\n"));
    world.done(&BUILD);
    old(&world, DISK);
    world
}

fn old(world: &World, size: u64) {
    world.write("disk", &vec![0xee; usize::try_from(size).unwrap()]);
}

fn flash(world: &World, args: &[&str]) -> Said {
    world.run(&[&["flash"], args].concat())
}

/// What was said, when the exit code is this one.
fn refused(world: &World, code: i32, args: &[&str]) -> String {
    let said = flash(world, args);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(code), ""),
        "{}",
        said.stderr
    );
    said.stderr
}

/// Nothing was written to the disk.
fn assert_old(world: &World) {
    let disk = fs::read(world.path("disk")).unwrap();
    assert!(disk.iter().all(|byte| *byte == 0xee));
}

/// What was said of all of these, each with its exit code, before anything was written.
fn refusals(world: &World, all: &[(i32, &[&str])]) -> String {
    let said = all
        .iter()
        .map(|(code, args)| refused(world, *code, args))
        .collect();
    assert_old(world);
    said
}

#[test]
fn a_compressed_disk_by_its_block_map() {
    let world = world("compress = \"zstd\"\nbmap = true");
    let said = flash(&world, &["out/demo-25.11.img.zst", "disk", "--yes"]);
    insta::assert_snapshot!(said.stdout + &said.stderr, @r"
    disk: 16.0 MiB of 40 MiB written, read back, and equal
      15.9 MiB of these are gaps of the block map in which an older loader could be found
    writing disk: 16.0 MiB
    reading back disk: 16.0 MiB
    ");
    let disk = fs::read(world.path("disk")).unwrap();
    // The loader, and nothing of an older one before the first partition; behind the image all is as it was.
    let loader = fs::read(world.path("idbloader.img")).unwrap();
    assert!(disk[32 << 10..].starts_with(&loader));
    assert!(
        disk[(32 << 10) + loader.len()..16 << 20]
            .iter()
            .all(|byte| *byte == 0)
    );
    assert!(disk[40 << 20..].iter().all(|byte| *byte == 0xee));
    let listed = world.run(&["ls", "disk"]);
    assert_eq!(listed.stdout, "boot\nrootfs\n", "{}", listed.stderr);
}

#[test]
fn for_machines_and_out_of_a_folder() {
    let world = world("bmap = true");
    // What an earlier build left is no output of the last one.
    let said = flash(&world, &["out", "disk", "--yes", "--json"]);
    assert_eq!(said.stderr, "");
    insta::assert_snapshot!(said.stdout, @r#"
    {
      "device": "disk",
      "image": "out/demo-25.11.img",
      "bmap": "out/demo-25.11.img.bmap",
      "image_size": 41943040,
      "written": 16871424,
      "gaps": 16736256,
      "discarded": null,
      "compared": 16871424
    }
    "#);
    let list = world.run(&["flash", "--json"]);
    assert!(
        list.code == Some(0) && list.stdout.starts_with('['),
        "{}",
        list.stderr
    );
}

/// gzip and bzip2 are unpacked from their start to their end, xz and zstd where they lie, and containers are opened.
#[test]
fn what_is_unpacked_on_the_way() {
    let world = world("");
    let image = fs::read(world.path(IMAGE)).unwrap();
    for (program, ending) in [
        ("gzip", "gz"),
        ("bzip2", "bz2"),
        ("xz", "xz"),
        ("zstd", "zst"),
        ("qemu-img", "qcow2"),
    ] {
        if !installed(program) {
            return;
        }
        let file = format!("image.{ending}");
        let line = match program {
            "qemu-img" => format!("qemu-img convert -O qcow2 out/demo-25.11.img {file}"),
            program => format!("{program} -1 -c out/demo-25.11.img > {file}"),
        };
        let mut shell = std::process::Command::new("sh");
        let made = shell.args(["-c", &line]).current_dir(world.path("")).status();
        assert!(made.unwrap().success(), "{line}");
        old(&world, DISK);
        let said = flash(&world, &[&file, "disk", "--yes"]);
        assert_eq!(said.code, Some(0), "{program}: {}", said.stderr);
        let disk = fs::read(world.path("disk")).unwrap();
        assert!(
            disk[..image.len()] == image && disk[image.len()..].iter().all(|byte| *byte == 0xee),
            "{program}"
        );
        if program == "gzip" {
            old(&world, image.len() as u64 - 512);
            insta::assert_snapshot!(refused(&world, 4, &[&file, "disk", "--yes"]), @r"
    measuring image.gz: 194.5 KiB
    error: disk: has 41942528 bytes, and the image 41943040: 512 bytes too few
    hint: take a larger one, or make a smaller image: `kiln plan` shows what takes the space
    ");
            assert_old(&world);
            // A download that ended early.
            let packed = File::options().write(true).open(world.path(&file)).unwrap();
            packed.set_len(packed.metadata().unwrap().len() - 30).unwrap();
            old(&world, DISK);
            insta::assert_snapshot!(refused(&world, 6, &[&file, "disk", "--yes"]), @r"
    measuring image.gz: 194.4 KiB
    error: image.gz: cannot be unpacked: incomplete deflate stream
    ");
            assert_old(&world);
        }
    }
}

/// The block map of another version is none of this image's, however alike their names are.
#[test]
fn block_maps_are_found_by_endings_that_are_no_versions() {
    let world = world("bmap = true");
    let image = "out/demo-25.11.img";
    let map = format!("{image}.bmap");
    for (name, beside, is_found) in [
        ("demo-25.11.img", "demo-25.11.img.bmap", true),
        ("demo-25.11.img", "demo-25.11.bmap", true),
        ("demo-25.11.img", "demo-25.bmap", false),
        ("demo-25.11", "demo-25.bmap", false),
        ("demo-25.11.beta", "demo-25.11.bmap", false),
        ("demo.wic.zst", "demo.bmap", true),
    ] {
        fs::create_dir(world.path("some")).unwrap();
        let (name, beside) = (format!("some/{name}"), format!("some/{beside}"));
        fs::copy(world.path(image), world.path(&name)).unwrap();
        fs::copy(world.path(&map), world.path(&beside)).unwrap();
        let said = flash(&world, &[&name, "disk", "--yes", "--no-read-back", "--json"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert_eq!(said.stdout.contains(&beside), is_found, "{name} {beside}");
        fs::remove_dir_all(world.path("some")).unwrap();
    }
}

/// Folders beside outputs are not looked into: this one has paths that are longer than Linux takes.
#[test]
fn folders_beside_outputs_are_left_alone() {
    let world = world("bmap = true");
    let name = "deep".repeat(50);
    let line = format!("cd out && for _ in $(seq 25); do mkdir {name} && cd -P {name} || exit 1; done");
    let mut shell = std::process::Command::new("sh");
    let made = shell.args(["-c", &line]).current_dir(world.path("")).status();
    assert!(made.unwrap().success());
    let said = flash(&world, &["out", "disk", "--yes", "--no-read-back"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let listed = world.done(&["ls", "out"]);
    assert!(listed.contains("demo-25.11.img\n"), "{listed}");
    let checked = world.done(&["check", "out/demo-25.11.img"]);
    assert!(checked.contains("manifest"), "{checked}");
}

#[test]
fn what_is_refused() {
    let world = world("bmap = true");
    fs::create_dir(world.path("empty")).unwrap();
    world.write(
        "sparse.img",
        &[&[0x3a, 0xff, 0x26, 0xed][..], &[0; 5000]].concat(),
    );
    let text = refusals(
        &world,
        &[
            (2, &[IMAGE][..]),
            (2, &[IMAGE, "disk"]),
            (2, &["spec.toml", "disk", "--yes"]),
            (2, &["empty", "disk", "--yes"]),
            (2, &["out/boot.scr", "disk", "--yes"]),
            (2, &["sparse.img", "disk", "--yes"]),
            (2, &[IMAGE, "empty", "--yes"]),
            (2, &[IMAGE, "/dev/null", "--yes"]),
            (2, &[IMAGE, "disk", "--yes", "--keep-gaps", "--discard"]),
        ],
    );
    insta::assert_snapshot!(text, @r"
    error: the following required arguments were not provided:
      <DEVICE>

    Usage: kiln flash --jobs <N> <IMAGE> <DEVICE>

    For more information, try '--help'.
    error: disk: nobody can be asked, because there is no terminal
    hint: say --yes if it is the right one
    error: spec.toml: is no image
    hint: `kiln build` makes one of a specification, and says how to flash it
    error: empty: is a folder with no disk, as its manifests say
    hint: say the image's file
    error: out/boot.scr: is no disk: script is in it
    hint: a disk, a file system, or one of them compressed or in a container is written
    error: sparse.img: is an Android sparse image
    hint: `fastboot flash` writes it, or `simg2img` unpacks it first
    error: empty: is neither a disk nor a file
    hint: `kiln flash` lists what can be flashed
    error: /dev/null: is neither a disk nor a file
    hint: `kiln flash` lists what can be flashed
    error: the argument '--keep-gaps' cannot be used with '--discard'

    Usage: kiln flash --yes --keep-gaps --jobs <N> <IMAGE> <DEVICE>

    For more information, try '--help'.
    ");
}

#[test]
fn what_cannot_be_read_or_written() {
    let world = world("bmap = true");
    let text = refusals(
        &world,
        &[
            (3, &["missing", "disk", "--yes"][..]),
            (3, &[IMAGE, "disk", "--yes", "--bmap", "spec.toml"]),
            (
                3,
                &[
                    "out/boot.vfat",
                    "disk",
                    "--yes",
                    "--bmap",
                    "out/demo-25.11.img.bmap",
                ],
            ),
            (5, &[IMAGE, "missing", "--yes"]),
            (5, &[IMAGE, IMAGE, "--yes"]),
        ],
    );
    insta::assert_snapshot!(text, @r"
    error: missing: cannot be read: No such file or directory (os error 2)
    error: spec.toml: is no block map that can be read: it has no element `bmap`
    hint: --no-bmap writes everything, without a block map
    error: out/boot.vfat: the image has 16777216 bytes, and its block map is one of 41943040 bytes
    hint: the block map belongs to another image, or the image is damaged; --no-bmap writes everything
    error: missing: cannot be opened for writing: No such file or directory (os error 2)
    hint: `kiln flash` lists what there is; a file has to be there already, as large as the disk
    error: out/demo-25.11.img: the image is read from it
    ");
}

#[test]
fn an_image_that_is_another_than_its_block_map_says() {
    let world = world("bmap = true");
    let mut image = fs::read(world.path(IMAGE)).unwrap();
    image[(32 << 10) + 5] ^= 1;
    world.write(IMAGE, &image);
    insta::assert_snapshot!(refused(&world, 6, &[IMAGE, "disk", "--yes"]), @r"
    writing disk: 16.0 MiB
    warning: disk: is partly written; its first block says so, and it boots nothing until it is flashed again
    error: out/demo-25.11.img: the image's bytes 32768 to 36864 have another checksum than the block map says
    hint: the block map belongs to another image, or the image is damaged; --no-bmap writes everything
    ");
    assert!(
        fs::read(world.path("disk"))
            .unwrap()
            .starts_with(b"kiln flash: this device is partly written")
    );
    let said = flash(&world, &[IMAGE, "disk", "--yes", "--no-bmap", "--no-read-back"]);
    assert!(
        said.stdout.ends_with("written, not read back\n"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert!(fs::read(world.path("disk")).unwrap().starts_with(&image));
}
