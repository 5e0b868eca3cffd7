//! What can be said on the command line: one file for each group of verbs, and for each group of options that verbs
//! share. Files here import only other files of this folder; commands import them.

pub(crate) mod blocks;
pub(crate) mod btrfs;
pub(crate) mod build;
pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod caching;
pub(crate) mod diff;
pub(crate) mod erofs;
pub(crate) mod files;
pub(crate) mod flash;
pub(crate) mod later;
pub(crate) mod logins;
pub(crate) mod look;
pub(crate) mod one;
mod output;
pub(crate) mod release;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sbom;
pub(crate) mod segments;
pub(crate) mod serve;
pub(crate) mod signing;
pub(crate) mod source;
pub(crate) mod tree;
mod values;

use std::num::NonZeroUsize;

use clap::{Parser, Subcommand};

use btrfs::Btrfs;
use build::{Build, Plan};
use bundle::Bundle;
use diff::Diff;
use erofs::Erofs;
use flash::Flash;
use later::Later;
use look::{Cat, Check, Extract, Info, Ls};
use one::{Ext4, Fat, Script, Squashfs};
use release::Release;
use report::Report;
use run::Run;
use sbom::SbomArgs;
use serve::Serve;
use tree::Tree;

/// Turns Nix closures and plain trees into flashable disk images: no root, no VM, the same bytes on any host
#[derive(Debug, Parser)]
#[command(name = "kiln", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How many threads work; all cores when not given. Never changes a byte
    #[arg(long, short, global = true, display_order = 900, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,

    /// Print results and errors as JSON
    #[arg(long, global = true, display_order = 901)]
    pub(crate) json: bool,
}

const EXIT_CODES: &str = "Exit codes:
    0  done
    1  `kiln diff` has found a difference
    2  the command line or the specification makes no sense
    3  an input is missing, unreadable, or not what it claims to be
    4  something does not fit where it shall go
    5  the output cannot be written, or a disk is in use or does not keep what it is given
    6  an image that was read is damaged
    7  a signature is not trusted
  130  stopped by the user";

impl Args {
    /// How many threads work.
    pub(crate) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.jobs.map_or_else(cores, usize::from)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make everything that a specification describes
    Build(Later<Build>),
    /// Show what a build would make, and write nothing
    Plan(Later<Plan>),
    /// Make a folder of what a file system of a specification holds
    Tree(Later<Tree>),
    /// Make a squashfs of a closure or a folder, without a specification
    Squashfs(Later<Squashfs>),
    /// Make an ext4 of a closure or a folder, without a specification
    Ext4(Later<Ext4>),
    /// Make a btrfs of a closure or a folder, without a specification
    Btrfs(Later<Btrfs>),
    /// Make an erofs of a closure or a folder, without a specification
    Erofs(Later<Erofs>),
    /// Make a FAT of a folder or files, without a specification
    Fat(Later<Fat>),
    /// Make a boot script for U-Boot, without a specification
    Script(Later<Script>),
    /// Build, sign, verify and look into update bundles
    Bundle(Bundle),
    /// Verify and sign releases for systemd-sysupdate
    Release(Later<Release>),
    /// List what is in an image, a bundle, an archive, a device, or what a specification would make
    Ls(Later<Ls>),
    /// Print a file that is in an image
    Cat(Later<Cat>),
    /// Make a folder or a file of what is in an image, and nothing outside of it
    Extract(Later<Extract>),
    /// Show what an image is
    Info(Later<Info>),
    /// Check all that can be checked of an image, part by part
    Check(Later<Check>),
    /// Compare two images, outputs or specifications: options, files, store paths, and what an update costs
    Diff(Later<Diff>),
    /// Say what is in the images of a specification, or in a closure: an SBOM, CycloneDX or SPDX
    Sbom(Later<SbomArgs>),
    /// Make a page, a picture or JSON of what takes the space in an image, what keeps it there, and what grew
    Report(Later<Report>),
    /// Serve what a specification describes, or an image, to programs that speak NBD, and write nothing
    Serve(Later<Serve>),
    /// Boot what a specification describes, or an image, in QEMU, from the bytes that would be written
    Run(Later<Run>),
    /// Write an image to a disk, as its block map says, and read it back; without arguments, list the disks
    Flash(Later<Flash>),
    /// Look into the cache of compressed segments, and keep it small and sound
    Cache {
        #[command(subcommand)]
        command: cache::Command,
    },
    /// List the compressed segments that images of a closure have, and make them in advance
    Segments {
        #[command(subcommand)]
        command: segments::Command,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}
