//! Lists of revoked certificates.

use signature::{Crl, Purpose};

use crate::case::{Case, OK, all};
use crate::oracle::installed;
use crate::pki::{CA, LEAF, Party, VALID, World};

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
    // A list for some of the certificates says nothing about the others, nor does one of changes.
    for section in ["idp", "idp-quiet", "delta", "delta-critical"] {
        let part = world.crl("part", &between, &[], Some(section), VALID);
        let lists = [("by-root", &by_root), ("part", &part)];
        let mut case = Case::new(&world, &leaf, &issuers, &anchors);
        case.crls = Some(&lists);
        case.expect_ours(section, Purpose::Any, "RevocationUnknown");
    }
    let part = world.crl("part", &between, &[], Some("idp"), VALID);
    assert_eq!(part.issuer(), "O = Test, CN = Between");
    assert_eq!(
        (part.this_update(), part.next_update().unwrap()),
        (VALID_TIMES.0.parse().unwrap(), VALID_TIMES.1.parse().unwrap())
    );
}

const VALID_TIMES: (&str, &str) = ("2020-01-01", "2040-01-01");

#[test]
fn revocations_count_whatever_the_dates() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let leaf = world.leaf("Leaf", &root, LEAF);
    let twin = world.issue("twin", "Root", None, CA, VALID, None);
    let list = |file: &str, revoked: &[&Party], dates| world.crl(file, &root, revoked, None, dates);
    let past = ("20240101000000Z", "20250101000000Z");
    let present = ("20260101000000Z", "20300101000000Z");
    let future = ("20280101000000Z", "20320101000000Z");
    let bad_past = list("bad-past", &[&leaf], past);
    let bad_present = list("bad-present", &[&leaf], present);
    let bad_future = list("bad-future", &[&leaf], future);
    let good_present = list("good-present", &[], present);
    let good_future = list("good-future", &[], future);
    let good_before = list("good-before", &[], ("20230101000000Z", "20300101000000Z"));
    let (bad_past, bad_present) = (("bad-past", &bad_past), ("bad-present", &bad_present));
    let (bad_future, good_present) = (("bad-future", &bad_future), ("good-present", &good_present));
    let (good_future, good_before) = (("good-future", &good_future), ("good-before", &good_before));
    let foreign = world.crl("foreign", &twin, &[&leaf], None, present);
    let foreign = ("foreign", &foreign);
    for (what, lists, verdict) in [
        ("a later list", [good_present, bad_future], "Revoked"),
        ("lists of one time", [good_present, bad_present], "Revoked"),
        (
            "an old list, newer than the one that counts",
            [good_before, bad_past],
            "Revoked",
        ),
        ("an old list alone", [bad_past, bad_past], "Revoked"),
        ("a later list alone", [bad_future, bad_future], "Revoked"),
        (
            "a release that is not valid yet",
            [bad_present, good_future],
            "Revoked",
        ),
        ("a release", [good_present, bad_past], OK),
        // A device looks at one of them, before it looks at who has signed it.
        (
            "a list by another key",
            [good_present, foreign],
            "RevocationUnknown",
        ),
    ] {
        let (first, second) = (lists[0], lists[1]);
        for lists in [[first, second], [second, first]] {
            let anchors = [&root];
            let mut case = Case::new(&world, &leaf, &[], &anchors);
            case.crls = Some(&lists);
            case.expect_ours(what, Purpose::Any, verdict);
        }
    }
    // OpenSSL takes the list that is valid.
    let (lists, anchors) = ([good_present, bad_future], [&root]);
    let mut case = Case::new(&world, &leaf, &[], &anchors);
    case.crls = Some(&lists);
    case.expect_stricter("a later list", "Revoked");
}

#[test]
fn files_without_lists_are_told_apart() {
    let pem = std::fs::read(crate::pki::key_file("p256").with_extension("pem")).unwrap();
    assert!(Crl::read_pem_or_der(&pem, "keyring").unwrap().is_empty());
    assert_eq!(
        Crl::read_some(&pem, "keyring").unwrap_err().to_string(),
        "keyring: holds no list of revoked certificates"
    );
}

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
