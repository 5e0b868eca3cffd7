//! Servers that others wrote: nginx for the web, s3s-fs for buckets.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::tools::tool;

pub(crate) const ACCESS_KEY: &str = "AKIAKILN";
pub(crate) const SECRET_KEY: &str = "a secret of the tests";

/// A program that serves until the value goes.
pub(crate) struct Served {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn wait_for(mut child: Child, port: u16) -> Served {
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed().as_secs() < 30 && child.try_wait().unwrap().is_none(),
            "the server does not start"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Served { child, port }
}

/// nginx, which serves a folder; `more` is for its `location`.
pub(crate) fn nginx(folder: &Path, work: &Path, more: &str) -> Served {
    let (port, work) = (free_port(), work.display());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {work}/tmp;"));
    let text = format!(
        "daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.log;\n\
         events {{}}\nhttp {{ access_log {work}/access.log; {} server {{ listen 127.0.0.1:{port}; root {};\n\
         location / {{ {more} }} }} }}\n",
        temporary.join(" "),
        folder.display()
    );
    let configuration = format!("{work}/nginx.conf");
    fs::write(&configuration, text).unwrap();
    // Whoever is root would else become somebody who may not read folders of root's.
    let child = tool("nginx")
        .args([
            "-e",
            &format!("{work}/nginx.log"),
            "-g",
            "user root;",
            "-c",
            &configuration,
        ])
        .spawn()
        .unwrap();
    wait_for(child, port)
}

/// A bucket of a server that checks signatures.
pub(crate) fn s3(folder: &Path) -> Served {
    let port = free_port();
    let child = tool("s3s-fs")
        .args([
            "--host",
            "127.0.0.1",
            "--access-key",
            ACCESS_KEY,
            "--secret-key",
            SECRET_KEY,
        ])
        .args(["--port", &port.to_string()])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(child, port)
}
