//! `[[disk.output]]`: what comes out, and what is refused before anything is made.

use std::fs;

use crate::world::World;

/// A specification with containers.
fn world(disk: &str, outputs: &str) -> World {
    let world = World::with("size = \"40MiB\"", disk);
    let spec = fs::read_to_string(world.path("spec.toml")).unwrap();
    world.write("spec.toml", format!("{spec}\n{outputs}").as_bytes());
    world
}

fn refused(disk: &str, outputs: &str) -> String {
    world(disk, outputs).build_refused(2)
}

#[test]
fn several_containers_come_out_of_one_build() {
    let outputs = "[[disk.output]]\nformat = \"qcow2\"\ncompression = \"zstd\"\n\
                   [[disk.output]]\nformat = \"vhd-fixed\"\nfile = \"azure.vhd\"\n\
                   [[disk.output]]\nformat = \"ova\"\nmemory = \"1GiB\"\ncpus = 2\n\
                   [[disk.output]]\nformat = \"android-sparse\"\ncompress = \"gzip\"\n";
    let world = world("size = \"40MiB\"\nonly-outputs = true", outputs);
    world.done(&["build", "spec.toml", "--out", "out"]);
    for name in [
        "demo-25.11.qcow2",
        "azure.vhd",
        "demo-25.11.ova",
        "demo-25.11.simg.gz",
    ] {
        assert!(world.path("out").join(name).is_file(), "{name}");
    }
    let manifest = fs::read_to_string(world.path("out/demo-25.11.manifest.json")).unwrap();
    assert!(manifest.contains("\"format\": \"vhd-fixed\""), "{manifest}");
    assert!(!manifest.contains("\"file\": \"demo-25.11.img\""), "{manifest}");
    // A container is the folder that the disk is.
    let listed = world.done(&["ls", "out/demo-25.11.qcow2", "/boot"]);
    assert!(listed.contains("Image"), "{listed}");
    assert_eq!(world.done(&["ls", "out/azure.vhd", "/boot"]), listed);
    let checked = world.done(&["check", "out/demo-25.11.qcow2"]);
    assert!(
        checked.contains("every block of the disk can be read"),
        "{checked}"
    );
    // What a build makes is known without one.
    let plan = world.done(&["plan", "spec.toml"]);
    assert!(plan.contains("disk → azure.vhd: vhd-fixed"), "{plan}");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_made() {
    let size = "size = \"40MiB\"";
    for (disk, outputs, wanted) in [
        (
            "size = \"41943552B\"",
            "[[disk.output]]\nformat = \"vhd-fixed\"",
            "the disk has 41943552 bytes, vhd-fixed needs a multiple of 1048576; the next is 42991616",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"gce\"",
            "the disk has 41943040 bytes, gce needs a multiple of 1073741824; the next is 1073741824",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"vhd\"\n[[disk.output]]\nformat = \"vhd-fixed\"",
            "disk.output (vhd) and disk.output (vhd-fixed) both make a file of this name",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"vmdk\"\ncompression = \"zstd\"",
            "vmdk has no compression \"zstd\"; it has: none",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"qcow2\"\ncompression = \"xz\"",
            "\"xz\": is for file systems; containers have \"zstd\" and \"zlib\"",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"qcow2\"\nmemory = \"1GiB\"",
            "memory: is for \"ova\" and \"vma\", and this is \"qcow2\"",
        ),
        (
            size,
            "[[disk.output]]\nformat = \"qcow3\"",
            "unknown variant `qcow3`",
        ),
        (
            "size = \"40MiB\"\nonly-outputs = true",
            "",
            "disk.only-outputs: there is no [[disk.output]]",
        ),
        (
            "size = \"40MiB\"\nonly-outputs = true\nbmap = true",
            "[[disk.output]]\nformat = \"qcow2\"",
            "disk.bmap: means nothing with only-outputs",
        ),
    ] {
        let said = refused(disk, outputs);
        assert!(said.contains(wanted), "{outputs}: {said}");
    }
    let said = world("size = \"3TiB\"", "[[disk.output]]\nformat = \"vhd\"").build_refused(4);
    assert!(
        said.contains("the disk has 3298534883328 bytes, vhd has at most 2190433320960"),
        "{said}"
    );
}

/// A disk without a size is as large as its containers need.
#[test]
fn a_disk_that_fits_has_the_size_that_its_containers_need() {
    let world = world(
        "align = \"64KiB\"",
        "[[disk.output]]\nformat = \"gce\"\ncompress-level = 1",
    );
    world.done(&["build", "spec.toml", "--out", "out"]);
    let size = |name: &str| fs::metadata(world.path("out").join(name)).unwrap().len();
    assert_eq!(size("demo-25.11.img"), 1 << 30);
    assert!(size("demo-25.11.tar.gz") < 32 << 20);
}
