//! Bundles of the format plain, RAUC's own default: made by RAUC, read here, and then spoilt.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bundle::{Bundle, Error, Plain};
use image::{Content, Fault, Kind, NodeId};

use crate::oracle::installed;
use crate::support::{Pki, bytes, rauc_takes, run, verdict, work};

const MANIFEST: &str = "[update]\ncompatible=test\nversion=7\n\n[hooks]\nfilename=hook.sh\nhooks=install-check\n\n\
    [image.root]\nfilename=root.img\n\n[image.boot]\nfilename=boot.vfat\n";

/// Makes a bundle of RAUC's default format.
fn made(pki: &Pki, dir: &Path, more: &[&str]) -> Vec<u8> {
    let (input, path) = (dir.join("input"), dir.join("theirs.raucb"));
    let _ = std::fs::remove_dir_all(&input);
    let _ = std::fs::remove_file(&path);
    std::fs::create_dir(&input).unwrap();
    std::fs::write(input.join("root.img"), bytes(300_000, 7)).unwrap();
    std::fs::write(input.join("boot.vfat"), vec![0; 8192]).unwrap();
    std::fs::write(input.join("hook.sh"), "#!/bin/sh\n").unwrap();
    run(Command::new("chmod").arg("755").arg(input.join("hook.sh")));
    std::fs::write(input.join("manifest.raucm"), MANIFEST).unwrap();
    let mut rauc = Command::new("rauc");
    rauc.arg("bundle").arg("--keyring").arg(pki.path("root.pem"));
    rauc.arg("--cert").arg(pki.path("leaf.pem"));
    rauc.arg("--key").arg(pki.path("leaf.key"));
    run(rauc.args(more).arg(input).arg(&path));
    std::fs::read(path).unwrap()
}

fn open(file: &[u8]) -> Result<Plain, Error> {
    let source: Arc<[u8]> = file.into();
    match bundle::open(Arc::new(Content::Bytes(source)), file.len() as u64)? {
        Bundle::Plain(plain) => Ok(plain),
        other => panic!("{other:?}"),
    }
}

/// A bundle around a SquashFS, signed by OpenSSL as RAUC does.
fn signed(pki: &Pki, squashfs: &[u8]) -> Vec<u8> {
    let cms = pki.cms(squashfs, "-nosmimecap -signer leaf.pem -inkey leaf.key");
    let len = (cms.len() as u64).to_be_bytes();
    [squashfs, &cms, &len].concat()
}

#[test]
fn bundles_of_rauc_are_read_and_verified() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    for more in [&[][..], &["--mksquashfs-args=-nopad -comp xz"]] {
        let file = made(&pki, dir.path(), more);
        let plain = open(&file).unwrap();
        let (verified, manifest) =
            bundle::verify_plain_signature(&plain, &pki.trust(), &work(dir.path())).unwrap();
        assert!(verified.content.is_empty() && verified.signing_time.is_some());
        assert_eq!(verified.chain.len(), 2);
        assert_eq!(
            (manifest.compatible.as_str(), manifest.version.as_deref()),
            ("test", Some("7"))
        );
        assert_eq!(plain.manifest().unwrap(), manifest);
        let checked = verdict(&file, &pki.trust(), dir.path()).unwrap();
        // What RAUC extracts is what we read.
        let (path, out) = (dir.path().join("theirs.raucb"), dir.path().join("out"));
        let _ = std::fs::remove_dir_all(&out);
        let mut rauc = Command::new("rauc");
        rauc.arg("extract").arg("--keyring").arg(pki.path("root.pem"));
        run(rauc.arg(&path).arg(&out));
        let mut count = 0;
        for (name, id) in checked.tree.children(NodeId::ROOT) {
            let Kind::File(content) = &checked.tree.node(id).kind else {
                panic!("{name:?}")
            };
            let theirs = std::fs::read(out.join(String::from_utf8_lossy(name).as_ref())).unwrap();
            assert!(content.to_vec().unwrap() == theirs, "{name:?}");
            count += 1;
        }
        assert_eq!(count, 4);
    }
}

#[test]
fn every_part_is_covered() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let good = made(&pki, dir.path(), &[]);
    let payload = usize::try_from(open(&good).unwrap().payload().len()).unwrap();
    for at in (0..200).map(|step| step * (good.len() - 1) / 199) {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        let error = verdict(&bad, &pki.trust(), dir.path()).unwrap_err();
        if at < payload {
            assert_eq!(error.fault(), Fault::Untrusted, "byte {at}: {error}");
        }
    }
    for cut in [1, 8, 9, good.len() - payload, good.len() / 2] {
        assert!(
            verdict(&good[..good.len() - cut], &pki.trust(), dir.path()).is_err(),
            "{cut} fewer"
        );
    }
    let mut trust = pki.trust();
    trust.anchors = vec![pki.certificate("other")];
    let error = verdict(&good, &trust, dir.path()).unwrap_err();
    assert_eq!(error.fault(), Fault::Untrusted, "{error}");
}

/// What a signer has signed and no manifest allows.
#[test]
fn signed_nonsense_is_refused() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let good = made(&pki, dir.path(), &[]);
    let squashfs = open(&good).unwrap().payload().to_vec().unwrap();
    let again = signed(&pki, &squashfs);
    assert!(rauc_takes(&again, &pki));
    verdict(&again, &pki.trust(), dir.path()).unwrap();
    let refused = |file: &[u8]| {
        let error = verdict(file, &pki.trust(), dir.path()).unwrap_err();
        error.to_string()
    };
    // More behind the SquashFS than padding.
    let more = signed(&pki, &[&squashfs[..], &[0; 4096]].concat());
    assert!(refused(&more).contains("more than padding lies behind it"));
    let none = signed(&pki, &[7; 8192]);
    assert!(
        refused(&none).to_lowercase().contains("squashfs"),
        "{}",
        refused(&none)
    );
    let repacked = |change: &dyn Fn(&Path)| {
        let (input, path) = (dir.path().join("input"), dir.path().join("repacked"));
        let _ = std::fs::remove_file(&path);
        change(&input);
        run(Command::new("mksquashfs").arg(&input).arg(&path).args([
            "-all-root",
            "-noappend",
            "-quiet",
            "-no-progress",
        ]));
        signed(&pki, &std::fs::read(path).unwrap())
    };
    let text = open(&good).unwrap().manifest().unwrap().write();
    let text = text.replace("format=verity", "format=plain");
    let with = |text: String| {
        repacked(&move |input: &Path| std::fs::write(input.join("manifest.raucm"), &text).unwrap())
    };
    verdict(&with(text.clone()), &pki.trust(), dir.path()).unwrap();
    let other = text.replace("size=300000", "size=300001");
    assert!(refused(&with(other)).contains("the manifest says 300001"));
    let verity = text.replace("format=plain", "format=verity");
    assert!(refused(&with(verity)).contains("a bundle of the format verity"));
    let missing = repacked(&|input: &Path| std::fs::remove_file(input.join("manifest.raucm")).unwrap());
    assert_eq!(refused(&missing), "manifest.raucm: is not in the bundle");
}

/// RAUC before 1.15.2 looks at 32 bits of the payload's size.
#[test]
fn payloads_have_a_limit() {
    if !installed("rauc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::new(dir.path());
    let good = made(&pki, dir.path(), &[]);
    let payload = usize::try_from(open(&good).unwrap().payload().len()).unwrap();
    let mut layout = image::Layout::new();
    let start = 1 << 31;
    layout.put(start, "end", good[payload..].to_vec());
    let size = start + (good.len() - payload) as u64;
    let image = layout.finish(size).unwrap();
    let error = bundle::open(Arc::new(Content::from(image)), size).unwrap_err();
    assert!(
        matches!(error, Error::PayloadTooLarge { len } if len == start),
        "{error}"
    );
}
