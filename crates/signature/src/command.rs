//! Signatures by a command, for keys that live elsewhere.

use std::ffi::OsString;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::algorithm::{Algorithm, PublicKey};
use crate::tlv::{self, INTEGER, SEQUENCE};
use crate::{Error, Result, Signer};

/// The most bytes that a command may write to its standard output: an RSA signature of 4096 bits has 512.
const OUTPUT_MAX: usize = 4096;

/// How many bytes of a command's standard error are shown.
const STDERR_MAX: usize = 1024;

/// How often a command is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// The longest that a command may take, whatever it is given.
const TIMEOUT_MAX: Duration = Duration::from_hours(24);

/// A command that signs, with the bytes to be signed on its standard input.
///
/// It finds what to do in its environment: `KILN_SIGN_ALGORITHM` is [`Algorithm::name`], `KILN_SIGN_DIGEST` the
/// digest of the input in hexadecimal digits, for those that sign digests. On its standard output it writes the
/// signature and nothing else: for ECDSA either DER or `r` and `s`, each of the curve's length; for RSA the bytes
/// of the signature.
///
/// A command that does not end and close its output in time is killed together with everything that it has started,
/// unless that has left the command's process group. That group is its own, and not the one in the foreground: it
/// cannot ask for a PIN at the terminal.
#[derive(Clone)]
pub struct Command {
    /// The program.
    pub program: OsString,
    /// What it is told.
    pub args: Vec<OsString>,
    /// How long it may take, at most a day.
    pub timeout: Duration,
    /// When this becomes true, it is killed.
    pub stop: Arc<AtomicBool>,
}

impl Command {
    /// A line for the shell: `sh -c LINE`.
    #[must_use]
    pub fn shell(line: &str, timeout: Duration) -> Command {
        Command {
            program: "sh".into(),
            args: vec!["-c".into(), line.into()],
            timeout,
            stop: Arc::default(),
        }
    }

    /// What messages call it: its program. The rest may hold what is nobody's business, such as a PIN, and so may
    /// whatever is more than a plain word in front: what a shell takes for one word is not guessed here.
    fn name(&self) -> String {
        let line = match &self.args[..] {
            [flag, line] if self.program == "sh" && flag == "-c" => line.to_string_lossy(),
            _ => return self.program.to_string_lossy().into_owned(),
        };
        let mut words = line.split_whitespace();
        match (words.next().filter(|word| is_plain(word)), words.next()) {
            (None, _) => "the signing command".to_owned(),
            (Some(program), None) => program.to_owned(),
            (Some(program), Some(_)) => format!("{program} …"),
        }
    }

    fn run(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>> {
        let digest = HEXLOWER.encode(&algorithm.hash().digest(input));
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env("KILN_SIGN_ALGORITHM", algorithm.name())
            .env("KILN_SIGN_DIGEST", digest)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let not_run = |source| Error::CommandNotRun {
            command: self.name(),
            source,
        };
        let (now, timeout) = (Instant::now(), self.timeout.min(TIMEOUT_MAX));
        let deadline = now.checked_add(timeout).unwrap_or(now);
        let mut running = Running {
            child: command.spawn().map_err(not_run)?,
            deadline,
            stop: Arc::clone(&self.stop),
            is_over: false,
        };
        let (stdout, stderr) = running.connect(input);
        let output = running.wait_for(&stdout);
        let status = match &output {
            Some(output) if output.len() <= OUTPUT_MAX => running.wait(),
            _ => None,
        };
        if status.is_none() {
            running.kill();
        }
        // What it has to say is there already, or never comes.
        let stderr = stderr.recv_timeout(ASK_EVERY * 10).unwrap_or_default();
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        match (output, status) {
            (Some(output), _) if output.len() > OUTPUT_MAX => Err(Error::CommandOutput {
                command: self.name(),
                problem: format!("wrote more than {OUTPUT_MAX} bytes, which is no signature"),
            }),
            (Some(output), Some(status)) if status.success() => Ok(output),
            (_, Some(status)) => Err(Error::CommandFailed {
                command: self.name(),
                status: ended(status),
                stderr: printable(&stderr),
            }),
            _ => Err(Error::CommandTimeout {
                command: self.name(),
                timeout,
            }),
        }
    }
}

/// Whether a shell finds nothing in a word but its letters.
fn is_plain(word: &str) -> bool {
    word.chars()
        .all(|character| character.is_alphanumeric() || "/._-+".contains(character))
}

impl Signer for Command {
    fn public_key(&self) -> Option<PublicKey> {
        None
    }

    fn sign(&self, algorithm: Algorithm, to_be_signed: &[u8]) -> Result<Vec<u8>> {
        let output = self.run(algorithm, to_be_signed)?;
        if output.is_empty() {
            return Err(Error::CommandOutput {
                command: self.name(),
                problem: "wrote no signature to its standard output".into(),
            });
        }
        match algorithm {
            Algorithm::EcdsaP256Sha256 => Ok(ecdsa_der(output, 32)),
            Algorithm::EcdsaP384Sha384 => Ok(ecdsa_der(output, 48)),
            Algorithm::RsaPkcs1Sha256 => Ok(output),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.name())
    }
}

/// A process that was started. It does not outlive this.
struct Running {
    child: Child,
    deadline: Instant,
    stop: Arc<AtomicBool>,
    /// Whether somebody has waited for its end: from then on its number may be another's.
    is_over: bool,
}

impl Running {
    /// Feeds its input and reads its outputs, beside each other so that none waits for another.
    fn connect(&mut self, input: &[u8]) -> (Receiver<Vec<u8>>, Receiver<Vec<u8>>) {
        if let Some(mut stdin) = self.child.stdin.take() {
            let input = input.to_vec();
            // A command need not read its input, it has the digest.
            thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        (
            listen(move |sender| {
                let mut bytes = Vec::new();
                let read = stdout.map(|stdout| stdout.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes));
                if matches!(read, Some(Ok(_))) {
                    drop(sender.send(bytes));
                }
            }),
            listen(move |sender| {
                if let Some(stderr) = stderr {
                    drop(sender.send(last(stderr, STDERR_MAX)));
                }
            }),
        )
    }

    /// How long it may still take: no time, when it shall stop.
    fn left(&self) -> Duration {
        if self.stop.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn wait_for(&self, output: &Receiver<Vec<u8>>) -> Option<Vec<u8>> {
        loop {
            let left = self.left();
            match output.recv_timeout(ASK_EVERY.min(left)) {
                Ok(output) => return Some(output),
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => {}
                Err(_) => return None,
            }
        }
    }

    /// Waits for its end, at most to the deadline.
    fn wait(&mut self) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.is_over = true;
                    return Some(status);
                }
                Ok(None) if !self.left().is_zero() => thread::sleep(ASK_EVERY.min(self.left())),
                _ => return None,
            }
        }
    }

    fn kill(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It fails when there is nobody left to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(work: impl FnOnce(Sender<Vec<u8>>) + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || work(sender));
    receiver
}

/// Reads to the end and keeps the last bytes.
fn last(mut source: impl Read, len: usize) -> Vec<u8> {
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = source.read(&mut chunk) {
        kept.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let surplus = kept.len().saturating_sub(len);
        kept.drain(..surplus);
    }
    kept
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with status {code}"),
        None => format!("ended early: {status}"),
    }
}

/// Text for people out of bytes that may be anything, on one line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if character.is_control() {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
        }
    }
    line
}

/// The DER of an ECDSA signature, from DER or from its two numbers. What is neither is left as it is, for whoever
/// checks it.
fn ecdsa_der(output: Vec<u8>, len: usize) -> Vec<u8> {
    // DER of twice the curve's length is possible, though hardly ever met.
    if output.len() != 2 * len || is_ecdsa_der(&output) {
        return output;
    }
    let (r, s) = output.split_at(len);
    tlv::write(SEQUENCE, &[&integer(r), &integer(s)])
}

fn is_ecdsa_der(bytes: &[u8]) -> bool {
    let read = || {
        let mut parts = tlv::only(bytes, SEQUENCE, "signature")?;
        parts.one(INTEGER, "r")?;
        parts.one(INTEGER, "s")?;
        parts.end()
    };
    read().is_ok()
}

/// The DER of a number that is not negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    match digits {
        [] | [0x80..=0xff, ..] => tlv::write(INTEGER, &[&[0], digits]),
        _ => tlv::write(INTEGER, &[digits]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_does_not_outlive_its_handle() {
        let child = std::process::Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/stat", child.id());
        assert!(std::fs::exists(&status).unwrap());
        drop(Running {
            child,
            deadline: Instant::now(),
            stop: Arc::default(),
            is_over: false,
        });
        assert!(!std::fs::exists(&status).unwrap(), "neither running nor a zombie");
    }

    #[test]
    fn names_hold_no_secrets() {
        let name = |line| Command::shell(line, Duration::ZERO).name();
        assert_eq!(name("/opt/hsm-1.2/sign_it --pin 1234"), "/opt/hsm-1.2/sign_it …");
        assert_eq!(name(" tool "), "tool");
        for line in [
            "",
            "PIN='12 3456' tool x",
            "PIN=\"12 3456\" tool x",
            "PIN=12 tool x",
            "'12 34' x",
            "\"12\" x",
            "$(cat 12) x",
            "`cat 12` x",
            "(tool 12)",
            "tool<<<12 x",
            "12\\ 34 x",
            "tool;12 x",
        ] {
            assert_eq!(name(line), "the signing command", "{line}");
        }
    }
}
