//! Readers that go on where a broken connection stopped.

use std::fs::File;
use std::io::{self, Read};
use std::time::Instant;

use ureq::BodyReader;

use crate::error::Error;
use crate::http::{Answer, Http, Tried};
use crate::pace::Pace;
use crate::retry::Retry;

const ENDS_EARLY: &str = "the connection ends before the object does";

/// An object's bytes, in order.
pub struct Stream<'a> {
    source: Source<'a>,
    /// Bytes that are left, when that is known.
    left: Option<u64>,
}

enum Source<'a> {
    Empty,
    File(File),
    Http(Box<Transfer<'a>>),
}

/// A transfer that may take several connections.
struct Transfer<'a> {
    http: &'a Http,
    key: String,
    /// The object's next byte.
    position: u64,
    /// The bytes before it that the connection brings once more.
    before: u64,
    total: Option<u64>,
    encoding: Option<String>,
    body: Option<BodyReader<'static>>,
    pace: Pace,
    retry: Retry,
}

impl<'a> Stream<'a> {
    pub(crate) fn empty() -> Stream<'a> {
        Stream {
            source: Source::Empty,
            left: Some(0),
        }
    }

    pub(crate) fn file(file: File, len: u64) -> Stream<'a> {
        Stream {
            source: Source::File(file),
            left: Some(len),
        }
    }

    pub(crate) fn http(http: &'a Http, key: &str, start: u64, answer: Answer, retry: Retry) -> Stream<'a> {
        let left = answer.total.map(|total| total.saturating_sub(start));
        let mut transfer = Transfer {
            http,
            key: key.to_string(),
            position: start,
            before: 0,
            total: answer.total,
            encoding: answer.encoding.clone(),
            body: None,
            pace: Pace::new(http.slow()),
            retry,
        };
        transfer.take(answer);
        Stream {
            source: Source::Http(Box::new(transfer)),
            left,
        }
    }

    /// Bytes that are left, when the source says so.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// How the bytes are compressed for the transfer.
    #[must_use]
    pub fn encoding(&self) -> Option<&str> {
        match &self.source {
            Source::Http(transfer) => transfer.encoding.as_deref(),
            Source::Empty | Source::File(_) => None,
        }
    }

    /// The error behind a failed read, which mostly says all there is to say.
    pub(crate) fn error(&self, error: io::Error) -> Error {
        error
            .downcast::<Error>()
            .unwrap_or_else(|error| match &self.source {
                Source::Http(transfer) => {
                    let (http, retry) = (transfer.http, &transfer.retry);
                    http.broken(&transfer.key, &error.to_string(), retry.failed)
                }
                Source::Empty | Source::File(_) => Error::File {
                    object: String::new(),
                    source: error,
                },
            })
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.source {
            Source::Empty => 0,
            Source::File(file) => file.read(buffer)?,
            Source::Http(transfer) => transfer.read(buffer)?,
        };
        self.left = self.left.map(|left| left.saturating_sub(len as u64));
        Ok(len)
    }
}

impl Transfer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.body.is_none() {
                self.connect()?;
            }
            let problem = match self.skip().and_then(|()| self.receive(buffer)) {
                Ok(0) if self.total.is_some_and(|total| self.position < total) => ENDS_EARLY.to_string(),
                Ok(len) => {
                    self.position += len as u64;
                    return Ok(len);
                }
                Err(problem) => problem,
            };
            self.body = None;
            if !self.retry.again() {
                return Err(self.http.broken(&self.key, &problem, self.retry.failed).into());
            }
        }
    }

    /// What the connection brings next, or what is wrong with it. What happens to the bytes takes its own time.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let Some(body) = &mut self.body else {
            return Err(ENDS_EARLY.to_string());
        };
        let begun = Instant::now();
        let len = body.read(buffer).map_err(|error| match kind(&error) {
            io::ErrorKind::TimedOut => "the connection is silent".to_string(),
            io::ErrorKind::UnexpectedEof => ENDS_EARLY.to_string(),
            _ => error.to_string(),
        })?;
        match self.pace.note(len, begun.elapsed()) {
            // The end is not waited for.
            Some(problem) if len > 0 => Err(problem),
            _ => Ok(len),
        }
    }

    /// Leaves out what stands before the object's next byte: a server without ranges begins anew.
    fn skip(&mut self) -> Result<(), String> {
        let mut buffer = [0; 1 << 13];
        while self.before > 0 {
            let part = usize::try_from(self.before).map_or(buffer.len(), |len| len.min(buffer.len()));
            match self.receive(&mut buffer[..part])? {
                0 => return Err(ENDS_EARLY.to_string()),
                read => self.before -= read as u64,
            }
        }
        Ok(())
    }

    /// Asks for the rest.
    fn connect(&mut self) -> io::Result<()> {
        loop {
            match self.http.ask(&self.key, self.position, &self.retry)? {
                Tried::Answer(answer) => {
                    if let (Some(before), Some(now)) = (self.total, answer.total)
                        && before != now
                    {
                        let object = self.http.name(&self.key);
                        return Err(Error::Changed { object, before, now }.into());
                    }
                    self.take(answer);
                    return Ok(());
                }
                Tried::Nothing | Tried::Beyond => {
                    let object = self.http.name(&self.key);
                    let before = self.total.unwrap_or(self.position);
                    return Err(Error::Changed {
                        object,
                        before,
                        now: 0,
                    }
                    .into());
                }
                Tried::MayPass(error) => {
                    if !self.retry.again() {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        self.body = Some(answer.body.into_with_config().limit(u64::MAX).reader());
        self.before = self.position.saturating_sub(answer.start);
        self.pace = Pace::new(self.http.slow());
    }
}

/// What kind of failure is behind a failed read of a body.
fn kind(error: &io::Error) -> io::ErrorKind {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match inner {
        Some(ureq::Error::Io(inner)) => inner.kind(),
        Some(ureq::Error::Timeout(_)) => io::ErrorKind::TimedOut,
        _ => error.kind(),
    }
}
