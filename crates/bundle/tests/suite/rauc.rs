//! RAUC takes our bundles, and we take its own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bundle::{Bundle, Packing, Signed};
use image::Content;
use signature::{Certificate, Identity, Key, Time};

use crate::oracle::installed;
use crate::support::{Pieces, Pki, TIME, options, run, verdict, whole, work};

/// A signer with a key of this kind, below this many intermediate certificates.
fn signer(pki: &Pki, kind: &str, depth: usize) -> (Identity, Key) {
    let name = format!("{kind}-{depth}");
    let issuers: [(&str, &[&str]); 3] = [
        ("root", &[]),
        ("inter", &["inter"]),
        ("inter-2", &["inter-2", "inter"]),
    ];
    let (issuer, intermediates) = issuers[depth];
    match kind {
        "p256" => pki.openssl(&format!(
            "ecparam -name prime256v1 -genkey -noout -out {name}.key"
        )),
        "p384" => pki.openssl(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out {name}.key"
        )),
        rsa => pki.openssl(&format!(
            "genrsa -out {name}.key {}",
            rsa.trim_start_matches("rsa")
        )),
    }
    pki.openssl(&format!(
        "req -new -key {name}.key -subj /O=Tests/CN={name} -config pki.cnf -out {name}.csr"
    ));
    pki.openssl(&format!(
        "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -out {name}.pem -days 7300 \
         -extfile pki.cnf -extensions leaf"
    ));
    (pki.identity(&name, intermediates), pki.key_of(&name))
}

fn rauc(pki: &Pki, command: &str, bundle: &Path) -> Command {
    let mut rauc = Command::new("rauc");
    rauc.arg(command)
        .arg("--keyring")
        .arg(pki.path("root.pem"))
        .arg(bundle);
    rauc
}

#[test]
fn rauc_takes_every_kind_of_key() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    pki.issue("inter-2", "inter", "ca", 7300);
    for kind in ["p256", "p384", "rsa2048", "rsa3072", "rsa4096"] {
        for depth in 0..3 {
            let (identity, key) = signer(&pki, kind, depth);
            let unsigned = bundle::plan(&options(), &work(dir.path())).unwrap();
            let time = Time::from_seconds(TIME).unwrap();
            let again = unsigned.clone().sign(&identity, &key, time).unwrap();
            let signed = unsigned.sign(&identity, &key, time).unwrap();
            assert_eq!(
                signed.cms(),
                again.cms(),
                "{kind}, {depth}: a signature depends on nothing else"
            );
            let file = whole(signed.image().unwrap());
            verdict(&file, &pki.trust(), dir.path()).unwrap();
            let path = dir.path().join("ours.raucb");
            std::fs::write(&path, &file).unwrap();
            let info = run(&mut rauc(&pki, "info", &path));
            let info = String::from_utf8(info.stdout).unwrap();
            for said in [
                "'rock64'",
                "'1.0'",
                "install-check",
                "block-hash-index",
                &format!("CN = {kind}-{depth}"),
            ] {
                assert!(info.contains(said), "{kind}, {depth}: {said}: {info}");
            }
            assert_eq!(info.matches("Subject:").count(), depth + 2, "{info}");
        }
    }
}

#[test]
fn rauc_unpacks_what_was_packed() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    for block_size in [4 << 10, 16 << 10, 1 << 20] {
        for compression in [
            squashfs::Compression::None,
            squashfs::Compression::Gzip { level: 9 },
            squashfs::Compression::Xz { level: 6 },
            squashfs::Compression::Zstd { level: 3 },
        ] {
            let mut options = options();
            (options.block_size, options.compression) = (block_size, compression);
            let images = options.images.clone();
            let unsigned = bundle::plan(&options, &work(dir.path())).unwrap();
            let time = Time::from_seconds(TIME).unwrap();
            let signed = unsigned
                .sign(&pki.identity("leaf", &[]), &pki.key_of("leaf"), time)
                .unwrap();
            let path = dir.path().join("ours.raucb");
            image::write(&path, &signed.image().unwrap(), &image::Silent)
                .unwrap()
                .keep()
                .unwrap();
            let out = dir.path().join("unpacked");
            run(rauc(&pki, "extract", &path).arg(&out));
            for image in images {
                let found = std::fs::read(out.join(image.manifest.filename.as_deref().unwrap())).unwrap();
                assert_eq!(
                    found,
                    image.content.as_ref().unwrap().to_vec().unwrap(),
                    "{block_size}, {compression:?}"
                );
            }
            let manifest = std::fs::read(out.join("manifest.raucm")).unwrap();
            assert_eq!(
                bundle::Manifest::read(&manifest).unwrap(),
                unsigned_manifest(&signed).inner()
            );
            std::fs::remove_dir_all(out).unwrap();
        }
    }
}

fn unsigned_manifest(signed: &Signed) -> bundle::Manifest {
    signed.clone().unsign().unwrap().manifest().clone()
}

/// RAUC 1.8 rewrites a manifest when it signs anew: it reads ours and writes the same. But it leaves the old tree where it
/// is, as if it belonged to the SquashFS, and makes a new one behind it; that is not what we call a good bundle.
#[test]
fn rauc_signs_our_bundle_anew() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let pieces = Pieces::new(dir.path());
    let (ours, theirs) = (dir.path().join("ours.raucb"), dir.path().join("theirs.raucb"));
    std::fs::write(&ours, pieces.signed(&pki)).unwrap();
    let mut resign = rauc(&pki, "resign", &ours);
    resign
        .arg("--cert")
        .arg(pki.path("foreign.pem"))
        .arg("--key")
        .arg(pki.path("foreign.key"));
    run(resign
        .arg("--signing-keyring")
        .arg(pki.path("other.pem"))
        .arg(&theirs));
    let file = std::fs::read(&theirs).unwrap();
    let trust = signature::Trust {
        anchors: vec![pki.certificate("other")],
        ..pki.trust()
    };
    let error = verdict(&file, &trust, dir.path()).unwrap_err().to_string();
    assert!(error.contains("more than padding lies behind it"), "{error}");
    let Bundle::Signed(signed) = open(&file) else {
        panic!("not signed")
    };
    let unsigned = signed.unsign().unwrap();
    assert_eq!(unsigned.manifest().inner(), pieces.manifest.inner());
    assert_eq!(
        String::from_utf8(unsigned.text().to_vec()).unwrap(),
        unsigned.manifest().write()
    );
}

fn open(file: &[u8]) -> Bundle {
    let source: Arc<[u8]> = file.into();
    bundle::open(Arc::new(Content::Bytes(source)), file.len() as u64).unwrap()
}

#[test]
fn we_take_raucs_bundles() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let input = dir.path().join("input");
    std::fs::create_dir(&input).unwrap();
    for image in options().images {
        let bytes = image.content.as_ref().unwrap().to_vec().unwrap();
        std::fs::write(input.join(image.manifest.filename.as_deref().unwrap()), bytes).unwrap();
    }
    let text = "[update]\ncompatible=rock64\nversion=2\ndescription= two \\\\ backslashes; and more\n\n\
                [bundle]\nformat=verity\n\n[image.boot]\nfilename=boot.vfat\nadaptive=block-hash-index\n\n\
                [image.rootfs.small]\nfilename=rootfs.squashfs\n";
    std::fs::write(input.join("manifest.raucm"), text).unwrap();
    let path = dir.path().join("theirs.raucb");
    let mut rauc = Command::new("rauc");
    rauc.arg("bundle")
        .arg("--cert")
        .arg(pki.path("deep.pem"))
        .arg("--key")
        .arg(pki.path("deep.key"));
    rauc.arg("--intermediate")
        .arg(pki.path("inter.pem"))
        .arg("--keyring")
        .arg(pki.path("root.pem"));
    run(rauc.arg(&input).arg(&path));
    let file = std::fs::read(&path).unwrap();
    verdict(&file, &pki.trust(), dir.path()).unwrap();
    let Bundle::Signed(signed) = open(&file) else {
        panic!("not signed")
    };
    let unsigned = signed.clone().unsign().unwrap();
    // What RAUC wrote is what we would write.
    assert_eq!(
        String::from_utf8(unsigned.text().to_vec()).unwrap(),
        unsigned.manifest().write()
    );
    // Signed anew by us, the payload and the manifest stay as they are, and RAUC takes it.
    let time = Time::from_seconds(TIME).unwrap();
    let (identity, key) = (pki.identity("leaf", &[]), pki.key_of("leaf"));
    let again = unsigned.sign(&identity, &key, time).unwrap();
    assert_eq!(
        again.clone().unsign().unwrap().text(),
        signed.unsign().unwrap().text()
    );
    std::fs::write(&path, whole(again.image().unwrap())).unwrap();
    run(&mut self::rauc(&pki, "info", &path));
}

/// A signature that OpenSSL made elsewhere is taken, one about something else is not.
#[test]
fn signatures_come_from_elsewhere() {
    if !installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let unsigned = bundle::plan(&options(), &work(dir.path())).unwrap();
    let file = whole(unsigned.image().unwrap());
    let Bundle::Unsigned(read) = open(&file) else {
        panic!("signed")
    };
    assert_eq!(read.text(), unsigned.text());
    let arguments = "-nosmimecap -nodetach -signer leaf.pem -inkey leaf.key";
    let signed = read.clone().attach(pki.cms(unsigned.text(), arguments)).unwrap();
    verdict(&whole(signed.image().unwrap()), &pki.trust(), dir.path()).unwrap();
    let other = read.attach(pki.cms(b"[update]\n", arguments)).unwrap_err();
    assert_eq!(other.to_string(), "the signature is about another manifest");
}

#[test]
fn a_bundle_is_the_same_bytes_every_time() {
    if !installed("openssl") {
        return;
    }
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pki = Pki::new(one.path());
    let make = |dir: &Path, threads| {
        let work = bundle::Work { threads, ..work(dir) };
        let unsigned = bundle::plan(&options(), &work).unwrap();
        let time = Time::from_seconds(TIME).unwrap();
        let signed = unsigned
            .sign(&pki.identity("leaf", &[]), &pki.key_of("leaf"), time)
            .unwrap();
        whole(signed.image().unwrap())
    };
    assert!(make(one.path(), 1) == make(two.path(), 8));
}

/// A stored image lies in the bundle as it is, at a multiple of 4096, and zeros take no room.
#[test]
fn stored_images_lie_in_the_bundle_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    let zeros = vec![0; 8 << 20];
    let image = [
        &options.images[1].content.as_ref().unwrap().to_vec().unwrap()[..],
        &zeros,
    ]
    .concat();
    options.images[1].content = Some(image.clone().into());
    assert_eq!(options.images[1].packing, Packing::Stored);
    let unsigned = bundle::plan(&options, &work(dir.path())).unwrap();
    let payload = unsigned.payload().to_vec().unwrap();
    let data = &image[..200 * 4096];
    let place = payload
        .windows(64)
        .position(|window| window == &data[..64])
        .unwrap();
    assert!(place.is_multiple_of(4096));
    assert!(&payload[place..place + data.len()] == data);
    assert!(
        payload.len() < data.len() + (256 << 10),
        "{} bytes",
        payload.len()
    );
}

#[test]
fn certificates_of_a_signer_are_listed() {
    if !installed("openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let pieces = Pieces::new(dir.path());
    let Bundle::Signed(signed) = open(&pieces.signed(&pki)) else {
        panic!("not signed")
    };
    let (verified, _) = bundle::verify_signature(&signed, &pki.trust()).unwrap();
    let subjects: Vec<&str> = verified.chain.iter().map(Certificate::subject).collect();
    assert_eq!(subjects, ["O = Tests, CN = leaf", "O = Tests, CN = root"]);
    assert_eq!(verified.signing_time, Time::from_seconds(TIME));
}

/// Everything that a manifest for RAUC 1.8 can say.
#[test]
fn rauc_takes_handlers_variants_hooks_and_meta() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let mut options = options();
    options.description = Some(" leading space; semicolon \\ backslash, ä".into());
    options.build = Some("20261122".into());
    options.meta = [("release".into(), [("notes".into(), "a; b".into())].into())].into();
    options.images[0].manifest.slot = "boot.small".into();
    options.images[0].manifest.hooks = vec!["pre-install".into(), "post-install".into()];
    options.images[1].manifest.hooks = vec!["install".into()];
    options.images[1].manifest.adaptive = Vec::new();
    let handler = bundle::manifest::Handler {
        filename: "handler.sh".into(),
        args: Some("--fast 1".into()),
    };
    options.handler = Some((handler, Content::from(b"#!/bin/sh\n".to_vec())));
    let unsigned = bundle::plan(&options, &work(dir.path())).unwrap();
    let time = Time::from_seconds(TIME).unwrap();
    let signed = unsigned
        .sign(&pki.identity("leaf", &[]), &pki.key_of("leaf"), time)
        .unwrap();
    let file = whole(signed.image().unwrap());
    verdict(&file, &pki.trust(), dir.path()).unwrap();
    let path = dir.path().join("ours.raucb");
    std::fs::write(&path, &file).unwrap();
    let info = String::from_utf8(run(&mut rauc(&pki, "info", &path)).stdout).unwrap();
    for said in [
        "' leading space; semicolon \\ backslash, ä'",
        "'20261122'",
        "small",
        "pre-install",
    ] {
        assert!(info.contains(said), "{said}: {info}");
    }
    let out = dir.path().join("unpacked");
    run(rauc(&pki, "extract", &path).arg(&out));
    assert_eq!(std::fs::read(out.join("handler.sh")).unwrap(), b"#!/bin/sh\n");
}
