//! Lists of revoked certificates: which one a device looks at.

use signature::{ChainEnd, Crl};

use super::chains::plain;
use super::{Table, oracles};
use crate::case::Case;
use crate::pki::{CA, LEAF, Party, VALID, World};

/// Dates of lists, one after the other.
const EARLY: (&str, &str) = ("20260101000000Z", "20390101000000Z");
const LATE: (&str, &str) = ("20260601000000Z", "20390101000000Z");

fn row(table: &mut Table, what: &str, case: &Case, lists: &[(&str, &Crl)]) {
    let mut case = Case::new(case.world, case.signer, &case.between, &case.anchors);
    case.crls = Some(lists);
    table.row(what, &case);
}

/// Two roots of one name, each with a list, which says whose it is, or does not.
#[test]
fn lists_of_two_roots() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    let (old, new) = (
        world.root("Root"),
        world.issue("new", "Root", None, CA, VALID, None),
    );
    let leaf = world.leaf("Leaf", &new, LEAF);
    let anchors = [&old, &new];
    let case = Case::new(&world, &leaf, &[], &anchors);
    for (ids, section) in [("ids", Some("v2")), ("no ids", None)] {
        let list = |name: &str, issuer: &Party, revoked: &[&Party], dates| {
            let file = format!("{name}-{ids}");
            (file.clone(), world.crl(&file, issuer, revoked, section, dates))
        };
        let old_early = list("old-early", &old, &[], EARLY);
        let old_late = list("old-late", &old, &[], LATE);
        let new_early = list("new-early", &new, &[], EARLY);
        let new_late = list("new-late", &new, &[], LATE);
        let bad_early = list("bad-early", &new, &[&leaf], EARLY);
        let bad_late = list("bad-late", &new, &[&leaf], LATE);
        let over = list("over", &old, &[], ("20200101000000Z", "20210101000000Z"));
        for lists in [
            vec![&new_early],
            vec![&old_early],
            vec![&old_early, &new_late],
            vec![&old_late, &new_early],
            vec![&old_late, &new_late],
            vec![&new_late, &old_late],
            vec![&over, &new_early],
            vec![&new_early, &bad_late],
            vec![&bad_early, &new_late],
            vec![&bad_late, &new_late],
            vec![&new_late, &bad_late],
            vec![&old_late, &bad_early],
        ] {
            let names: Vec<&str> = lists.iter().map(|(name, _)| name.as_str()).collect();
            let lists: Vec<(&str, &Crl)> = lists.iter().map(|(name, list)| (name.as_str(), list)).collect();
            row(&mut table, &names.join(", "), &case, &lists);
        }
    }
    table.expect(include_str!("tables/lists_of_two_roots.txt"));
}

/// What lists say besides: each alone, and beside an older one that is plain.
#[test]
fn odd_lists() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    let root = world.root("Root");
    let other = world.issue("other", "Root", None, CA, VALID, None);
    let leaf = world.leaf("Leaf", &root, LEAF);
    let anchors = [&root];
    let case = Case::new(&world, &leaf, &[], &anchors);
    let early = world.crl("early", &root, &[], Some("v2"), EARLY);
    for section in [
        "v2",
        "critical-key",
        "serial-key",
        "critical-number",
        "critical-alt",
        "critical-odd",
        "idp",
        "idp-quiet",
        "idp-ca",
        "idp-attributes",
        "idp-indirect",
        "idp-reasons",
        "idp-name",
        "delta",
        "delta-critical",
        "freshest",
    ] {
        for (what, revoked) in [("", &[][..]), (", revoked", &[&leaf][..])] {
            let file = format!("{section}{}", revoked.len());
            let list = world.crl(&file, &root, revoked, Some(section), LATE);
            let lists = [(file.as_str(), &list)];
            row(&mut table, &format!("{section}{what}"), &case, &lists);
            let lists = [("early", &early), (file.as_str(), &list)];
            row(
                &mut table,
                &format!("{section}{what}, and an older one"),
                &case,
                &lists,
            );
        }
    }
    for section in ["v2", "idp", "critical-number"] {
        let foreign = world.crl("foreign", &other, &[], Some(section), LATE);
        let lists = [("early", &early), ("foreign", &foreign)];
        row(&mut table, &format!("{section} by another key"), &case, &lists);
    }
    // Why one was revoked.
    for reason in ["keyCompromise", "certificateHold", "removeFromCRL"] {
        let list = world.crl_for(reason, &root, &leaf, reason);
        let lists = [(reason, &list)];
        row(&mut table, reason, &case, &lists);
    }
    table.expect(include_str!("tables/odd_lists.txt"));
}

/// A list of every issuer is needed, and there is nobody to ask for that of a partial chain's end.
#[test]
fn lists_of_chains() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    let root = world.root("Root");
    let between = world.authority("Between", &root, CA);
    let leaf = world.leaf("Leaf", &between, LEAF);
    let by_root = world.crl("by-root", &root, &[], Some("v2"), VALID);
    let by_between = world.crl("by-between", &between, &[], Some("v2"), VALID);
    let old_root = world.crl("old-root", &root, &[], None, VALID);
    let all: [(&str, &[(&str, &Crl)]); 4] = [
        (
            "both lists",
            &[("by-root", &by_root), ("by-between", &by_between)],
        ),
        ("the issuer's list", &[("by-between", &by_between)]),
        ("the root's list", &[("by-root", &by_root)]),
        (
            "both lists of version 1",
            &[("old-root", &old_root), ("by-between", &by_between)],
        ),
    ];
    let keyrings: [(&str, &[&Party]); 5] = [
        ("the root", &[&root]),
        ("the issuer", &[&between]),
        ("the issuer and the root", &[&between, &root]),
        ("the signer", &[&leaf]),
        ("the signer and the root", &[&leaf, &root]),
    ];
    for (name, lists) in all {
        for (keyring, anchors) in keyrings {
            for (ends, end) in [("", ChainEnd::Root), (", partial", ChainEnd::Partial)] {
                let between = [&between];
                let mut case = Case::new(&world, &leaf, &between, anchors);
                (case.crls, case.end) = (Some(lists), end);
                table.row(&format!("{keyring}, {name}{ends}"), &case);
            }
        }
    }
    // An authority that was renewed with its key, and one that vouches for itself by another's word.
    let cross = world.issue(
        "cross",
        "Between",
        Some(&root),
        &plain(CA),
        VALID,
        Some(&between.key),
    );
    let between = [&cross];
    let anchors = [&cross];
    let mut case = Case::new(&world, &leaf, &between, &anchors);
    (case.crls, case.end) = (Some(all[0].1), ChainEnd::Partial);
    table.row("another certificate of the issuer, partial", &case);
    // Points that share out the reasons.
    let points =
        "crlDistributionPoints=point\n[point]\nfullname=URI:http://a.example/\nreasons=keyCompromise";
    let split = world.leaf("Split", &root, &format!("{LEAF}\n{points}"));
    let lists = [("by-root", &by_root)];
    let anchors = [&root];
    let mut case = Case::new(&world, &split, &[], &anchors);
    table.row("reasons, without lists", &case);
    case.crls = Some(&lists);
    table.row("reasons", &case);
    table.expect(include_str!("tables/lists_of_chains.txt"));
}
