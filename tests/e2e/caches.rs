//! Closures out of binary caches that Nix fills: over files, HTTP (nginx) and S3 (s3s-fs), where there is no /nix; and every
//! other source of the same closure. All of them give the same image.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::demo::{demo, is_made, kiln, store_paths, toplevel};
use crate::servers::{ACCESS_KEY, SECRET_KEY, nginx, s3};
use crate::shared::{Shared, shared};
use crate::tools::{installed, run, sha256, tool};

pub(crate) const BUCKET: &str = "kiln-cache";

/// A cache that `nix copy` has filled and signed: the folder is the server's root, the cache lies in `BUCKET`; `key` is the
/// public key, `export` a stream of the same paths.
pub(crate) fn cache() -> Shared {
    shared("caches", |folder| {
        let nix = |arguments: &[&str]| {
            let mut nix = tool("nix");
            nix.args(["--extra-experimental-features", "nix-command"])
                .args(arguments)
                .env("HOME", folder);
            nix
        };
        let secret = run(&mut nix(&["key", "generate-secret", "--key-name", "tests-1"]));
        fs::write(folder.join("secret"), &secret).unwrap();
        let mut public = nix(&["key", "convert-secret-to-public"]);
        public.stdin(fs::File::open(folder.join("secret")).unwrap());
        fs::write(folder.join("key"), run(&mut public)).unwrap();
        let root = demo().join("out/store/root");
        let to = format!(
            "file://{}?compression=zstd&write-nar-listing=true&parallel-compression=true&secret-key={}",
            folder.join(BUCKET).display(),
            folder.join("secret").display()
        );
        run(&mut nix(&[
            "copy",
            "--store",
            root.to_str().unwrap(),
            "--to",
            &to,
            &toplevel(),
        ]));
        let mut export = tool("nix-store");
        export
            .arg("--store")
            .arg(&root)
            .arg("--export")
            .args(store_paths())
            .env("HOME", folder);
        export.stdout(fs::File::create(folder.join("export")).unwrap());
        assert!(export.status().unwrap().success());
    })
}

fn is_possible() -> bool {
    is_made() && installed(&["nix", "nix-store", "nginx"])
}

/// `kiln ext4` of the demo's system from a source, without a place for Nix or a home.
fn ext4(sources: &[&str], key: &str, out: &Path) -> Command {
    let mut kiln = kiln();
    kiln.arg("ext4")
        .arg("--out")
        .arg(out)
        .args(["--path", &toplevel(), "--trusted-key", key.trim()]);
    for source in sources {
        kiln.args(["--closure", source]);
    }
    kiln
}

/// The image out of the local store.
fn local(folder: &Path) -> String {
    let out = folder.join("local.ext4");
    let store = demo().join("out/store");
    run(kiln()
        .arg("ext4")
        .arg("--closure")
        .arg(store.join("closure-info"))
        .arg("--store-root")
        .arg(store.join("root"))
        .arg("--out")
        .arg(&out));
    sha256(&out)
}

#[test]
fn every_source_gives_the_same_image() {
    if !is_possible() || !installed(&["s3s-fs"]) {
        return;
    }
    let (cache, work) = (cache(), tempfile::tempdir().unwrap());
    let key = fs::read_to_string(cache.path.join("key")).unwrap();
    let wanted = local(work.path());
    let out = work.path().join("out.ext4");
    let web = nginx(&cache.path, work.path(), "");
    let bucket = s3(&cache.path);
    let store = demo().join("out/store");
    let sources = [
        format!("file://{}", cache.path.join(BUCKET).display()),
        format!("http://127.0.0.1:{}/{BUCKET}", web.port),
        format!(
            "s3://{BUCKET}?endpoint=127.0.0.1:{}&scheme=http&region=eu-west-1",
            bucket.port
        ),
        cache.path.join("export").display().to_string(),
        store.join("root").display().to_string(),
        store.join("root/nix/var/nix/db/db.sqlite").display().to_string(),
    ];
    for source in &sources {
        let mut build = ext4(&[source], &key, &out);
        run(build
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY));
        assert_eq!(sha256(&out), wanted, "{source}");
        fs::remove_file(&out).unwrap();
    }
    // Nobody else may read the bucket.
    let refused = ext4(&[&sources[2]], &key, &out)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", "another")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{told}");
    assert!(
        told.contains("the server answers 403") && told.contains("AWS_ACCESS_KEY_ID"),
        "{told}"
    );
    assert!(!out.exists());
}

/// A squashfs whose id other parts show, planned from listings, and in no more time than fetching and unpacking take.
#[test]
fn a_specification_takes_its_closure_from_a_cache() {
    if !is_possible() {
        return;
    }
    let (cache, work) = (cache(), tempfile::tempdir().unwrap());
    let key = fs::read_to_string(cache.path.join("key")).unwrap();
    let web = nginx(&cache.path, work.path(), "");
    let address = format!("http://127.0.0.1:{}/{BUCKET}", web.port);
    let store = demo().join("out/store");
    let spec = |from: &str| {
        let text = format!(
            "schema = 1\nname = \"fetched-{{series}}\"\n[closure]\n{from}\n\
             [fs.rootfs]\nformat = \"squashfs\"\nclosure = true\nlevel = 1\n\
             [fs.boot]\nformat = \"fat\"\ntext = {{ \"/id\" = \"{{fs.rootfs.id}}\" }}\n\
             files = {{ \"/Image\" = \"{{kernel}}\" }}\n\
             [fs.data]\nformat = \"ext4\"\nclosure = true\ndatabase = true\nregistration = \"/reg\"\n\
             [disk]\n[[disk.region]]\nname = \"boot\"\ntype = \"esp\"\ncontent = \"fs.boot\"\n\
             [[disk.region]]\nname = \"root\"\ntype = \"linux\"\ncontent = \"fs.rootfs\"\n"
        );
        let path = work.path().join("spec.toml");
        fs::write(&path, text).unwrap();
        path
    };
    let made = |from: &str, out: &str| {
        let out = work.path().join(out);
        fs::create_dir(&out).unwrap();
        run(kiln().arg("build").arg(spec(from)).arg("--out").arg(&out));
        crate::demo::digests(&out)
    };
    let from_cache = format!(
        "from = \"{address}\"\ntoplevel = \"{}\"\ntrusted-keys = [\"{}\"]",
        toplevel(),
        key.trim()
    );
    let from_store = format!(
        "from = \"{}\"\nstore-root = \"{}\"",
        store.join("closure-info").display(),
        store.join("root").display()
    );
    // A plan needs no more than narinfos, listings and the smallest NARs.
    run(kiln().arg("plan").arg(spec(&from_cache)));
    let fetched = |name: &str| {
        let log = fs::read_to_string(work.path().join("access.log")).unwrap();
        log.lines().filter(|line| line.contains(name)).count()
    };
    assert!(
        fetched("GET /kiln-cache/nar/") < store_paths().len() / 2 + 40,
        "a plan fetches small NARs only"
    );
    let sizes: u64 = fs::read_to_string(work.path().join("access.log"))
        .unwrap()
        .lines()
        .filter(|line| line.contains("/nar/"))
        .filter_map(|line| line.split_whitespace().nth(9)?.parse::<u64>().ok())
        .sum();
    assert!(sizes < 5 << 20, "a plan fetches {sizes} bytes of NARs");
    assert_eq!(made(&from_cache, "cache"), made(&from_store, "store"));
    // What cannot fit is said before the large NARs are fetched.
    let before = fetched("/nar/");
    let too_small = spec(&format!(
        "{from_cache}\n[fs.small]\nformat = \"fat\"\nsize = \"1MiB\"\nfiles = {{ \"/Image\" = \"{{kernel}}\" }}"
    ));
    let refused = kiln()
        .arg("build")
        .arg(too_small)
        .arg("--out")
        .arg(work.path())
        .output()
        .unwrap();
    assert_eq!(
        refused.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&refused.stderr)
    );
    assert!(
        fetched("/nar/") - before < store_paths().len(),
        "nothing large was fetched"
    );
}

/// A build that is killed, and one that goes on with what it left.
#[test]
fn a_killed_build_goes_on() {
    if !is_possible() {
        return;
    }
    let (cache, work) = (cache(), tempfile::tempdir().unwrap());
    let key = fs::read_to_string(cache.path.join("key")).unwrap();
    let slow = nginx(&cache.path, work.path(), "limit_rate 2m;");
    let address = |port| format!("http://127.0.0.1:{port}/{BUCKET}");
    let (out, kept) = (work.path().join("out/image.ext4"), work.path().join("kept"));
    fs::create_dir(work.path().join("out")).unwrap();
    let build = |port| {
        let mut build = ext4(&[&address(port)], &key, &out);
        build.arg("--download-dir").arg(&kept).stderr(Stdio::null());
        build
    };
    let bytes_kept = || -> u64 {
        let files = crate::tools::files(&kept);
        files.iter().map(|file| fs::metadata(file).unwrap().len()).sum()
    };
    let mut child = build(slow.port).spawn().unwrap();
    let begun = Instant::now();
    while !kept.is_dir() || bytes_kept() < 12 << 20 {
        assert!(begun.elapsed().as_secs() < 120, "nothing comes");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.exists(), "no image is half done");
    let before = bytes_kept();
    drop(slow);
    fs::remove_file(work.path().join("access.log")).unwrap();
    let fast = nginx(&cache.path, work.path(), "");
    run(&mut build(fast.port));
    assert_eq!(
        crate::tools::files(&work.path().join("out")),
        std::slice::from_ref(&out),
        "nothing else is left"
    );
    assert_eq!(sha256(&out), local(work.path()));
    let log = fs::read_to_string(work.path().join("access.log")).unwrap();
    let sent: u64 = log
        .lines()
        .filter(|line| line.contains("/nar/"))
        .filter_map(|line| line.split_whitespace().nth(9)?.parse::<u64>().ok())
        .sum();
    let whole: u64 = crate::tools::files(&cache.path.join(BUCKET).join("nar"))
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(log.contains("\" 206 "), "something was taken up in its middle");
    assert!(
        sent + before <= whole + (1 << 20),
        "{sent} bytes after {before} of {whole}"
    );
    // Now everything is there.
    fs::remove_file(work.path().join("access.log")).unwrap();
    drop(fast);
    let again = nginx(&cache.path, work.path(), "");
    run(&mut build(again.port));
    assert!(
        !fs::read_to_string(work.path().join("access.log"))
            .unwrap()
            .contains("/nar/")
    );
}
