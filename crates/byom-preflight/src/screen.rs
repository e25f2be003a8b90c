//! Where results go: standard output, a file, or a reader that has left.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use crate::failure::Failure;
use crate::interrupt::finish_writing;

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

/// Writes a result to a file: whole, or not at all.
pub(crate) fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::usage(format!("cannot write `{}`: {error}", path.display()));
    // A pipe or a device takes the bytes as they come; only a regular file can be replaced.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text).map_err(failed);
    }
    let _writing = finish_writing();
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            failed(error)
        })
}
