//! What we read, beside what GNU tar, bsdtar and Python's tarfile unpack.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod blocks;
mod cut;
mod members;
#[path = "../../../../tests/zoo/oracle.rs"]
mod oracle;
mod packed;
mod records;
mod repeated;
mod tools;

use std::path::Path;

use archive::read_tar;
use image::{Spool, Tree};

use tools::{ALL, Compared, Tool, told};

/// How the tools and we see an archive.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// GNU tar and bsdtar agree, and so do we.
    Agreed,
    /// They do not agree, and we do as GNU tar.
    Gnu,
    /// They do not agree, and we do as bsdtar.
    Bsd,
    /// One of them refuses it, or they do not agree, and we refuse it, with an error that has these words.
    Refused(&'static str),
    /// Both take it, and we refuse it, for a reason that the crate's documentation has.
    RefusedAlone(&'static str),
}

/// An archive by hand, without its end, and how it is seen.
type Case = (&'static str, Vec<Vec<u8>>, Verdict);

fn spool() -> Spool {
    Spool::create(&std::env::temp_dir()).unwrap()
}

fn read(bytes: &[u8]) -> archive::Result<Tree> {
    read_tar(bytes, Path::new("a.tar"), ALL, &spool())
}

/// Compares all cases, and tells of all that are wrong.
fn judge(cases: &[Case]) {
    let ended = cases.iter().map(|(name, entries, verdict)| {
        let bytes = [entries.concat(), blocks::END.to_vec()].concat();
        (*name, bytes, *verdict)
    });
    judge_bytes(&ended.collect::<Vec<_>>());
}

fn judge_bytes(cases: &[(&str, Vec<u8>, Verdict)]) {
    if !tools::ready() {
        return;
    }
    let problems: Vec<String> = cases
        .iter()
        .filter_map(|(name, bytes, verdict)| {
            let problem = wrong(bytes, *verdict)?;
            Some(format!("{name}: {verdict:?}: {problem}"))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn wrong(bytes: &[u8], verdict: Verdict) -> Option<String> {
    let file = tools::file(bytes);
    let theirs = |tool: Tool| {
        let unpacked = tool.unpack(file.path());
        unpacked.map(|unpacked| told(&unpacked.tree, Compared::SAID))
    };
    let (gnu, bsd) = (theirs(Tool::Gnu), theirs(Tool::Bsd));
    let ours = read(bytes).map(|tree| told(&tree, Compared::SAID));
    let ours = ours.map_err(|error| error.to_string());
    let agreed = gnu.is_ok() && gnu == bsd;
    let right = match (&verdict, &ours) {
        (Verdict::Agreed, ours) => agreed && *ours == gnu,
        (Verdict::Gnu, ours) => !agreed && *ours == gnu,
        (Verdict::Bsd, ours) => !agreed && *ours == bsd,
        (Verdict::Refused(words), Err(error)) => !agreed && error.contains(words),
        (Verdict::RefusedAlone(words), Err(error)) => agreed && error.contains(words),
        (_, Ok(_)) => false,
    };
    (!right).then(|| format!("\n  gnu: {gnu:?}\n  bsd: {bsd:?}\n  we: {ours:?}"))
}
