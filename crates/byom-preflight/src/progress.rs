//! One line on the terminal while a model is read, gone when it is.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use preflight_report::escape::for_terminal;
use preflight_source::{Cost, ModelRef, Source};

/// What is quicker than this needs no line.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);
/// Longest name that is shown.
const NAME_CHARS_MAX: usize = 50;

/// Whether there is a line on the terminal now. Changed only under the lock of stderr.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// The line. Nothing is ever written where stderr is no terminal.
pub(crate) struct Progress {
    /// What is read, where there is somebody to tell.
    name: Option<String>,
}

impl Progress {
    pub(crate) fn new(model: &ModelRef, source: &dyn Source) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_told = source.is_remote() && io::stderr().is_terminal() && !dumb;
        Self {
            name: is_told.then(|| for_terminal(&model.to_string(), NAME_CHARS_MAX)),
        }
    }

    /// Shows what was read so far. A closed terminal is nobody's business.
    pub(crate) fn show(&self, cost: Cost) {
        let Some(name) = &self.name else { return };
        let (requests, kilobytes) = (cost.requests, cost.bytes / 1000);
        let mut terminal = io::stderr().lock();
        let _ = write!(
            terminal,
            "\r\x1b[Kreading {name}: {requests} requests, {kilobytes} kB"
        );
        let _ = terminal.flush();
        IS_SHOWN.store(true, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        erase();
    }
}

/// Takes the line away, where there is one.
pub(crate) fn erase() {
    let mut terminal = io::stderr().lock();
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(terminal, "\r\x1b[K");
        let _ = terminal.flush();
    }
}
