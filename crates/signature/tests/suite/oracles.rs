//! What openssl says of our signatures, and what we say of its.

use signature::{Certificate, Error, Purpose, Time, Trust, read, sign, verify};

use crate::oracle::installed;
use crate::pki::{CA, KINDS, LEAF, Party, VALID, World, key_file, now, openssl};

const CONTENT: &[u8] = b"[update]\ncompatible=test\n\r\n\0binary";

/// A root, up to two authorities below it, and a signer of some kind.
fn chain(world: &World, kind: &str, between: usize) -> (Party, Vec<Party>, Party) {
    let root = world.root("Root");
    let mut authorities: Vec<Party> = Vec::new();
    for index in 0..between {
        let issuer = authorities.last().unwrap_or(&root).clone();
        authorities.push(world.authority(&format!("Between {index}"), &issuer, CA));
    }
    let issuer = authorities.last().unwrap_or(&root);
    let leaf = world.issue("leaf", "Leaf", Some(issuer), LEAF, VALID, Some(&key_file(kind)));
    (root, authorities, leaf)
}

fn trust(root: &Party) -> Trust {
    Trust {
        anchors: vec![root.certificate()],
        ..Trust::default()
    }
}

#[test]
fn openssl_accepts_every_kind_with_any_chain() {
    if !installed("openssl") {
        return;
    }
    for kind in KINDS {
        for between in 0..3 {
            let world = World::new();
            let (root, authorities, leaf) = chain(&world, kind, between);
            let identity = leaf.identity(&authorities.iter().collect::<Vec<_>>());
            let der = sign(CONTENT, &identity, &leaf.key(), Some(now())).unwrap();
            let again = sign(CONTENT, &identity, &leaf.key(), Some(now())).unwrap();
            assert!(der == again, "{kind}: two signatures differ");
            let verified = verify(&der, &trust(&root)).unwrap();
            assert_eq!(verified.chain.len(), between + 2);
            assert_eq!(verified.signing_time, Some(now()));
            assert_eq!(verified.chain.last(), Some(&root.certificate()));
            let signature = world.write("signature", &der);
            let time = now().seconds().to_string();
            let out = openssl(&[
                "cms",
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-in",
                &signature,
                "-CAfile",
                root.pem.to_str().unwrap(),
                "-no-CApath",
                "-no-CAstore",
                "-purpose",
                "smimesign",
                "-attime",
                &time,
            ]);
            assert!(out == CONTENT, "{kind} with {between}");
            let text = String::from_utf8(openssl(&[
                "cms", "-cmsout", "-print", "-inform", "DER", "-in", &signature,
            ]));
            assert!(
                text.unwrap().contains("Jan  1 00:00:00 2027 GMT"),
                "the signing time"
            );
        }
    }
}

/// What `openssl cms -sign` makes, as RAUC does it.
fn their_signature(world: &World, leaf: &Party, between: &[Party], args: &[&str]) -> Vec<u8> {
    let content = world.write("content", CONTENT);
    let mut all = Vec::new();
    for party in between {
        all.extend(std::fs::read(&party.pem).unwrap());
    }
    let certificates = world.write("between", &all);
    let out = world.text("theirs");
    let mut line = vec![
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-nosmimecap",
        "-outform",
        "DER",
        "-in",
        &content,
    ];
    line.extend([
        "-out",
        &out,
        "-signer",
        leaf.pem.to_str().unwrap(),
        "-inkey",
        leaf.key.to_str().unwrap(),
    ]);
    if !between.is_empty() {
        line.extend(["-certfile", &certificates]);
    }
    line.extend(args);
    openssl(&line);
    std::fs::read(out).unwrap()
}

#[test]
fn openssl_makes_the_same_bytes() {
    if !installed("openssl") {
        return;
    }
    for kind in KINDS {
        let world = World::new();
        let (_, authorities, leaf) = chain(&world, kind, 2);
        let digest = if kind == "p384" { "sha384" } else { "sha256" };
        let theirs = their_signature(&world, &leaf, &authorities, &["-md", digest]);
        let time = read(&theirs).unwrap().signing_time;
        let identity = leaf.identity(&authorities.iter().collect::<Vec<_>>());
        let ours = sign(CONTENT, &identity, &leaf.key(), time).unwrap();
        if kind.starts_with("rsa") {
            assert!(ours == theirs, "{kind} differs");
            continue;
        }
        // Its ECDSA is random, and so is the length of the two numbers, which shows in the outer lengths.
        let digits = |der: &[u8]| if der[2] == 0 { der.len() } else { der.len() - 4 };
        let (our_text, their_text) = (shape(&world, &ours), shape(&world, &theirs));
        assert_eq!(our_text, their_text, "{kind} differs ({} bytes)", digits(&ours));
    }
}

/// What openssl sees in a signature, without lengths, and without the last line, which is the ECDSA signature.
fn shape(world: &World, der: &[u8]) -> Vec<String> {
    let path = world.write("shape", der);
    let text = String::from_utf8(openssl(&["asn1parse", "-inform", "DER", "-in", &path])).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let depth = line.split_once(":d=").unwrap().1;
            let (depth, rest) = depth.split_once("hl=").unwrap();
            let kind = rest.split_once(": ").unwrap().1;
            format!("{depth} {kind}")
        })
        .collect();
    lines.pop();
    lines
}

#[test]
fn signatures_of_openssl_are_accepted() {
    if !installed("openssl") {
        return;
    }
    let variants: [&[&str]; 7] = [
        &[],
        &["-stream", "-indef"],
        &["-md", "sha384"],
        &["-md", "sha512"],
        &["-keyid"],
        &["-cades"],
        &["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:-1"],
    ];
    for kind in KINDS {
        let world = World::new();
        let (root, authorities, leaf) = chain(&world, kind, 1);
        for args in variants {
            if args.first() == Some(&"-keyopt") && !kind.starts_with("rsa") {
                continue;
            }
            let theirs = their_signature(&world, &leaf, &authorities, args);
            let verified =
                verify(&theirs, &trust(&root)).unwrap_or_else(|error| panic!("{kind} {args:?}: {error}"));
            assert!(verified.content == CONTENT);
            assert_eq!(signature::content(&theirs).unwrap(), CONTENT);
        }
    }
}

#[test]
fn forms_that_rauc_lets_pass_are_refused() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let (root, authorities, leaf) = chain(&world, "rsa2048", 1);
    let refused = |args: &[&str]| {
        let theirs = their_signature(&world, &leaf, &authorities, args);
        verify(&theirs, &trust(&root)).unwrap_err().to_string()
    };
    let message = "the signature is not accepted: ";
    assert_eq!(
        refused(&["-noattr"]),
        format!("{message}it has no signed attributes")
    );
    assert_eq!(
        refused(&["-nocerts"]),
        format!("{message}its signer's certificate is not in it")
    );
    assert!(refused(&["-md", "sha1"]).contains("its digest is 1.3.14.3.2.26"));
    assert!(
        refused(&["-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20"]).contains("RSA-PSS")
    );
    assert!(refused(&["-econtent_type", "1.2.3.4"]).contains("is of the type 1.2.3.4"));
    let other = world.issue(
        "other",
        "Other",
        Some(&root),
        LEAF,
        VALID,
        Some(&key_file("p256")),
    );
    let (pem, key) = (other.pem.to_str().unwrap(), other.key.to_str().unwrap());
    assert!(refused(&["-signer", pem, "-inkey", key]).contains("it has 2 signers instead of one"));
    let detached = {
        let theirs = world.text("theirs");
        let content = world.write("content", CONTENT);
        let (pem, key) = (leaf.pem.to_str().unwrap(), leaf.key.to_str().unwrap());
        openssl(&[
            "cms", "-sign", "-binary", "-outform", "DER", "-in", &content, "-out", &theirs, "-signer", pem,
            "-inkey", key,
        ]);
        std::fs::read(theirs).unwrap()
    };
    assert!(matches!(
        verify(&detached, &trust(&root)),
        Err(Error::Unsupported { .. })
    ));
    assert!(signature::content(&detached).is_err());
}

#[test]
fn no_signing_time_is_possible_and_has_to_be_wanted() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let (root, _, leaf) = chain(&world, "p256", 0);
    let der = sign(CONTENT, &leaf.identity(&[]), &leaf.key(), None).unwrap();
    let mut trust = trust(&root);
    let error = verify(&der, &trust).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signature is not accepted: it has no signing time"
    );
    trust.signing_time = signature::SigningTime::Optional;
    assert!(verify(&der, &trust).is_err(), "it says no time to look at");
    trust.at = signature::At::Time(now());
    let verified = verify(&der, &trust).unwrap();
    assert_eq!((verified.signing_time, verified.checked_at), (None, now()));
    trust.purpose = Purpose::CodeSign;
    assert!(verify(&der, &trust).is_ok());
}

#[test]
fn far_times_are_generalized() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let forever = ("19700101000000Z", "99991231235959Z");
    let root = world.issue("root", "Root", None, CA, forever, None);
    let leaf = world.issue(
        "leaf",
        "Leaf",
        Some(&root),
        LEAF,
        forever,
        Some(&key_file("p256")),
    );
    for time in ["1970-01-01", "2049-12-31T23:59:59Z", "2050-01-01", "9999-12-30"] {
        let time: Time = time.parse().unwrap();
        let der = sign(CONTENT, &leaf.identity(&[]), &leaf.key(), Some(time)).unwrap();
        assert_eq!(verify(&der, &trust(&root)).unwrap().signing_time, Some(time));
        let path = world.write("signature", &der);
        let seconds = time.seconds().to_string();
        let root = root.pem.to_str().unwrap();
        openssl(&[
            "cms", "-verify", "-inform", "DER", "-in", &path, "-CAfile", root, "-attime", &seconds,
        ]);
    }
}

#[test]
fn names_are_openssl_s() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let names = [
        "/C=DE/O=Test Org/OU=A/CN=Release 1",
        "/O=Comma, Inc/CN=plus \\+ and <less> ; \"quote\" \\\\",
        "/O= leading/CN=trailing ",
        "/O=#hash/CN=M\u{fc}ller \u{20ac}",
        "/O=a/emailAddress=a@b.example/CN=x=y",
    ];
    for (index, name) in names.iter().enumerate() {
        let party = world.issue(&format!("n{index}"), name, Some(&root), LEAF, VALID, None);
        let pem = party.pem.to_str().unwrap();
        let text = openssl(&["x509", "-in", pem, "-noout", "-subject", "-nameopt", "oneline"]);
        let theirs = String::from_utf8(text).unwrap();
        let certificate = party.certificate();
        assert_eq!(
            format!("subject={}", certificate.subject()),
            theirs.trim_end_matches('\n')
        );
        assert_eq!(certificate.issuer(), "O = Test, CN = Root");
        let text = openssl(&["x509", "-in", pem, "-noout", "-serial", "-fingerprint", "-sha256"]);
        let text = String::from_utf8(text).unwrap().to_lowercase().replace(':', "");
        assert!(
            text.contains(certificate.serial().trim_start_matches('0')),
            "{text}"
        );
        let digits = data_encoding::HEXLOWER.encode(&certificate.fingerprint());
        assert!(text.contains(&digits), "{text}");
    }
}

#[test]
fn signing_refuses_what_devices_would() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let (root, authorities, leaf) = chain(&world, "p256", 1);
    let identity = leaf.identity(&authorities.iter().collect::<Vec<_>>());
    let message = |identity: &signature::Identity, key: &signature::Key, time: &str| {
        sign(CONTENT, identity, key, Some(time.parse().unwrap()))
            .unwrap_err()
            .to_string()
    };
    let other = crate::pki::key("p384");
    assert_eq!(
        message(&identity, &other, "2027-01-01"),
        "the private key does not belong to the certificate of O = Test, CN = Leaf"
    );
    for time in ["2019-12-31", "2040-01-01"] {
        assert_eq!(
            message(&identity, &leaf.key(), time),
            format!(
                "the certificate of O = Test, CN = Leaf is valid from 2020-01-01T00:00:00Z to 2040-01-01T00:00:00Z, \
                 not at the signing time {time}T00:00:00Z"
            )
        );
    }
    let short = world.issue(
        "short",
        "Short",
        Some(&root),
        CA,
        ("20200101000000Z", "20260101000000Z"),
        None,
    );
    let expired = leaf.identity(&[&short]);
    assert!(message(&expired, &leaf.key(), "2027-01-01").contains("O = Test, CN = Short is valid from"));
    let large = vec![0; 64 << 10];
    let error = sign(&large, &identity, &leaf.key(), Some(now())).unwrap_err();
    assert!(matches!(error, Error::TooLong { len } if len > 64 << 10));
    let world = World::new();
    for (args, name) in [
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
            "an RSA key of 1024 bits",
        ),
        (
            "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
            "an RSA key with the public exponent 3",
        ),
        ("-algorithm ED25519", "an Ed25519 key"),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
            "an ECDSA key on P-521",
        ),
        (
            "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
            "an ECDSA key on the curve 1.3.132.0.10",
        ),
    ] {
        let path = world.text("odd");
        let mut line = vec!["genpkey", "-out", &path];
        line.extend(args.split(' '));
        openssl(&line);
        let root = world.root("Root");
        let odd = world.issue("odd", "Odd", Some(&root), LEAF, VALID, Some(path.as_ref()));
        let error = sign(CONTENT, &odd.identity(&[]), &leaf.key(), Some(now())).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(matches!(error, Error::UnsupportedKey { .. }));
    }
}

#[test]
fn certificates_are_read_from_der_and_from_files_with_more() {
    if !installed("openssl") {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let pem = std::fs::read(&root.pem).unwrap();
    let certificate = root.certificate();
    let read = |bytes: &[u8]| Certificate::read_pem_or_der(bytes, "file");
    assert!(read(certificate.der()).unwrap().contains(&certificate));
    let key = std::fs::read(&root.key).unwrap();
    let both = [b"a comment\n".as_slice(), &pem, &key, &pem].concat();
    assert_eq!(read(&both).unwrap().len(), 2);
    let crlf = String::from_utf8(pem.clone()).unwrap().replace('\n', "\r\n");
    assert_eq!(read(crlf.as_bytes()).unwrap(), [certificate]);
    let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(message(&key), "file: holds no certificate");
    assert!(message(b"").starts_with("file: a certificate cannot be read"));
    assert_eq!(message(&pem[..pem.len() - 30]), "file: a block of PEM has no end");
}
