//! The user's wish to stop: SIGINT, SIGTERM, or a terminal that was closed.
//!
//! Work that makes progress asks [`is_asked`] and ends in good order. What waits for a server, a command or a pipe may
//! never ask again: the process ends without it after a second, or at the second signal. Nothing is left behind either
//! way, because what is not complete has no name, and names do not change from [`image::abandon`] on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The exit code of a process that was stopped.
const CODE: i32 = 130;

/// How long work may take to end in good order.
const GRACE: Duration = Duration::from_secs(1);

/// How long the last words may take, and a signal that is on its way.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often a second signal is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether the user has asked to stop.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// The same for others to look at.
pub(crate) fn flag() -> Arc<AtomicBool> {
    Arc::clone(&ASKED)
}

/// What is done before the process ends without its other threads.
static BEFORE_EXIT: Mutex<Vec<Box<dyn Fn() + Send>>> = Mutex::new(Vec::new());

/// Has something done should the process end without its other threads: what they would tidy up.
pub(crate) fn before_exit(work: impl Fn() + Send + 'static) {
    let mut all = BEFORE_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(Box::new(work));
}

/// Waits until the user asks to stop.
pub(crate) fn wait() {
    while !is_asked() {
        thread::sleep(LOOK_EVERY);
    }
}

/// Listens from now on. `last_words` are called before the process ends without its other threads.
pub(crate) fn listen(last_words: impl FnOnce() + Send + 'static) {
    let heard = [SIGINT, SIGTERM, SIGHUP];
    let heard = heard.into_iter().filter(|signal| !is_ignored(*signal));
    // Without a handler a signal still ends the process, only less tidily.
    let Ok(mut signals) = Signals::new(heard) else {
        return;
    };
    thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        ASKED.store(true, Ordering::Relaxed);
        let end = Instant::now() + GRACE;
        while Instant::now() < end && signals.pending().next().is_none() {
            thread::sleep(LOOK_EVERY);
        }
        image::abandon();
        let all = BEFORE_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().for_each(|work| work());
        say(last_words);
        std::process::exit(CODE);
    });
}

/// Calls what may wait itself: for a pipe that nobody reads, a terminal that was halted, or a thread that waits for one.
fn say(last_words: impl FnOnce() + Send + 'static) {
    let (said, heard) = mpsc::channel();
    let speaker = move || {
        last_words();
        let _ = said.send(());
    };
    if thread::Builder::new().spawn(speaker).is_ok() {
        let _ = heard.recv_timeout(LAST_WORDS);
    }
}

/// Whether a signal comes in a moment. Whoever reads from a terminal that closes is told of its end before the signal comes.
pub(crate) fn is_asked_soon() -> bool {
    let end = Instant::now() + LAST_WORDS;
    while !is_asked() && Instant::now() < end {
        thread::sleep(LOOK_EVERY);
    }
    is_asked()
}

/// Whether a signal was ignored when the process began, as `nohup` does with SIGHUP. It stays so then.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
