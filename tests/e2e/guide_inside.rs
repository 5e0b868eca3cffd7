//! The commands of a section of the guide to looking inside, run as they stand there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::demo::{kiln_program, workspace};
use crate::tools::{path, run, tool};

/// The section's commands, run in a folder where these names lead to those places. Answers each with what it printed.
pub(crate) fn run_section(heading: &str, folder: &Path, links: &[(&str, &Path)]) -> Vec<(String, String)> {
    let guide = fs::read_to_string(workspace().join("docs/guide-inside.md")).unwrap();
    let section = guide
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("the guide has no section {heading}"));
    for (name, place) in links {
        symlink(place, folder.join(name)).unwrap();
    }
    let programs: PathBuf = kiln_program().parent().unwrap().into();
    let blocks = section.split("```sh\n").skip(1);
    let commands = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    commands
        .map(|command| {
            let mut shell = tool("sh");
            shell.args(["-euc", command]).current_dir(folder);
            shell.env("PATH", format!("{}:{}", programs.display(), path()));
            let printed = run(&mut shell);
            assert_eq!(printed.is_empty(), command.contains(" > "), "{command}");
            (command.to_string(), printed)
        })
        .collect()
}

/// What the command printed that begins like this.
pub(crate) fn of<'a>(printed: &'a [(String, String)], start: &str) -> &'a str {
    let found = printed.iter().find(|(command, _)| command.starts_with(start));
    &found.unwrap_or_else(|| panic!("the guide has {start}")).1
}
