//! Everything that is printed: results to stdout, progress and failures to stderr.

use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use image::{Cancelled, Content, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
pub(crate) use report::size;
use serde::Serialize;
use signal_hook::consts::SIGXFSZ;

use crate::failure::Failure;
use crate::stop;

/// As many bytes of a file are printed at once.
const BYTES_AT_ONCE: usize = 1 << 20;

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

    /// Prints a result, with what is no text [`escaped`]. A reader that has gone away is no failure; a disk that is full
    /// is one.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.clear();
        let text = escaped(text);
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(not_printed(&error)),
            _ => Ok(()),
        }
    }

    /// Prints a result for machines.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        // What is left unescaped is inside of strings.
        let text = replaced(&text, |character| format!("\\u{:04x}", u32::from(character)));
        self.print(&(text.into_owned() + "\n"))
    }

    /// Prints bytes as they are, from where `content` has them.
    pub(crate) fn print_bytes(&self, content: &Content) -> Result<(), Failure> {
        self.clear();
        let mut stdout = std::io::stdout().lock();
        let mut reader = content.reader()?;
        let len = usize::try_from(content.len()).map_or(BYTES_AT_ONCE, |len| len.min(BYTES_AT_ONCE));
        let mut buffer = vec![0; len];
        while reader.remaining() > 0 {
            let filled = reader.fill(&mut buffer)?;
            match stdout.write_all(&buffer[..filled]) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(not_printed(&error)),
                Ok(()) if stop::is_asked() => return Err(Failure::stopped()),
                Ok(()) => {}
            }
        }
        reader.finish()?;
        stdout.flush().map_err(|error| not_printed(&error))
    }

    /// Says something that the user should know although nothing failed.
    pub(crate) fn warn(&self, message: &str) {
        self.clear();
        say(&format!(
            "{} {}",
            self.colored("warning:", "33"),
            escaped(message)
        ));
    }

    /// Says what happens now.
    pub(crate) fn note(&self, message: &str) {
        self.clear();
        if !self.json {
            say(&escaped(message));
        }
    }

    /// Asks a question that is answered with yes or no; without a terminal on both ends, nobody answers. What leads to the
    /// question stands before it.
    pub(crate) fn ask(&self, text: &str, question: &str) -> Result<Option<bool>, Failure> {
        self.clear();
        let mut stderr = std::io::stderr().lock();
        if self.json || !std::io::stdin().is_terminal() || !stderr.is_terminal() {
            return Ok(None);
        }
        let asked = write!(stderr, "{}{}", escaped(text), escaped(question)).and_then(|()| stderr.flush());
        drop(stderr);
        let mut answer = String::new();
        let heard = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
        heard.map_err(|error| Failure::input(format!("the terminal: cannot be read: {error}")))?;
        let answer = answer.trim();
        Ok(Some(
            ["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)),
        ))
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        self.clear();
        say(&format!(
            "{} {}",
            self.colored("error:", "31"),
            escaped(&failure.message)
        ));
        if let Some(hint) = &failure.hint {
            say(&format!("{} {}", self.colored("hint:", "36"), escaped(hint)));
        }
        if self.json {
            let code = failure.code();
            let mut error =
                serde_json::json!({ "error": failure.message, "hint": failure.hint, "exit_code": code });
            if let Some(found) = &failure.found {
                error["found"] = found.clone();
            }
            // Nobody can be told when that fails too.
            let _ = self.print_json(&error);
        }
    }

    /// Steps begin that go on beside each other: people who watch see all of them as one, and logs have a line for each.
    pub(crate) fn begin_together(&self, all: &str, steps: &[(String, u64)]) {
        match steps {
            [(step, total)] => self.begin(step, *total),
            steps if self.terminal => self.begin(all, steps.iter().map(|(_, total)| total).sum()),
            steps => steps.iter().for_each(|(step, total)| self.begin(step, *total)),
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
                say(&format!("{}: {}", escaped(step), size(total)));
            }
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
        let template = "{msg:24} [{bar:40}] {bytes:>11} of {total_bytes:11} {bytes_per_sec:>13}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(escaped(step).into_owned());
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

/// A text without what a terminal would obey, or show elsewhere: names of files, texts of manifests and answers of servers
/// are written by others. Lines stay lines.
fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |character| match u32::from(character) {
        code @ ..=0x7f => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    })
}

/// A text with something in place of control characters, and of those that change the direction of others.
fn replaced(text: &str, by: impl Fn(char) -> String) -> Cow<'_, str> {
    let bad = |character: char| match character {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        character => character.is_control(),
    };
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
    if text.as_bytes().iter().all(is_plain) || !text.contains(bad) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if bad(character) {
            clean.push_str(&by(character));
        } else {
            clean.push(character);
        }
    }
    clean.into()
}

fn not_printed(error: &std::io::Error) -> Failure {
    Failure::output(format!("standard output: cannot be written: {error}"), None)
}

/// A line on stderr; nobody can be told when that fails.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_nothing_by_others() {
        for (text, wanted) in [
            ("plain ä → 日本 …\n\tnext", "plain ä → 日本 …\n\tnext"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("a\rb\x08\0\x7f", "a\\x0db\\x08\\x00\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("exe\u{202e}gpj", "exe\\u{202e}gpj"),
        ] {
            assert_eq!(escaped(text), wanted);
        }
        let json = replaced("\"\u{9b}\u{202e}\"", |character| {
            format!("\\u{:04x}", u32::from(character))
        });
        assert_eq!(json, "\"\\u009b\\u202e\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "\u{9b}\u{202e}");
    }
}
