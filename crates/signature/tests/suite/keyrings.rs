//! Keyrings: what is one here, is one for OpenSSL and for devices.

use signature::{Certificate, Trust, verify};

use crate::case::Case;
use crate::device::{Device, NEWER_RAUC, RAUC};
use crate::matrix::theirs;
use crate::oracle::installed;
use crate::pki::{LEAF, Party, VALID, World, openssl};

/// What is said of a keyring here and by devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    RefusedByAll,
    /// A device takes it, and we say why not.
    OursIsStricter,
}

use Verdict::{Good, OursIsStricter, RefusedByAll};

/// Keyrings with a root: what each is called, its bytes, and what is said of it.
fn keyrings(world: &World, root: &Party) -> Vec<(&'static str, Vec<u8>, Verdict)> {
    world.crl("list", root, &[], Some("v2"), VALID);
    let pem = std::fs::read_to_string(&root.pem).unwrap();
    let list = std::fs::read_to_string(world.path("list.crl")).unwrap();
    let (root_pem, aux) = (root.pem.to_str().unwrap(), world.text("aux"));
    openssl(&["x509", "-in", root_pem, "-trustout", "-out", &aux]);
    let aux = std::fs::read_to_string(aux).unwrap();
    let der = openssl(&["x509", "-in", root_pem, "-outform", "DER"]);
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    vec![
        ("PEM", pem.clone().into(), Good),
        (
            "an old label",
            pem.replace("CERTIFICATE", "X509 CERTIFICATE").into(),
            Good,
        ),
        (
            "text around",
            format!("About it\n\n{pem}\nand more\n").into(),
            Good,
        ),
        ("twice", pem.repeat(2).into(), Good),
        ("lines of Windows", pem.replace('\n', "\r\n").into(), Good),
        ("a list of revoked ones", format!("{pem}{list}").into(), Good),
        (
            "another kind of block",
            format!("{pem}{}", block("SOMETHING", "AAAA")).into(),
            Good,
        ),
        ("DER", der.clone(), RefusedByAll),
        ("nothing", Vec::new(), RefusedByAll),
        ("text", b"no certificate\n".to_vec(), RefusedByAll),
        (
            "a broken list first",
            format!("{}{pem}", block("X509 CRL", "MAMCAQE=")).into(),
            RefusedByAll,
        ),
        (
            "a broken list",
            format!("{pem}{}", block("X509 CRL", "MAMCAQE=")).into(),
            RefusedByAll,
        ),
        (
            "a broken certificate",
            format!("{pem}{}", block("CERTIFICATE", "MAMCAQE=")).into(),
            RefusedByAll,
        ),
        ("half a certificate", pem[..pem.len() / 2].into(), RefusedByAll),
        (
            "half a certificate behind",
            format!("{pem}{}", &pem[..pem.len() / 2]).into(),
            RefusedByAll,
        ),
        (
            "an end of another",
            pem.replace("END CERT", "END X509 CERT").into(),
            RefusedByAll,
        ),
        ("settings of trust", aux.clone().into(), OursIsStricter),
        (
            "settings of trust behind",
            format!("{pem}{aux}").into(),
            OursIsStricter,
        ),
        (
            "a private key",
            format!("{pem}{}", std::fs::read_to_string(&root.key).unwrap()).into(),
            OursIsStricter,
        ),
    ]
}

#[test]
fn a_keyring_is_one_for_devices_too() {
    if !installed("openssl") || !installed(RAUC) {
        return;
    }
    let world = World::new();
    let root = world.root("Root");
    let leaf = world.leaf("Leaf", &root, LEAF);
    let signature = theirs(&Case::new(&world, &leaf, &[], &[&root]));
    let mut wrong = Vec::new();
    for (what, bytes, verdict) in keyrings(&world, &root) {
        let ours = Certificate::read_keyring(&bytes, "keyring").and_then(|anchors| {
            let trust = Trust {
                anchors,
                ..Trust::default()
            };
            verify(&signature, &trust)
        });
        if let Err(error) = &ours {
            assert_eq!(error.fault(), image::Fault::Input, "{what}: {error}");
        }
        let keyring = world.write("ring", &bytes);
        for rauc in [RAUC, NEWER_RAUC] {
            if !installed(rauc) {
                continue;
            }
            let device = Device {
                rauc,
                keyring: &keyring,
                purpose: "smimesign",
                check_crl: false,
                partial_chain: false,
            };
            let found = match (ours.is_ok(), device.takes(&world, &signature)) {
                (true, true) => Good,
                (false, false) => RefusedByAll,
                (false, true) => OursIsStricter,
                (true, false) => {
                    wrong.push(format!("{what}: good here, and {rauc} refuses it"));
                    continue;
                }
            };
            if found != verdict {
                wrong.push(format!(
                    "{what}: {found:?} with {rauc}: {:?}",
                    ours.as_ref().err()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
