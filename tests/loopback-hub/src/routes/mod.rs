//! The addresses of the hub. What is modelled on what: recordings of the real one, its documentation
//! (<https://huggingface.co/docs/hub/api>) and what the `huggingface_hub` client expects
//! (`utils/_http.py`, `file_download.py`, `hf_api.py` of release 2.4.0).

mod api;
mod files;

use serde_json::json;

use crate::fault::UNKNOWN_TOKEN;
use crate::http::{Asked, Request, Response, asked, decode};
use crate::repo::{Commit, Content, Kind, Repo};
use crate::rule::Route;
use crate::state::{State, Token};

/// Readable by everybody also in a gated repository.
const ALWAYS_OPEN: [&str; 4] = ["README", "LICENSE", "LICENCE", "NOTICE"];

/// What an address means, the file it names, and the answer.
pub(crate) fn answer(state: &State, request: &Request) -> (Route, Option<String>, Response) {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let (route, file) = meaning(&segments);
    let response = match caller(state, request) {
        Ok(token) => {
            let call = Call {
                state,
                request,
                token,
            };
            call.answer(&segments).unwrap_or_else(|refusal| refusal)
        }
        Err(refusal) => refusal,
    };
    (route, file, response)
}

/// What a request is for, from its address alone: a refused one too.
fn meaning(segments: &[&str]) -> (Route, Option<String>) {
    let after = |verb: &str, skipped: usize| {
        let place = segments.iter().position(|segment| *segment == verb)?;
        let rest = segments.get(place + 1..)?;
        let skipped = if rest.first() == Some(&"refs") {
            skipped + 2
        } else {
            skipped
        };
        Some(decode(&rest.get(skipped..)?.join("/")))
    };
    match segments {
        ["api", "resolve-cache", ..] => (
            Route::ResolveCache,
            segments.get(6..).map(|rest| decode(&rest.join("/"))),
        ),
        ["api", "models" | "datasets" | "spaces", rest @ ..] => {
            let has = |verb| rest.iter().skip(1).any(|segment| *segment == verb);
            if has("tree") {
                (Route::Tree, None)
            } else if has("safetensors-metadata") {
                (Route::Headers, after("safetensors-metadata", 0))
            } else if has("revision") || rest.len() <= 2 {
                (Route::Info, None)
            } else {
                (Route::Other, None)
            }
        }
        _ if segments.contains(&"resolve") => (Route::Resolve, after("resolve", 1)),
        _ => (Route::Other, None),
    }
}

/// Whose token the request carries: a wrong one is refused even for what is public.
fn caller<'a>(state: &'a State, request: &Request) -> Result<Option<&'a Token>, Response> {
    let Some(field) = request.field("authorization") else {
        return Ok(None);
    };
    let token = field
        .strip_prefix("Bearer ")
        .and_then(|token| state.tokens.get(token));
    token
        .map(Some)
        .ok_or_else(|| refusal(request, 401, UNKNOWN_TOKEN, None))
}

/// One request and who makes it.
struct Call<'a> {
    state: &'a State,
    request: &'a Request,
    token: Option<&'a Token>,
}

type Answered = Result<Response, Response>;

impl<'a> Call<'a> {
    fn answer(&self, segments: &[&str]) -> Answered {
        match segments {
            ["api", "whoami-v2"] => self.whoami(),
            ["api", "resolve-cache", kind, rest @ ..] => match kind_of(kind) {
                Some(kind) => self.resolve_cache(kind, rest),
                None => Err(self.no_page()),
            },
            ["api", kind, rest @ ..] if !rest.is_empty() => match kind_of(kind) {
                Some(kind) => self.api(kind, rest),
                None => Err(self.no_page()),
            },
            ["datasets", rest @ ..] => self.resolve(Kind::Dataset, rest),
            ["spaces", rest @ ..] => self.resolve(Kind::Space, rest),
            _ => self.resolve(Kind::Model, segments),
        }
    }

    fn whoami(&self) -> Answered {
        let token = self
            .token
            .ok_or_else(|| self.refuse(401, "Invalid username or password.", None))?;
        let role =
            json!({"accessToken": {"displayName": "test", "role": "read"}, "type": "access_token"});
        let who = json!({"type": "user", "name": token.user, "fullname": token.user, "orgs": [], "auth": role});
        Ok(Response::json(200, &who))
    }

    /// The repository, if the caller may know of it. `moved` is the address under another id.
    fn repo(
        &self,
        kind: Kind,
        id: &str,
        moved: impl Fn(&str) -> String,
    ) -> Result<&'a Repo, Response> {
        if let Some(new) = self.new_name(kind, id) {
            let query = match self.request.query.as_str() {
                "" => String::new(),
                query => format!("?{query}"),
            };
            let to = format!("{}{query}", moved(&new));
            let text = format!("Temporary Redirect. Redirecting to {to}");
            return Err(Response::text(307, &text).with("Location", to));
        }
        let repo = self.state.repo(kind, id);
        let Some(repo) = repo.filter(|repo| !repo.is_private || self.is_granted(repo)) else {
            return Err(match self.token {
                None => self.refuse(401, "Invalid username or password.", None),
                Some(_) => self.refuse(404, "Repository not found", Some("RepoNotFound")),
            });
        };
        if repo.is_disabled {
            return Err(self.refuse(403, "Access to this resource is disabled.", None));
        }
        Ok(repo)
    }

    /// Where a repository went, or how its id is really written.
    fn new_name(&self, kind: Kind, id: &str) -> Option<String> {
        if let Some(new) = self.state.renamed.get(id) {
            return Some(new.clone());
        }
        let mut repos = self.state.repos.iter();
        let is_like =
            |repo: &&Repo| repo.kind == kind && repo.id != id && repo.id.eq_ignore_ascii_case(id);
        let other = repos.find(is_like)?;
        (self.state.repo(kind, id).is_none() && !other.is_private).then(|| other.id.clone())
    }

    fn is_granted(&self, repo: &Repo) -> bool {
        self.token
            .is_some_and(|token| token.grants.contains(&repo.id))
    }

    fn is_shut_out(&self, repo: &Repo) -> bool {
        repo.gated.is_some() && !self.is_granted(repo)
    }

    /// The gate comes before everything else: who is shut out learns not even which files are there.
    fn pass_gate(&self, repo: &Repo, path: &str) -> Result<(), Response> {
        let is_open = ALWAYS_OPEN.iter().any(|open| path.starts_with(open));
        if !self.is_shut_out(repo) || is_open {
            return Ok(());
        }
        let id = &repo.id;
        let (status, words) = match self.token {
            None => (
                401,
                format!(
                    "Access to model {id} is restricted. You must have access to it and be authenticated to access it. Please log in."
                ),
            ),
            Some(_) => (
                403,
                format!(
                    "Access to model {id} is restricted and you are not in the authorized list. Visit https://huggingface.co/{id} to ask for access."
                ),
            ),
        };
        Err(self.refuse(status, &words, Some("GatedRepo")))
    }

    fn commit(&self, repo: &'a Repo, revision: &str) -> Result<&'a Commit, Response> {
        repo.commit(revision).ok_or_else(|| {
            let words = format!("Invalid rev id: {revision}");
            self.refuse(404, &words, Some("RevisionNotFound"))
        })
    }

    fn refuse(&self, status: u16, words: &str, code: Option<&str>) -> Response {
        refusal(self.request, status, words, code)
    }

    fn no_page(&self) -> Response {
        let words = "Sorry, we can't find the page you are looking for.";
        self.refuse(404, words, None)
    }
}

/// As the Hub refuses: the reason as a code and in words, in the head and in the body.
fn refusal(request: &Request, status: u16, words: &str, code: Option<&str>) -> Response {
    let mut response = if request.path.starts_with("/api/") {
        Response::json(status, &json!({"error": words}))
    } else {
        Response::text(status, words)
    };
    if let Some(code) = code {
        response = response.with("X-Error-Code", code);
    }
    if status == 401 {
        let how = "Bearer realm=\"Authentication required\", charset=\"UTF-8\"";
        response = response.with("WWW-Authenticate", how);
    }
    response.with("X-Error-Message", words)
}

fn kind_of(plural: &str) -> Option<Kind> {
    let mut kinds = Kind::ALL.into_iter();
    kinds.find(|kind| kind.plural() == plural)
}

/// A revision at the start of `segments`, escaped in one or as `refs/…/…`, and what follows it.
fn revision<'s>(segments: &'s [&'s str]) -> (String, &'s [&'s str]) {
    match segments {
        ["refs", kind, name, rest @ ..] => (decode(&format!("refs/{kind}/{name}")), rest),
        [revision, rest @ ..] => (decode(revision), rest),
        [] => ("main".into(), &[]),
    }
}

/// A file or the range of it that was asked for.
pub(crate) fn ranged(request: &Request, content: &Content, kind: &str, etag: &str) -> Response {
    let total = content.size;
    let asked = asked(request.field("range"), total);
    let base = match asked {
        Asked::Beyond => {
            return Response::text(416, "").with("Content-Range", format!("bytes */{total}"));
        }
        Asked::Whole => Response::text(200, ""),
        Asked::Part(ref part) => {
            let (start, last) = (part.start, part.end - 1);
            Response::text(206, "").with("Content-Range", format!("bytes {start}-{last}/{total}"))
        }
    };
    let part = match asked {
        Asked::Part(part) => part,
        _ => 0..total,
    };
    Response {
        body: content.clone(),
        part,
        ..base
    }
    .with("Content-Type", kind)
    .with("Accept-Ranges", "bytes")
    .with("ETag", etag)
}
