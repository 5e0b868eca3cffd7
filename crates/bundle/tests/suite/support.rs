//! A good bundle in pieces, the keys around it, and RAUC beside us.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bundle::manifest::{self, Hooks, Manifest, Verity};
use bundle::{Bundle, ImageOptions, Options, Packing, Work};
use image::{Content, Image, Node, NodeId, Silent, Spool, Tree};
use signature::{Certificate, Crl, Identity, Key, Time, Trust};

/// When the bundles are signed: within the lives of all certificates but those that shall not be.
pub(crate) const TIME: u64 = 1_900_000_000;

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Keys and certificates, made by OpenSSL.
pub(crate) struct Pki {
    pub(crate) dir: PathBuf,
}

const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = emailProtection, codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[code]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
[encipher]
basicConstraints = critical, CA:FALSE
keyUsage = critical, keyEncipherment
[authority]
default_ca = authority_of_tests
[authority_of_tests]
database = index.txt
default_md = sha256
default_crl_days = 7300
new_certs_dir = .
rand_serial = yes
policy = anybody
[anybody]
organizationName = optional
commonName = supplied
";

impl Pki {
    /// `root`, `other` (its own root), `inter` below root, and leaves: `leaf`, `deep` below inter, `foreign` below
    /// other, `code`, `encipher`, `expired`, `revoked`.
    pub(crate) fn new(dir: &Path) -> Pki {
        let pki = Pki { dir: dir.join("pki") };
        std::fs::create_dir(&pki.dir).unwrap();
        std::fs::write(pki.path("pki.cnf"), CONFIG).unwrap();
        for root in ["root", "other"] {
            pki.key(root);
            let subject = format!("/O=Tests/CN={root}");
            pki.openssl(&format!(
                "req -new -x509 -key {root}.key -out {root}.pem -days 7300 -subj {subject} -config pki.cnf -extensions ca"
            ));
        }
        pki.issue("inter", "root", "ca", 7300);
        pki.issue("leaf", "root", "leaf", 7300);
        pki.issue("deep", "inter", "leaf", 7300);
        pki.issue("foreign", "other", "leaf", 7300);
        pki.issue("code", "root", "code", 7300);
        pki.issue("encipher", "root", "encipher", 7300);
        pki.issue("revoked", "root", "leaf", 7300);
        pki.issue("expired", "root", "leaf", 1);
        std::fs::write(pki.path("index.txt"), "").unwrap();
        pki.openssl(
            "ca -batch -notext -config pki.cnf -name authority_of_tests -cert root.pem -keyfile root.key -extensions leaf \
             -startdate 20200101000000Z -enddate 20210101000000Z -in expired.csr -out expired.pem",
        );
        pki.openssl("ca -config pki.cnf -name authority_of_tests -cert root.pem -keyfile root.key -revoke revoked.pem");
        pki.openssl("ca -config pki.cnf -name authority_of_tests -cert root.pem -keyfile root.key -gencrl -out root.crl");
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn openssl(&self, arguments: &str) {
        run(Command::new("openssl")
            .current_dir(&self.dir)
            .args(arguments.split_whitespace()));
    }

    fn key(&self, name: &str) {
        self.openssl(&format!(
            "ecparam -name prime256v1 -genkey -noout -out {name}.key"
        ));
    }

    pub(crate) fn issue(&self, name: &str, issuer: &str, extensions: &str, days: u32) {
        self.key(name);
        self.openssl(&format!(
            "req -new -key {name}.key -subj /O=Tests/CN={name} -config pki.cnf -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -out {name}.pem -days {days} \
             -extfile pki.cnf -extensions {extensions}"
        ));
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        Certificate::read_pem_or_der(&self.read(&format!("{name}.pem")), name)
            .unwrap()
            .remove(0)
    }

    pub(crate) fn identity(&self, name: &str, intermediates: &[&str]) -> Identity {
        Identity {
            certificate: self.certificate(name),
            intermediates: intermediates.iter().map(|name| self.certificate(name)).collect(),
        }
    }

    pub(crate) fn key_of(&self, name: &str) -> Key {
        Key::read(&self.read(&format!("{name}.key")), None).unwrap()
    }

    /// What a device with the root in its keyring asks for.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            anchors: vec![self.certificate("root")],
            ..Trust::default()
        }
    }

    pub(crate) fn crls(&self) -> Vec<Crl> {
        Crl::read_pem_or_der(&self.read("root.crl"), "root.crl").unwrap()
    }

    /// A manifest, signed as it is, whatever it says.
    pub(crate) fn sign(&self, text: &[u8]) -> Vec<u8> {
        let time = Time::from_seconds(TIME).unwrap();
        signature::sign(
            text,
            &self.identity("leaf", &[]),
            &self.key_of("leaf"),
            Some(time),
        )
        .unwrap()
    }

    /// Signs with OpenSSL, with these arguments.
    pub(crate) fn cms(&self, text: &[u8], arguments: &str) -> Vec<u8> {
        std::fs::write(self.path("text"), text).unwrap();
        self.openssl(&format!(
            "cms -sign -in text -out text.cms -outform DER -binary {arguments}"
        ));
        self.read("text.cms")
    }
}

/// A good bundle in pieces.
#[derive(Clone)]
pub(crate) struct Pieces {
    pub(crate) files: Vec<(String, Node)>,
    pub(crate) manifest: Manifest,
    pub(crate) squashfs: Vec<u8>,
    pub(crate) tree: Vec<u8>,
}

pub(crate) fn bytes(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).unwrap()
    };
    (0..len).map(next).collect()
}

/// Two images and a hook.
pub(crate) fn options() -> Options {
    let image = |slot: &str, filename: &str, content: Vec<u8>, packing| ImageOptions {
        manifest: manifest::Image {
            slot: slot.into(),
            filename: Some(filename.into()),
            adaptive: bundle::adaptive(),
            ..manifest::Image::default()
        },
        content: Some(content.into()),
        packing,
    };
    let hooks = Hooks {
        filename: "hook.sh".into(),
        hooks: vec!["install-check".into()],
    };
    Options {
        compatible: "rock64".into(),
        version: Some("1.0".into()),
        images: vec![
            image(
                "boot",
                "boot.vfat",
                [bytes(8192, 1), vec![0; 40960]].concat(),
                Packing::Compressed,
            ),
            image("rootfs", "rootfs.squashfs", bytes(200 * 4096, 2), Packing::Stored),
        ],
        hooks: Some((hooks, Content::from(b"#!/bin/sh\n".to_vec()))),
        ..Options::default()
    }
}

pub(crate) fn work(dir: &Path) -> Work<'_> {
    Work {
        folder: dir,
        threads: 2,
        progress: &Silent,
        segments: None,
    }
}

pub(crate) fn whole(image: Image) -> Vec<u8> {
    Content::Image(Arc::new(image)).to_vec().unwrap()
}

impl Pieces {
    pub(crate) fn new(dir: &Path) -> Pieces {
        let unsigned = bundle::plan(&options(), &work(dir)).unwrap();
        let manifest = unsigned.manifest().clone();
        let payload = unsigned.payload().to_vec().unwrap();
        let tree_size = usize::try_from(manifest.verity.unwrap().size).unwrap();
        let (squashfs, tree) = payload.split_at(payload.len() - tree_size);
        let checked = bundle::check(&unsigned, &work(dir)).unwrap();
        let children = checked.tree.children(NodeId::ROOT);
        let file = |(name, id): (&[u8], NodeId)| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            (name, checked.tree.node(id).clone())
        };
        Pieces {
            files: children.map(file).collect(),
            manifest,
            squashfs: squashfs.to_vec(),
            tree: tree.to_vec(),
        }
    }

    /// With other files in the SquashFS, and the tree that belongs to them.
    pub(crate) fn pack(&self, dir: &Path, change: impl FnOnce(&mut Vec<(String, Node)>)) -> Pieces {
        let mut pieces = self.clone();
        change(&mut pieces.files);
        let mut tree = Tree::default();
        for (name, node) in &pieces.files {
            tree.add_at(name.as_bytes(), node.clone()).unwrap();
        }
        let spool = Spool::create(dir).unwrap();
        let work = squashfs::Work {
            spool: &spool,
            threads: 1,
            digests: &[],
            progress: &Silent,
            reuse: None,
        };
        let options = squashfs::Options {
            block_size: 16 << 10,
            compression: squashfs::Compression::Gzip { level: 1 },
            ..squashfs::Options::default()
        };
        pieces.squashfs = whole(squashfs::plan(&tree, &options, &work).unwrap().image);
        pieces.protect();
        pieces
    }

    /// Makes the tree of the SquashFS as it is now.
    pub(crate) fn protect(&mut self) {
        let salt = self.manifest.verity.unwrap().salt;
        let options = verity::Options {
            salt: salt.to_vec(),
            superblock: None,
        };
        let work = verity::Work {
            spool: None,
            threads: 1,
            progress: &Silent,
        };
        let planned = verity::plan(&self.squashfs.clone().into(), &options, &work).unwrap();
        let size = planned.image.size();
        self.manifest.verity = Some(Verity {
            hash: planned.root,
            salt,
            size,
        });
        self.tree = whole(planned.image);
    }

    /// The file, with this where the signature should be.
    pub(crate) fn file(&self, cms: &[u8]) -> Vec<u8> {
        let len = (cms.len() as u64).to_be_bytes();
        [&self.squashfs[..], &self.tree, cms, &len].concat()
    }

    /// The file, signed by `leaf`.
    pub(crate) fn signed(&self, pki: &Pki) -> Vec<u8> {
        self.file(&pki.sign(self.manifest.write().as_bytes()))
    }
}

/// What `kiln bundle verify` says.
pub(crate) fn verdict(file: &[u8], trust: &Trust, dir: &Path) -> Result<bundle::Checked, bundle::Error> {
    let source: Arc<[u8]> = file.into();
    let size = file.len() as u64;
    match bundle::open(Arc::new(Content::Bytes(source)), size)? {
        Bundle::Signed(signed) => bundle::verify(&signed, trust, &work(dir)).map(|(_, checked)| checked),
        Bundle::Plain(plain) => bundle::verify_plain(&plain, trust, &work(dir)).map(|(_, checked)| checked),
        Bundle::Unsigned(_) => Err(bundle::Error::Manifest("unsigned".into())),
    }
}

/// Whether `rauc info` takes it.
pub(crate) fn rauc_takes(file: &[u8], pki: &Pki) -> bool {
    let path = pki.path("bundle.raucb");
    std::fs::write(&path, file).unwrap();
    let mut rauc = Command::new("rauc");
    rauc.arg("info")
        .arg("--keyring")
        .arg(pki.path("root.pem"))
        .arg(&path);
    rauc.output().unwrap().status.success()
}
