//! Everything that is printed: results to stdout, progress and failures to stderr.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use image::{Cancelled, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::SIGXFSZ;

use crate::failure::Failure;
use crate::stop;

/// The terminal and the pipes. Clones speak for the same.
#[derive(Clone)]
pub(crate) struct Ui {
    json: bool,
    terminal: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Ui {
    /// Signals stop the work from now on.
    pub(crate) fn new(json: bool) -> Ui {
        let terminal = std::io::stderr().is_terminal() && !json;
        let ui = Ui {
            json,
            terminal,
            bar: Arc::default(),
        };
        let other = ui.clone();
        stop::listen(move || other.failure(&Failure::stopped()));
        // With a handler, writing more than `ulimit -f` allows is an error like any other.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
        ui
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// Prints a result. A reader that has gone away is no failure; a disk that is full is one.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.clear();
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::output(
                format!("standard output: cannot be written: {error}"),
                None,
            )),
            _ => Ok(()),
        }
    }

    /// Prints a result for machines.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        self.print(&(text + "\n"))
    }

    /// Says something that the user should know although nothing failed.
    pub(crate) fn warn(&self, message: &str) {
        self.clear();
        say(&format!("{} {message}", self.colored("warning:", "33")));
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        self.clear();
        say(&format!("{} {}", self.colored("error:", "31"), failure.message));
        if let Some(hint) = &failure.hint {
            say(&format!("{} {hint}", self.colored("hint:", "36")));
        }
        if self.json {
            let code = failure.code();
            let error =
                serde_json::json!({ "error": failure.message, "hint": failure.hint, "exit_code": code });
            // Nobody can be told when that fails too.
            let _ = self.print_json(&error);
        }
    }

    fn colored(&self, word: &str, color: &str) -> String {
        if self.terminal && std::io::stderr().is_terminal() {
            format!("\x1b[1;{color}m{word}\x1b[0m")
        } else {
            word.to_string()
        }
    }

    fn clear(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Ui {
    fn begin(&self, step: &str, total: u64) {
        self.clear();
        if !self.terminal {
            if !self.json {
                say(&format!("{step}: {}", size(total)));
            }
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        let template = "{msg:24} [{bar:40}] {bytes:>11} of {total_bytes:11} {bytes_per_sec:>13}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(step.to_string());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance(&self, bytes: u64) -> Result<(), Cancelled> {
        if stop::is_asked() {
            return Err(Cancelled);
        }
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            bar.inc(bytes);
        }
        Ok(())
    }
}

/// A line on stderr; nobody can be told when that fails.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Bytes for people: the largest unit that keeps a whole number before the point.
pub(crate) fn size(bytes: u64) -> String {
    let units = [
        (1u64 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} B"),
        Some((unit, name)) if bytes.is_multiple_of(unit) => format!("{} {name}", bytes / unit),
        // In tenths, rounded down, without a floating point number.
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
