//! Binary caches that want a password, behind nginx: Kiln gets in where Nix does, with the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::demo::kiln;
use crate::servers::nginx;
use crate::tools::{installed, output, run, said, sha256, tool};

/// A cache with one path in it, which a Nix of this folder has made.
struct Made {
    work: tempfile::TempDir,
    path: String,
}

impl Made {
    fn new() -> Made {
        let work = tempfile::tempdir().unwrap();
        let (root, served) = (work.path().join("root"), work.path().join("served/cache"));
        fs::create_dir_all(&served).unwrap();
        fs::write(work.path().join("greeting"), "hello\n").unwrap();
        let mut made = Made {
            work,
            path: String::new(),
        };
        let mut add = tool("nix-store");
        add.arg("--store").arg(&root).arg("--add");
        let path = run(add.arg(made.at("greeting")).env("HOME", made.at("home")));
        made.path = path.trim().to_string();
        let to = format!("file://{}", served.display());
        let root = root.display().to_string();
        run(&mut made.nix(&["copy", "--store", &root, "--to", &to, &made.path]));
        fs::write(made.at("users"), "me:{PLAIN}secret\n").unwrap();
        made.write_netrc("machine 127.0.0.1 login me password secret\n");
        made
    }

    fn at(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn write_netrc(&self, text: &str) {
        fs::write(self.at("netrc"), text).unwrap();
        run(tool("chmod").arg("600").arg(self.at("netrc")));
    }

    /// Nix, which remembers nothing.
    fn nix(&self, arguments: &[&str]) -> Command {
        let mut nix = tool("nix");
        let home = tempfile::tempdir_in(self.work.path()).unwrap().keep();
        nix.args(["--extra-experimental-features", "nix-command"])
            .args(arguments)
            .env("HOME", home);
        nix
    }

    fn ext4(&self, cache: &str, options: &[&str]) -> Command {
        let mut kiln = kiln();
        kiln.args(["ext4", "--label", "x", "--path", &self.path, "--closure", cache])
            .args(options)
            .arg("--out")
            .arg(self.at("out.ext4"))
            .env("NIX_CONF_DIR", self.at("nowhere"));
        kiln
    }

    /// The image of a cache.
    fn image(&self, cache: &str, options: &[&str]) -> String {
        run(&mut self.ext4(cache, options));
        sha256(&self.at("out.ext4"))
    }
}

/// What is said to nginx of a place that wants a password.
fn guarded(users: &Path) -> String {
    format!("auth_basic team; auth_basic_user_file {};", users.display())
}

#[test]
fn a_cache_lets_in_who_has_its_password() {
    if !installed(&["nix", "nix-store", "nginx"]) {
        return;
    }
    let made = Made::new();
    let web = nginx(&made.at("served"), made.work.path(), &guarded(&made.at("users")));
    let cache = format!("http://127.0.0.1:{}/cache", web.port);
    let netrc = made.at("netrc").display().to_string();
    let wanted = made.image(&format!("file://{}", made.at("served/cache").display()), &[]);
    // With the password, and with the file that Nix reads.
    let info = [
        "path-info",
        "--store",
        &cache,
        &made.path,
        "--option",
        "netrc-file",
    ];
    run(&mut made.nix(&[&info[..], &[&netrc]].concat()));
    assert_eq!(made.image(&cache, &["--netrc-file", &netrc]), wanted);
    let in_address = cache.replace("http://", "http://me:secret@");
    assert_eq!(made.image(&in_address, &[]), wanted);
    let by_variable = made.ext4(&cache, &[]).env("NETRC", &netrc).output().unwrap();
    assert!(by_variable.status.success());
    // Without it.
    let none = made.at("none").display().to_string();
    let refused = output(&mut made.nix(&[&info[..], &[&none]].concat()));
    assert!(!refused.status.success());
    let refused = output(&mut made.ext4(&cache, &[]));
    let told = said(&refused);
    assert_eq!(refused.status.code(), Some(3), "{told}");
    let wanted =
        format!("{cache}/nix-cache-info: the server answers 401: it wants a password, and there is none");
    assert!(told.contains(&wanted) && told.contains("--netrc-file"), "{told}");
}

/// The narinfo, which a password lets us read, names another server, which gets none.
#[test]
fn nars_elsewhere_are_fetched_without_the_password() {
    if !installed(&["nix", "nix-store", "nginx"]) {
        return;
    }
    let made = Made::new();
    let wanted = made.image(&format!("file://{}", made.at("served/cache").display()), &[]);
    fs::create_dir_all(made.at("other/work")).unwrap();
    fs::rename(made.at("served/cache/nar"), made.at("other/nar")).unwrap();
    let other = nginx(&made.at("other"), &made.at("other/work"), "");
    let hash = &made.path["/nix/store/".len()..][..32];
    let narinfo = made.at("served/cache").join(format!("{hash}.narinfo"));
    let text = fs::read_to_string(&narinfo).unwrap();
    let url = format!("URL: http://localhost:{}/nar/", other.port);
    assert!(text.contains("URL: nar/"), "{text}");
    fs::write(&narinfo, text.replace("URL: nar/", &url)).unwrap();
    let web = nginx(&made.at("served"), made.work.path(), &guarded(&made.at("users")));
    let cache = format!("http://127.0.0.1:{}/cache", web.port);
    made.write_netrc("default login me password secret\n");
    let netrc = made.at("netrc").display().to_string();
    assert_eq!(made.image(&cache, &["--netrc-file", &netrc]), wanted);
    let log = fs::read_to_string(made.at("other/work/access.log")).unwrap();
    let asked: Vec<&str> = log.lines().filter(|line| line.contains("\"GET /nar/")).collect();
    assert!(!asked.is_empty(), "{log}");
    assert!(
        asked.iter().all(|line| line.starts_with("127.0.0.1 - - ")),
        "{log}"
    );
    let own = fs::read_to_string(made.at("access.log")).unwrap();
    assert!(own.contains("127.0.0.1 - me "), "{own}");
    // Nix takes such a narinfo, too.
    let root = made.at("another").display().to_string();
    let copy = [
        "copy",
        "--no-check-sigs",
        "--from",
        &cache,
        "--to",
        &root,
        &made.path,
    ];
    run(&mut made.nix(&[&copy[..], &["--option", "netrc-file", &netrc]].concat()));
}
