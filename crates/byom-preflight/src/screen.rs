//! Where results go: standard output, a file, or a reader that has left.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::interrupt::{Part, finish_writing};
use crate::many::Stop;
use crate::progress;

/// Widest table that is still read with ease.
const WIDTH_MAX: u16 = 120;
/// Width where there is no terminal.
pub(crate) const WIDTH_PIPED: u16 = 80;

/// Columns to write a table in.
pub(crate) fn width() -> u16 {
    if !io::stdout().is_terminal() {
        return WIDTH_PIPED;
    }
    terminal_size::terminal_size()
        .map_or(WIDTH_PIPED, |(columns, _)| columns.0.clamp(40, WIDTH_MAX))
}

/// Whether to colour: a terminal, and nobody asked not to (<https://no-color.org>).
pub(crate) fn colour() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// Whether the locale has more than ASCII, by the variables of POSIX in their order.
pub(crate) fn unicode() -> bool {
    let first = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    // Windows has no such variables, and its consoles have the characters of the bars.
    first.map_or(cfg!(windows), |locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Prints a result. A reader that closed the pipe (`| head`) has what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::undecided(
            format!("cannot write the result: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Why a file could not be written, as `Lines` and standard output say it too.
fn failed_at(path: &Path, error: &io::Error) -> String {
    format!("cannot write `{}`: {error}", path.display())
}

/// Fails where a file could not be written: before the check, which may take hours for many models.
pub(crate) fn writable(path: &Path) -> Result<(), Failure> {
    // A pipe or a device is told by writing to it; opening it may be what its reader waits for.
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    let beside = beside(&behind_links(path));
    File::create(&beside).map_err(|error| Failure::usage(failed_at(path, &error)))?;
    // Another that cannot be removed is written over, and told where that fails.
    let _ = std::fs::remove_file(&beside);
    Ok(())
}

/// Writes a result to a file: whole, or not at all.
pub(crate) fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::undecided(failed_at(path, &error));
    // A pipe or a device takes the bytes as they come; only a regular file can be replaced.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text).map_err(failed);
    }
    let _writing = finish_writing();
    let path = &behind_links(path);
    let beside = beside(path);
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            failed(error)
        })
}

/// Where lines go as they are made: standard output, a pipe or a device at once; a file is there under
/// its name once it is whole.
pub(crate) struct Lines {
    place: String,
    out: Box<dyn Write + Send>,
    /// The file as it grows and as it is called in the end.
    file: Option<(Part, PathBuf, PathBuf)>,
}

impl Lines {
    /// Lines for `path`, or for standard output.
    pub(crate) fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self {
                place: "the result".into(),
                out: Box::new(io::stdout()),
                file: None,
            });
        };
        let place = format!("`{}`", path.display());
        let is_device = path.exists() && !path.is_file();
        let path = &behind_links(path);
        let at = if is_device { path.into() } else { beside(path) };
        let file = File::options()
            .write(true)
            .create(!is_device)
            .truncate(!is_device)
            .open(&at)
            .map_err(|error| Failure::usage(format!("cannot write {place}: {error}")))?;
        Ok(Self {
            place,
            out: Box::new(file),
            file: (!is_device).then(|| (Part::new(&at), at, path.into())),
        })
    }

    /// Writes one or more whole lines. A reader that closed the pipe has what it wanted.
    pub(crate) fn write(&mut self, lines: &[u8]) -> Result<(), Stop> {
        if self.file.is_none() && io::stdout().is_terminal() {
            progress::erase();
        }
        let _writing = finish_writing();
        let written = self.out.write_all(lines).and_then(|()| self.out.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::Closed,
            _ => Stop::Failed(self.failed(&error)),
        })
    }

    /// After the last line.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Some((_part, at, path)) = &self.file else {
            return Ok(());
        };
        let _writing = finish_writing();
        std::fs::rename(at, path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::undecided(format!("cannot write {}: {error}", self.place))
    }
}

impl Drop for Lines {
    /// Removes a file that did not become whole; one that did has its own name by now.
    fn drop(&mut self) {
        if let Some((_, at, _)) = &self.file {
            let _ = std::fs::remove_file(at);
        }
    }
}

/// The file that a link leads to, so that the link stays one; the path itself where there is no file yet.
fn behind_links(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

/// A name beside `path` that no user would choose.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    beside.into()
}
