//! The guide to Nix says how many lines each of five systems has to change, and shows them: both are the same.

use std::fs;

use crate::demo::workspace;

/// The systems, and the most lines that they may have to change.
const SYSTEMS: [(char, usize); 5] = [('A', 9), ('B', 4), ('C', 1), ('D', 8), ('E', 3)];

/// The lines of the first diff below a heading.
fn diff<'a>(guide: &'a str, heading: &str) -> Vec<&'a str> {
    let section = guide
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("the guide has no section {heading}"));
    let diff = section.split("```diff\n").nth(1);
    let diff = diff.unwrap_or_else(|| panic!("{heading}: shows no diff"));
    diff.split("\n```").next().unwrap_or_default().lines().collect()
}

/// How many lines change: those that come in the place of others, and those that come or go alone.
fn changed(diff: &[&str]) -> usize {
    let (mut count, mut gone, mut come) = (0, 0, 0);
    for line in diff.iter().chain(&[" "]) {
        match line.chars().next() {
            Some('-') => gone += 1,
            Some('+') => come += 1,
            _ => {
                count += gone.max(come);
                (gone, come) = (0, 0);
            }
        }
    }
    count
}

#[test]
fn the_lines_that_five_systems_change_are_counted() {
    assert_eq!(changed(&["-a", "+b", " c", "-d", "-e", "+f", " g", "+h"]), 4);
    let guide = fs::read_to_string(workspace().join("docs/guide-nix.md")).unwrap();
    for (system, most) in SYSTEMS {
        let counted = changed(&diff(&guide, &format!("{system}. ")));
        let row = guide
            .lines()
            .find(|line| line.starts_with(&format!("| [{system}](")))
            .unwrap_or_else(|| panic!("the table has no row {system}"));
        let said = row.trim_end_matches(" |").rsplit(' ').next().unwrap();
        assert_eq!(said, counted.to_string(), "{row}");
        assert!(
            (1..=most).contains(&counted),
            "{system}: {counted} lines, at most {most}"
        );
    }
}
