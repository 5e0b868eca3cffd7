//! `closureCheck` of the functions for Nix: what the sandbox has is believed, and the image is the same.

use std::fs;

use crate::nix_world::world;

#[test]
fn an_image_of_believed_store_paths_is_the_same() {
    let Some(world) = world() else { return };
    let [full, sizes] = world.built(["lib.ext4", "lib.sizes"]);
    assert_ne!(full, sizes);
    let [full, sizes] = [full, sizes].map(|folder| fs::read(folder.join("lib-ext4.ext4")).unwrap());
    assert!(full == sizes);
}
