//! A fleet whose segments another machine compresses: a second Nix daemon behind sshd, with a store and processes of its
//! own. Both machines are killed in the middle, and what was finished is not done again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::demo::workspace;
use crate::nix_world::{World, world};
use crate::tools::{installed, is_root, output, path, run, said, tool};

/// How many machines the fleet has.
const COUNT: usize = 3;

/// The machine that compresses. What its processes know of the network is the loopback; all else is its own.
struct Machine {
    port: u16,
    /// The first of its processes: without it, the others die too.
    first: Child,
}

impl Machine {
    /// Starts it with the store of a folder, which has the keys that sshd wants.
    fn start(world: &World, folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
             AuthenticationMethods publickey\nPermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\nPidFile none\n\
             SetEnv PATH={path} NIX_REMOTE=daemon NIX_CONF_DIR={conf} NIX_USER_CONF_FILES=\n",
            path = path(),
            at = folder.display(),
            conf = world.configuration().display(),
        );
        fs::write(folder.join("sshd_config"), configuration).unwrap();
        // sshd wants its own full path, and a folder that only a booted system has.
        let script = "mount -t tmpfs none /run\nmkdir /run/sshd\nnix-daemon &\n\
                      exec \"$(command -v sshd)\" -D -e -f \"$1\"\n";
        let mut command = tool("unshare");
        command
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(workspace().join("tests/nix/with-nix"))
            .arg(folder.join("nix"))
            .args(["bash", "-euc", script, "machine"])
            .arg(folder.join("sshd_config"))
            .env("NIX_CONF_DIR", world.configuration())
            .env("NIX_USER_CONF_FILES", "")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("log")).unwrap());
        let socket = folder.join("nix/var/nix/daemon-socket/socket");
        drop(fs::remove_file(&socket));
        let machine = Self {
            port,
            first: command.spawn().unwrap(),
        };
        let start = Instant::now();
        while !socket.exists() || TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            assert!(start.elapsed() < Duration::from_secs(30), "no machine: {log}");
            sleep(Duration::from_millis(50));
        }
        machine
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.first.kill().unwrap();
        self.first.wait().unwrap();
        // The last that has its stdout is gone.
        let mut stdout = self.first.stdout.take().unwrap();
        stdout.read_to_end(&mut Vec::new()).unwrap();
    }
}

/// What a store says of a path.
struct Made {
    hash: String,
    deriver: String,
    /// Not copied from another store.
    is_built_here: bool,
}

/// The stores of a test, and the machine's keys.
struct Site {
    world: World,
    dir: tempfile::TempDir,
}

impl Site {
    /// Where one of the machines, or a store, is.
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Something of the fleet, in a store.
    fn fleet(&self, store: &str, attribute: &str) -> Command {
        let root = workspace();
        let mut command = self.world.nix_elsewhere("nix-build", &self.at(store));
        command
            .arg(root.join("nix/examples/fleet.nix"))
            .args(["-A", attribute, "--no-out-link"])
            .args(["--arg", "count", &COUNT.to_string(), "--arg", "libraries", "12"])
            .args(["--arg", "pkgs"])
            .arg(format!("import {}/tests/nix/stub-nixpkgs {{ }}", root.display()));
        command
    }

    /// The fleet's images, by a Nix that builds nothing itself.
    fn images_by(&self, machine: &Machine) -> Command {
        let key = run(tool("base64").arg("-w0").arg(self.at("remote/host.pub")));
        let system = std::env::consts::ARCH;
        let user = self.at("remote/user");
        let builder = format!(
            "ssh-ng://root@127.0.0.1 {system}-linux {} 2 1 - - {key}",
            user.display()
        );
        let mut command = self.fleet("local", "images");
        command
            .args(["--max-jobs", "0", "--builders", &builder])
            .env("NIX_SSHOPTS", format!("-F /dev/null -p {}", machine.port));
        command
    }

    /// What a store says of the segments and images that are in it, by store path.
    fn made(&self, store: &str) -> BTreeMap<String, Made> {
        let mut command = self.world.nix_elsewhere("nix", &self.at(store));
        let paths = run(command.args(["path-info", "--all", "--json"]));
        let paths: serde_json::Value = serde_json::from_str(&paths).unwrap();
        let paths = match &paths {
            serde_json::Value::Array(paths) => paths
                .iter()
                .map(|info| (info["path"].as_str().unwrap(), info))
                .collect(),
            // A newer Nix has the paths as keys.
            paths => {
                let paths = paths.as_object().unwrap();
                paths
                    .iter()
                    .map(|(path, info)| (path.as_str(), info))
                    .collect::<Vec<_>>()
            }
        };
        // What was not built has no deriver.
        let is_made = |path: &str, info: &serde_json::Value| {
            info["deriver"].is_string() && (is_segment(path) || path.contains("-machine-"))
        };
        let paths = paths.into_iter().filter(|(path, info)| is_made(path, info));
        let made = |(path, info): (&str, &serde_json::Value)| {
            let text = |key: &str| info[key].as_str().unwrap().to_string();
            let made = Made {
                hash: text("narHash"),
                deriver: text("deriver"),
                is_built_here: info["ultimate"] == true,
            };
            (path.to_string(), made)
        };
        paths.map(made).collect()
    }

    /// What would be other if any of these had been built again: by store path, what the machine's file system says of
    /// it and of its log.
    fn marks(&self, made: &BTreeMap<String, Made>) -> Vec<[(u64, i64, i64); 2]> {
        let mark = |file: &Path| {
            let metadata = fs::symlink_metadata(file).unwrap();
            (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        let marks = |(path, made): (&String, &Made)| {
            let file = self.at("remote").join(path.trim_start_matches('/'));
            [mark(&file), mark(&self.log_file(made))]
        };
        made.iter().map(marks).collect()
    }

    /// Where the machine has the log of a build.
    fn log_file(&self, made: &Made) -> PathBuf {
        let name = made.deriver.trim_start_matches("/nix/store/");
        let (first, rest) = name.split_at(2);
        let logs = self.at("remote/nix/var/log/nix/drvs");
        logs.join(first).join(format!("{rest}.bz2"))
    }

    /// The machine's log of a build.
    fn log(&self, made: &Made) -> String {
        run(tool("bzip2").arg("-dc").arg(self.log_file(made)))
    }
}

/// The store, the keys and the lists of segments that the fleet starts from.
fn site() -> Option<Site> {
    if !installed(&["sshd", "ssh", "ssh-keygen", "bzip2", "base64", "unshare"]) || !is_root() {
        return None;
    }
    let site = Site {
        world: world()?,
        dir: tempfile::tempdir().unwrap(),
    };
    fs::create_dir_all(site.at("remote/nix")).unwrap();
    for key in ["host", "user"] {
        let mut keygen = tool("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        run(keygen.arg(site.at("remote").join(key)));
    }
    site.world.copy_shell(&site.at("local"));
    run(site.fleet("local", "lists").args(["--max-jobs", "4"]));
    run(tool("cp").arg("-a").arg(site.at("local")).arg(site.at("alone")));
    Some(site)
}

/// Starts a build, and goes on with `then` when so many segments have come back. Answers what it said.
fn interrupted(command: &mut Command, after: usize, then: impl FnOnce(&mut Child)) -> String {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut text, mut came, mut then) = (String::new(), 0, Some(then));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        came += usize::from(line.contains("-segment-") && line.contains("' from 'ssh-ng://"));
        text += &line;
        text += "\n";
        if came == after
            && let Some(then) = then.take()
        {
            then(&mut child);
        }
    }
    assert!(!child.wait().unwrap().success(), "{text}");
    assert!(then.is_none(), "{text}");
    text
}

/// How often something was compressed, as the logs of builds say.
fn compressions(log: &str) -> usize {
    log.matches("compressing: ").count()
}

fn is_segment(path: &str) -> bool {
    path.contains("-segment-")
}

fn hashes(made: &BTreeMap<String, Made>) -> Vec<(&String, &String)> {
    made.iter().map(|(path, made)| (path, &made.hash)).collect()
}

/// A machine that is alone makes the same bytes.
fn is_the_same_alone(site: &Site) {
    let images = run(site
        .fleet("alone", "images")
        .args(["--max-jobs", "2", "--builders", ""]));
    let alone = site.made("alone");
    assert!(alone.values().all(|made| made.is_built_here));
    assert_eq!(hashes(&alone), hashes(&site.made("local")));
    for (number, path) in images.lines().enumerate() {
        let image = |store: &str| {
            let folder = site.at(store).join(path.trim_start_matches('/'));
            folder.join(format!("machine-{number}.squashfs"))
        };
        run(tool("cmp").arg(image("local")).arg(image("alone")));
    }
}

#[test]
fn another_machine_compresses_a_fleet_and_goes_on_where_it_was_killed() {
    let Some(site) = site() else { return };
    let remote = site.at("remote");

    // Here, Nix is killed; then, the other machine with all that runs on it.
    let machine = Machine::start(&site.world, &remote);
    interrupted(&mut site.images_by(&machine), 3, |nix| nix.kill().unwrap());
    let first = site.made("remote");
    let first_marks = site.marks(&first);
    // What was finished comes back first, as far as it has not yet.
    let after = first.len() - site.made("local").len() + 3;
    let mut command = site.images_by(&machine);
    let second_said = interrupted(&mut command, after, move |_| drop(machine));
    let second = site.made("remote");
    let second_marks = site.marks(&second);

    let machine = Machine::start(&site.world, &remote);
    let last = output(&mut site.images_by(&machine));
    let log = said(&last);
    assert!(last.status.success(), "{log}");
    drop(machine);

    // Each segment and image was built over there and copied back.
    let (there, here) = (site.made("remote"), site.made("local"));
    let segments = there.keys().filter(|path| is_segment(path)).count();
    eprintln!(
        "{segments} segments and {COUNT} images; {} of all were there after the first death, {} after the second",
        first.len(),
        second.len()
    );
    assert_eq!(there.len(), segments + COUNT);
    assert!(there.values().all(|made| made.is_built_here));
    assert!(!here.values().any(|made| made.is_built_here));
    assert_eq!(hashes(&there), hashes(&here));
    for (path, made) in &there {
        assert_eq!(
            compressions(&site.log(made)),
            usize::from(is_segment(path)),
            "{path}"
        );
    }

    // What was finished was not done again.
    assert!(
        first.len() >= 3 && second.len() >= first.len() + 3,
        "{second_said}"
    );
    assert!(second.len() < there.len(), "{second_said}");
    assert_eq!(site.marks(&first), first_marks);
    assert_eq!(site.marks(&second), second_marks);
    let left = |done: &BTreeMap<String, Made>| segments - done.keys().filter(|path| is_segment(path)).count();
    assert!(compressions(&second_said) <= left(&first), "{second_said}");
    assert_eq!(compressions(&log), left(&second), "{log}");
    is_the_same_alone(&site);
}
