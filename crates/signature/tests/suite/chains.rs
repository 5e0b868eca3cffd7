//! Which chains are trusted.

use signature::{ChainEnd, Error, Purpose, Trust, sign, verify};

use crate::case::{CONTENT, Case, OK, all};
use crate::oracle::installed;
use crate::pki::{CA, LEAF, Party, VALID, World, key_file, now};

const PURPOSE: &str = "WrongPurpose";

#[test]
fn purposes() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let cases = [
        ("nothing", "", [OK, PURPOSE, OK]),
        ("email", "extendedKeyUsage=emailProtection", [OK, PURPOSE, OK]),
        ("code", "extendedKeyUsage=codeSigning", [PURPOSE, OK, OK]),
        (
            "both",
            "extendedKeyUsage=codeSigning,emailProtection",
            [OK, OK, OK],
        ),
        (
            "critical both",
            "extendedKeyUsage=critical,codeSigning,emailProtection",
            [OK, OK, OK],
        ),
        (
            "any purpose",
            "extendedKeyUsage=anyExtendedKeyUsage",
            [PURPOSE, PURPOSE, OK],
        ),
        ("server", "extendedKeyUsage=serverAuth", [PURPOSE, PURPOSE, OK]),
        (
            "encipherment",
            "keyUsage=keyEncipherment\nextendedKeyUsage=codeSigning,emailProtection",
            [PURPOSE, PURPOSE, OK],
        ),
        (
            "non-repudiation",
            "keyUsage=nonRepudiation\nextendedKeyUsage=codeSigning,emailProtection",
            [OK, PURPOSE, OK],
        ),
        (
            "digital signature",
            "keyUsage=digitalSignature\nextendedKeyUsage=codeSigning,emailProtection",
            [OK, OK, OK],
        ),
        ("an authority", CA, [PURPOSE, PURPOSE, OK]),
        (
            "an authority without usage",
            "basicConstraints=CA:TRUE",
            [OK, PURPOSE, OK],
        ),
        ("Netscape server", "nsCertType=server", [PURPOSE, PURPOSE, OK]),
        ("Netscape email", "nsCertType=email", [OK, PURPOSE, OK]),
        ("Netscape client", "nsCertType=client", [OK, PURPOSE, OK]),
        ("Netscape code", "nsCertType=objsign", [PURPOSE, PURPOSE, OK]),
        (
            "other names",
            "subjectAltName=critical,email:a@b.example",
            [OK, PURPOSE, OK],
        ),
    ];
    for (index, (name, extensions, verdicts)) in cases.into_iter().enumerate() {
        let leaf = world.issue(
            &format!("l{index}"),
            name,
            Some(&root),
            extensions,
            VALID,
            Some(&key_file("p256")),
        );
        Case::new(&world, &leaf, &[], &[&root]).expect(name, verdicts);
    }
    for (name, purposes, verdicts) in [
        ("Email", "emailProtection", [OK, PURPOSE, OK]),
        ("Code", "codeSigning", [PURPOSE, OK, OK]),
        ("Both", "codeSigning,emailProtection", [OK, OK, OK]),
        ("Server", "serverAuth", [PURPOSE, PURPOSE, OK]),
    ] {
        let authority = world.authority(name, &root, &format!("{CA}\nextendedKeyUsage={purposes}"));
        let leaf = world.leaf(&format!("below {name}"), &authority, LEAF);
        Case::new(&world, &leaf, &[&authority], &[&root]).expect(name, verdicts);
    }
}

#[test]
fn validity() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let short = ("20270101000000Z", "20270201000000Z");
    let leaf = world.issue("leaf", "Leaf", Some(&root), LEAF, short, Some(&key_file("p256")));
    let between = world.issue("between", "Between", Some(&root), CA, short, None);
    let below = world.leaf("below", &between, LEAF);
    for (time, verdict) in [
        ("2026-12-31T23:59:59Z", "NotYetValid"),
        ("2027-01-01", OK),
        ("2027-01-31T23:59:59Z", OK),
        ("2027-02-01", "Expired"),
        ("2027-02-01T00:00:01Z", "Expired"),
    ] {
        let mut case = Case::new(&world, &leaf, &[], &[&root]);
        case.at = time.parse().unwrap();
        case.expect(&format!("a signer at {time}"), all(verdict));
        let between = [&between];
        let mut case = Case::new(&world, &below, &between, &[&root]);
        case.at = time.parse().unwrap();
        case.expect(&format!("an issuer at {time}"), all(verdict));
    }
    let mut case = Case::new(&world, &leaf, &[], &[&root]);
    case.at = "2040-01-01".parse().unwrap();
    case.expect("all of them", all("Expired"));
    // As of signing, it is good for ever.
    let trust = Trust {
        anchors: vec![root.certificate()],
        ..Trust::default()
    };
    assert!(verify(&case.signature(), &trust).is_ok());
}

#[test]
fn issuers() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let other = world.root("Other");
    let twin = world.issue("twin", "Root", None, CA, VALID, None);
    let leaf = world.leaf("Leaf", &root, LEAF);
    Case::new(&world, &leaf, &[], &[&root]).expect("a root", all(OK));
    Case::new(&world, &leaf, &[], &[]).expect("nobody", all("IssuerMissing"));
    Case::new(&world, &leaf, &[&root], &[&other]).expect("an untrusted root", all("RootUntrusted"));
    Case::new(&world, &leaf, &[], &[&other]).expect("another root", all("IssuerMissing"));
    Case::new(&world, &leaf, &[], &[&twin]).expect("a root of the same name", all("IssuerMissing"));
    Case::new(&world, &leaf, &[], &[&twin, &other, &root]).expect("several roots", all(OK));
    Case::new(&world, &leaf, &[&other, &twin], &[&root]).expect("certificates of others", all(OK));
    // Without key identifiers, only the signature tells twins apart.
    let plain = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none";
    let first = world.issue("first", "Plain", None, plain, VALID, None);
    let second = world.issue("second", "Plain", None, plain, VALID, None);
    let below = world.leaf(
        "Below",
        &first,
        "extendedKeyUsage=codeSigning,emailProtection\nauthorityKeyIdentifier=none",
    );
    Case::new(&world, &below, &[], &[&first]).expect("a plain root", all(OK));
    Case::new(&world, &below, &[], &[&second]).expect("its twin", all("BadCertificateSignature"));
    let mut case = Case::new(&world, &below, &[&second], &[&first]);
    case.expect("both", all(OK));
    case.anchors = vec![];
    case.end = ChainEnd::Partial;
    case.expect("no anchors", all("RootUntrusted"));
}

#[test]
fn authorities() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let mut count = 0;
    let mut below = |extensions: &str| {
        count += 1;
        let authority = world.authority(&format!("A{count}"), &root, extensions);
        // An issuer without a key identifier cannot be named by it.
        let own = LEAF.replace("authorityKeyIdentifier=keyid", "");
        let own = if extensions.is_empty() { &own } else { LEAF };
        let leaf = world.leaf(&format!("L{count}"), &authority, own);
        (authority, leaf)
    };
    let ids = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";
    for (what, extensions, verdict) in [
        ("no CA", format!("basicConstraints=CA:FALSE\n{ids}"), "BadIssuer"),
        (
            "no constraints",
            format!("keyUsage=keyCertSign\n{ids}"),
            "BadIssuer",
        ),
        ("no extensions", String::new(), "BadIssuer"),
        (
            "CA that may not",
            format!("basicConstraints=CA:TRUE\nkeyUsage=cRLSign,digitalSignature\n{ids}"),
            "BadIssuer",
        ),
        ("CA without usage", format!("basicConstraints=CA:TRUE\n{ids}"), OK),
        (
            "limit of 0",
            format!("basicConstraints=critical,CA:TRUE,pathlen:0\n{ids}"),
            OK,
        ),
        (
            "unknown critical extension",
            format!("{CA}\n1.2.3.4=critical,ASN1:UTF8String:x"),
            "CertificateNotAccepted",
        ),
        (
            "unknown extension",
            format!("{CA}\n1.2.3.4=ASN1:UTF8String:x"),
            OK,
        ),
    ] {
        let (authority, leaf) = below(&extensions);
        Case::new(&world, &leaf, &[&authority], &[&root]).expect(what, all(verdict));
        if verdict == OK {
            Case::new(&world, &leaf, &[], &[&root]).expect("a missing one", all("IssuerMissing"));
        }
    }
    let (authority, leaf) = below(&format!("{CA}\nnameConstraints=permitted;email:example.org"));
    Case::new(&world, &leaf, &[&authority], &[&root])
        .expect_stricter("constrained names", "CertificateNotAccepted");
    let leaf = world.leaf(
        "Critical",
        &root,
        &format!("{LEAF}\n1.2.3.4=critical,ASN1:UTF8String:x"),
    );
    Case::new(&world, &leaf, &[], &[&root]).expect("a critical extension", all("CertificateNotAccepted"));
}

#[test]
fn lengths_of_paths() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let limited = |limit: u8| {
        format!("{CA}\nbasicConstraints=critical,CA:TRUE,pathlen:{limit}")
            .replace("basicConstraints=critical,CA:TRUE\n", "")
    };
    let root = world.issue("root", "Root", None, &limited(1), VALID, None);
    let first = world.authority("First", &root, &limited(1));
    let second = world.authority("Second", &first, &limited(0));
    let third = world.authority("Third", &second, CA);
    let leaf = world.leaf("Leaf 1", &first, LEAF);
    Case::new(&world, &leaf, &[&first], &[&root]).expect("one of one", all(OK));
    let leaf = world.leaf("Leaf 2", &second, LEAF);
    Case::new(&world, &leaf, &[&first, &second], &[&root]).expect("two of one", all("BadIssuer"));
    let leaf = world.leaf("Leaf 3", &third, LEAF);
    let mut case = Case::new(&world, &leaf, &[&third, &second], &[&second]);
    case.end = ChainEnd::Partial;
    case.expect("one of none", all("BadIssuer"));
    // Who signs is not counted, CA or not.
    let leaf = world.leaf(
        "CA leaf",
        &second,
        &format!("{LEAF}\nbasicConstraints=CA:TRUE").replace("basicConstraints=CA:FALSE\n", ""),
    );
    let mut case = Case::new(&world, &leaf, &[], &[&second]);
    case.end = ChainEnd::Partial;
    case.expect("none of none", all(OK));
}

#[test]
fn long_chains_end() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let mut authorities = vec![world.authority("A0", &root, CA)];
    for index in 1..9 {
        let issuer = authorities.last().unwrap().clone();
        authorities.push(world.authority(&format!("A{index}"), &issuer, CA));
    }
    let verdict = |count: usize| {
        let leaf = world.leaf(&format!("L{count}"), &authorities[count - 1], LEAF);
        let between: Vec<&Party> = authorities[..count].iter().rev().collect();
        Case::new(&world, &leaf, &between, &[&root]).ours(Purpose::Any)
    };
    assert_eq!(verdict(8).unwrap().chain.len(), 10);
    assert!(matches!(verdict(9), Err(Error::IssuerMissing { .. })));
}

#[test]
fn ends_of_chains() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let between = world.authority("Between", &root, CA);
    let leaf = world.leaf("Leaf", &between, LEAF);
    let (own, issuer) = ([&leaf], [&between]);
    let mut case = Case::new(&world, &leaf, &issuer, &issuer);
    case.expect("an authority", all("IssuerNotInKeyring"));
    case.end = ChainEnd::Partial;
    case.expect("an authority, partial", all(OK));
    case.between = vec![];
    case.expect("an authority, partial and absent", all(OK));
    case.anchors = own.to_vec();
    case.expect("the signer, partial", all(OK));
    case.end = ChainEnd::Root;
    case.expect("the signer", all("IssuerMissing"));
    // RAUC's manual calls this a single key: `openssl req -x509` makes it an authority.
    let single =
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\nbasicConstraints=critical,CA:TRUE";
    let single = world.issue("single", "Single", None, single, VALID, None);
    let anchors = [&single];
    let mut case = Case::new(&world, &single, &[], &anchors);
    case.expect("a single key", [OK, PURPOSE, OK]);
    case.anchors = vec![];
    case.expect("an unknown single key", all("RootUntrusted"));
    let single = world.issue("single2", "Single 2", None, LEAF, VALID, None);
    Case::new(&world, &single, &[], &[&single]).expect("a single key for signing", all(OK));
}

#[test]
fn a_renewed_root() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let old = world.root("Root");
    let new = world.issue("new", "Root", None, CA, VALID, None);
    let cross = world.issue("cross", "Root", Some(&old), CA, VALID, Some(&new.key));
    let leaf = world.leaf("Leaf", &new, LEAF);
    let between = [&cross];
    Case::new(&world, &leaf, &between, &[&old]).expect("the old root", all(OK));
    Case::new(&world, &leaf, &between, &[&new]).expect("the new root", all(OK));
    Case::new(&world, &leaf, &[], &[&old]).expect("the old root alone", all("IssuerMissing"));
    let chain = Case::new(&world, &leaf, &between, &[&old])
        .ours(Purpose::Any)
        .unwrap()
        .chain;
    assert_eq!(
        chain,
        [leaf.certificate(), cross.certificate(), old.certificate()]
    );
}

#[test]
fn a_renewed_root_is_not_counted() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let limited = CA.replace("CA:TRUE", "CA:TRUE,pathlen:0");
    let old = world.issue("old", "Root", None, &limited, VALID, None);
    let cross = world.issue("cross", "Root", Some(&old), CA, VALID, None);
    let leaf = world.leaf("Leaf", &cross, LEAF);
    Case::new(&world, &leaf, &[&cross], &[&old]).expect("its old key", all(OK));
    let other = world.authority("Other", &old, CA);
    let leaf = world.leaf("Leaf 2", &other, LEAF);
    Case::new(&world, &leaf, &[&other], &[&old]).expect("another name", all("BadIssuer"));
}

#[test]
fn weak_authorities() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    for (name, args) in [
        ("rsa1024", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
        (
            "exponent3",
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
        ),
        ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    ] {
        let key = world.text(name);
        let mut line = vec!["genpkey", "-out", &key];
        line.extend(args.split(' '));
        crate::pki::openssl(&line);
        let root = world.issue(name, name, None, CA, VALID, Some(key.as_ref()));
        let leaf = world.leaf(&format!("below {name}"), &root, LEAF);
        Case::new(&world, &leaf, &[], &[&root]).expect_stricter(name, "CertificateNotAccepted");
    }
    let plain = world.issue(
        "plain",
        "Plain",
        None,
        "subjectKeyIdentifier=hash\nkeyUsage=keyCertSign",
        VALID,
        None,
    );
    let leaf = world.leaf("below plain", &plain, LEAF);
    Case::new(&world, &leaf, &[], &[&plain]).expect_stricter("a root that does not say CA", "BadIssuer");
}

#[test]
fn allowed_signers() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let verdict = |name: &str, allowed: &[&str]| {
        let leaf = world.issue("leaf", name, Some(&root), LEAF, VALID, Some(&key_file("p256")));
        let der = sign(CONTENT, &leaf.identity(&[]), &leaf.key(), Some(now())).unwrap();
        let trust = Trust {
            anchors: vec![root.certificate()],
            allowed_signers: allowed.iter().map(|name| (*name).to_owned()).collect(),
            ..Trust::default()
        };
        verify(&der, &trust)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(verdict("Alice", &[]), Ok(()));
    assert_eq!(verdict("Alice", &["Bob", "Alice"]), Ok(()));
    assert_eq!(
        verdict("Alice", &["alice", "Bob"]).unwrap_err(),
        "Alice is none of the allowed signers: alice, Bob"
    );
    assert!(verdict("/O=Alice", &["Alice"]).is_err(), "no common name");
    assert!(
        verdict("/CN=Alice/CN=Mallory", &["Alice"]).is_err(),
        "two common names"
    );
    assert!(
        verdict("/CN=Mallory/CN=Alice", &["Alice"]).is_err(),
        "two common names"
    );
    assert_eq!(verdict("Bj\u{f6}rk", &["Bj\u{f6}rk"]), Ok(()));
    // RAUC compares bytes: those of another type of string are others.
    let latin = world.issue_masked("latin", "Bj\u{f6}rk", LEAF, Some(&key_file("p256")), "MASK:0x4");
    let der = sign(CONTENT, &latin.identity(&[]), &latin.key(), Some(now())).unwrap();
    let trust = Trust {
        anchors: vec![latin.certificate()],
        allowed_signers: vec!["Bj\u{f6}rk".to_owned()],
        ..Trust::default()
    };
    assert!(matches!(
        verify(&der, &trust),
        Err(Error::SignerNotAllowed { .. })
    ));
}
