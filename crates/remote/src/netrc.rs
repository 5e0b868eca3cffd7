//! Passwords of netrc files, in the grammar that [curl](https://curl.se/libcurl/c/CURLOPT_NETRC.html) reads, and Nix with
//! it.
//!
//! ```text
//!  # a comment is a line of its own
//!  machine cache.example.org login me password secret
//!  machine private.cachix.org
//!    password "a \"quoted\" token"
//!  default login everybody password else
//! ```
//!
//! Words stand between blanks and newlines. The first entry counts that is of the host and says something; `default` is of
//! every host. `account` and `macdef` are skipped, and so is what is no keyword.

use std::fmt;

use url::Url;

use crate::error::{Error, Result};
use crate::login::{Login, PasswordIn, host};

/// What a netrc file says.
#[derive(Clone)]
pub struct Netrc {
    /// What errors call the file.
    file: String,
    entries: Vec<Entry>,
    /// Why nothing is known of what it says.
    problem: Option<String>,
}

/// What it says of a host, or of every host.
#[derive(Clone, Default)]
struct Entry {
    /// None for every host.
    machine: Option<Vec<u8>>,
    login: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
}

/// Which entries are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entries {
    /// Those of the host, and those of every host.
    All,
    /// Those that name the host.
    Named,
}

impl Netrc {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When a quoted word does not end. No error says what is in the file.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Netrc> {
        let mut words = Words::new(bytes);
        let mut entries: Vec<Entry> = Vec::new();
        // Whether what comes next is said of the last entry.
        let mut open = false;
        let failed = |line| Error::Netrc {
            file: file.to_string(),
            line,
            problem: "a quoted word does not end",
        };
        while let Some(keyword) = words.next().map_err(failed)? {
            let entry = entries.last_mut().filter(|_| open);
            match keyword.keyword().as_deref() {
                Some("machine") => {
                    let machine = words.next().map_err(failed)?;
                    entries.push(Entry {
                        machine: Some(machine.map(|word| word.bytes).unwrap_or_default()),
                        ..Entry::default()
                    });
                    open = true;
                }
                Some("default") => {
                    entries.push(Entry::default());
                    open = true;
                }
                Some("macdef") => {
                    words.skip_macro();
                    open = false;
                }
                Some(keyword @ ("login" | "password" | "account")) => {
                    let value = words.next().map_err(failed)?;
                    if let (Some(entry), Some(value)) = (entry, value) {
                        match keyword {
                            "login" => entry.login = Some(value.bytes),
                            "password" => entry.password = Some(value.bytes),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Netrc {
            file: file.to_string(),
            entries,
            problem: None,
        })
    }

    /// A file that is there and cannot be read, which nobody has to know unless a server wants a password.
    #[must_use]
    pub fn unreadable(file: &str, problem: String) -> Netrc {
        Netrc {
            file: file.to_string(),
            entries: Vec::new(),
            problem: Some(problem),
        }
    }

    /// Whether it has a password for the host of an address.
    #[must_use]
    pub fn knows(&self, address: &str) -> bool {
        let login = Url::parse(address).ok();
        let login = login.and_then(|url| self.find(&host(&url), None, Entries::All));
        login.is_some_and(|login| !login.password.is_empty())
    }

    /// What errors call the file, and why it cannot be read when it cannot.
    pub(crate) fn problem(&self) -> Option<String> {
        let problem = self.problem.as_ref()?;
        Some(format!("{} cannot be read: {problem}", self.file))
    }

    /// Who asks a host; `user` when it is known already, and only the password is not.
    pub(crate) fn find(&self, host: &str, user: Option<&[u8]>, which: Entries) -> Option<Login> {
        let said = self.entries.iter().find_map(|entry| {
            match &entry.machine {
                Some(machine) if !machine.eq_ignore_ascii_case(host.as_bytes()) => return None,
                None if which == Entries::Named => return None,
                _ => {}
            }
            match (user, &entry.login, &entry.password) {
                (None, None, None) | (Some(_), _, None) => None,
                (Some(user), Some(login), _) if user != login => None,
                (user, login, password) => Some((
                    user.map(<[u8]>::to_vec).or_else(|| login.clone()),
                    password.clone(),
                )),
            }
        });
        let (name, password) = said?;
        Some(Login {
            name: name.unwrap_or_default(),
            password: password.unwrap_or_default(),
            from: PasswordIn::Netrc(self.file.clone()),
        })
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords are shown nowhere.
        formatter
            .debug_struct("Netrc")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// A word, and whether it stood in quotes, in which it is no keyword.
struct Word {
    bytes: Vec<u8>,
    quoted: bool,
}

impl Word {
    /// In lower case, as keywords may be written in any.
    fn keyword(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        (!self.quoted).then(|| text.to_ascii_lowercase())
    }
}

/// The words of a file without its comments.
struct Words {
    text: Vec<u8>,
    position: usize,
    /// Where the lines begin that are not comments, and their numbers.
    lines: Vec<(usize, usize)>,
}

impl Words {
    fn new(bytes: &[u8]) -> Words {
        let (mut text, mut lines) = (Vec::new(), Vec::new());
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
            let line = &line[indent.count()..];
            if line.first() != Some(&b'#') {
                lines.push((text.len(), number + 1));
                text.extend_from_slice(line);
            }
        }
        Words {
            text,
            position: 0,
            lines,
        }
    }

    /// The next word, or the line in which it begins when it does not end.
    fn next(&mut self) -> Result<Option<Word>, usize> {
        let rest = &self.text[self.position..];
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        self.position += blanks;
        match self.text.get(self.position) {
            None => Ok(None),
            Some(b'"') => self.quoted().map(Some),
            Some(_) => {
                let rest = &self.text[self.position..];
                let len = rest.iter().take_while(|byte| !is_blank(**byte)).count();
                let bytes = rest[..len].to_vec();
                self.position += len;
                Ok(Some(Word { bytes, quoted: false }))
            }
        }
    }

    /// A word in quotes, where it begins.
    fn quoted(&mut self) -> Result<Word, usize> {
        let mut bytes = Vec::new();
        let mut rest = self.text.iter().enumerate().skip(self.position + 1);
        while let Some((place, byte)) = rest.next() {
            match byte {
                b'"' => {
                    self.position = place + 1;
                    return Ok(Word { bytes, quoted: true });
                }
                b'\\' => match rest.next() {
                    Some((_, b'n')) => bytes.push(b'\n'),
                    Some((_, b'r')) => bytes.push(b'\r'),
                    Some((_, b't')) => bytes.push(b'\t'),
                    Some((_, byte)) => bytes.push(*byte),
                    None => break,
                },
                byte => bytes.push(*byte),
            }
        }
        let line = self.lines.partition_point(|(start, _)| *start <= self.position);
        Err(line.checked_sub(1).map_or(1, |line| self.lines[line].1))
    }

    /// Skips a macro, which ends with an empty line.
    fn skip_macro(&mut self) {
        let mut lines = self.text[self.position..].split_inclusive(|byte| *byte == b'\n');
        let mut skipped = lines.next().map_or(0, <[u8]>::len);
        for line in lines {
            skipped += line.len();
            if line.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                break;
            }
        }
        self.position += skipped;
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
