//! Every verb, and what it can wait for: SIGINT, SIGTERM, SIGHUP and a terminal that closes end it within two seconds with
//! 130, and nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};

use crate::bundles;
use crate::oracle::installed;
use crate::waiting_verbs::{FullErrors, FullOutput, ROWS, Row, SilentInput, Usual};
use crate::waits::{END, kill, silent_server};
use crate::world::{LIB, World};

const KEY: &str = "a:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
const CERTIFICATE: [&str; 6] = [
    "--certificate",
    "keys/leaf.pem",
    "--keyring",
    "keys/root.pem",
    "--signing-time",
    "1900000000",
];

/// A world that has everything that rows name, and the writer that says nothing.
fn world(server: &str) -> Option<(World, File)> {
    let world = bundles::world()?;
    world.done(&["build", "spec.toml", "--out", "out", "--cache", "cache"]);
    fs::rename(world.path("out/demo-25.11.raucb"), world.path("signed.raucb")).unwrap();
    world.done(&["bundle", "build", "spec.toml", "--out", "out", "--unsigned"]);
    fs::rename(
        world.path("out/demo-25.11.raucb.unsigned"),
        world.path("plain.raucb"),
    )
    .unwrap();
    let spec = fs::read_to_string(world.path("spec.toml")).unwrap();
    let from = "from = \"closure-info\"\nstore-root = \"store\"";
    assert!(spec.contains(from));
    let closure = format!("from = \"{server}\"\npaths = [\"{LIB}\"]\ntrusted-keys = [\"{KEY}\"]");
    world.write("server.toml", spec.replace(from, &closure).as_bytes());
    for pipe in ["pipe", "mute"] {
        let made = Command::new("mkfifo").arg(world.path(pipe)).status().unwrap();
        assert!(made.success());
    }
    fs::create_dir(world.path("muted")).unwrap();
    symlink("../mute", world.path("muted/SHA256SUMS")).unwrap();
    let mute = File::options()
        .read(true)
        .write(true)
        .open(world.path("mute"))
        .unwrap();
    Some((world, mute))
}

/// The arguments of a row.
fn arguments(row: &Row, server: &str) -> Vec<String> {
    let (verb, _, _, rest) = row;
    let mut arguments = Vec::new();
    for word in verb.split(' ').chain(rest.split_whitespace()) {
        let signer = ["--signer-cmd", "trap '' INT TERM HUP; sleep 1000"];
        let locked = ["--key", "keys/locked.key", "--passphrase-file", "mute"];
        let words: &[&str] = match word {
            "SERVER" => &["--closure", server, "--path", LIB, "--trusted-key", KEY],
            "PUSH" => &["--to", server],
            "CLOSURE" => &["--closure", "closure-info", "--store-root", "store"],
            "KEYRING" => &["--keyring", "keys/root.pem"],
            "SIGNER" => &[&signer[..], &CERTIFICATE].concat(),
            "COMMAND" => &["--", "sh", "-c", "exec sleep 1000"],
            "LOCKED" => &[&locked[..], &CERTIFICATE].concat(),
            word => &[word],
        };
        arguments.extend(words.iter().map(ToString::to_string));
    }
    arguments
}

/// A pipe that takes nothing more, and its reader.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    for chunk in [&[0; 4096][..], &[0]] {
        while writer.write(chunk).is_ok() {}
    }
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer)
}

/// A field of each thread of a process: its state, and the time that it has run.
#[expect(
    clippy::disallowed_methods,
    reason = "the order of threads is none of an image"
)]
fn threads(pid: u32) -> Vec<(String, u64)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let stat = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
        Some((fields[0].to_string(), ticks(11) + ticks(12)))
    };
    tasks.filter_map(stat).collect()
}

/// Waits until a process listens to signals and all its threads sleep, at three looks without any work between them.
fn until_it_waits(pid: u32) -> Result<(), String> {
    let listens = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        caught.is_some_and(|mask| mask >> 1 & 1 == 1)
    };
    let end = Instant::now() + Duration::from_mins(1);
    let (mut quiet, mut last) = (0, Vec::new());
    while quiet < 3 {
        if Instant::now() > end {
            return Err("never waits".into());
        }
        let now = threads(pid);
        if now.is_empty() || now.iter().any(|(state, _)| state == "Z") {
            return Err("has ended before".into());
        }
        let sleeps = now.iter().all(|(state, _)| state == "S") && now == last && listens();
        quiet = if sleeps { quiet + 1 } else { 0 };
        last = now;
        sleep(Duration::from_millis(120));
    }
    Ok(())
}

/// Runs a row until it waits and ends it by a signal. Answers what was wrong.
fn signalled(world: &World, row: &Row, server: &str, signal: &str) -> Result<(), String> {
    let arguments = arguments(row, server);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = world.kiln(&arguments);
    let (full, writer) = full_pipe();
    match row.2 {
        Usual => &mut command,
        SilentInput => command.stdin(Stdio::piped()),
        FullOutput => command.stdout(writer),
        FullErrors => command.stderr(writer),
    };
    let mut child = command.spawn().unwrap();
    // Else a reader of this process would be the last to hold it open.
    drop(command);
    let input = child.stdin.take();
    let waits = until_it_waits(child.id());
    let began = Instant::now();
    if waits.is_ok() {
        kill(signal, &child);
    }
    let ended = until_it_ends(&mut child, began);
    let took = began.elapsed();
    drop((full, input));
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    waits.and(ended).map_err(|wrong| format!("{wrong}: {stderr}"))?;
    if output.status.code() != Some(130) || took >= END {
        return Err(format!("{:?} after {took:?}: {stderr}", output.status));
    }
    if row.2 != FullErrors && !stderr.ends_with("error: stopped\n") {
        return Err(format!("says {stderr:?}"));
    }
    Ok(())
}

/// Waits no longer than for a late end, and kills then.
fn until_it_ends(child: &mut Child, began: Instant) -> Result<(), String> {
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > 4 * END {
            child.kill().unwrap();
            return Err("does not end".into());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// All rows at once, since they only wait. Answers what was wrong with each, by itself and twice too: so many ends at once can
/// be late, and so can one on a machine that has other work.
fn all(rows: &[Row], check: impl Fn(&Row) -> Result<(), String> + Sync) -> Vec<String> {
    let wrong: Vec<&Row> = thread::scope(|scope| {
        let check = &check;
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row, scope.spawn(move || check(row))))
            .collect();
        rows.into_iter()
            .filter_map(|(row, thread)| thread.join().unwrap().is_err().then_some(row))
            .collect()
    });
    let again = |row: &Row| {
        let error = check(row).or_else(|_| check(row)).err()?;
        Some(format!("{}, which waits for {}: {error}", row.0, row.1))
    };
    wrong.into_iter().filter_map(again).collect()
}

type Files = BTreeMap<String, Vec<u8>>;

const NOTHING: [&String; 0] = [];

/// The files that are there only before or after, or differ.
fn changes<'a>(before: &'a Files, after: &'a Files) -> Vec<&'a String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    changed.collect()
}

#[test]
fn by_a_signal() {
    let server = silent_server();
    let Some((world, _mute)) = world(&server) else {
        return;
    };
    let before = world.files();
    let mut wrong = Vec::new();
    for signal in ["INT", "TERM", "HUP"] {
        let of_signal = all(&ROWS, |row| signalled(&world, row, &server, signal));
        wrong.extend(of_signal.into_iter().map(|wrong| format!("{signal}: {wrong}")));
        assert_eq!(changes(&before, &world.files()), NOTHING, "{signal}: {wrong:#?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A terminal of its own for a command, which closes at a line on standard input. Tells the process, and how it ended.
const TERMINAL: &str = r"
import os, pty, select, sys, time
folder, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(folder)
    os.execve(command[0], command, {})
print(pid, flush=True)
# Not in a thread: while one reads, a descriptor stays open.
while True:
    ready, _, _ = select.select([terminal, sys.stdin], [], [])
    if sys.stdin in ready: break
    try: os.read(terminal, 4096)
    except OSError: break
sys.stdin.readline()
began = time.monotonic()
os.close(terminal)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status), time.monotonic() - began, flush=True)
";

/// Runs a row in a terminal until it waits, and closes the terminal. Answers what was wrong.
fn closed(world: &World, row: &Row, server: &str) -> Result<(), String> {
    let mut python = Command::new("python3");
    python.args(["-c", TERMINAL]).arg(world.path("."));
    python
        .arg(env!("CARGO_BIN_EXE_kiln"))
        .args(arguments(row, server));
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    let mut said = String::new();
    let mut stdout = python.stdout.take().unwrap();
    let mut byte = [0];
    while !said.ends_with('\n') {
        stdout.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    let pid = said.trim().parse().unwrap();
    let waits = until_it_waits(pid);
    drop(python.stdin.take());
    let mut end = String::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        stdout.read_to_string(&mut end).unwrap();
        let _ = sender.send(end);
    });
    let end = receiver.recv_timeout(4 * END);
    if end.is_err() {
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }
    python.wait().unwrap();
    waits?;
    let end = end.map_err(|_| "does not end")?;
    let (code, seconds) = end.trim().split_once(' ').unwrap();
    if code != "130" || seconds.parse::<f64>().unwrap() >= END.as_secs_f64() {
        return Err(format!("exit code {code} after {seconds} s"));
    }
    Ok(())
}

#[test]
fn by_a_terminal_that_closes() {
    let server = silent_server();
    if !installed("python3") {
        return;
    }
    let Some((world, _mute)) = world(&server) else {
        return;
    };
    let before = world.files();
    // Whoever reads is the terminal here.
    let rows: Vec<Row> = ROWS
        .into_iter()
        .filter(|row| [Usual, SilentInput].contains(&row.2))
        .collect();
    let wrong = all(&rows, |row| closed(&world, row, &server));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(changes(&before, &world.files()), NOTHING);
}

/// The verbs that help names, below others too.
fn verbs(world: &World, above: &str) -> BTreeSet<String> {
    let arguments: Vec<&str> = above.split_whitespace().chain(["--help"]).collect();
    let help = world.done(&arguments);
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in list.lines().take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        // Help is printed before anything else is there, and any signal ends it.
        if !line.starts_with("  ") || line.starts_with("   ") || name == "help" {
            continue;
        }
        let name = format!("{above} {name}").trim().to_string();
        let below = verbs(world, &name);
        found.extend(if below.is_empty() {
            BTreeSet::from([name])
        } else {
            below
        });
    }
    found
}

#[test]
fn every_verb_has_a_row() {
    let world = World::new();
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_string()).collect();
    let verbs = verbs(&world, "");
    assert!(verbs.len() > 15, "{verbs:?}");
    assert_eq!(rows, verbs);
}
