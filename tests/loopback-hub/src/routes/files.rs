//! `/{id}/resolve/{revision}/{path}`, and where it leads for small files.

use super::{Answered, Call, ranged, revision};
use crate::cdn;
use crate::http::{Response, decode, encode};
use crate::repo::{Commit, File, Kind, Repo, digest};

const PLAIN: &str = "text/plain; charset=utf-8";

impl Call<'_> {
    pub(super) fn resolve(&self, kind: Kind, segments: &[&str]) -> Answered {
        let place = segments.iter().position(|segment| *segment == "resolve");
        let place = place.filter(|place| (1..=2).contains(place));
        let (id, rest) = match place {
            Some(place) => (&segments[..place], &segments[place + 1..]),
            None => return Err(self.no_page()),
        };
        let id = decode(&id.join("/"));
        let repo = self.repo(kind, &id, |new| {
            format!("/{}{new}/resolve/{}", kind.prefix(), rest.join("/"))
        })?;
        let (revision, path) = revision(rest);
        let path = decode(&path.join("/"));
        self.pass_gate(repo, &path)?;
        let commit = self.commit(repo, &revision)?;
        let file = self.file(commit, &path)?;
        if file.is_large {
            return Ok(self.to_storage(repo, commit, &path, file));
        }
        if repo.gated.is_some() || repo.is_private {
            return Ok(self.small(commit, file));
        }
        let (request, id) = (self.request, &repo.id);
        let to = format!(
            "/api/resolve-cache/{}/{id}/{}/{}?{}=&etag=%22{}%22",
            kind.plural(),
            commit.id,
            encode(&path, "/"),
            encode(&decode(&request.path), ""),
            file.oid,
        );
        let text = format!("Temporary Redirect. Redirecting to {to}");
        Ok(Response::text(307, &text)
            .with("Location", to)
            .with("X-Repo-Commit", &commit.id)
            .with("X-Linked-Size", file.content.size.to_string())
            .with("X-Linked-ETag", format!("\"{}\"", file.oid)))
    }

    pub(super) fn resolve_cache(&self, kind: Kind, segments: &[&str]) -> Answered {
        let [org, name, id, path @ ..] = segments else {
            return Err(self.no_page());
        };
        let repo_id = decode(&format!("{org}/{name}"));
        let repo = self.repo(kind, &repo_id, |new| format!("/{}{new}", kind.prefix()))?;
        let path = decode(&path.join("/"));
        self.pass_gate(repo, &path)?;
        let commit = self.commit(repo, id)?;
        Ok(self.small(commit, self.file(commit, &path)?))
    }

    fn file<'c>(&self, commit: &'c Commit, path: &str) -> Result<&'c File, Response> {
        commit.files.get(path).ok_or_else(|| {
            self.refuse(404, "Entry not found", Some("EntryNotFound"))
                .with("X-Repo-Commit", &commit.id)
        })
    }

    fn small(&self, commit: &Commit, file: &File) -> Response {
        let etag = format!("\"{}\"", file.oid);
        ranged(self.request, &file.content, PLAIN, &etag).with("X-Repo-Commit", &commit.id)
    }

    /// A large file: what is known of it, and the signed address of its bytes.
    fn to_storage(&self, repo: &Repo, commit: &Commit, path: &str, file: &File) -> Response {
        let to = cdn::sign(self.state, path, file);
        let text = format!("Found. Redirecting to {to}");
        let mut response = Response::text(302, &text)
            .with("Location", to)
            .with("X-Repo-Commit", &commit.id)
            .with("X-Linked-Size", file.content.size.to_string())
            .with("X-Linked-ETag", format!("\"{}\"", file.sha256))
            .with("Accept-Ranges", "bytes");
        if self.state.has_xet {
            let (hub, id) = (&self.state.hub, &repo.id);
            let auth = format!("{hub}/api/models/{id}/xet-read-token/{}", commit.id);
            response = response
                .with("X-Xet-Hash", digest(b"xet", file.sha256.as_bytes(), 64))
                .with("Link", format!("<{auth}>; rel=\"xet-auth\""));
        }
        response
    }
}
