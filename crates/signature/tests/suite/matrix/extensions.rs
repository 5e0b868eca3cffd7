//! Extensions of certificates: what a device obeys, refuses, or lets pass.

use signature::Purpose;

use super::{Table, oracles};
use crate::case::Case;
use crate::pki::{CA, LEAF, VALID, World, key_file};

/// Extensions by their numbers and their DER, so that openssl writes them whatever they say.
const ODD: [(&str, &str); 34] = [
    ("a critical subject key", "subjectKeyIdentifier=critical,hash"),
    (
        "a critical authority key",
        "authorityKeyIdentifier=critical,keyid",
    ),
    (
        "a critical issuer's other name",
        "issuerAltName=critical,email:a@b.example",
    ),
    ("an issuer's other name", "issuerAltName=email:a@b.example"),
    (
        "a critical subject's other name",
        "subjectAltName=critical,email:a@b.example",
    ),
    ("a subject's other name that is none", "2.5.29.17=DER:0500"),
    ("no subject's other name", "2.5.29.17=DER:3000"),
    ("an unknown extension", "1.2.3.4=ASN1:UTF8String:x"),
    (
        "a critical unknown extension",
        "1.2.3.4=critical,ASN1:UTF8String:x",
    ),
    ("a proxy", "1.3.6.1.5.5.7.1.14=DER:300c300a06082b06010505071501"),
    ("a proxy that is none", "1.3.6.1.5.5.7.1.14=DER:0500"),
    ("addresses", "sbgp-ipAddrBlock=IPv4:10.0.0.0/8"),
    ("critical addresses", "sbgp-ipAddrBlock=critical,IPv4:10.0.0.0/8"),
    ("numbers of systems", "sbgp-autonomousSysNum=AS:1"),
    ("no usage", "2.5.29.15=DER:03020700"),
    ("no usage at all", "2.5.29.15=DER:030100"),
    ("a usage that is none", "2.5.29.15=DER:0500"),
    ("a usage of many bits", "2.5.29.15=DER:0304007fffff"),
    ("decipherOnly", "2.5.29.15=DER:0303078480"),
    ("an empty list of purposes", "2.5.29.37=DER:3000"),
    ("purposes that are none", "2.5.29.37=DER:0500"),
    ("points for lists", "crlDistributionPoints=URI:http://a.example/"),
    (
        "critical points for lists",
        "crlDistributionPoints=critical,URI:http://a.example/",
    ),
    ("points for lists that are none", "2.5.29.31=DER:0500"),
    ("a point that is nowhere", "2.5.29.31=DER:30023000"),
    ("policies", "certificatePolicies=critical,1.2.3.4"),
    ("policies that are none", "2.5.29.32=DER:0500"),
    (
        "constraints on policies",
        "policyConstraints=critical,requireExplicitPolicy:0",
    ),
    ("no policy", "inhibitAnyPolicy=critical,0"),
    ("mapped policies", "policyMappings=critical,1.2.3.4:1.2.3.5"),
    ("constrained names", "nameConstraints=permitted;email:example.org"),
    ("a newest list", "freshestCRL=URI:http://a.example/"),
    ("no OCSP", "noCheck=ignored"),
    ("a critical must-staple", "tlsfeature=critical,status_request"),
];

/// What basic constraints may look like.
const CONSTRAINTS: [(&str, &str); 8] = [
    ("no limit", "30030101ff"),
    ("a limit of 0", "30060101ff020100"),
    ("a limit of 300", "30080101ff0202012c"),
    ("a limit below 0", "30060101ff0201ff"),
    ("no authority", "3000"),
    ("no authority, said so", "3003010100"),
    ("no authority, and a limit", "3003020100"),
    ("none", "0500"),
];

/// Some extensions of a certificate, and another, which takes the place of one of its kind.
fn with(extensions: &str, odd: &str) -> String {
    let kind = |line: &str| match line.split('=').next().unwrap() {
        "2.5.29.15" => "keyUsage".to_owned(),
        "2.5.29.37" => "extendedKeyUsage".to_owned(),
        "2.5.29.19" => "basicConstraints".to_owned(),
        other => other.to_owned(),
    };
    let others = extensions.lines().filter(|line| kind(line) != kind(odd));
    others.chain([odd]).collect::<Vec<_>>().join("\n")
}

#[test]
fn odd_extensions() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_purposes();
    let root = world.root("Root");
    for (index, (name, odd)) in ODD.into_iter().enumerate() {
        let file = format!("l{index}");
        let own = with(LEAF, odd);
        let leaf = world.issue(&file, &file, Some(&root), &own, VALID, Some(&key_file("p256")));
        table.row(
            &format!("signer: {name}"),
            &Case::new(&world, &leaf, &[], &[&root]),
        );
    }
    table.purposes = vec![Purpose::SmimeSign];
    for (index, (name, odd)) in ODD.into_iter().enumerate() {
        let file = format!("a{index}");
        let between = world.authority(&file, &root, &with(CA, odd));
        let leaf = world.leaf(&format!("b{index}"), &between, LEAF);
        let mut case = Case::new(&world, &leaf, &[&between], &[&root]);
        table.row(&format!("issuer: {name}"), &case);
        if name.starts_with("a critical") || name.contains("none") {
            let anchor = world.issue(&format!("r{index}"), &file, None, &with(CA, odd), VALID, None);
            let below = world.leaf(&format!("c{index}"), &anchor, LEAF);
            let anchors = [&anchor];
            case = Case::new(&world, &below, &[], &anchors);
            table.row(&format!("root: {name}"), &case);
        }
    }
    table.expect(include_str!("tables/odd_extensions.txt"));
}

#[test]
fn basic_constraints() {
    if !oracles() {
        return;
    }
    let world = World::new();
    let mut table = Table::of_chains();
    let root = world.root("Root");
    for (index, (name, der)) in CONSTRAINTS.into_iter().enumerate() {
        let odd = format!("2.5.29.19=critical,DER:{der}");
        let leaf = world.leaf(&format!("l{index}"), &root, &with(LEAF, &odd));
        table.row(
            &format!("signer: {name}"),
            &Case::new(&world, &leaf, &[], &[&root]),
        );
        let between = world.authority(&format!("a{index}"), &root, &with(CA, &odd));
        let leaf = world.leaf(&format!("b{index}"), &between, LEAF);
        let case = Case::new(&world, &leaf, &[&between], &[&root]);
        table.row(&format!("issuer: {name}"), &case);
        let first = world.authority(&format!("c{index}"), &between, CA);
        let leaf = world.leaf(&format!("d{index}"), &first, LEAF);
        let case = Case::new(&world, &leaf, &[&first, &between], &[&root]);
        table.row(&format!("issuer of an issuer: {name}"), &case);
        let anchor = world.issue(&format!("r{index}"), name, None, &with(CA, &odd), VALID, None);
        let leaf = world.leaf(&format!("e{index}"), &anchor, LEAF);
        table.row(
            &format!("root: {name}"),
            &Case::new(&world, &leaf, &[], &[&anchor]),
        );
    }
    table.expect(include_str!("tables/basic_constraints.txt"));
}
