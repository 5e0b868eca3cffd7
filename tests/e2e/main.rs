//! The demo's images from end to end: what partitioners, unpackers, mkfs tools, Nix and a booted kernel say of them.
//!
//! `tests/run` makes what these tests start from: kiln, the demo's store and its boot loader.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

mod ab_update;
mod amd64;
mod appliance;
mod bench;
mod bios;
mod boots;
mod btrfs;
mod btrfs_closures;
mod btrfs_guest;
mod caches;
mod containers;
mod demo;
mod erofs;
mod erofs_reads;
mod ext4;
mod flash_guest;
mod forged;
mod guide_inside;
mod guide_lines;
mod instructions;
mod layouts;
mod listing;
mod look;
mod netboot;
mod nix_appliance;
mod nix_btrfs;
mod nix_builders;
mod nix_disk_image;
mod nix_disko;
mod nix_distributed;
mod nix_drop_ins;
mod nix_image_boots;
mod nix_image_names;
mod nix_images;
mod nix_lib;
mod nix_modules;
mod nix_netboot;
mod nix_originals;
mod nix_package;
mod nix_repart;
mod nix_segments;
mod nix_sizes;
mod nix_stub;
mod nix_trees;
mod nix_variants;
mod nix_world;
mod performance;
mod private_caches;
mod report;
mod report_page;
mod reproducible;
mod rock64;
mod sbom;
mod secure_boot;
mod served;
mod servers;
mod shared;
mod shared_caches;
mod stage1;
mod tools;
mod verity_boot;
#[expect(dead_code, reason = "the zoo is wanted, and what makes an image of it")]
#[path = "../../crates/squashfs/tests/support/mod.rs"]
mod zoo;
