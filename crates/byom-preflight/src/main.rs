//! `byom-preflight`: arguments, wiring, exit code. Everything else lives in the libraries.

mod args;
mod base_models;
mod cache;
mod catalog;
mod check;
mod configuration;
mod failure;
mod inputs;
mod interrupt;
mod lists;
mod many;
mod outputs;
mod policy;
mod progress;
mod read;
mod refresh;
mod screen;

use std::process::ExitCode;

use clap::CommandFactory as _;
use preflight_model::snapshot::Access;
use preflight_source::{ModelRef, recording};

use args::{Arguments, Command, Record};
use failure::{Failure, PASS, say};
use read::Reading;

fn main() -> ExitCode {
    if asks_for_version() {
        let text = concat!("byom-preflight ", env!("CARGO_PKG_VERSION"), "\n");
        return screen::print(text)
            .map_or_else(|failure| failure.report(), |()| ExitCode::from(PASS));
    }
    let arguments = Arguments::read();
    // Starts a thread, which `--version` and `--help` need not wait for.
    interrupt::install();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.report(),
    }
}

/// Whether this is `byom-preflight --version` and no more: what scripts ask first. To build the parser of all options
/// takes as long as to start the process.
fn asks_for_version() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    first.is_some_and(|first| first == "--version" || first == "-V") && arguments.next().is_none()
}

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    match &arguments.command {
        Command::Check(arguments) => return check::run(arguments),
        Command::Explain { rule } => lists::explain(rule)?,
        Command::Rules(choice) => lists::rules(choice)?,
        Command::BaseModels(arguments) => base_models::run(arguments)?,
        Command::Hardware(choice) => lists::hardware(choice)?,
        Command::Schema => screen::print(preflight_report::schema::REPORT)?,
        Command::Completions { shell } => screen::print(&completions(*shell))?,
        Command::Record(arguments) => record(arguments)?,
        Command::Init { force } => configuration::init(*force)?,
        Command::Cache { action } => cache::run(action.as_ref())?,
        Command::Refresh(arguments) => refresh::run(arguments)?,
    }
    Ok(PASS)
}

/// The completion script of a shell.
fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    let command = &mut Arguments::command();
    clap_complete::generate(shell, command, "byom-preflight", &mut script);
    // clap_complete 4.6 spells a name with a hyphen in two ways, so that bash finds no subcommand:
    // <https://github.com/clap-rs/clap/issues/6421>.
    String::from_utf8_lossy(&script).replace("byom__subcmd__preflight", "byom__preflight")
}

fn record(arguments: &Record) -> Result<(), Failure> {
    let reading = Reading::new(&arguments.hub);
    let model = reading.at_revision(ModelRef::from_argument(&arguments.model)?)?;
    let (snapshot, _) = reading.read(&model)?;
    if let Access::Unreachable(why) = &snapshot.access {
        return Err(Failure::undecided(why));
    }
    let _writing = interrupt::finish_writing();
    recording::write(&snapshot, &arguments.output)?;
    say(&format!(
        "wrote the recording `{}`",
        arguments.output.display()
    ));
    Ok(())
}
