//! A command that runs while something is served.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::Failure;
use crate::stop;

/// How often a command is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_millis(500);

/// Runs a command to its end, with this process' terminal. What ends this process ends the command, too. Answers its exit
/// code, or as a shell says that a signal has ended it.
pub(crate) fn run(program: &OsStr, arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let not_run = |error: std::io::Error| {
        Failure::input(format!("{}: cannot be run: {error}", program.display()))
            .hint("the command behind -- is a program and what it is told, not a line for a shell")
    };
    let child = Command::new(program).args(arguments).spawn().map_err(not_run)?;
    let child = Arc::new(Mutex::new(child));
    let last = Arc::clone(&child);
    stop::before_exit(move || {
        // Of one that has ended and was waited for, this knows.
        let _ = lock(&last).kill();
    });
    loop {
        let ended = lock(&child).try_wait().map_err(not_run)?;
        match ended {
            Some(_) if stop::is_asked() => return Err(Failure::stopped()),
            Some(status) => return Ok(ExitCode::from(code(status))),
            None if stop::is_asked() => {
                end(&child);
                return Err(Failure::stopped());
            }
            None => sleep(ASK_EVERY),
        }
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn code(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map_or(1, |signal| 128 + signal);
    u8::try_from(status.code().unwrap_or_else(of_signal)).unwrap_or(1)
}

/// Asks a command to end, and makes it.
fn end(child: &Mutex<Child>) {
    let pid = i32::try_from(lock(child).id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
    let end = Instant::now() + GRACE;
    while Instant::now() < end {
        if !matches!(lock(child).try_wait(), Ok(None)) {
            return;
        }
        sleep(ASK_EVERY);
    }
    let mut child = lock(child);
    let _ = child.kill();
    let _ = child.wait();
}
