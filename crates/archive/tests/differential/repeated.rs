//! Names that come twice, and links to what came, comes, or came and went.

use crate::Verdict::{Agreed, Gnu, Refused};
use crate::blocks::{dir, file, hard, head, pax, records, symlink};
use crate::judge;

#[test]
fn the_later_counts() {
    let newer = || head(b'0', "x", 3).mode(0o600).time(5).with(b"two");
    judge(&[
        ("a file twice", vec![file("x", "one"), newer()], Agreed),
        (
            "a file with a second name, twice",
            vec![file("x", "one"), hard("y", "x"), newer()],
            Agreed,
        ),
        (
            "a file thrice, by other words",
            vec![file("x", "one"), file("./x", "2"), file(".//x", "three")],
            Agreed,
        ),
        (
            "a folder in place of a file",
            vec![file("x", "one"), dir("x/"), file("x/y", "1")],
            Agreed,
        ),
        (
            "a file in place of an empty folder",
            vec![dir("x/"), file("x", "one")],
            Agreed,
        ),
        (
            "a link in place of an empty folder",
            vec![dir("x/"), symlink("x", "one")],
            Agreed,
        ),
        (
            "a file in place of a folder that was emptied by nobody",
            vec![dir("x/"), file("x/y", "1"), file("x", "one")],
            Refused("x: is a folder that is not empty, and nothing else can take its place"),
        ),
        (
            "a link in place of a folder that is not empty",
            vec![dir("x/"), file("x/y", "1"), symlink("x", "one")],
            Refused("x: is a folder that is not empty"),
        ),
        (
            "a hard link in place of a folder that is not empty",
            vec![file("o", "1"), dir("x/"), file("x/y", "1"), hard("x", "o")],
            Refused("x: is a folder that is not empty"),
        ),
        (
            "a file in place of a link to a folder",
            vec![dir("t/"), symlink("x", "t"), file("x", "one")],
            Agreed,
        ),
        (
            "a file in place of a link to nothing",
            vec![symlink("x", "t"), file("x", "one")],
            Agreed,
        ),
        (
            "a file in place of a link to a file",
            vec![file("t", "T"), symlink("x", "t"), file("x", "one")],
            Agreed,
        ),
        (
            "a folder in place of a link to one",
            vec![dir("t/"), symlink("x", "t"), dir("x/"), file("x/y", "1")],
            Agreed,
        ),
        (
            "a folder in place of a link to nothing",
            vec![symlink("x", "t"), dir("x/"), file("x/y", "1")],
            Agreed,
        ),
        (
            "a link in place of a link",
            vec![symlink("x", "t"), symlink("x", "u")],
            Agreed,
        ),
    ]);
}

#[test]
fn what_is_said_later_counts() {
    judge(&[
        (
            "a pipe in place of a file",
            vec![file("x", "1"), head(b'6', "x", 0).alone()],
            Agreed,
        ),
        (
            "a file in place of a pipe",
            vec![head(b'6', "x", 0).alone(), file("x", "1")],
            Agreed,
        ),
        (
            "a folder twice, with another mode",
            vec![
                head(b'5', "x/", 0).mode(0o700).alone(),
                file("x/y", "1"),
                head(b'5', "x/", 0).mode(0o711).alone(),
            ],
            Agreed,
        ),
        (
            "a folder twice, with other attributes",
            vec![
                records(
                    b'x',
                    &[("SCHILY.xattr.user.a", b"1"), ("SCHILY.xattr.user.b", b"1")],
                ),
                dir("x/"),
                pax("SCHILY.xattr.user.b", b"2"),
                dir("x/"),
            ],
            Agreed,
        ),
        (
            "a folder behind what is in it",
            vec![file("a/b/x", "1"), head(b'5', "a/", 0).mode(0o700).alone()],
            Agreed,
        ),
        ("the root, late", vec![file("x", "1"), dir("./")], Agreed),
        (
            "a link that led somewhere, replaced when it has a second name",
            vec![symlink("l", "t"), hard("y", "l"), file("l", "1")],
            Agreed,
        ),
    ]);
}

/// Of a folder's time, bsdtar keeps the first.
#[test]
fn the_later_time_of_a_folder_counts() {
    if !crate::tools::ready() {
        return;
    }
    let folder = |time| head(b'5', "x/", 0).mode(0o755).time(time).alone();
    let bytes = [dir("./"), folder(5), file("x/y", "1"), folder(9), vec![0; 1024]].concat();
    let packed = crate::tools::file(&bytes);
    let theirs = crate::Tool::Gnu.unpack(packed.path()).unwrap();
    let ours = crate::read(&bytes).unwrap();
    let all = crate::Compared::ALL;
    assert_eq!(crate::told(&ours, all), crate::told(&theirs.tree, all));
}

#[test]
fn hard_links_lead_to_what_came_before() {
    judge(&[
        (
            "to what comes later",
            vec![hard("y", "x"), file("x", "1")],
            Refused("y: is a hard link to x, and no such file comes before it"),
        ),
        (
            "to what never comes",
            vec![hard("y", "x")],
            Refused("no such file comes before it"),
        ),
        (
            "to itself",
            vec![hard("x", "x")],
            Refused("no such file comes before it"),
        ),
        (
            "to itself, which is there",
            vec![file("x", "1"), hard("x", "x")],
            Gnu,
        ),
        (
            "to what was there and is replaced later",
            vec![file("x", "1"), hard("y", "x"), file("x", "2"), hard("z", "x")],
            Agreed,
        ),
        (
            "to what has become a folder",
            vec![file("x", "1"), dir("x/"), hard("y", "x")],
            Refused("no such file comes before it"),
        ),
        (
            "to a symbolic link",
            vec![symlink("l", "t"), hard("y", "l")],
            Agreed,
        ),
        (
            "to a symbolic link from the root",
            vec![symlink("l", "/t"), hard("y", "l")],
            Agreed,
        ),
        (
            "to a pipe",
            vec![head(b'6', "p", 0).alone(), hard("y", "p")],
            Agreed,
        ),
        (
            "to a folder",
            vec![dir("t/"), hard("y", "t")],
            Refused("no such file comes before it"),
        ),
    ]);
}

#[test]
fn hard_links_take_places() {
    judge(&[
        (
            "in place of a file",
            vec![file("x", "1"), file("y", "2"), hard("y", "x")],
            Agreed,
        ),
        (
            "twice",
            vec![file("x", "1"), hard("y", "x"), hard("y", "x")],
            Agreed,
        ),
        (
            "in place of an empty folder",
            vec![file("x", "1"), dir("y/"), hard("y", "x")],
            Agreed,
        ),
        (
            "with a mode and a time of its own",
            vec![
                file("x", "1"),
                head(b'1', "y", 0).link("x").mode(0o777).time(9).alone(),
            ],
            Agreed,
        ),
        ("with dots", vec![file("./x", "1"), hard("./y", "./x")], Agreed),
        ("from the root", vec![file("/x", "1"), hard("/y", "/x")], Agreed),
        (
            "into a folder that is not said",
            vec![file("x", "1"), hard("d/y", "x")],
            Agreed,
        ),
        (
            "with a slash at the end",
            vec![file("x", "1"), hard("y/", "x")],
            Agreed,
        ),
        (
            "out of the folder",
            vec![file("x", "1"), hard("y", "../x")],
            Refused("y: link to ../x: the path leads out of its folder"),
        ),
        (
            "out of a folder and in again",
            vec![file("x", "1"), dir("a/"), hard("y", "a/../x")],
            Refused("the path leads out of its folder"),
        ),
        (
            "through a symbolic link",
            vec![dir("d/"), file("d/x", "1"), symlink("l", "d"), hard("y", "l/x")],
            Gnu,
        ),
        (
            "with attributes",
            vec![file("x", "1"), pax("SCHILY.xattr.user.a", b"1"), hard("y", "x")],
            Agreed,
        ),
    ]);
}

#[test]
fn ways_through_links() {
    judge(&[
        (
            "a link to a folder beside it",
            vec![dir("t/"), symlink("x", "t"), file("x/y", "1"), dir("x/z/")],
            Gnu,
        ),
        (
            "links to links",
            vec![
                dir("a/"),
                dir("a/b/"),
                symlink("x", "y"),
                symlink("y", "./a//b/"),
                file("x/z", "1"),
            ],
            Gnu,
        ),
        (
            "a link to nothing",
            vec![symlink("x", "t"), file("x/y", "1")],
            Refused("x/y: x on the way to it is a link to t, where no folder is"),
        ),
        (
            "a link to a file",
            vec![file("t", "1"), symlink("x", "t"), file("x/y", "1")],
            Refused("x/y: t on the way to it is no folder"),
        ),
        (
            "a link from the root",
            vec![dir("t/"), symlink("x", "/t"), file("x/y", "1")],
            Refused("x/y: x on the way to it is a link to /t, which may lead out of its folder"),
        ),
        (
            "a link upwards",
            vec![dir("t/"), dir("a/"), symlink("a/x", "../t"), file("a/x/y", "1")],
            Refused("which may lead out of its folder"),
        ),
        (
            "a link to itself",
            vec![symlink("x", "x"), file("x/y", "1")],
            Refused("x/y: more than 40 links on the way to it"),
        ),
        (
            "a file",
            vec![file("x", "1"), file("x/y", "2")],
            Refused("x on the way to it is no folder"),
        ),
    ]);
}
