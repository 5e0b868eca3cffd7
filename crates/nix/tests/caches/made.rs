//! A signed cache of three paths.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use image::{Node, NodeId, Silent, Spool, Tree};
use nix::{Caches, Closure, DownloadDir, Fetching, Narinfo, PublicKey, StorePath, Trust};
use ring::signature::{Ed25519KeyPair, KeyPair};

pub(crate) const APP: &str = "/nix/store/0023a8ppvzkvviq2887k7cpw39wzjibi-app";
pub(crate) const LIB: &str = "/nix/store/v83yia23qrmm0484d2fz9ak12pbfd5x8-lib";
pub(crate) const BIG: &str = "/nix/store/1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0-big";

/// A folder that is a cache, of uncompressed NARs.
pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

pub(crate) fn key() -> PublicKey {
    let digits = BASE64.encode(pair().public_key().as_ref());
    format!("made-1:{digits}").parse().unwrap()
}

pub(crate) fn trust() -> Trust {
    Trust {
        keys: vec![key()],
        unsigned: false,
    }
}

/// The tree of a path.
pub(crate) fn tree_of(path: &str) -> Tree {
    let mut tree = Tree::default();
    let mut file = |name: &str, bytes: Vec<u8>| tree.add_at(name.as_bytes(), Node::file(bytes)).unwrap();
    match path {
        APP => file("/bin/app", b"#!/nix/store/...".to_vec()),
        LIB => return Tree::new(Node::file(&b"a library that is a file"[..])),
        _ => {
            let bytes = (0..500_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes());
            file("/data", bytes.collect())
        }
    };
    tree
}

fn references(path: &str) -> &'static str {
    match path {
        APP => "1ib0rn0jdvh35xmfrwnxg16q2zsdjbk0-big 0023a8ppvzkvviq2887k7cpw39wzjibi-app",
        LIB => "",
        _ => "v83yia23qrmm0484d2fz9ak12pbfd5x8-lib",
    }
}

pub(crate) fn path(text: &str) -> StorePath {
    text.parse().unwrap()
}

impl Made {
    pub(crate) fn new() -> Made {
        let made = Made {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(made.path().join("nar")).unwrap();
        made.write("nix-cache-info", b"StoreDir: /nix/store\nWantMassQuery: 1\n");
        for text in [APP, LIB, BIG] {
            let tree = tree_of(text);
            let mut nar = Vec::new();
            nix::nar::write(&tree, NodeId::ROOT, &mut nar, &Silent).unwrap();
            let (hash, size) = nix::nar::hash(&tree, NodeId::ROOT, &Silent).unwrap();
            let name = path(text).name().to_string();
            made.write(&format!("nar/{name}.nar"), &nar);
            let narinfo = format!(
                "StorePath: {text}\nURL: nar/{name}.nar\nCompression: none\nFileSize: {size}\nNarHash: {hash}\n\
                 NarSize: {size}\nReferences: {}\n",
                references(text)
            );
            made.write(&info(text), signed(&narinfo).as_bytes());
        }
        made
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn address(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Changes a file of the cache.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let bytes = fs::read(self.path().join(name)).unwrap();
        self.write(name, &change(bytes));
    }

    /// Changes a narinfo, and signs it anew.
    pub(crate) fn change_info(&self, path: &str, change: impl FnOnce(String) -> String) {
        self.change(&info(path), |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("Sig:"));
            let unsigned: String = lines.fold(String::new(), |text, line| text + line + "\n");
            signed(&change(unsigned)).into_bytes()
        });
    }
}

/// The name of a path's narinfo.
pub(crate) fn info(text: &str) -> String {
    format!("{}.narinfo", path(text).hash_part())
}

fn signed(narinfo: &str) -> String {
    let fingerprint = Narinfo::parse("made", narinfo.as_bytes()).unwrap().fingerprint();
    let signature = pair().sign(fingerprint.as_bytes());
    let mut text = narinfo.to_string();
    writeln!(text, "Sig: made-1:{}", BASE64.encode(signature.as_ref())).unwrap();
    text
}

/// Options with which failures come fast.
pub(crate) fn options() -> remote::Options {
    remote::Options {
        tries: 3,
        pause: Duration::from_millis(10),
        stall: Duration::from_millis(700),
        ..remote::Options::default()
    }
}

/// Everything of a closure, from these addresses.
pub(crate) fn fetched(
    addresses: &[String],
    trust: Trust,
    download: Option<&Path>,
) -> nix::Result<(Closure, Tree)> {
    let caches = Caches::open(addresses, &options(), trust)?;
    let mut found = caches.find(&[path(APP)], &Silent)?;
    let spool = Spool::create(&std::env::temp_dir())?;
    let download = download.map(DownloadDir::open_at).transpose()?;
    let fetching = Fetching {
        spool: &spool,
        download: download.as_ref(),
        threads: 3,
        progress: &Silent,
    };
    found.fetch(1000, &fetching)?;
    found.fetch(u64::MAX, &fetching)?;
    let tree = found.tree()?.unwrap();
    Ok((found.closure().clone(), tree))
}
