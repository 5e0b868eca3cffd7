//! Compressed segments that builds share over a bucket and a web server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::demo::{demo, is_made, kiln};
use crate::servers::{ACCESS_KEY, SECRET_KEY, nginx, s3};
use crate::tools::{files, installed, output, run, said, sha256};

/// How much longer than without a shared cache a build may take; this machine may be busy.
const SECONDS_MORE: Duration = Duration::from_secs(8);

/// A squashfs of the demo's closure, compressed quickly, by a build that has nothing of its own.
fn squashfs(out: &Path, more: &[&str]) -> Command {
    let store = demo().join("out/store");
    let mut kiln = kiln();
    kiln.arg("squashfs")
        .arg("--closure")
        .arg(store.join("closure-info"))
        .arg("--store-root")
        .arg(store.join("root"))
        .args(["--level", "3", "--out"])
        .arg(out)
        .args(more);
    kiln
}

fn with_keys(mut kiln: Command, secret: &str) -> Command {
    kiln.env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", secret);
    kiln
}

/// All that a build prints that succeeds.
fn told(build: &mut Command) -> String {
    let output = output(build);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    said
}

/// The segments in a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let folders = files(&folder.join("segments"));
    folders.iter().flat_map(|folder| files(folder)).collect()
}

/// How many segments a server's log says that it has sent.
fn sent(log: &Path) -> usize {
    let log = fs::read_to_string(log).unwrap();
    let is_sent =
        |line: &&str| line.contains("GET ") && line.contains("/segments/") && line.contains("\" 200 ");
    log.lines().filter(is_sent).count()
}

#[test]
fn segments_travel_over_buckets_and_web_servers() {
    if !is_made() || !installed(&["nginx", "s3s-fs"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    let cold = path("cold.squashfs");
    let begun = Instant::now();
    run(&mut squashfs(&cold, &["--no-cache"]));
    let (wanted, alone) = (sha256(&cold), begun.elapsed());
    let out = path("out.squashfs");
    // One build fills the bucket while it compresses, and `push` sends what it had no time for.
    fs::create_dir_all(path("served/bucket")).unwrap();
    let bucket = s3(&path("served"));
    let url = format!(
        "s3://bucket/some/where?endpoint=127.0.0.1:{}&scheme=http",
        bucket.port
    );
    let cache = path("cache").display().to_string();
    let fill = ["--cache", &cache, "--cache-to", &url];
    run(&mut with_keys(squashfs(&out, &fill), SECRET_KEY));
    assert_eq!(sha256(&out), wanted);
    let mut push = kiln();
    push.args(["cache", "push", "--cache", &cache, "--to", &url]);
    run(&mut with_keys(push, SECRET_KEY));
    let here = entries(&path("cache"));
    let there = entries(&path("served/bucket/some/where"));
    assert_eq!(here.len(), there.len());
    for (one, other) in here.iter().zip(&there) {
        assert_eq!(sha256(one), sha256(other));
    }
    // Another machine takes them from there, and keeps nothing itself.
    let none = ["--no-cache", "--cache-from", &url];
    let stderr = told(&mut with_keys(squashfs(&out, &none), SECRET_KEY));
    assert!(!stderr.contains("warning"), "{stderr}");
    assert_eq!(sha256(&out), wanted);
    // With the wrong keys it is told, and makes them itself.
    let stderr = told(&mut with_keys(squashfs(&out, &none), "another"));
    assert!(stderr.contains("the server answers 403"), "{stderr}");
    assert_eq!(sha256(&out), wanted);
    // The same objects behind a web server; a slow one is no hindrance.
    for (rate, least) in [("", there.len() / 2), ("limit_rate 10k;", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let web = nginx(&path("served"), folder.path(), rate);
        let url = format!("http://127.0.0.1:{}/bucket/some/where", web.port);
        let begun = Instant::now();
        let stderr = told(&mut squashfs(&out, &["--no-cache", "--cache-from", &url]));
        assert!(!stderr.contains("warning"), "{stderr}");
        let took = begun.elapsed();
        assert_eq!(sha256(&out), wanted);
        drop(web);
        assert!(
            took < alone + SECONDS_MORE,
            "{took:?} instead of {alone:?} {rate}"
        );
        assert!(sent(&folder.path().join("access.log")) >= least, "{rate}");
    }
}

#[test]
fn a_web_server_takes_segments_with_put() {
    if !is_made() || !installed(&["nginx"]) {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name);
    let (out, cache) = (path("out.squashfs"), path("cache").display().to_string());
    run(&mut squashfs(&out, &["--cache", &cache]));
    fs::create_dir(path("served")).unwrap();
    let put = "dav_methods PUT; create_full_put_path on; client_max_body_size 0;";
    let web = nginx(&path("served"), work.path(), put);
    let url = format!("http://127.0.0.1:{}/team", web.port);
    run(kiln().args(["cache", "push", "--cache", &cache, "--to", &url]));
    let (here, there) = (entries(&path("cache")), entries(&path("served/team")));
    assert_eq!(here.len(), there.len());
    for (one, other) in here.iter().zip(&there) {
        assert_eq!(sha256(one), sha256(other));
    }
    // One that takes nothing is told by `push`, and does not fail a build.
    let read_only = nginx(&path("served"), work.path(), "client_max_body_size 0;");
    let url = format!("http://127.0.0.1:{}/other", read_only.port);
    let refused = kiln()
        .args(["cache", "push", "--cache", &cache, "--to", &url])
        .output()
        .unwrap();
    let stderr = said(&refused);
    assert_eq!(refused.status.code(), Some(5), "{stderr}");
    assert!(
        stderr.contains("the server answers 405") && stderr.contains("method PUT"),
        "{stderr}"
    );
    let stderr = told(&mut squashfs(&out, &["--cache", &cache, "--cache-to", &url]));
    assert!(
        stderr.contains("405") && stderr.contains("nothing more is sent"),
        "{stderr}"
    );
}
