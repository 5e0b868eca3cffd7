//! Lists of revoked certificates.

use signature::{Crl, Purpose};

use crate::case::{Case, OK, all};
use crate::pki::{CA, LEAF, VALID, World, installed};

#[test]
fn revoked_certificates() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let between = world.authority("Between", &root, CA);
    let leaf = world.leaf("Leaf", &between, LEAF);
    let twin = world.issue(
        "twin",
        "Root",
        None,
        CA.replace("authorityKeyIdentifier=keyid", "").as_str(),
        VALID,
        None,
    );
    for section in [None, Some("v2")] {
        let by_root = world.crl("by-root", &root, &[], section, VALID);
        let by_between = world.crl("by-between", &between, &[], section, VALID);
        let bad_leaf = world.crl("bad-leaf", &between, &[&leaf], section, VALID);
        let bad_between = world.crl("bad-between", &root, &[&between], section, VALID);
        let old = world.crl(
            "old",
            &between,
            &[],
            section,
            ("20200101000000Z", "20261231000000Z"),
        );
        let early = world.crl(
            "early",
            &between,
            &[],
            section,
            ("20280101000000Z", "20300101000000Z"),
        );
        let by_twin = world.crl("by-twin", &twin, &[], section, VALID);
        let (root_ok, between_ok) = (("by-root", &by_root), ("by-between", &by_between));
        let issuers = [&between];
        let check = |what: &str, crls: &[(&str, &Crl)], verdict: &str| {
            let anchors = [&root];
            let mut case = Case::new(&world, &leaf, &issuers, &anchors);
            case.crls = Some(crls);
            case.expect(&format!("{what}, {section:?}"), all(verdict));
        };
        let unknown = "RevocationUnknown";
        check("none revoked", &[root_ok, between_ok], OK);
        check("signer revoked", &[root_ok, ("bad-leaf", &bad_leaf)], "Revoked");
        check(
            "authority revoked",
            &[between_ok, ("bad-between", &bad_between)],
            "Revoked",
        );
        check("no lists", &[], unknown);
        check("no list of the authority", &[root_ok], unknown);
        check("no list of the root", &[between_ok], unknown);
        check("an old list", &[root_ok, ("old", &old)], unknown);
        check("an early list", &[root_ok, ("early", &early)], unknown);
        check("a list by another", &[between_ok, ("by-twin", &by_twin)], unknown);
        check(
            "old and new lists",
            &[root_ok, between_ok, ("old", &old), ("early", &early)],
            OK,
        );
    }
    // Newer lists count: a certificate on hold can be released.
    let newer = ("20260101000000Z", "20400101000000Z");
    let bad = world.crl("bad", &between, &[&leaf], Some("v2"), newer);
    let by_root = world.crl("by-root", &root, &[], None, VALID);
    let good = world.crl("good", &between, &[], None, VALID);
    let (issuers, anchors) = ([&between], [&root]);
    let (root_ok, good, bad) = (("by-root", &by_root), ("good", &good), ("bad", &bad));
    for lists in [[root_ok, good, bad], [root_ok, bad, good]] {
        let mut case = Case::new(&world, &leaf, &issuers, &anchors);
        case.crls = Some(&lists);
        case.expect("a newer list", all("Revoked"));
    }
    // A list for some of the certificates says nothing about the others.
    let part = world.crl("part", &between, &[], Some("idp"), VALID);
    let lists = [("by-root", &by_root), ("part", &part)];
    let mut case = Case::new(&world, &leaf, &issuers, &anchors);
    case.crls = Some(&lists);
    case.expect_ours("a list for users", Purpose::Any, "RevocationUnknown");
    assert_eq!(part.issuer(), "O = Test, CN = Between");
    assert_eq!(
        (part.this_update(), part.next_update().unwrap()),
        (VALID_TIMES.0.parse().unwrap(), VALID_TIMES.1.parse().unwrap())
    );
}

const VALID_TIMES: (&str, &str) = ("2020-01-01", "2040-01-01");

#[test]
fn who_may_not_issue_lists() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let between = world.authority("Between", &root, &CA.replace(",cRLSign", ""));
    let leaf = world.leaf("Leaf", &between, LEAF);
    let by_root = world.crl("by-root", &root, &[], None, VALID);
    let by_between = world.crl("by-between", &between, &[], None, VALID);
    let (issuers, anchors) = ([&between], [&root]);
    let mut case = Case::new(&world, &leaf, &issuers, &anchors);
    let lists = [("by-root", &by_root), ("by-between", &by_between)];
    case.crls = Some(&lists);
    case.expect("a list without the right", all("RevocationUnknown"));
}
