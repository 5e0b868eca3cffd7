//! Which certificates a device finds, and in which order it looks.

use signature::ChainEnd;

use super::{Table, oracles};
use crate::case::Case;
use crate::pki::{CA, KINDS, LEAF, Party, VALID, World, key_file};

/// Extensions without key identifiers, so that only names tell who issued what.
pub(super) fn plain(extensions: &str) -> String {
    let lines = extensions.lines().filter(|line| !line.contains("KeyIdentifier"));
    let mut text: Vec<&str> = lines.collect();
    text.extend(["subjectKeyIdentifier=none", "authorityKeyIdentifier=none"]);
    text.join("\n")
}

/// A validity that is over.
const PAST: (&str, &str) = ("20200101000000Z", "20210101000000Z");

/// Every order of a few parties, and each of them alone.
fn keyrings<'a>(parties: &[(&'a str, &'a Party)]) -> Vec<(String, Vec<&'a Party>)> {
    let mut found: Vec<(String, Vec<&Party>)> = Vec::new();
    for (name, party) in parties {
        found.push(((*name).to_owned(), vec![*party]));
    }
    for (first, one) in parties {
        for (second, other) in parties.iter().filter(|(name, _)| name != first) {
            found.push((format!("{first} and {second}"), vec![one, other]));
        }
    }
    found
}

fn ends(table: &mut Table, what: &str, case: &mut Case) {
    case.end = ChainEnd::Root;
    table.row(what, case);
    case.end = ChainEnd::Partial;
    table.row(&format!("{what}, partial"), case);
}

#[test]
fn kinds_and_depths() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_purposes();
    let root = world.root("Root");
    let between = world.authority("Between", &root, CA);
    for kind in KINDS {
        for (depth, issuer) in [&root, &between].into_iter().enumerate() {
            let name = format!("{kind} {depth}");
            let leaf = world.issue(&name, &name, Some(issuer), LEAF, VALID, Some(&key_file(kind)));
            let issuers: &[&Party] = if depth == 0 { &[] } else { &[&between] };
            table.row(&name, &Case::new(&world, &leaf, issuers, &[&root]));
        }
    }
    let rows: Vec<String> = KINDS
        .iter()
        .flat_map(|kind| [format!("{kind} 0: good\n"), format!("{kind} 1: good\n")])
        .collect();
    table.expect(&rows.concat());
}

/// Two roots of one name: a leaf says which is its own, or does not.
#[test]
fn rollover() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    for (ids, ca, own) in [
        ("ids", CA.to_owned(), LEAF.to_owned()),
        ("no ids", plain(CA), plain(LEAF)),
    ] {
        let file = |name: &str| format!("{name} {ids}");
        let root = |name: &str| world.issue(&file(name), "Root", None, &ca, VALID, None);
        let (old, new) = (root("old"), root("new"));
        let leaf = world.leaf(&file("leaf"), &new, &own);
        for (name, anchors) in keyrings(&[("old", &old), ("new", &new)]) {
            let mut case = Case::new(&world, &leaf, &[], &anchors);
            ends(&mut table, &format!("{ids}: {name}"), &mut case);
        }
        // The same key again, under a new certificate: whichever a device takes will do, unless it is over.
        let same = world.issue(&file("same"), "Root", None, &ca, VALID, Some(&new.key));
        let over = world.issue(&file("over"), "Root", None, &ca, PAST, Some(&new.key));
        for (name, anchors) in keyrings(&[("new", &new), ("the same key", &same)])
            .into_iter()
            .skip(2)
        {
            table.row(
                &format!("{ids}: {name}"),
                &Case::new(&world, &leaf, &[], &anchors),
            );
        }
        for (name, anchors) in keyrings(&[("new", &new), ("an expired one", &over)])
            .into_iter()
            .skip(1)
        {
            table.row(
                &format!("{ids}: {name}"),
                &Case::new(&world, &leaf, &[], &anchors),
            );
        }
        // Another kind of key cannot have signed it.
        let rsa = world.issue(&file("rsa"), "Root", None, &ca, VALID, Some(&key_file("rsa2048")));
        for (name, anchors) in keyrings(&[("new", &new), ("one with RSA", &rsa)])
            .into_iter()
            .skip(1)
        {
            table.row(
                &format!("{ids}: {name}"),
                &Case::new(&world, &leaf, &[], &anchors),
            );
        }
    }
    table.expect(include_str!("tables/rollover.txt"));
}

/// The old root vouches for the new one, and for authorities below.
#[test]
fn crosses() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    for (ids, ca, own) in [
        ("ids", CA.to_owned(), LEAF.to_owned()),
        ("no ids", plain(CA), plain(LEAF)),
    ] {
        let file = |name: &str| format!("{name} {ids}");
        let root = |name: &str| world.issue(&file(name), "Root", None, &ca, VALID, None);
        let (old, new) = (root("old"), root("new"));
        let cross = world.issue(&file("cross"), "Root", Some(&old), &ca, VALID, Some(&new.key));
        let leaf = world.leaf(&file("leaf"), &new, &own);
        for (name, anchors) in keyrings(&[("old", &old), ("new", &new)]) {
            let mut case = Case::new(&world, &leaf, &[&cross], &anchors);
            ends(&mut table, &format!("{ids}: a cross, {name}"), &mut case);
        }
        for (name, anchors) in keyrings(&[("old", &old), ("cross", &cross)]).into_iter().skip(1) {
            let mut case = Case::new(&world, &leaf, &[], &anchors);
            ends(&mut table, &format!("{ids}: {name}"), &mut case);
        }
        // One authority below two roots of different names.
        let (a, b) = (
            world.issue(&file("a"), "A", None, &ca, VALID, None),
            world.issue(&file("b"), "B", None, &ca, VALID, None),
        );
        let by_a = world.issue(&file("by-a"), "Between", Some(&a), &ca, VALID, None);
        let by_b = world.issue(&file("by-b"), "Between", Some(&b), &ca, VALID, Some(&by_a.key));
        let below = world.leaf(&file("below"), &by_a, &own);
        let first = super::first(&by_a, &by_b);
        for (name, anchors) in [("A", vec![&a]), ("B", vec![&b]), ("A and B", vec![&a, &b])] {
            let case = Case::new(&world, &below, &[&by_a, &by_b], &anchors);
            let mut one = Table::of_chains();
            one.row("row", &case);
            // Which of the two stands first in the signature depends on their bytes.
            let good = name == "A and B" || (name == "A") == first;
            one.expect(if good { "row: good\n" } else { "row: refused\n" });
            for (from, between) in [("A", &by_a), ("B", &by_b)] {
                let case = Case::new(&world, &below, &[between], &anchors);
                table.row(&format!("{ids}: the cross of {from}, {name}"), &case);
            }
        }
    }
    table.expect(include_str!("tables/crosses.txt"));
}

/// Who is in the keyring besides roots, and what comes along anyway.
#[test]
fn partial() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    let root = world.root("Root");
    let a = world.authority("A", &root, CA);
    let b = world.authority("B", &a, CA);
    let leaf = world.leaf("Leaf", &b, LEAF);
    let over = world.issue("over", "B", Some(&a), CA, PAST, Some(&b.key));
    let server = format!("{CA}\nextendedKeyUsage=serverAuth");
    let server = world.issue("server", "B", Some(&a), &server, VALID, Some(&b.key));
    let of_server = world.leaf("Of the server", &server, LEAF);
    let parties: [(&str, &[&Party]); 8] = [
        ("the root", &[&root]),
        ("A", &[&a]),
        ("B", &[&b]),
        ("A and the root", &[&a, &root]),
        ("B and the root", &[&b, &root]),
        ("B, A and the root", &[&b, &a, &root]),
        ("the signer", &[&leaf]),
        ("the signer and B", &[&leaf, &b]),
    ];
    for (name, anchors) in parties {
        for (with, between) in [
            ("nothing", &[][..]),
            ("A", &[&a][..]),
            ("B", &[&b]),
            ("A and B", &[&a, &b]),
        ] {
            let mut case = Case::new(&world, &leaf, between, anchors);
            ends(&mut table, &format!("{name} with {with}"), &mut case);
        }
    }
    for (name, between) in [("an expired B", &over), ("a B for servers", &server)] {
        for (who, signer) in [("signer", &leaf), ("other signer", &of_server)] {
            let (between, anchors) = ([between], [signer]);
            let mut case = Case::new(&world, signer, &between, &anchors);
            ends(&mut table, &format!("the {who} with {name}"), &mut case);
        }
    }
    table.expect(include_str!("tables/partial.txt"));
}

/// A signer that is its own issuer, and another of its name.
#[test]
fn single_keys() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    for (ids, own) in [("ids", LEAF.to_owned()), ("no ids", plain(LEAF))] {
        let single = |file: &str| world.issue(&format!("{file} {ids}"), "Single", None, &own, VALID, None);
        let (one, two) = (single("one"), single("two"));
        for (name, anchors) in keyrings(&[("itself", &one), ("its twin", &two)]) {
            let mut case = Case::new(&world, &one, &[], &anchors);
            ends(&mut table, &format!("{ids}: {name}"), &mut case);
        }
    }
    table.expect(include_str!("tables/single_keys.txt"));
}

/// The same name in other letters and other types of strings is the same name.
#[test]
fn names() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    for (ids, ca, own) in [
        ("ids", CA.to_owned(), LEAF.to_owned()),
        ("no ids", plain(CA), plain(LEAF)),
    ] {
        let file = |name: &str| format!("{name} {ids}");
        let root = world.issue(&file("root"), "/O=Test Org/CN=Root 1", None, &ca, VALID, None);
        let leaf = world.leaf(&file("leaf"), &root, &own);
        let again = |name: &str, mask: &str, subject: &str| {
            let key = Some(root.key.as_path());
            world.issue_masked(&file(name), subject, &ca, key, mask)
        };
        let other = |name: &str, subject: &str| world.issue(&file(name), subject, None, &ca, VALID, None);
        for (name, party) in [
            (
                "printable",
                again("printable", "default", "/O=Test Org/CN=Root 1"),
            ),
            ("BMP", again("bmp", "MASK:0x800", "/O=Test Org/CN=Root 1")),
            ("T61", again("t61", "MASK:0x4", "/O=Test Org/CN=Root 1")),
            ("capitals", again("capitals", "utf8only", "/O=TEST ORG/CN=ROOT 1")),
            (
                "spaces",
                again("spaces", "utf8only", "/O= Test   Org /CN=Root  1 "),
            ),
            (
                "another name",
                again("another", "utf8only", "/O=Test Org/CN=Root1"),
            ),
        ] {
            table.row(
                &format!("{ids}: {name}"),
                &Case::new(&world, &leaf, &[], &[&party]),
            );
        }
        let twin = other("twin", "/O=TEST ORG/CN=root 1");
        for (name, anchors) in keyrings(&[("its root", &root), ("a twin in capitals", &twin)]) {
            table.row(
                &format!("{ids}: {name}"),
                &Case::new(&world, &leaf, &[], &anchors),
            );
        }
    }
    table.expect(include_str!("tables/names.txt"));
}
