//! Chores of this repository; `cargo xtask help` lists them.

mod conformance;
mod fixtures;
mod generate;
mod layout;
mod materialise;
mod new_rule;
mod seeds;
mod spec;
mod tree;
mod weights;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Chores of this repository.

Usage: cargo xtask COMMAND

Commands:
  conformance                    hold the product against ../shared: what the real loader did with
                                 odd repositories, known models and a corpus of real folders
  fixtures [--check] [NAME...]   write the recordings in fixtures/ from fixtures/specs/;
                                 with --check, only tell where they differ
  fuzz-seeds [--check]           write tests/fuzz/seeds/, cut out of the fixtures;
                                 with --check, only tell where they differ
  generate [--check]             write docs/rules/ from the rules;
                                 with --check, only tell where it differs
  materialise FIXTURE|SPEC DIR   write a fixture as a folder of true sizes whose data are holes
  new-rule ID                    begin a rule: its code, its page, and what is left to do
  help                           this text
";

/// Wrong use of the command line.
const EXIT_USAGE: u8 = 2;

/// Why a chore did not succeed.
enum Failure {
    /// Wrong use of the command line.
    Usage(String),
    /// The chore itself.
    Chore(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Chore(why)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (text, code) = match run(&args) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(Failure::Chore(why)) => (format!("error: {why}\n"), ExitCode::FAILURE),
        Err(Failure::Usage(why)) => (
            format!("error: {why}\n\n{USAGE}"),
            ExitCode::from(EXIT_USAGE),
        ),
    };
    // Nobody is left to tell where the output is closed.
    let _ = if code == ExitCode::SUCCESS {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    code
}

/// Folder of the repository.
fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Does the chore and answers with what to tell.
fn run(args: &[&str]) -> Result<String, Failure> {
    match args {
        ["help" | "--help" | "-h"] => Ok(USAGE.into()),
        ["conformance"] => {
            let found = conformance::run()?;
            if found.good {
                Ok(found.text)
            } else {
                Err(Failure::Chore(format!(
                    "not everything agrees\n{}",
                    found.text
                )))
            }
        }
        ["conformance", rest @ ..] => Err(Failure::Usage(format!(
            "`conformance` takes no `{}`",
            rest.join(" ")
        ))),
        ["fixtures", rest @ ..] => {
            let (options, names): (Vec<&str>, Vec<&str>) =
                rest.iter().partition(|arg| arg.starts_with('-'));
            match options[..] {
                [] => Ok(fixtures::write(&names)?),
                ["--check"] => Ok(fixtures::check(&names)?),
                _ => Err(Failure::Usage(format!(
                    "`fixtures` takes no `{}`",
                    options.join(" ")
                ))),
            }
        }
        ["fuzz-seeds"] => Ok(seeds::write()?),
        ["fuzz-seeds", "--check"] => Ok(seeds::check()?),
        ["fuzz-seeds", ..] => Err(Failure::Usage("`fuzz-seeds` takes `--check` only".into())),
        ["generate"] => Ok(generate::write()?),
        ["generate", "--check"] => Ok(generate::check()?),
        ["generate", rest @ ..] => Err(Failure::Usage(format!(
            "`generate` takes no `{}`",
            rest.join(" ")
        ))),
        ["materialise", what, dir] => Ok(materialise_one(what, Path::new(dir))?),
        ["materialise", ..] => Err(Failure::Usage(
            "`materialise` takes a fixture or spec and a folder".into(),
        )),
        ["new-rule", id] => Ok(new_rule::create(&new_rule::rules_dir(), id)?),
        ["new-rule", ..] => Err(Failure::Usage("`new-rule` takes one id".into())),
        [] => Err(Failure::Usage("a command is missing".into())),
        [command, ..] => Err(Failure::Usage(format!("there is no command `{command}`"))),
    }
}

fn materialise_one(what: &str, dir: &Path) -> Result<String, String> {
    let snapshot = if Path::new(what).is_file() {
        spec::snapshot_from(Path::new(what))?
    } else {
        spec::snapshot_of(what)?
    };
    let skipped = materialise::materialise(&snapshot, dir)?;
    let mut told = vec![format!("wrote {}\n", dir.display())];
    told.extend(skipped.iter().map(|file| format!("left out {file}\n")));
    Ok(told.concat())
}
