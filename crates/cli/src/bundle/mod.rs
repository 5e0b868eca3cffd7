//! `kiln bundle`: RAUC bundles are built, signed, verified and looked into.

mod extract;
mod info;
mod open;
mod sign;
mod verify;

use crate::args::bundle::{Bundle, Command};
use crate::build;
use crate::failure::Failure;
use crate::ui::Ui;

pub(crate) fn run(args: &Bundle, threads: usize, ui: &Ui) -> Result<(), Failure> {
    match &args.command {
        Command::Build(args) => build::run(&args.only_bundle(), threads, ui),
        Command::Sign(args) => sign::sign(args, threads, ui),
        Command::Attach(args) => sign::attach(args, threads, ui),
        Command::Resign(args) => sign::resign(args, threads, ui),
        Command::Verify(args) => verify::run(args, threads, ui),
        Command::Info(args) => info::run(args, threads, ui),
        Command::Extract(args) => extract::run(args, threads, ui),
    }
}
