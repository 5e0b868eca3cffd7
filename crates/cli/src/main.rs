//! The kiln command: one file per subcommand; [`ui`] is the only one that prints.

mod access;
mod args;
mod beside;
mod build;
mod bundle;
mod bundle_map;
mod cache;
mod contained;
mod credentials;
mod described;
mod diff;
mod disk_map;
mod efi;
mod environment;
mod failure;
mod flash;
mod folder;
mod inputs;
mod layouts;
mod logins;
mod look;
mod manifest;
mod one;
mod outputs;
mod places;
mod plan;
mod release;
mod report;
mod reuse;
mod roots;
mod run;
mod sbom;
mod segments;
mod serve;
mod signing;
mod steps;
mod stop;
mod summary;
mod tree;
mod ui;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::later::Later;
use args::{Args, Command};
use failure::Failure;
use ui::Ui;

fn main() -> ExitCode {
    let args = Args::parse();
    let ui = Ui::new(args.json);
    let has_terminal = std::io::stdin().is_terminal();
    match run(&args, &ui) {
        Ok(code) => code,
        Err(failure) => {
            // What fails because a signal has reached others too is no failure.
            let failure = if failure.is_stop() {
                failure
            } else if stop::is_asked() || has_terminal && stop::is_asked_soon() {
                Failure::stopped()
            } else {
                failure
            };
            ui.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: &Args, ui: &Ui) -> Result<ExitCode, Failure> {
    let jobs = args.threads();
    // Always, so that no variable of the environment decides it.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    pool.map_err(|error| Failure::usage(format!("--jobs {jobs}: {error}")))?;
    let done = match &args.command {
        Command::Diff(Later(command)) => return diff::run(command, jobs, ui),
        Command::Run(Later(command)) => return run::run(command, jobs, ui),
        Command::Serve(Later(command)) => return serve::run(command, jobs, ui),
        Command::Build(Later(command)) => build::run(command, jobs, ui),
        Command::Plan(Later(command)) => plan::run(command, jobs, ui),
        Command::Tree(Later(command)) => tree::run(command, jobs, ui),
        Command::Squashfs(Later(command)) => one::squashfs(command, jobs, ui),
        Command::Ext4(Later(command)) => one::ext4(command, jobs, ui),
        Command::Btrfs(Later(command)) => one::btrfs(command, jobs, ui),
        Command::Erofs(Later(command)) => one::erofs(command, jobs, ui),
        Command::Fat(Later(command)) => one::fat(command, jobs, ui),
        Command::Script(Later(command)) => one::script(command, jobs, ui),
        Command::Sbom(Later(command)) => sbom::run(command, jobs, ui),
        Command::Bundle(command) => bundle::run(command, jobs, ui),
        Command::Release(Later(command)) => release::run(command, ui),
        Command::Ls(Later(command)) => look::ls(command, jobs, ui),
        Command::Cat(Later(command)) => look::cat(command, jobs, ui),
        Command::Extract(Later(command)) => look::extract(command, jobs, ui),
        Command::Info(Later(command)) => look::info(command, jobs, ui),
        Command::Check(Later(command)) => look::check(command, jobs, ui),
        Command::Flash(Later(command)) => flash::run(command, jobs, ui),
        Command::Report(Later(command)) => report::run(command, jobs, ui),
        Command::Cache { command } => cache::run(command, ui),
        Command::Segments { command } => segments::run(command, jobs, ui),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "kiln", &mut text);
            ui.print(&String::from_utf8_lossy(&text))
        }
        Command::Man => {
            let mut text = Vec::new();
            let page = clap_mangen::Man::new(Args::command());
            page.render(&mut text)
                .map_err(|error| Failure::usage(error.to_string()))?;
            ui.print(&String::from_utf8_lossy(&text))
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}
