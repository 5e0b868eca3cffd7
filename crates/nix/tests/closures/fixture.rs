//! A small store.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use image::{Fault, Silent, Tree};
use nix::{Closure, Store, StorePath};

/// A store of paths `/nix/store/<letter>…<letter>-<name>` and its closureInfo folder.
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
}

/// The path that Nix would never make for this name, but could.
pub(crate) fn store_path(letter: char, name: &str) -> StorePath {
    let hash: String = std::iter::repeat_n(letter, 32).collect();
    format!("/nix/store/{hash}-{name}").parse().unwrap()
}

pub(crate) fn lib() -> StorePath {
    store_path('z', "lib")
}

pub(crate) fn app() -> StorePath {
    store_path('b', "app")
}

pub(crate) fn link() -> StorePath {
    store_path('c', "link")
}

impl Fixture {
    /// `app` refers to itself, to `link` and to `lib`.
    pub(crate) fn new() -> Fixture {
        let fixture = Fixture {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(fixture.path().join("nix/store/.links")).unwrap();
        fs::create_dir_all(fixture.host(&app()).join("bin")).unwrap();
        fixture.write(&app(), "bin/run", b"same bytes");
        fs::set_permissions(
            fixture.host(&app()).join("bin/run"),
            PermissionsExt::from_mode(0o4755),
        )
        .unwrap();
        fixture.write(&app(), "copy", b"same bytes");
        fixture.write(&app(), "other", b"other bytes, of a length of their own");
        fs::hard_link(
            fixture.host(&app()).join("copy"),
            fixture.host(&app()).join("name"),
        )
        .unwrap();
        fs::write(fixture.host(&lib()), b"a top-level file").unwrap();
        symlink("/nowhere", fixture.host(&link())).unwrap();
        fixture.register(&fixture.hashed());
        fixture
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn info(&self) -> PathBuf {
        self.path().join("closure-info")
    }

    pub(crate) fn store(&self) -> Store {
        Store {
            root: Some(self.path().into()),
        }
    }

    pub(crate) fn host(&self, path: &StorePath) -> PathBuf {
        self.store().host_path(path)
    }

    pub(crate) fn write(&self, path: &StorePath, name: &str, bytes: &[u8]) {
        fs::write(self.host(path).join(name), bytes).unwrap();
    }

    pub(crate) fn list() -> String {
        format!("{}\n{}\n{}\n", app(), link(), lib())
    }

    /// The registration of what lies in the store.
    pub(crate) fn hashed(&self) -> String {
        let list = Closure::from_list(Path::new("list"), Self::list().as_bytes()).unwrap();
        let tree = list.tree(&self.store()).unwrap();
        let mut text = String::new();
        for path in [app(), link(), lib()] {
            let root = tree.lookup(path.as_str().as_bytes()).unwrap();
            let (hash, size) = nix::nar::hash(&tree, root, &Silent).unwrap();
            let references = if path == app() {
                format!("3\n{}", Self::list().trim_end())
            } else {
                "0".into()
            };
            writeln!(text, "{path}\n{hash}\n{size}\n\n{references}").unwrap();
        }
        text
    }

    pub(crate) fn register(&self, text: &str) {
        let closure = Closure::from_registration(Path::new("registration"), text.as_bytes()).unwrap();
        let sum: u64 = closure.paths().iter().filter_map(|info| info.nar_size).sum();
        fs::create_dir_all(self.info()).unwrap();
        fs::write(self.info().join("registration"), text).unwrap();
        fs::write(self.info().join("store-paths"), Self::list()).unwrap();
        fs::write(self.info().join("total-nar-size"), format!("{sum}\n")).unwrap();
    }

    pub(crate) fn closure(&self) -> Closure {
        Closure::read(&self.info()).unwrap()
    }

    pub(crate) fn tree(&self) -> Tree {
        self.closure().tree(&self.store()).unwrap()
    }

    /// Changes a file of the closure-info folder and answers what reading it says.
    pub(crate) fn error_with(&self, file: &str, from: &str, to: &str) -> String {
        let path = self.info().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = Closure::read(&self.info()).unwrap_err();
        fs::write(&path, text).unwrap();
        assert_eq!(error.fault(), Fault::Input);
        error
            .to_string()
            .replace(&self.info().display().to_string(), "INFO")
    }
}
