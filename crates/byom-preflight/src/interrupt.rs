//! Ctrl-C leaves nothing behind: no half-written line on the terminal, no half-written file beside the
//! one that was asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::progress;

/// What a shell gives a program that Ctrl-C ended: 128 and the number of the signal.
/// Source: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02>
const INTERRUPTED: i32 = 128 + 2;

/// Held while results are written: an end waits for it, since it takes but a moment.
static WRITING: Mutex<()> = Mutex::new(());
/// Longest wait for it: a reader that does not read must not keep the program from ending.
const WRITING_WAIT: Duration = Duration::from_secs(1);
/// Files that are written for as long as the program runs, removed where it ends too soon.
static PARTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Ends the program on Ctrl-C when nothing is half done.
pub(crate) fn install() {
    // Without a handler Ctrl-C ends the program all the same.
    let _ = ctrlc::set_handler(|| {
        let _done = wait_for_writing();
        for part in lock(&PARTS).iter() {
            // Nobody is left to be told.
            let _ = std::fs::remove_file(part);
        }
        // Until the end nobody draws the line again.
        let _terminal = io::stderr().lock();
        progress::erase();
        #[expect(clippy::exit, reason = "the end that the user asked for")]
        std::process::exit(INTERRUPTED);
    });
}

/// Until this is dropped, Ctrl-C waits.
pub(crate) fn finish_writing() -> MutexGuard<'static, ()> {
    lock(&WRITING)
}

/// A file that Ctrl-C removes, until this is dropped.
pub(crate) struct Part(PathBuf);

impl Part {
    pub(crate) fn new(path: &Path) -> Self {
        lock(&PARTS).insert(path.into());
        Self(path.into())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        lock(&PARTS).remove(&self.0);
    }
}

fn wait_for_writing() -> Option<MutexGuard<'static, ()>> {
    let end = Instant::now() + WRITING_WAIT;
    loop {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => return None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
