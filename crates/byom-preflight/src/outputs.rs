//! Which reports are asked for and where each goes, settled before anything is checked: a report that
//! has no place is a wrong command line, and should not cost the user the check first.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use preflight_report::checkout::Checkout;
use preflight_report::table::TableOptions;
use preflight_report::{github, gitlab, html, json, jsonl, junit, markdown, sarif, table};
use preflight_rules::report::Report;

use crate::args::Format;
use crate::failure::{Failure, say};
use crate::screen::{self, Lines};

/// A value of `--format`: `FORMAT` or `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The form.
    pub(crate) format: Format,
    /// The file it goes to; standard output where there is none.
    pub(crate) file: Option<PathBuf>,
}

/// Reads an [`Output`]. The formats are offered and suggested as clap does for any list of words.
#[derive(Debug, Clone)]
pub(crate) struct OutputParser;

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Output, clap::Error> {
        let text = value
            .to_str()
            .ok_or_else(|| clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(file)),
            None => (text, None),
        };
        let format = EnumValueParser::new().parse_ref(command, argument, name.as_ref())?;
        if file == Some("") {
            let message = format!("no file stands after `{text}`\n");
            return Err(clap::Error::raw(ErrorKind::InvalidValue, message).with_cmd(command));
        }
        let file = file.map(PathBuf::from);
        Ok(Output { format, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names: Vec<_> = EnumValueParser::<Format>::new()
            .possible_values()?
            .collect();
        Some(Box::new(names.into_iter()))
    }
}

/// The reports of a run.
#[derive(Debug)]
pub(crate) struct Outputs {
    all: Vec<Output>,
    checkout: Checkout,
    verbose: bool,
}

impl Outputs {
    /// The reports that `--format` and `--output` ask for: a table where nothing is asked. `--output`
    /// is the file of the one format that names none.
    pub(crate) fn new(
        formats: &[Output],
        output: Option<&Path>,
        location: Option<&str>,
        verbose: bool,
    ) -> Result<Self, Failure> {
        let mut all = formats.to_vec();
        if all.is_empty() {
            all.push(Output {
                format: Format::Table,
                file: None,
            });
        }
        let mut without_file = all.iter_mut().filter(|report| report.file.is_none());
        match (without_file.next(), output) {
            (Some(first), Some(file)) => first.file = Some(file.into()),
            (None, Some(file)) => {
                return Err(Failure::usage(format!(
                    "`--output {}` has no report left: every `--format` names its file",
                    file.display()
                )));
            }
            (_, None) => {}
        }
        if without_file.next().is_some() {
            return Err(Failure::usage(
                "two reports cannot share one place; give all but one a file, as in `--format sarif=report.sarif`",
            ));
        }
        for report in &mut all {
            report.file.take_if(|file| file.as_os_str() == "-");
        }
        for (at, report) in all.iter().enumerate() {
            if let Some(file) = &report.file {
                writable(file)?;
            }
            let place = report.file.as_deref().map(settled);
            let is_same = |other: &Output| other.file.as_deref().map(settled) == place;
            if all[..at].iter().any(is_same) {
                let place = report.file.as_ref().map_or_else(
                    || "standard output".into(),
                    |file| format!("`{}`", file.display()),
                );
                return Err(Failure::usage(format!("two reports go to {place}")));
            }
        }
        Ok(Self {
            all,
            checkout: checkout(location)?,
            verbose,
        })
    }

    /// Where lines go as they are made, where lines are all that is asked for.
    pub(crate) fn stream(&self) -> Result<Option<Lines>, Failure> {
        match self.all.as_slice() {
            [output] if output.format == Format::Jsonl => {
                Lines::to(output.file.as_deref()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether people see a table of all models, which ends with a summary.
    pub(crate) fn is_table_on_screen(&self) -> bool {
        let mut all = self.all.iter();
        all.any(|output| output.format == Format::Table && output.file.is_none())
    }

    /// Writes every report: files first, so that what is read on standard output is complete. One that
    /// cannot be written keeps no other back.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Failure> {
        let (files, screen): (Vec<_>, Vec<_>) =
            self.all.iter().partition(|output| output.file.is_some());
        let mut failure = None;
        for output in files.into_iter().chain(screen) {
            if let Err(other) = self.write_one(output, report) {
                match &failure {
                    None => failure = Some(other),
                    Some(_) => other.tell(),
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn write_one(&self, output: &Output, report: &Report) -> Result<(), Failure> {
        let mut text = Vec::new();
        let written = match output.format {
            Format::Table => table::write(report, self.table(output), &mut text),
            Format::Json => json::write(report, &mut text),
            Format::Jsonl => jsonl::write(report, &mut text),
            Format::Sarif => sarif::write(report, &self.checkout, &mut text),
            Format::Junit => junit::write(report, &mut text),
            Format::Github => github::write(report, &self.checkout, &mut text),
            Format::Gitlab => gitlab::write(report, &self.checkout, &mut text),
            Format::Markdown => markdown::write(report, &mut text),
            Format::Html => html::write(report, &mut text),
        };
        written.map_err(|error| Failure::undecided(format!("cannot write the report: {error}")))?;
        let text = String::from_utf8_lossy(&text);
        if output.format == Format::Github {
            summarize(report);
        }
        match &output.file {
            Some(path) => screen::save(path, &text),
            None => screen::print(&text),
        }
    }

    fn table(&self, output: &Output) -> TableOptions {
        let to_screen = output.file.is_none();
        TableOptions {
            width: if to_screen {
                screen::width()
            } else {
                screen::WIDTH_PIPED
            },
            colour: to_screen && screen::colour(),
            unicode: screen::unicode(),
            verbose: self.verbose,
        }
    }
}

/// Variables in which CI systems name the root of the checkout. Sources:
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>,
/// <https://docs.gitlab.com/ci/variables/predefined_variables/>.
const ROOTS: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];

/// Where the program runs: in the checkout that the CI system names, else in one that starts here.
fn checkout(location: Option<&str>) -> Result<Checkout, Failure> {
    // Without a working folder no relative path names anything either.
    let folder = std::env::current_dir().unwrap_or_default();
    let is_here = |root: &PathBuf| {
        let there = Path::new(root).canonicalize();
        there.is_ok_and(|root| folder.starts_with(root))
    };
    let named = ROOTS.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let named = named.filter(|root| root.is_absolute()).find(is_here);
    let root = named.as_ref().and_then(|root| root.canonicalize().ok());
    // The system tells where we are without links; shells and CI systems spell it as they came there.
    let also = named.or_else(|| {
        let shell = std::env::var_os("PWD").map(PathBuf::from)?;
        let is_same = shell.is_absolute() && shell.canonicalize().is_ok_and(|it| it == folder);
        is_same.then_some(shell)
    });
    let mut checkout = Checkout {
        root: root.unwrap_or_else(|| folder.clone()),
        root_also: also.into_iter().collect(),
        folder,
        location: None,
    };
    if let Some(text) = location {
        let found = checkout.locate(text);
        let found = found
            .and_then(|found| {
                if checkout.root.join(&found.path).is_dir() {
                    Err("it is a folder; write FILE:LINE, as in `models.yaml:12`")
                } else {
                    Ok(found)
                }
            })
            .map_err(|why| Failure::usage(format!("`--location {text}` is no place: {why}")))?;
        checkout.location = Some(found);
    }
    Ok(checkout)
}

/// Most bytes that the steps of a job may write to its summary, each; a longer one is dropped whole. Source:
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>.
const SUMMARY_BYTES_MAX: usize = 1 << 20;

/// Adds the report to the summary of a GitHub job, where there is one. It comes beside the report that was
/// asked for, so a summary that cannot be written is told and changes nothing.
fn summarize(report: &Report) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let append = || -> io::Result<()> {
        let mut file = fs::File::options().append(true).create(true).open(&path)?;
        let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        // What another program wrote may end within a line or a list.
        let apart: &[u8] = if there > 0 { b"\n\n" } else { b"" };
        let room = SUMMARY_BYTES_MAX.saturating_sub(there);
        let Some(room) = room.checked_sub(apart.len()) else {
            return Ok(());
        };
        let mut text = apart.to_vec();
        markdown::write_at_most(report, room, &mut text)?;
        file.write_all(&text)
    };
    if let Err(error) = append() {
        say(&format!(
            "note: cannot add to the summary of the job: {error}"
        ));
    }
}

/// Fails where a file could not be written.
fn writable(file: &Path) -> Result<(), Failure> {
    let folder = folder_of(file);
    if file.is_dir() {
        return Err(Failure::usage(format!(
            "cannot write `{}`: it is a folder",
            file.display()
        )));
    }
    if !folder.is_dir() {
        return Err(Failure::usage(format!(
            "cannot write `{}`: there is no folder `{}`",
            file.display(),
            folder.display()
        )));
    }
    screen::writable(file)
}

/// The folder that a file is in, or is to be.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The same path for the same file, however it was written: `a`, `./a` or a link to it.
fn settled(file: &Path) -> PathBuf {
    let there = || {
        let folder = folder_of(file).canonicalize().ok()?;
        Some(folder.join(file.file_name()?))
    };
    let settled = file.canonicalize().ok().or_else(there);
    settled.unwrap_or_else(|| file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(
        formats: &[&str],
        output: Option<&str>,
    ) -> Result<Vec<(Format, Option<String>)>, String> {
        let command = clap::Command::new("test");
        let formats: Vec<Output> = formats
            .iter()
            .map(|text| {
                OutputParser
                    .parse_ref(&command, None, text.as_ref())
                    .unwrap()
            })
            .collect();
        let outputs = Outputs::new(&formats, output.map(Path::new), None, false);
        let file = |output: Output| {
            (
                output.format,
                output.file.map(|it| it.display().to_string()),
            )
        };
        outputs
            .map(|outputs| outputs.all.into_iter().map(file).collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_report_has_its_place() {
        let file = |name: &str| Some(name.to_owned());
        let settled = |formats: &[&str], output| settled(formats, output).unwrap();
        assert_eq!(settled(&[], None), [(Format::Table, None)]);
        assert_eq!(settled(&[], Some("a")), [(Format::Table, file("a"))]);
        assert_eq!(settled(&["json"], Some("a")), [(Format::Json, file("a"))]);
        assert_eq!(settled(&["json=a=b"], None), [(Format::Json, file("a=b"))]);
        assert_eq!(
            settled(&["json=a", "table", "jsonl=b"], None),
            [
                (Format::Json, file("a")),
                (Format::Table, None),
                (Format::Jsonl, file("b"))
            ]
        );
        assert_eq!(
            settled(&["json=a", "table"], Some("b")),
            [(Format::Json, file("a")), (Format::Table, file("b"))]
        );
        assert_eq!(settled(&["json=-"], None), [(Format::Json, None)]);
    }

    #[test]
    fn a_report_without_a_place_of_its_own_is_wrong_usage() {
        let wrong = |formats: &[&str], output| settled(formats, output).unwrap_err();
        let shared = "two reports cannot share one place; give all but one a file, as in `--format sarif=report.sarif`";
        assert_eq!(wrong(&["json", "table"], None), shared);
        assert_eq!(wrong(&["json", "table"], Some("a")), shared);
        assert_eq!(wrong(&["json=a", "table=a"], None), "two reports go to `a`");
        assert_eq!(
            wrong(&["json=./a", "table=a"], None),
            "two reports go to `a`"
        );
        assert_eq!(
            wrong(&["json=-", "table"], None),
            "two reports go to standard output"
        );
        assert_eq!(
            wrong(&["json=a"], Some("b")),
            "`--output b` has no report left: every `--format` names its file"
        );
        assert_eq!(wrong(&["json=/"], None), "cannot write `/`: it is a folder");
        assert_eq!(
            wrong(&["json=nowhere/a"], None),
            "cannot write `nowhere/a`: there is no folder `nowhere`"
        );
    }

    #[test]
    fn a_format_is_one_of_the_list() {
        let command = clap::Command::new("test");
        let wrong = |text: &str| {
            OutputParser
                .parse_ref(&command, None, text.as_ref())
                .is_err()
        };
        assert!(wrong("jsn") && wrong("json=") && wrong("=a") && wrong(""));
        assert!(!wrong("json=a"));
    }
}
