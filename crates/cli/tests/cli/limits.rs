//! Things that do not fit where they shall go: exit code 4.

use insta::assert_snapshot;

use crate::world::{LIB, LINUX, World, noise};

#[test]
fn a_root_larger_than_its_slot() {
    let world = World::new();
    world.write_store(LINUX, "modules", &noise(1_200_000));
    world.write_store(LIB, "lib/libm.so", &noise(100_000));
    world.register(&world.hashed());
    assert_snapshot!(world.build_refused(4), @r#"
    error: fs.rootfs: has 1314816 bytes, 266240 more than the 1048576 of disk.region "rootfs".size; the largest store paths, with their bytes in it:
           1205000  llllllllllllllllllllllllllllllll-linux-6.1
            100032  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
                27  ssssssssssssssssssssssssssssssss-system
    hint: take something out of it, or raise disk.region "rootfs".size
    "#);
}

#[test]
fn a_file_system_larger_than_it_may_be() {
    let world = World::with("level = 3", "level = 3\nmax-size = \"8KiB\"");
    assert_snapshot!(world.build_refused(4), @r"
    error: fs.rootfs: has 12288 bytes, 4096 more than the 8192 of max-size; the largest store paths, with their bytes in it:
              3721  bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-lib-1.0
              1329  llllllllllllllllllllllllllllllll-linux-6.1
                 7  ssssssssssssssssssssssssssssssss-system
    hint: take something out of it, or raise max-size
    ");
}

#[test]
fn a_fat_that_is_too_full() {
    let world = World::new();
    world.write("firmware.bin", &noise(15 << 20));
    world.edit(
        "spec.toml",
        "[fs.boot.files]",
        "[fs.boot.files]\n\"/firmware.bin\" = \"firmware.bin\"",
    );
    assert_snapshot!(world.build_refused(4), @r"
    error: fs.boot: the tree does not fit: 16785408 bytes are needed in clusters (1048576 of them promised free), and fat16 of 16777216 bytes has 16723968, 61440 too few; the largest files are /firmware.bin (15728640 bytes), /Image (5000 bytes), /boot.scr (110 bytes)
    hint: take something out of it, raise its size, or leave the size out to let fs.boot fit
    ");
}

#[test]
fn a_fat_with_too_few_clusters() {
    let world = World::with("size = \"16MiB\"", "size = \"1MiB\"");
    assert_snapshot!(world.build_refused(4), @"error: fs.boot: 1048576 bytes have too few clusters for fat16: it takes at least 2136576 bytes with sectors of 512 bytes, 16842752 bytes with sectors of 4096 bytes");
}

#[test]
fn a_blob_over_the_boards_limit() {
    let world = World::new();
    world.write("idbloader.img", &noise(0x3f_8000 - 64 * 512 + 1));
    assert_snapshot!(world.build_refused(4), @"error: disk: idbloader: ends at 4161537 bytes (0x3f8001), on rockchip it must end at 4064 KiB (0x3f8000) at the latest");
}

#[test]
fn a_blob_larger_than_its_region() {
    let world = World::with(
        "raw = \"idbloader.img\"",
        "raw = \"idbloader.img\"\nsize = \"2KiB\"",
    );
    assert_snapshot!(world.build_refused(4), @r"
    error: disk: idbloader: the content has 3000 bytes, the region has 2048 (2 KiB), 952 too few
    hint: give idbloader at least 3000 bytes, or make its content smaller
    ");
}

#[test]
fn a_region_behind_the_end_of_the_disk() {
    let world = World::with("size = \"40MiB\"", "size = \"32MiB\"");
    assert_snapshot!(world.build_refused(4), @r"
    error: disk: rootfs (0x2000000 to 0x2100000, 32 MiB to 33 MiB) ends 1048576 bytes behind the disk's size of 33554432 bytes (32 MiB)
    hint: make the disk at least 34619904 bytes large, or let it fit
    ");
}

#[test]
fn a_region_over_the_tables_copy() {
    let world = World::with("size = \"40MiB\"", "size = \"33MiB\"");
    assert_snapshot!(world.build_refused(4), @r"
    error: disk: partition rootfs (0x2000000 to 0x2100000, 32 MiB to 33 MiB) and backup GPT entries (0x20fbe00 to 0x20ffe00, 32.9 MiB to 32.9 MiB) overlap by 16 KiB
    hint: make the disk at least 34619904 bytes large, or let it fit
    ");
}
