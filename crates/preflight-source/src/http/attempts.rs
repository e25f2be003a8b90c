//! Trying again: what, how often, after how long.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::time::{Instant, sleep};

use super::client::cause;
use super::problem::Problem;
use super::redirect::host;

/// Most attempts at one request. With one failure in twenty, five in a row come once in three
/// million requests.
const ATTEMPTS_MAX: u32 = 5;
/// Most waits for a limit in one request that are no attempts: an hour of the Hub's windows of five
/// minutes, each of them missed once.
const LIMITS_MAX: u32 = 24;
/// Wait before the second attempt; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The time that all requests for one model have together. A clone is the same time.
#[derive(Debug, Clone)]
pub(crate) struct Deadline(Arc<Time>);

#[derive(Debug)]
struct Time {
    budget: Duration,
    /// Most waiting for limits that is not taken from the budget.
    patience: Duration,
    clock: Mutex<Clock>,
}

#[derive(Debug)]
struct Clock {
    ends: Instant,
    /// How much of the patience is used up, and until when.
    waited: Duration,
    waits_until: Instant,
}

impl Deadline {
    /// A time that starts now.
    pub(crate) fn new(budget: Duration, patience: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(Time {
            budget,
            patience,
            clock: Mutex::new(Clock {
                ends: now + budget,
                waited: Duration::ZERO,
                waits_until: now,
            }),
        }))
    }

    pub(crate) fn left(&self) -> Duration {
        let ends = self.clock().ends;
        ends.saturating_duration_since(Instant::now())
    }

    pub(crate) fn passed(&self) -> Problem {
        Problem::OutOfTime {
            budget: self.0.budget,
            wait: None,
        }
    }

    fn is_patient(&self) -> bool {
        !self.0.patience.is_zero()
    }

    /// Whether there is time to wait for a limit. Where there is patience, the wait is not taken from the
    /// model's own time; several requests that wait at once wait but once.
    pub(crate) fn allows_wait(&self, wait: Duration) -> bool {
        if !self.is_patient() {
            return wait < self.left();
        }
        let now = Instant::now();
        let mut clock = self.clock();
        let until = now + wait;
        let more = until.saturating_duration_since(now.max(clock.waits_until));
        if clock.waited + more > self.0.patience {
            return false;
        }
        clock.waited += more;
        clock.ends += more;
        clock.waits_until = clock.waits_until.max(until);
        true
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a step of a request to `url` when nothing comes for `stall`, or the time is over.
    pub(crate) async fn in_time<T>(
        &self,
        stall: Duration,
        url: &Url,
        step: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, Problem> {
        let most = stall.min(self.left());
        let connection = |what| Problem::Connection {
            host: host(url),
            what,
        };
        match tokio::time::timeout(most, step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(connection(cause(&error))),
            Err(_) if most < stall => Err(self.passed()),
            Err(_) => Err(connection(format!(
                "it sent nothing for {} s",
                most.as_secs_f32()
            ))),
        }
    }
}

/// The attempts at one request.
#[derive(Debug)]
pub(crate) struct Attempts {
    made: u32,
    /// Waits for a limit that were no attempts.
    limits: u32,
    deadline: Deadline,
}

impl Attempts {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self {
            made: 0,
            limits: 0,
            deadline,
        }
    }

    /// After an attempt that failed: waits until the next may start, or gives the problem back where
    /// there is none.
    pub(crate) async fn after(&mut self, problem: Problem) -> Result<(), Problem> {
        let limit = limit(&problem);
        if limit.is_some() && self.deadline.is_patient() && self.limits < LIMITS_MAX {
            self.limits += 1;
        } else {
            self.made += 1;
        }
        if !problem.is_passing() || self.made >= ATTEMPTS_MAX {
            return Err(problem);
        }
        let wait = problem.wait().unwrap_or_default().max(self.backoff());
        let is_time = match limit {
            Some(_) => self.deadline.allows_wait(wait),
            None => wait < self.deadline.left(),
        };
        if !is_time {
            return Err(match problem {
                Problem::Status(refusal) if refusal.wait.is_some() => Problem::OutOfTime {
                    budget: self.deadline.0.budget,
                    wait: refusal.wait.map(|wait| (refusal.host, wait)),
                },
                // What went wrong says more than that the time is over.
                problem => problem,
            });
        }
        sleep(wait).await;
        Ok(())
    }

    /// Between half and all of the doubled wait, so that requests that failed together do not come
    /// back together.
    fn backoff(&self) -> Duration {
        let full = FIRST_WAIT * 2_u32.pow(self.made.saturating_sub(1));
        let percent = 50 + RandomState::new().hash_one(self.made) % 51;
        full * u32::try_from(percent).unwrap_or(100) / 100
    }
}

/// The wait that a limit on requests asks for.
fn limit(problem: &Problem) -> Option<Duration> {
    match problem {
        Problem::Status(refusal) if refusal.is_limit() => refusal.wait,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::http::Refusal;

    fn status(status: u16, wait: Option<u64>) -> Problem {
        Problem::Status(Refusal {
            host: "hub".into(),
            status: StatusCode::from_u16(status).unwrap(),
            code: None,
            message: None,
            is_of_a_hub: true,
            is_elsewhere: false,
            wait: wait.map(Duration::from_secs),
        })
    }

    /// Attempts that a problem gets, the seconds they wait in all, and how it ends.
    fn fate(problem: &Problem, budget: u64) -> (u32, u64, String) {
        patient_fate(problem, budget, 0)
    }

    fn patient_fate(problem: &Problem, budget: u64, patience: u64) -> (u32, u64, String) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let started = Instant::now();
            let deadline =
                Deadline::new(Duration::from_secs(budget), Duration::from_secs(patience));
            let mut attempts = Attempts::new(deadline);
            let mut made = 1;
            loop {
                match attempts.after(problem.clone()).await {
                    Ok(()) => made += 1,
                    Err(problem) => {
                        return (made, started.elapsed().as_secs(), problem.to_string());
                    }
                }
            }
        })
    }

    #[test]
    fn what_passes_is_tried_five_times() {
        for code in [408, 429, 500, 502, 503, 504] {
            let (made, seconds, why) = fate(&status(code, None), 60);
            assert_eq!(made, 5, "{code}");
            assert!((1..=3).contains(&seconds), "{code} after {seconds} s");
            assert!(why.starts_with(&format!("`hub` answers {code} (")), "{why}");
        }
        let stalled = Problem::Connection {
            host: "hub".into(),
            what: "it sent nothing for 10 s".into(),
        };
        let (made, _, why) = fate(&stalled, 60);
        assert_eq!((made, why.as_str()), (5, "`hub`: it sent nothing for 10 s"));
    }

    #[test]
    fn what_does_not_pass_is_not() {
        for code in [400, 401, 403, 404, 410, 416, 501] {
            assert_eq!(fate(&status(code, Some(1)), 60).0, 1, "{code}");
        }
        let broken = Problem::Broken {
            host: "hub".into(),
            what: "it ignores ranges".into(),
        };
        assert_eq!(fate(&broken, 60).0, 1);
        assert_eq!(fate(&Problem::Changed("other size".into()), 60).0, 1);
    }

    #[test]
    fn an_asked_wait_is_kept_where_there_is_time() {
        let (made, seconds, _) = fate(&status(429, Some(9)), 60);
        assert_eq!((made, seconds), (5, 36));
        let (made, seconds, why) = fate(&status(429, Some(172)), 60);
        assert_eq!((made, seconds), (1, 0));
        assert_eq!(
            why,
            "`hub` limits requests and asks to wait 172 s, longer than is left of the 60 s for this model"
        );
        assert_eq!(fate(&status(503, None), 0).0, 1);
    }
    #[test]
    fn with_patience_a_limit_takes_none_of_the_time() {
        // An hour of windows of 300 s, and then no more.
        let (made, seconds, why) = patient_fate(&status(429, Some(300)), 60, 3600);
        assert_eq!((made, seconds), (13, 3600));
        assert!(why.contains("asks to wait 300 s"), "{why}");
        // What asks for no real wait does not go on for ever.
        let (made, seconds, _) = patient_fate(&status(429, Some(0)), 60, 3600);
        assert!(made <= LIMITS_MAX + ATTEMPTS_MAX && seconds < 60, "{made}");
        let (made, seconds, _) = patient_fate(&status(503, Some(172)), 60, 3600);
        assert!(made > 20 && seconds > 3000, "{made} in {seconds} s");
        // Patience is for limits alone, and for waits that are known.
        assert_eq!(patient_fate(&status(500, Some(172)), 60, 3600).0, 1);
        assert_eq!(patient_fate(&status(429, None), 60, 3600).0, ATTEMPTS_MAX);
    }

    #[test]
    fn requests_that_wait_together_wait_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let seconds = Duration::from_secs;
            let deadline = Deadline::new(seconds(60), seconds(400));
            for _ in 0..10 {
                assert!(deadline.allows_wait(seconds(300)));
            }
            assert_eq!(deadline.left(), seconds(360));
            sleep(seconds(300)).await;
            assert_eq!(deadline.left(), seconds(60));
            assert!(!deadline.allows_wait(seconds(101)));
            assert!(deadline.allows_wait(seconds(100)));
        });
    }
}
