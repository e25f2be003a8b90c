//! Trying again: what, how often, after how long.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use reqwest::Url;
use tokio::time::{Instant, sleep};

use super::client::cause;
use super::problem::Problem;
use super::redirect::host;

/// Most attempts at one request. With one failure in twenty, five in a row come once in three
/// million requests.
const ATTEMPTS_MAX: u32 = 5;
/// Wait before the second attempt; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// The time that all requests for one model have together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) budget: Duration,
}

impl Deadline {
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    pub(crate) fn passed(&self) -> Problem {
        Problem::OutOfTime {
            budget: self.budget,
            wait: None,
        }
    }

    /// Ends a step of a request to `url` when nothing comes for `stall`, or the time is over.
    pub(crate) async fn in_time<T>(
        self,
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
    deadline: Deadline,
}

impl Attempts {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { made: 0, deadline }
    }

    /// After an attempt that failed: waits until the next may start, or gives the problem back where
    /// there is none.
    pub(crate) async fn after(&mut self, problem: Problem) -> Result<(), Problem> {
        self.made += 1;
        if !problem.is_passing() || self.made >= ATTEMPTS_MAX {
            return Err(problem);
        }
        let wait = problem.wait().unwrap_or_default().max(self.backoff());
        if wait >= self.deadline.left() {
            return Err(match problem {
                Problem::Status(refusal) if refusal.wait.is_some() => Problem::OutOfTime {
                    budget: self.deadline.budget,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Refusal;
    use reqwest::StatusCode;

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
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let started = Instant::now();
            let budget = Duration::from_secs(budget);
            let at = started + budget;
            let mut attempts = Attempts::new(Deadline { at, budget });
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
}
