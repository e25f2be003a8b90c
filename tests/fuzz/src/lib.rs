//! Runs one input under the promised limit of memory.

use std::alloc::System;

use cap::Cap;
use fuzz_checks::EXTRA_BYTES_MAX;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Calls `check`; an allocation beyond the limit aborts, which the fuzzer reports.
pub fn run(check: fn(&[u8]), data: &[u8]) {
    let limit = ALLOCATOR.allocated() + EXTRA_BYTES_MAX;
    ALLOCATOR
        .set_limit(limit)
        .expect("the limit is above what is allocated");
    check(data);
}
