//! What each format makes of each property.

use super::Cell::{self, Kept, Refused};
use super::{Entry, Row};

pub(super) fn file() -> Entry {
    Entry {
        kind: b'0',
        name: b"thing",
        mode: 0o644,
        ..Entry::default()
    }
}

fn of(kind: u8) -> Entry {
    Entry { kind, ..file() }
}

fn with(key: &str, value: impl AsRef<[u8]>) -> Vec<Entry> {
    let pax = vec![(key.to_string(), value.as_ref().to_vec())];
    vec![Entry { pax, ..file() }]
}

pub(super) fn row(what: &'static str, keep: &'static str, entries: Vec<Entry>, cells: [Cell; 3]) -> Row {
    Row {
        what,
        keep,
        entries,
        cells,
    }
}

/// What a FAT says of all that it is asked to keep but times.
const ALONE: Cell = Refused(2, "a FAT has times alone");

pub(super) fn modes_and_owners() -> Vec<Row> {
    let mode = |mode, kind| vec![Entry { mode, ..of(kind) }];
    let owner = |key: &str, number: u64| with(key, number.to_string());
    let nobody = Refused(
        2,
        "/thing: it belongs to 4294967295, which Linux takes for nobody",
    );
    let too_large = Refused(3, "thing: its uid is 4294967296, the limit is 4294967295");
    vec![
        row(
            "setuid",
            "modes",
            mode(0o4755, b'0'),
            [Kept("-rwsr-xr-x"), Kept("Mode: 04755"), ALONE],
        ),
        row(
            "setgid",
            "modes",
            mode(0o2755, b'5'),
            [Kept("drwxr-sr-x"), Kept("Mode: 02755"), ALONE],
        ),
        row(
            "sticky",
            "modes",
            mode(0o1777, b'5'),
            [Kept("drwxrwxrwt"), Kept("Mode: 01777"), ALONE],
        ),
        row(
            "no bits",
            "modes",
            mode(0, b'0'),
            [Kept("----------"), Kept("Mode: 0000"), ALONE],
        ),
        row(
            "uid 65535",
            "owners",
            owner("uid", 65535),
            [Kept(" 65535/0 "), Kept("User: 65535"), ALONE],
        ),
        row(
            "uid 65536",
            "owners",
            owner("uid", 65536),
            [Kept(" 65536/0 "), Kept("User: 65536"), ALONE],
        ),
        row(
            "gid 70001",
            "owners",
            owner("gid", 70001),
            [Kept(" 0/70001 "), Kept("Group: 70001"), ALONE],
        ),
        row(
            "uid -2",
            "owners",
            owner("uid", 4_294_967_294),
            [Kept(" 4294967294/0 "), Kept("User: -2"), ALONE],
        ),
        row(
            "uid -1",
            "owners",
            owner("uid", 4_294_967_295),
            [nobody, nobody, ALONE],
        ),
        row(
            "gid -1",
            "owners",
            owner("gid", 4_294_967_295),
            [nobody, nobody, ALONE],
        ),
        row(
            "uid of 33 bits",
            "owners",
            owner("uid", 4_294_967_296),
            [too_large, too_large, ALONE],
        ),
    ]
}

pub(super) fn times() -> Vec<Row> {
    let squashfs = Refused(2, "SquashFS holds 0 to 4294967295 (1970 to 2106)");
    let ext4 = Refused(2, "outside of what ext4 can hold");
    let fat = Refused(2, "FAT holds 315532800 to 4354819199 (1980 to 2107)");
    let time = |what, seconds, cells| row(what, "times", with("mtime", seconds), cells);
    vec![
        time("before all", "-2147483649", [squashfs, ext4, fat]),
        time(
            "1901",
            "-2147483648",
            [squashfs, Kept("mtime: 0x80000000:00000000"), fat],
        ),
        time(
            "before 1970",
            "-1",
            [squashfs, Kept("mtime: 0xffffffff:00000000"), fat],
        ),
        // What has no time: the first that FAT has.
        time(
            "1970",
            "1",
            [
                Kept(" 1970-01-01 00:00 "),
                Kept("mtime: 0x00000001:00000000"),
                Kept(" 1980-01-01 0:00 "),
            ],
        ),
        time(
            "1979",
            "315532799",
            [
                Kept(" 1979-12-31 23:59 "),
                Kept("mtime: 0x12cea5ff:00000000"),
                fat,
            ],
        ),
        time(
            "1980",
            "315532800",
            [
                Kept(" 1980-01-01 00:00 "),
                Kept("mtime: 0x12cea600:00000000"),
                Kept(" 1980-01-01 0:00 "),
            ],
        ),
        time(
            "parts of a second",
            "1700000000.75",
            [
                Kept(" 2023-11-14 22:13 "),
                Kept("mtime: 0x6553f100:00000000"),
                Kept(" 2023-11-14 22:13 "),
            ],
        ),
        time(
            "2038",
            "2147483648",
            [
                Kept(" 2038-01-19 03:14 "),
                Kept("mtime: 0x80000000:00000001"),
                Kept(" 2038-01-19 3:14 "),
            ],
        ),
        time(
            "2106",
            "4294967295",
            [
                Kept(" 2106-02-07 06:28 "),
                Kept("mtime: 0xffffffff:00000001"),
                Kept(" 2106-02-07 6:28 "),
            ],
        ),
        time(
            "2106, a second later",
            "4294967296",
            [
                squashfs,
                Kept("mtime: 0x00000000:00000001"),
                Kept(" 2106-02-07 6:28 "),
            ],
        ),
        time(
            "2107",
            "4354819199",
            [
                squashfs,
                Kept("mtime: 0x0391447f:00000001"),
                Kept(" 2107-12-31 23:59 "),
            ],
        ),
        time(
            "2108",
            "4354819200",
            [squashfs, Kept("mtime: 0x03914480:00000001"), fat],
        ),
        time(
            "2446",
            "15032385535",
            [squashfs, Kept("mtime: 0x7fffffff:00000003"), fat],
        ),
        time("after all", "15032385536", [squashfs, ext4, fat]),
    ]
}

fn xattr(what: &'static str, name: &str, value: &[u8], squashfs: Cell, ext4: Cell) -> Row {
    let entries = with(&format!("SCHILY.xattr.{name}"), value);
    row(what, "xattrs", entries, [squashfs, ext4, ALONE])
}

pub(super) fn attributes() -> Vec<Row> {
    let only = Refused(3, "SquashFS holds only user., trusted. and security. ones");
    let must = Refused(3, "the name must begin with user., trusted. or security.");
    let empty = Refused(3, "there is no name behind the prefix");
    // Whoever owns it reads and writes, user 7 reads.
    let list = [
        &[2, 0, 0, 0][..],
        &[1, 0, 6, 0, 255, 255, 255, 255],
        &[2, 0, 4, 0, 7, 0, 0, 0],
        &[4, 0, 4, 0, 255, 255, 255, 255],
        &[16, 0, 4, 0, 255, 255, 255, 255],
        &[32, 0, 4, 0, 255, 255, 255, 255],
    ]
    .concat();
    let capability = [&[1, 0, 0, 2, 0, 32][..], &[0; 14]].concat();
    vec![
        xattr(
            "user.",
            "user.a",
            b"v",
            Kept("user.a=v"),
            Kept("user.a (1) = \"v\""),
        ),
        xattr(
            "trusted.",
            "trusted.a",
            b"v",
            Kept("trusted.a=v"),
            Kept("trusted.a (1) = \"v\""),
        ),
        xattr(
            "security.",
            "security.selinux",
            b"v",
            Kept("security.selinux=v"),
            Kept("security.selinux (1) = \"v\""),
        ),
        xattr(
            "capabilities",
            "security.capability",
            &capability,
            Kept("security.capability=0x0100000200200000"),
            Kept("security.capability (20)"),
        ),
        xattr(
            "an access list",
            "system.posix_acl_access",
            &list,
            only,
            Kept("system.posix_acl_access"),
        ),
        xattr("other lists", "system.nfs4_acl", b"v", only, must),
        xattr("no namespace", "other.a", b"v", only, must),
        xattr("an empty name", "user.", b"v", empty, must),
    ]
}

pub(super) fn sizes_of_attributes() -> Vec<Row> {
    let long = |len: usize| format!("user.{}", "n".repeat(len - 5));
    let too_long = Refused(3, "the limits are 255 and 65536");
    let too_much = Refused(3, "the limit is 4060");
    vec![
        xattr(
            "a name of 255 bytes",
            &long(255),
            b"v",
            Kept("nnn=v"),
            Kept("nnn (1) = \"v\""),
        ),
        xattr(
            "a name of 256 bytes",
            &long(256),
            b"v",
            too_long,
            Refused(3, "the name has 256 bytes, the limit is 255"),
        ),
        xattr(
            "an empty value",
            "user.a",
            b"",
            Kept("user.a="),
            Kept("user.a (0)"),
        ),
        xattr(
            "4000 bytes",
            "user.a",
            &[b'v'; 4000],
            Kept("user.a=vvv"),
            Kept("user.a (4000)"),
        ),
        xattr(
            "4200 bytes",
            "user.a",
            &[b'v'; 4200],
            Kept("user.a=vvv"),
            too_much,
        ),
        xattr("64 KiB", "user.a", &[b'v'; 65536], Kept("user.a=vvv"), too_much),
        xattr("more", "user.a", &[b'v'; 65537], too_long, too_much),
    ]
}

pub(super) fn kinds() -> Vec<Row> {
    let device = |kind, major, minor| {
        vec![Entry {
            device: (major, minor),
            ..of(kind)
        }]
    };
    let numbers = Refused(3, "the limits are 4095 and 1048575");
    let fat = |what| Refused(2, what);
    let no_device = fat("/thing: FAT cannot hold a device");
    vec![
        row(
            "a character device",
            "",
            device(b'3', 5, 1),
            [Kept("nod thing 0444 0 0 c 5 1"), Kept("number: 05:01"), no_device],
        ),
        row(
            "a block device",
            "",
            device(b'4', 8, 0),
            [Kept("nod thing 0444 0 0 b 8 0"), Kept("number: 08:00"), no_device],
        ),
        row(
            "the last device",
            "",
            device(b'3', 4095, 1_048_575),
            [Kept("c 4095 1048575"), Kept("number: 4095:1048575"), no_device],
        ),
        row(
            "a large major",
            "",
            device(b'3', 4096, 0),
            [numbers, numbers, no_device],
        ),
        row(
            "a large minor",
            "",
            device(b'4', 0, 1_048_576),
            [numbers, numbers, no_device],
        ),
        row(
            "a pipe",
            "",
            vec![of(b'6')],
            [
                Kept("pipe thing"),
                Kept("Type: FIFO"),
                fat("/thing: FAT cannot hold a named pipe"),
            ],
        ),
        row(
            "a folder",
            "",
            vec![of(b'5')],
            [Kept("dir thing"), Kept("Type: directory"), Kept("thing <DIR>")],
        ),
    ]
}

pub(super) fn links() -> Vec<Row> {
    let link = |len| {
        vec![Entry {
            link: "t".repeat(len),
            ..of(b'2')
        }]
    };
    let hard = vec![
        file(),
        Entry {
            name: b"other",
            link: "thing".into(),
            ..of(b'1')
        },
    ];
    let no_link = Refused(2, "/thing: FAT cannot hold a symbolic link");
    let long = Refused(3, "is a link to 4096 bytes, the limit is 4095");
    let nothing = Refused(3, "is a link to nothing");
    vec![
        row(
            "a link",
            "",
            link(3),
            [
                Kept("slink thing 0777 0 0 ttt"),
                Kept("Fast link dest: \"ttt\""),
                no_link,
            ],
        ),
        row(
            "a link to 60 bytes",
            "",
            link(60),
            [Kept("slink thing 0777 0 0 ttt"), Kept("Size: 60"), no_link],
        ),
        row(
            "a link to 4095 bytes",
            "",
            link(4095),
            [Kept("slink thing 0777 0 0 ttt"), Kept("Size: 4095"), no_link],
        ),
        row("a link to 4096 bytes", "", link(4096), [long, long, long]),
        row("a link to nothing", "", link(0), [nothing, nothing, nothing]),
        row(
            "two names",
            "hard-links",
            hard.clone(),
            [Kept("Hard link count: 2"), Kept("Links: 2"), ALONE],
        ),
        row(
            "two names, made two files",
            "",
            hard,
            [
                Kept("file other 0444 0 0 file thing 0444"),
                Kept("Links: 1"),
                Kept("other"),
            ],
        ),
    ]
}
