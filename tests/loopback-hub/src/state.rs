//! All that the hub knows, and how it answers one request.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::fault::{Delivery, rate_limited};
use crate::http::{Request, Response};
use crate::repo::{Content, Kind, Repo, digest};
use crate::rule::{Faults, Route};
use crate::{cdn, routes};

/// Which of the three ports a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The hub itself.
    Hub,
    /// Where large files lie.
    Cdn,
    /// A stranger, that only a faulty redirect leads to.
    Away,
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// At which port.
    pub host: Host,
    /// Which connection of that port, counted from 0 over all ports.
    pub connection: u64,
    /// `GET`, `HEAD`.
    pub method: String,
    /// As sent, percent-encoded, without the parameters.
    pub path: String,
    /// The parameters as sent; of a signed address they are left out.
    pub query: String,
    /// The repository's file that it asks for.
    pub file: Option<String>,
    /// The `Range` field.
    pub range: Option<String>,
    /// Whether it carried an `Authorization` field. The value is kept nowhere.
    pub has_authorization: bool,
    /// The `User-Agent` field.
    pub user_agent: String,
    /// What it is for.
    pub route: Route,
    /// The status of the answer, also where the answer was then lost.
    pub status: u16,
    /// Bytes of body that the answer has.
    pub bytes: u64,
    /// The fault that it met, as in the code.
    pub fault: Option<String>,
}

/// What a token may do.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) user: String,
    pub(crate) grants: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) hub: String,
    pub(crate) cdn: String,
    pub(crate) away: String,
    pub(crate) repos: Vec<Repo>,
    /// Old id, new id.
    pub(crate) renamed: BTreeMap<String, String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    /// Contents behind signed addresses: the path of the file and its bytes, by stand-in SHA-256.
    pub(crate) stored: BTreeMap<String, (String, Content)>,
    pub(crate) page_size: usize,
    pub(crate) url_lifetime: Duration,
    pub(crate) has_xet: bool,
    pub(crate) latency: Duration,
    pub(crate) quota: Option<Quota>,
    /// Versions of repositories to come, and after how many requests to the hub.
    pub(crate) upcoming: Vec<(u64, Repo)>,
    pub(crate) answered: u64,
    pub(crate) faults: Faults,
    pub(crate) log: Vec<Seen>,
}

/// At most `most` requests to the hub in each window.
#[derive(Debug)]
pub(crate) struct Quota {
    pub(crate) most: u64,
    pub(crate) window: Duration,
    pub(crate) began: Instant,
    pub(crate) used: u64,
}

/// An answer and how to give it.
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) delivery: Delivery,
    pub(crate) delay: Duration,
}

impl State {
    pub(crate) fn new(hub: String, cdn: String, away: String) -> Self {
        Self {
            hub,
            cdn,
            away,
            repos: Vec::new(),
            renamed: BTreeMap::new(),
            tokens: BTreeMap::new(),
            stored: BTreeMap::new(),
            page_size: 1000,
            url_lifetime: Duration::from_hours(1),
            has_xet: false,
            latency: Duration::ZERO,
            quota: None,
            upcoming: Vec::new(),
            answered: 0,
            faults: Faults::default(),
            log: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, repo: Repo) {
        let repo = self.stored(repo);
        let is_other = |old: &Repo| (old.kind, &old.id) != (repo.kind, &repo.id);
        self.repos.retain(is_other);
        self.repos.push(repo);
    }

    /// Sealed, its large files put where their addresses lead.
    fn stored(&mut self, repo: Repo) -> Repo {
        let repo = repo.sealed();
        for commit in &repo.commits {
            for (path, file) in commit.files.iter().filter(|(_, file)| file.is_large) {
                let stored = (path.clone(), file.content.clone());
                self.stored.insert(file.sha256.clone(), stored);
            }
        }
        repo
    }

    /// Lets the versions come whose time it is: their references move, older commits stay.
    fn move_on(&mut self) {
        let is_due = |(after, _): &mut (u64, Repo)| *after <= self.answered;
        let due: Vec<_> = self.upcoming.extract_if(.., is_due).collect();
        for (_, newer) in due {
            let newer = self.stored(newer);
            let mut repos = self.repos.iter_mut();
            let is_same = |old: &&mut Repo| (old.kind, &old.id) == (newer.kind, &newer.id);
            if let Some(repo) = repos.find(is_same) {
                let first = repo.commits.len();
                let moved = newer.refs.into_iter();
                repo.refs
                    .extend(moved.map(|(name, place)| (name, first + place)));
                repo.commits.extend(newer.commits);
            }
        }
    }

    pub(crate) fn repo(&self, kind: Kind, id: &str) -> Option<&Repo> {
        let mut repos = self.repos.iter();
        repos.find(|repo| repo.kind == kind && repo.id == id)
    }

    /// Answers a request, with the fault it meets, and writes it down.
    pub(crate) fn answer(&mut self, host: Host, connection: u64, request: &Request) -> Answer {
        if host == Host::Hub {
            self.move_on();
            self.answered += 1;
        }
        let (route, file, response) = match host {
            Host::Hub => match self.over_quota() {
                Some(refusal) => (Route::Other, None, refusal),
                None => routes::answer(self, request),
            },
            Host::Cdn => {
                let (file, response) = cdn::answer(self, request);
                (Route::Cdn, file, response)
            }
            Host::Away => (Route::Other, None, Response::text(404, "nothing here")),
        };
        let subject = match &file {
            // The same file at another host is another address.
            Some(file) => format!("{route:?} {file}"),
            None => format!("{}?{}", request.path, request.query),
        };
        let response = response.with("X-Request-Id", self.request_id());
        let fault = match host {
            Host::Away => None,
            _ => self.faults.draw(route, &subject, request, &response),
        };
        let mut answer = Answer {
            response,
            delivery: Delivery::Whole,
            delay: self.latency,
        };
        if let Some(fault) = &fault {
            let spoilt = fault.spoil(request, answer.response, &self.away);
            answer.response = spoilt.response;
            answer.delivery = spoilt.delivery;
            answer.delay += spoilt.late;
        }
        if host == Host::Hub {
            answer.response = self.with_rate_limit(answer.response);
        }
        let is_signed = host == Host::Cdn;
        self.log.push(Seen {
            host,
            connection,
            method: request.method.clone(),
            path: request.path.clone(),
            query: if is_signed {
                String::new()
            } else {
                request.query.clone()
            },
            file,
            range: request.field("range").map(str::to_owned),
            has_authorization: request.field("authorization").is_some(),
            user_agent: request.field("user-agent").unwrap_or_default().into(),
            route,
            status: answer.response.status,
            bytes: if request.is_head() {
                0
            } else {
                answer.response.length()
            },
            fault: fault.map(|fault| format!("{fault:?}")),
        });
        answer
    }

    fn request_id(&self) -> String {
        format!(
            "Root=1-{}",
            digest(b"id", &self.log.len().to_le_bytes(), 24)
        )
    }

    fn over_quota(&mut self) -> Option<Response> {
        let quota = self.quota.as_mut()?;
        if quota.began.elapsed() >= quota.window {
            quota.began = Instant::now();
            quota.used = 0;
        }
        quota.used += 1;
        let left = quota.window.saturating_sub(quota.began.elapsed());
        (quota.used > quota.most).then(|| rate_limited(left.as_secs() + 1))
    }

    /// Every answer of the Hub says how much is left of the caller's window.
    fn with_rate_limit(&self, response: Response) -> Response {
        if response.field("RateLimit").is_some() {
            return response;
        }
        let (left, ends) = self.quota.as_ref().map_or((499, 300), |quota| {
            let ends = quota.window.saturating_sub(quota.began.elapsed());
            (quota.most.saturating_sub(quota.used), ends.as_secs() + 1)
        });
        response
            .with("RateLimit", format!("\"api\";r={left};t={ends}"))
            .with("RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300")
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    let elapsed = SystemTime::UNIX_EPOCH.elapsed();
    elapsed.map_or(0, |elapsed| elapsed.as_secs())
}
