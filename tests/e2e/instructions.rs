//! How many instructions the hot paths take, as valgrind's callgrind counts them: unlike seconds, they say the same on a
//! busy machine, so a path that has become slower is found here. SHA-256 does not count: valgrind has no processor with
//! instructions for it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::demo::{kiln_program, target};
use crate::tools::{given, installed, run, tool};

/// How far from its record a count may be, in percent: compilers and libraries differ a little. Whoever makes a path
/// faster writes down its new count.
const FEWER: u64 = 20;
const MORE: u64 = 10;

/// What runs in a folder that has `tree`, a folder of small and large files, and how many thousands of instructions that
/// takes: as the tests compile Kiln, with its own checks, and as users have it.
const RECORDS: [(&str, &str, [u64; 2]); 6] = [
    (
        "compress",
        "squashfs --tree tree --no-cache --level 3 --block-size 128KiB --out out",
        [188_000, 189_300],
    ),
    (
        "lay out many small files in a squashfs",
        "squashfs --tree small --no-cache --compression none --out out",
        [163_000, 69_660],
    ),
    (
        "lay out an ext4",
        "ext4 --tree tree --label a --free 0B --free-inodes 0 --journal none --out out",
        [15_920, 11_800],
    ),
    (
        "lay out many small files in an ext4",
        "ext4 --tree small --label a --free 0B --free-inodes 0 --journal none --out out",
        [147_800, 94_730],
    ),
    (
        "lay out many small files in a FAT",
        "fat --tree small --label A --out out",
        [393_300, 230_750],
    ),
    (
        "lift segments out of a cache",
        "squashfs --tree tree --cache cache --level 3 --block-size 128KiB --out out",
        [12_260, 7_640],
    ),
];

/// Bytes that compress as programs do: words of a small vocabulary, in an order that a number decides.
fn text(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend((state >> 20).to_string().bytes());
        text.push(b' ');
    }
    text.truncate(len);
    text
}

fn fill(folder: &Path, files: u32, len: impl Fn(u32) -> usize) {
    for number in 0..files {
        let folder = folder.join(format!("folder-{}", number % 37));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("file-{number}")), text(len(number), number)).unwrap();
    }
}

/// All that was counted, but SHA-256.
fn instructions(counts: &Path) -> u64 {
    let mut annotate = tool("callgrind_annotate");
    annotate.args(["--threshold=100", "--auto=no"]).arg(counts);
    let annotated = run(&mut annotate);
    // Such as `1,036,719,342 (90.39%)  memset.S:memset [libc.so.6]`.
    let count = |line: &str| {
        let count = line.split_once(" (")?.0.trim().replace(',', "");
        count.parse::<u64>().ok()
    };
    let sum = |wanted: fn(&str) -> bool| -> u64 {
        let lines = annotated.lines().filter(|line| wanted(line));
        lines.filter_map(count).sum()
    };
    sum(|line| line.contains("PROGRAM TOTALS")) - sum(|line| line.contains("sha2::"))
}

#[test]
fn hot_paths_take_no_more_instructions_than_they_did() {
    count(&kiln_program(), 0);
}

#[test]
#[ignore = "long: tests/long runs it"]
fn hot_paths_of_a_release_take_no_more_instructions_than_they_did() {
    count(&target().join("release/kiln"), 1);
}

/// Counts what a program needs, and compares with a column of the records.
fn count(program: &Path, column: usize) {
    let condition = format!(
        "{} is there (tests/run build or tests/long makes it)",
        program.display()
    );
    if !installed(&["valgrind"]) || !given(program.exists(), &condition) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fill(&dir.path().join("small"), 4000, |number| number as usize % 90);
    fill(&dir.path().join("tree"), 60, |number| {
        if number % 10 == 0 { 400_000 } else { 9000 }
    });
    let (mut table, mut wrong) = (String::new(), false);
    for (what, words, thousands) in RECORDS {
        let thousands = thousands[column];
        let words: Vec<&str> = words.split(' ').collect();
        if words.contains(&"cache") {
            // The first build fills it.
            run(tool("env").arg(program).args(&words).current_dir(dir.path()));
        }
        let counts = dir.path().join("counts");
        let mut counted = tool("valgrind");
        counted
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(program)
            .args(["--jobs", "1"])
            .args(words)
            .current_dir(dir.path());
        run(&mut counted);
        let found = instructions(&counts) / 1000;
        let bounds = thousands * (100 - FEWER) / 100..=thousands * (100 + MORE) / 100;
        wrong |= !bounds.contains(&found);
        writeln!(
            table,
            "{what}: {found} thousand instructions, recorded are {thousands}"
        )
        .unwrap();
    }
    eprintln!("{table}");
    assert!(
        !wrong,
        "a hot path has become slower, or faster than its record:\n{table}"
    );
}
