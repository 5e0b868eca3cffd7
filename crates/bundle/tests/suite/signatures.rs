//! Signatures by the wrong people, for the wrong purpose, at the wrong time, or of the wrong shape.

use std::path::Path;

use signature::{At, CrlCheck, Time, Trust};

use crate::Rauc::{Refuses, Takes};
use crate::oracle::installed;
use crate::support::{Pieces, Pki, TIME, verdict};
use crate::{Case, case, refuse};

#[test]
fn wrong_signers_and_shapes() {
    refuse(signers);
}

fn signers(pieces: &Pieces, pki: &Pki, _: &Path) -> Vec<Case> {
    let text = pieces.manifest.write().into_bytes();
    let by = |name: &str| {
        let arguments = format!("-nosmimecap -nodetach -signer {name}.pem -inkey {name}.key");
        pieces.file(&pki.cms(&text, &arguments))
    };
    let with = |arguments: &str| {
        let arguments = format!("-nosmimecap {arguments} -signer leaf.pem -inkey leaf.key");
        pieces.file(&pki.cms(&text, &arguments))
    };
    let two =
        "-nodetach -signer leaf.pem -inkey leaf.key -signer deep.pem -inkey deep.key -certfile inter.pem";
    pki.openssl("req -new -x509 -key leaf.key -out self.pem -days 7300 -subj /O=Tests/CN=leaf -config pki.cnf -extensions leaf");
    std::fs::copy(pki.path("leaf.key"), pki.path("self.key")).unwrap();
    let mut other = pieces.manifest.clone();
    other.compatible = "rock65".into();
    let mut encrypted = pki.cms(&text, "-nodetach -signer leaf.pem -inkey leaf.key");
    encrypted[15] = 3;
    vec![
        case("a foreign authority", by("foreign"), "not trusted", Refuses),
        case(
            "a certificate that vouches for itself",
            by("self"),
            "not trusted",
            Refuses,
        ),
        case(
            "an intermediate certificate that is missing",
            by("deep"),
            "not trusted",
            Refuses,
        ),
        case("a certificate for code only", by("code"), "is not for", Refuses),
        case("a key for enciphering", by("encipher"), "is not for", Refuses),
        case("an expired certificate", by("expired"), "expired", Refuses),
        case(
            "two signers",
            pieces.file(&pki.cms(&text, two)),
            "signer",
            Refuses,
        ),
        case(
            "no signed attributes",
            with("-nodetach -noattr"),
            "attributes",
            Takes,
        ),
        case(
            "no certificate",
            with("-nodetach -nocerts"),
            "certificate",
            Refuses,
        ),
        case("no content", with(""), "digest", Refuses),
        case("a digest that is broken", with("-nodetach -md sha1"), "", Takes),
        case("another type of content", pieces.file(&encrypted), "", Refuses),
        case(
            "a signature about a manifest that is none",
            pieces.file(&pki.sign(b"hello")),
            "manifest",
            Refuses,
        ),
    ]
}

/// RAUC has these as settings of a device.
#[test]
fn what_a_device_can_ask_for() {
    if !installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let pieces = Pieces::new(dir.path());
    let text = pieces.manifest.write().into_bytes();
    let time = Time::from_seconds(TIME);
    let sign = |name: &str, intermediates: &[&str]| {
        let identity = pki.identity(name, intermediates);
        pieces.file(&signature::sign(&text, &identity, &pki.key_of(name), time).unwrap())
    };
    let says = |file: &[u8], trust: &Trust| match verdict(file, trust, dir.path()) {
        Ok(_) => "good".to_string(),
        Err(error) => error.to_string(),
    };
    let trust = pki.trust();
    assert_eq!(says(&sign("deep", &["inter"]), &trust), "good");
    let lists = Trust {
        crls: pki.crls(),
        crl_check: CrlCheck::Require,
        ..trust.clone()
    };
    assert_eq!(says(&sign("leaf", &[]), &lists), "good");
    assert!(says(&sign("revoked", &[]), &lists).contains("was revoked"));
    assert_eq!(says(&sign("revoked", &[]), &trust), "good");
    let nobody_knows = says(&sign("deep", &["inter"]), &lists);
    assert!(nobody_knows.contains("may be revoked"), "{nobody_knows}");
    let named = Trust {
        allowed_signers: vec!["leaf".into()],
        ..trust.clone()
    };
    assert_eq!(says(&sign("leaf", &[]), &named), "good");
    assert!(says(&sign("deep", &["inter"]), &named).contains("none of the allowed signers"));
    let at = |seconds: u64| Trust {
        at: At::Time(Time::from_seconds(seconds).unwrap()),
        ..trust.clone()
    };
    assert_eq!(says(&sign("leaf", &[]), &at(TIME)), "good");
    assert!(says(&sign("leaf", &[]), &at(1_000_000_000)).contains("is valid from"));
    assert!(says(&sign("leaf", &[]), &at(4_000_000_000)).contains("expired"));
}
