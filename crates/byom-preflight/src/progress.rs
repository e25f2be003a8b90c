//! One line on the terminal while models are read, gone when they are.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use preflight_report::escape::for_terminal;
use preflight_source::{Cost, ModelRef, Source};

use crate::failure::say;
use crate::many::Tally;

/// What is quicker than this needs no line.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);
/// Least time between two notes where nobody sees a line that changes: short limits come by the hundred.
const NOTE_INTERVAL: Duration = Duration::from_secs(30);
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
        Self {
            name: (source.is_remote() && is_seen())
                .then(|| for_terminal(&model.to_string(), NAME_CHARS_MAX)),
        }
    }

    /// Shows what was read so far. A closed terminal is nobody's business.
    pub(crate) fn show(&self, cost: Cost) {
        let Some(name) = &self.name else { return };
        let (requests, kilobytes) = (cost.requests, cost.bytes / 1000);
        draw(&format!(
            "reading {name}: {requests} requests, {kilobytes} kB"
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        erase();
    }
}

/// The progress of many models: a line on the terminal, and a word where a limit on requests holds all up,
/// terminal or not.
#[derive(Default)]
pub(crate) struct ManyProgress {
    /// Before when nothing more is told: the limit that was told of last goes on, or was told a moment ago.
    told_until: Mutex<Option<Instant>>,
}

impl ManyProgress {
    /// Shows what is done so far, and which host asks to wait for how long.
    pub(crate) fn show(&self, tally: Tally, limit: Option<(String, Duration)>) {
        let limit = limit.filter(|(_, left)| *left > INTERVAL);
        let waiting = limit.as_ref().map(|(host, left)| {
            let host = for_terminal(host, NAME_CHARS_MAX);
            format!("`{host}` limits requests: waiting {} s", left.as_secs() + 1)
        });
        if is_seen() {
            let waiting = waiting.map_or_else(String::new, |waiting| format!("; {waiting}"));
            draw(&format!("{tally} so far{waiting}"));
            return;
        }
        let (Some((_, left)), Some(waiting)) = (limit, waiting) else {
            return;
        };
        let mut told_until = self
            .told_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told_until.is_none_or(|until| until <= Instant::now()) {
            *told_until = Some(Instant::now() + left.max(NOTE_INTERVAL));
            say(&format!("note: {waiting}"));
        }
    }
}

/// Whether somebody sees a line that changes.
fn is_seen() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// Draws the line, in the place of the one before. A closed terminal is nobody's business.
fn draw(line: &str) {
    let mut terminal = io::stderr().lock();
    let _ = write!(terminal, "\r\x1b[K{line}");
    let _ = terminal.flush();
    IS_SHOWN.store(true, Ordering::Relaxed);
}

/// Takes the line away, where there is one.
pub(crate) fn erase() {
    erase_from(&mut io::stderr().lock());
}

/// The same for who writes to the terminal anyway.
pub(crate) fn erase_from(terminal: &mut io::StderrLock<'_>) {
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = write!(terminal, "\r\x1b[K");
        let _ = terminal.flush();
    }
}
