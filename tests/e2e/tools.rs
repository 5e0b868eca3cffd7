//! Programs, and whether they are here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where programs are looked for behind PATH: an ordinary user's PATH lacks them.
const MORE_FOLDERS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// A variable of the tests' environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment says where Kiln is and what is required"
    )]
    std::env::var(name).ok()
}

/// Whether a condition of a test holds. If not, the test is skipped, or fails when all oracles are required.
pub(crate) fn given(holds: bool, condition: &str) -> bool {
    let required = variable("KILN_ORACLES").is_some_and(|value| value == "required");
    assert!(
        holds || !required,
        "KILN_ORACLES=required, but not so: {condition}"
    );
    if !holds {
        eprintln!("skipped, because not so: {condition}");
    }
    holds
}

/// Whether all programs are installed. A name with a slash is a file.
pub(crate) fn installed(programs: &[&str]) -> bool {
    programs.iter().all(|program| {
        let mut folders = path();
        folders.push(':');
        let found = if program.contains('/') {
            Path::new(program).exists()
        } else {
            folders
                .split(':')
                .any(|folder| Path::new(folder).join(program).is_file())
        };
        given(found, &format!("{program} is installed"))
    })
}

/// Whether the tests run as root: only root unpacks owners and becomes another user.
pub(crate) fn is_root() -> bool {
    let id = run(tool("id").arg("-u"));
    given(id.trim() == "0", "the tests run as root")
}

/// Where programs are looked for.
pub(crate) fn path() -> String {
    format!("{}:{MORE_FOLDERS}", variable("PATH").unwrap_or_default())
}

/// Where an installed program is.
pub(crate) fn place_of(program: &str) -> PathBuf {
    let path = run(tool("sh").args(["-c", &format!("command -v {program}")]));
    path.trim().into()
}

/// Programs with the libraries that they need and the loader of these, which is called `loader`: where each name lies.
pub(crate) fn with_libraries(programs: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let listed = run(tool("ldd").args(programs));
    // With several programs, the name of each is a heading.
    let is_library = |word: &&str| word.starts_with('/') && !word.ends_with(':');
    let libraries = listed.split_whitespace().filter(is_library).map(PathBuf::from);
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = if name.starts_with("ld-") { "loader" } else { name };
        (name.to_string(), path)
    };
    libraries.chain(programs.iter().cloned()).map(named).collect()
}

/// Bytes that no compressor makes smaller.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// Copies an image that has a million bytes of noise somewhere, and flips a bit in the middle of them.
pub(crate) fn flip_in_noise(image: &Path, copy: &Path) {
    let mut bytes = fs::read(image).unwrap();
    let sought = &noise(1_000_000)[500_000..500_064];
    let at = bytes.windows(64).position(|window| window == sought).unwrap();
    bytes[at] ^= 1;
    fs::write(copy, bytes).unwrap();
}

/// A program in an environment that prints the same everywhere.
pub(crate) fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env("PATH", path())
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("MTOOLSRC", "/dev/null")
        .env_remove("SOURCE_DATE_EPOCH");
    command
}

/// Runs a command that has to succeed, and answers what it prints to stdout.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    let said = said(&output);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command, whatever comes of it.
pub(crate) fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// All that a command printed.
pub(crate) fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Runs a command under `time`, and answers the most memory that it held, in KiB.
pub(crate) fn peak_kib(command: &Command) -> u64 {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut timed = tool("/usr/bin/time");
    timed.args(["-f", "%M", "-o"]).arg(report.path());
    timed.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    run(&mut timed);
    let text = fs::read_to_string(report.path()).unwrap();
    text.trim().parse().unwrap()
}

/// The sha256 of a file, as coreutils see it.
pub(crate) fn sha256(path: &Path) -> String {
    let text = run(tool("sha256sum").arg("--").arg(path));
    text.split(' ').next().unwrap().trim_start_matches('\\').into()
}

/// The files of a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests look at folders without Kiln's own wrapper"
    )]
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
