//! The guide's commands are run, line by line, where its files are.

use std::fs;
use std::path::Path;

use super::shell;
use crate::bundles;

const GUIDE: &str = include_str!("../../../../../docs/guide-inside.md");

/// Sections whose files come from Nix or from the demo: they are tested with these.
const ELSEWHERE: [&str; 2] = [
    "Each part of a host with `sane.image`\n",
    "Each part of a device with slots\n",
];

/// The commands in the guide's blocks.
fn commands() -> Vec<&'static str> {
    let sections = GUIDE.split("\n## ");
    let (elsewhere, here): (Vec<&str>, Vec<&str>) =
        sections.partition(|section| ELSEWHERE.iter().any(|heading| section.starts_with(heading)));
    assert_eq!(elsewhere.len(), ELSEWHERE.len());
    let blocks = here
        .into_iter()
        .flat_map(|section| section.split("```sh\n").skip(1));
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    lines.filter(|line| !line.trim().is_empty()).collect()
}

#[test]
fn every_command_of_the_guide_works() {
    let Some(world) = bundles::world() else { return };
    world.edit("spec.toml", "name = \"demo-{series}\"", "name = \"atomicnix\"");
    world.done(&["build", "spec.toml", "--out", "result"]);
    fs::copy(world.path("keys/root.pem"), world.path("ca.pem")).unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_kiln")).parent().unwrap();
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let said = shell(&world, &format!("PATH={}:$PATH; {command}", bin.display()));
        let is_quiet = command.contains('>');
        assert_eq!(said.is_empty(), is_quiet, "{command}");
    }
    assert_eq!(
        fs::read(world.path("kernel")).unwrap(),
        fs::read(world.path("boot-files/Image")).unwrap()
    );
    assert_eq!(
        fs::read(world.path("images/boot.vfat")).unwrap(),
        fs::read(world.path("result/boot.vfat")).unwrap()
    );
    assert!(world.path("folders/rootfs.squashfs/nix/store").is_dir());
    shell(
        &world,
        "cmp -n $(stat -c %s result/rootfs.squashfs) rootfs.img result/rootfs.squashfs",
    );
}
