//! Memory and time of judging one hostile input: `measure NAME` prints the bytes of the input, the most bytes
//! allocated beyond them, and milliseconds. Without a name, all names.

use std::alloc::System;
use std::io::Write as _;
use std::time::Instant;

use cap::Cap;
use fuzz_checks::HOSTILE;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let Some(name) = std::env::args().nth(1) else {
        for hostile in HOSTILE {
            writeln!(out, "{}", hostile.name)?;
        }
        return Ok(());
    };
    let Some(hostile) = HOSTILE.iter().find(|hostile| hostile.name == name) else {
        return Err(std::io::Error::other(format!("no input is called {name}")));
    };
    let snapshot = hostile.repository();
    let input = ALLOCATOR.allocated();
    let started = Instant::now();
    let message = fuzz_checks::whole(&snapshot);
    let took = started.elapsed().as_millis();
    let extra = ALLOCATOR.max_allocated() - input;
    writeln!(out, "{input} {extra} {took} {message}")
}
