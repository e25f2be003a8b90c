//! Ctrl-C leaves nothing behind: no half-written line on the terminal, no half-written file beside the
//! one that was asked for.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::progress;

/// What a shell gives a program that Ctrl-C ended: 128 and the number of the signal.
/// Source: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02>
const INTERRUPTED: i32 = 128 + 2;

/// Held while files are written: an end waits for it, since it takes but a moment.
static WRITING: Mutex<()> = Mutex::new(());

/// Ends the program on Ctrl-C when nothing is half done.
pub(crate) fn install() {
    // Without a handler Ctrl-C ends the program all the same.
    let _ = ctrlc::set_handler(|| {
        let _done = finish_writing();
        // Until the end nobody draws the line again.
        let _terminal = io::stderr().lock();
        progress::erase();
        #[expect(clippy::exit, reason = "the end that the user asked for")]
        std::process::exit(INTERRUPTED);
    });
}

/// Until this is dropped, Ctrl-C waits.
pub(crate) fn finish_writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}
