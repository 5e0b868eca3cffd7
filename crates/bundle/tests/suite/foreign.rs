//! Bundles of others: what `rauc info` shows is shown here too, or refused for what it is, and not as damaged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bundle::{Bundle, Error};
use image::{Content, Fault};

use crate::oracle::installed;
use crate::support::{Pki, bytes, run};

/// The RAUCs that are asked: Debian 12's, and a newer one.
const RAUCS: [&str; 2] = ["rauc", "rauc-newer"];

/// A bundle that RAUC made.
struct Theirs<'a> {
    pki: &'a Pki,
    rauc: &'static str,
    dir: &'a Path,
}

impl Theirs<'_> {
    /// Makes a bundle with this manifest, of an image, a program and a folder.
    fn bundle(&self, manifest: &str) -> PathBuf {
        let (input, path) = (self.dir.join("input"), self.dir.join("theirs.raucb"));
        let _ = std::fs::remove_dir_all(&input);
        let _ = std::fs::remove_file(&path);
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("root.img"), bytes(65_536, 7)).unwrap();
        let hook = input.join("hook.sh");
        std::fs::write(&hook, "#!/bin/sh\n").unwrap();
        run(Command::new("chmod").arg("755").arg(&hook));
        // What editors leave behind is a file like any other.
        std::fs::write(input.join(".hook.sh.swp"), "#!/bin/\n").unwrap();
        std::fs::write(input.join("manifest.raucm"), manifest).unwrap();
        let mut rauc = self.command("bundle");
        rauc.arg("--cert").arg(self.pki.path("leaf.pem"));
        rauc.arg("--key").arg(self.pki.path("leaf.key"));
        run(rauc.arg(input).arg(&path));
        path
    }

    fn command(&self, command: &str) -> Command {
        let mut rauc = Command::new(self.rauc);
        rauc.arg(command).arg("--keyring").arg(self.pki.path("root.pem"));
        rauc
    }
}

/// What `kiln bundle info` does with a file: the manifest's text, or an error.
fn info(path: &Path, pki: &Pki) -> Result<String, Error> {
    let file: Arc<[u8]> = std::fs::read(path).unwrap().into();
    let size = file.len() as u64;
    match bundle::open(Arc::new(Content::Bytes(file)), size)? {
        Bundle::Signed(signed) => {
            let (_, unsigned) = bundle::verify_signature(&signed, &pki.trust())?;
            Ok(unsigned.manifest().write())
        }
        Bundle::Unsigned(unsigned) => Ok(unsigned.manifest().write()),
        Bundle::Plain(_) => Err(Error::Format("plain".into())),
    }
}

fn refused(path: &Path, pki: &Pki) -> String {
    let error = info(path, pki).unwrap_err();
    assert_eq!(error.fault_of_reading(), Fault::Input, "{error}");
    error.to_string()
}

/// Runs a test with each RAUC that is here.
fn with_each(test: fn(&Theirs<'_>)) {
    for rauc in RAUCS {
        if !installed(rauc) {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new(dir.path());
        let dir = dir.path();
        test(&Theirs { pki: &pki, rauc, dir });
    }
}

const START: &str = "[update]\ncompatible=test\n\n";
const ROOT: &str = "[image.root]\nfilename=root.img\n";

#[test]
fn formats_are_told_apart() {
    with_each(|theirs| {
        let wanted = |format| Error::Format(String::from(format)).to_string();
        for said in ["", "[bundle]\nformat=plain\n\n"] {
            let plain = theirs.bundle(&format!("{START}{said}{ROOT}"));
            run(theirs.command("info").arg(&plain));
            assert_eq!(refused(&plain, theirs.pki), wanted("plain"), "{}", theirs.rauc);
        }
        let crypt = theirs.bundle(&format!("{START}[bundle]\nformat=crypt\n\n{ROOT}"));
        assert_eq!(refused(&crypt, theirs.pki), wanted("crypt"), "not encrypted yet");
        theirs.pki.openssl(
            "req -new -x509 -newkey rsa:2048 -nodes -keyout device.key -out device.pem -days 7300 -subj /CN=device",
        );
        let encrypted = theirs.dir.join("encrypted.raucb");
        let _ = std::fs::remove_file(&encrypted);
        let mut encrypt = theirs.command("encrypt");
        encrypt.arg("--to").arg(theirs.pki.path("device.pem"));
        run(encrypt.arg(&crypt).arg(&encrypted));
        let mut info = theirs.command("info");
        run(info
            .arg("--key")
            .arg(theirs.pki.path("device.key"))
            .arg(&encrypted));
        assert_eq!(
            refused(&encrypted, theirs.pki),
            wanted("crypt"),
            "{}",
            theirs.rauc
        );
    });
}

#[test]
fn images_without_files_are_shown() {
    with_each(|theirs| {
        let hooks = "[bundle]\nformat=verity\n\n[hooks]\nfilename=hook.sh\n\n";
        let emptyfs = match theirs.rauc {
            "rauc" => "",
            _ => "\n[image.data]\ntype=emptyfs\n",
        };
        let text = format!("{START}{hooks}{ROOT}\n[image.own]\nhooks=install\n{emptyfs}");
        let path = theirs.bundle(&text);
        run(theirs.command("info").arg(&path));
        let shown = info(&path, theirs.pki).unwrap();
        assert!(shown.contains("\n[image.own]\nhooks=install;\n"), "{shown}");
        assert_eq!(
            shown.contains("[image.data]\ntype=emptyfs\n"),
            !emptyfs.is_empty(),
            "{shown}"
        );
        let file: Arc<[u8]> = std::fs::read(&path).unwrap().into();
        crate::verdict(&file, &theirs.pki.trust(), theirs.dir).unwrap();
    });
}

#[test]
fn what_only_newer_raucs_have_is_named() {
    with_each(|theirs| {
        if theirs.rauc == "rauc" {
            return;
        }
        let verity = "[bundle]\nformat=verity\n\n";
        for (images, wanted) in [
            (
                "[image.root/app]\nfilename=root.img\n",
                "[image.root/app]: artifacts cannot be read",
            ),
            (
                "[image.root/app]\nfilename=root.img\nconvert=keep\n",
                "[image.root/app]: artifacts cannot be read",
            ),
        ] {
            let path = theirs.bundle(&format!("{START}{verity}{images}"));
            run(theirs.command("info").arg(&path));
            assert_eq!(refused(&path, theirs.pki), wanted);
        }
    });
}
