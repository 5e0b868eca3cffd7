//! What we say of signatures beside what `openssl cms -verify` and `rauc info` say of them: what we call good, both
//! take, and a newer RAUC with a newer OpenSSL, too; what we refuse and a device takes is written down, and is refused as not trusted, never as damaged.

mod chains;
mod extensions;
mod lists;
mod shape;
mod shapes;

use std::fmt::Write as _;

use signature::{Error, Purpose, sign};

use crate::case::{CONTENT, Case};
use crate::device::NEWER_RAUC;
use crate::oracle::installed;
use crate::pki::{Party, now, openssl};

const PURPOSES: [Purpose; 3] = [Purpose::SmimeSign, Purpose::CodeSign, Purpose::Any];

/// One line for each question: `good` or `refused` where all agree; our error's name, and `but taken`, where we are
/// stricter. One verdict stands for all purposes if it is the same.
pub(crate) struct Table {
    purposes: Vec<Purpose>,
    /// Whether a newer RAUC is here.
    newer: bool,
    text: String,
    wrong: Vec<String>,
}

impl Table {
    /// A table of what they say of each purpose.
    pub(crate) fn of_purposes() -> Table {
        Table {
            purposes: PURPOSES.to_vec(),
            newer: installed(NEWER_RAUC),
            text: String::new(),
            wrong: Vec::new(),
        }
    }

    /// A table where the purpose does not matter: it is RAUC's default.
    pub(crate) fn of_chains() -> Table {
        Table {
            purposes: vec![Purpose::default()],
            ..Table::of_purposes()
        }
    }

    /// Asks all of them about one case, of signatures by openssl and of our own.
    pub(crate) fn row(&mut self, what: &str, case: &Case) {
        let signatures: Vec<Vec<u8>> = [Some(theirs(case)), ours(case)].into_iter().flatten().collect();
        self.signatures(what, case, &signatures);
    }

    /// Asks all of them about some signatures, on which they have to agree.
    pub(crate) fn signatures(&mut self, what: &str, case: &Case, signatures: &[Vec<u8>]) {
        let mut verdicts = Vec::new();
        for purpose in self.purposes.clone() {
            let of = |der: &Vec<u8>| self.verdict(what, case, der, purpose);
            let mut found: Vec<String> = signatures.iter().map(of).collect();
            found.dedup();
            verdicts.push(found.join(" or "));
        }
        let same = verdicts.iter().all(|verdict| *verdict == verdicts[0]);
        let text = if same {
            verdicts[0].clone()
        } else {
            verdicts.join(", ")
        };
        let _ = writeln!(self.text, "{what}: {text}");
    }

    /// Asks all of them about one signature.
    fn verdict(&mut self, what: &str, case: &Case, der: &[u8], purpose: Purpose) -> String {
        let ours = case.verify(der, purpose);
        let device = case.device(der, purpose);
        // Debian 12's openssl has no codesign, and RAUC's is another anyway.
        let openssl = if purpose == Purpose::CodeSign {
            device
        } else {
            case.openssl(der, purpose)
        };
        if device != openssl {
            self.wrong.push(format!(
                "{what} for {purpose}: openssl says {openssl}, rauc {device}"
            ));
        }
        let refused_by_newer = || self.newer && !case.device_with(NEWER_RAUC, der, purpose);
        match ours {
            Ok(_) if refused_by_newer() => {
                self.wrong
                    .push(format!("{what} for {purpose}: good, and a newer RAUC refuses it"));
                "KINDER".to_owned()
            }
            Ok(_) if device && openssl => "good".to_owned(),
            Ok(_) => {
                self.wrong
                    .push(format!("{what} for {purpose}: good, and a device refuses it"));
                "KINDER".to_owned()
            }
            Err(error) if device || openssl => {
                if error.fault() != image::Fault::Untrusted {
                    self.wrong
                        .push(format!("{what} for {purpose}: the wrong code: {error}"));
                }
                format!("{} but taken", name(&error))
            }
            Err(_) => "refused".to_owned(),
        }
    }

    /// The table is this; lines with `#` say why we are stricter.
    pub(crate) fn expect(self, table: &str) {
        let wrong = self.wrong.join("\n");
        assert!(self.wrong.is_empty(), "{wrong}\n\n{}", self.text);
        let rows: Vec<&str> = table.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(self.text.lines().collect::<Vec<_>>(), rows, "\n{}", self.text);
    }
}

/// The name of an error's variant.
fn name(error: &Error) -> String {
    let text = format!("{error:?}");
    text.split(' ').next().unwrap().to_owned()
}

/// The signature that openssl makes, as RAUC does.
pub(crate) fn theirs(case: &Case) -> Vec<u8> {
    let mut between = Vec::new();
    for party in &case.between {
        between.extend(std::fs::read(&party.pem).unwrap());
    }
    let content = case.world.write("content", CONTENT);
    let between = case.world.write("between", &between);
    let out = case.world.text("theirs");
    let (pem, key) = (
        case.signer.pem.to_str().unwrap(),
        case.signer.key.to_str().unwrap(),
    );
    let line = "cms -sign -binary -nodetach -nosmimecap -outform DER";
    let mut args: Vec<&str> = line.split(' ').collect();
    args.extend(["-in", &content, "-out", &out, "-signer", pem, "-inkey", key]);
    if !case.between.is_empty() {
        args.extend(["-certfile", &between]);
    }
    openssl(&args);
    std::fs::read(out).unwrap()
}

/// Our own signature, where we make one.
fn ours(case: &Case) -> Option<Vec<u8>> {
    let identity = case.signer.identity(&case.between);
    sign(CONTENT, &identity, &case.signer.key(), Some(now())).ok()
}

/// Whether the first of two certificates stands first in a set.
fn first(one: &Party, other: &Party) -> bool {
    let (one, other) = (one.certificate(), other.certificate());
    one.der() < other.der()
}

/// Whether both oracles are here.
fn oracles() -> bool {
    installed("openssl") && installed("rauc")
}
