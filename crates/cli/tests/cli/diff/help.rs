//! What the tool says of comparing.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn help_of_a_comparison() {
    let world = World::new();
    let text = world.done(&["diff", "--help"]);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert_snapshot!(lines.join("\n"));
}
