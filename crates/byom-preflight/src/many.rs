//! Many models at once: read side by side, handed on as they finish, counted.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use preflight_rules::report::{ModelReport, Verdict};

use crate::failure::Failure;
use crate::inputs::{Inputs, Named};
use crate::progress::INTERVAL;

/// Stack of a worker: that of a program's first thread, which judges where there is but one model.
const STACK_BYTES: usize = 8 << 20;

/// Models by their worst verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) pass: u64,
    pub(crate) fail: u64,
    pub(crate) undecided: u64,
}

impl Tally {
    /// One model.
    pub(crate) fn of(report: &ModelReport) -> Self {
        let worst = report.verdicts.iter().map(|(_, verdict)| *verdict).max();
        let is = |verdict| u64::from(worst.unwrap_or(Verdict::Undecided) == verdict);
        Self {
            pass: is(Verdict::Pass),
            fail: is(Verdict::Fail),
            undecided: is(Verdict::Undecided),
        }
    }

    /// Fail before undecided before pass. No model at all is not a pass.
    pub(crate) fn worst(self) -> Verdict {
        match self {
            Self { fail: 1.., .. } => Verdict::Fail,
            Self {
                pass: 1..,
                undecided: 0,
                ..
            } => Verdict::Pass,
            _ => Verdict::Undecided,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.pass += other.pass;
        self.fail += other.fail;
        self.undecided += other.undecided;
    }
}

/// `3 models: 1 pass, 1 fail, 1 undecided`.
impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            pass,
            fail,
            undecided,
        } = self;
        let models = pass + fail + undecided;
        let s = if models == 1 { "" } else { "s" };
        write!(
            f,
            "{models} model{s}: {pass} pass, {fail} fail, {undecided} undecided"
        )
    }
}

/// Why results are no longer taken.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The reader has left and wants no more.
    Closed,
    /// They cannot be written.
    Failed(Failure),
}

/// What is done with each model and each result.
pub(crate) struct Work<'a> {
    /// Judges one model. Called by several threads at once.
    pub(crate) check: &'a (dyn Fn(Named) -> ModelReport + Sync),
    /// Takes a result and the place of its model among all, as they finish, one at a time.
    pub(crate) take: &'a mut (dyn FnMut(u64, ModelReport) -> Result<(), Stop> + Send),
    /// Called from time to time with what is done so far.
    pub(crate) show: &'a (dyn Fn(Tally) + Sync),
}

/// Judges all models, `jobs` at a time, and counts them. At no time are there more than `jobs` models in
/// memory: who has none takes the next, and keeps it until its result is taken.
///
/// Where results are no longer taken before all were judged, the count has one more that is undecided.
pub(crate) fn run(inputs: Inputs, jobs: usize, work: Work<'_>) -> Result<Tally, Failure> {
    let inputs = Mutex::new((0_u64, inputs));
    let results = Mutex::new((Tally::default(), work.take, None::<Stop>));
    let is_stopped = AtomicBool::new(false);
    let next = || {
        let mut inputs = lock(&inputs);
        let named = inputs.1.next()?;
        inputs.0 += 1;
        Some((inputs.0 - 1, named))
    };
    let one_after_another = || {
        while !is_stopped.load(Ordering::Relaxed)
            && let Some((at, named)) = next()
        {
            let report = (work.check)(named);
            let mut results = lock(&results);
            results.0 += Tally::of(&report);
            if results.2.is_none()
                && let Err(stop) = (results.1)(at, report)
            {
                results.2 = Some(stop);
                is_stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        let (results, show) = (&results, work.show);
        let watch = move || {
            while is_done.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                let tally = lock(results).0;
                show(tally);
            }
        };
        // Without a thread there is no progress to see, and fewer models at once.
        let _ = thread::Builder::new().spawn_scoped(scope, watch);
        let workers: Vec<_> = (1..jobs)
            .filter_map(|_| {
                let worker = thread::Builder::new().stack_size(STACK_BYTES);
                worker.spawn_scoped(scope, one_after_another).ok()
            })
            .collect();
        one_after_another();
        for worker in workers {
            // What may panic is caught with its model.
            let _ = worker.join();
        }
        drop(done);
    });
    let (_, inputs) = inputs.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (mut tally, _, stop) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    match stop {
        Some(Stop::Failed(failure)) => return Err(failure),
        Some(Stop::Closed) if !inputs.is_over() => tally.undecided += 1,
        Some(Stop::Closed) => {}
        None => inputs.must_have_named()?,
    }
    Ok(tally)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let of = |pass, fail, undecided| Tally {
            pass,
            fail,
            undecided,
        };
        assert_eq!(of(3, 0, 0).worst(), Verdict::Pass);
        assert_eq!(of(3, 0, 1).worst(), Verdict::Undecided);
        assert_eq!(of(3, 1, 1).worst(), Verdict::Fail);
        assert_eq!(of(0, 0, 0).worst(), Verdict::Undecided);
        assert_eq!(
            of(1, 2, 3).to_string(),
            "6 models: 1 pass, 2 fail, 3 undecided"
        );
    }
}
