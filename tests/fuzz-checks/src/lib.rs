//! What must hold for any input whatever. One function a fuzz target, called by the target itself
//! (`tests/fuzz`) and by the replay of its corpus with the stable compiler (`tests/replay.rs`); a
//! violation is a panic. `docs/fuzzing.md` tells how to run them.

mod adapter;
mod archive;
mod config;
mod header;
mod hostile;
mod index;
mod json;
mod snapshot;
mod tokenizer;

pub use adapter::adapter;
pub use archive::archive;
pub use config::config;
pub use header::header;
pub use hostile::{HOSTILE, Hostile};
pub use index::index;
pub use snapshot::{snapshot, whole};
pub use tokenizer::tokenizer;

/// Most memory beyond the input itself that one input may cost, in bytes.
pub const EXTRA_BYTES_MAX: usize = 64_000_000;
