//! `/api/models/…`, `/api/datasets/…`, `/api/spaces/…`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Answered, Call, revision};
use crate::http::{Response, decode, encode, parameters};
use crate::repo::{Commit, File, Kind, Repo, digest};

/// What the tree shows in place of checksums to who may not read the files.
const HIDDEN: &str = "****************************************************************";
const VERBS: [&str; 6] = [
    "revision",
    "tree",
    "paths-info",
    "refs",
    "auth-check",
    "safetensors-metadata",
];
/// Longest header of the format (`safetensors/src/tensor.rs`, `MAX_HEADER_SIZE`).
const HEADER_BYTES_MAX: usize = 100_000_000;

impl Call<'_> {
    pub(super) fn api(&self, kind: Kind, segments: &[&str]) -> Answered {
        // Old repositories have an id of one word.
        let words = match segments {
            [_, second, ..] if !VERBS.contains(second) => 2,
            _ => 1,
        };
        let (id, rest) = segments.split_at(words);
        let id = decode(&id.join("/"));
        let tail = ["", &rest.join("/")].join("/");
        let tail = tail.trim_end_matches('/');
        let repo = self.repo(kind, &id, |new| {
            format!("/api/{}/{new}{tail}", kind.plural())
        })?;
        let (verb, rest) = match rest {
            [] => ("revision", rest),
            [verb, rest @ ..] => (*verb, rest),
        };
        match verb {
            "revision" => Ok(self.info(repo, self.commit(repo, &revision(rest).0)?)),
            "tree" => {
                let (revision, folder) = revision(rest);
                self.tree(repo, &revision, &decode(&folder.join("/")))
            }
            "paths-info" => self.paths_info(repo, &revision(rest).0),
            "refs" => Ok(refs(repo)),
            "auth-check" => {
                self.pass_gate(repo, "")?;
                Ok(Response::text(200, "OK"))
            }
            "safetensors-metadata" => self.headers(repo, &decode(&rest.join("/"))),
            _ => Err(self.no_page()),
        }
    }

    fn info(&self, repo: &Repo, commit: &Commit) -> Response {
        let has_sizes = self.request.is_set("blobs");
        let siblings: Vec<Value> = commit
            .files
            .iter()
            .map(|(path, file)| {
                let mut sibling = json!({"rfilename": path});
                if has_sizes {
                    sibling["blobId"] = json!(file.oid);
                    sibling["size"] = json!(file.content.size);
                    if file.is_large {
                        sibling["lfs"] = json!({"sha256": file.sha256, "size": file.content.size, "pointerSize": 134});
                    }
                }
                sibling
            })
            .collect();
        let author = repo.id.split('/').next().unwrap_or_default();
        let gated = repo.gated.as_ref().map_or(json!(false), |how| json!(how));
        let mut info = json!({
            "_id": digest(b"repo", repo.id.as_bytes(), 24), "id": repo.id, "author": author,
            "private": repo.is_private, "gated": gated, "disabled": repo.is_disabled,
            "sha": commit.id, "lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z",
            "tags": [], "downloads": 0, "likes": 0, "siblings": siblings,
        });
        if repo.kind == Kind::Model {
            info["modelId"] = json!(repo.id);
        }
        let wanted: Vec<String> = parameters(&self.request.query)
            .filter(|(name, _)| name.trim_end_matches("[]") == "expand")
            .map(|(_, value)| value)
            .collect();
        if let (false, Some(fields)) = (wanted.is_empty(), info.as_object_mut()) {
            fields.retain(|name, _| name == "_id" || name == "id" || wanted.contains(name));
        }
        Response::json(200, &info)
    }

    fn tree(&self, repo: &Repo, revision: &str, folder: &str) -> Answered {
        let commit = self.commit(repo, revision)?;
        let is_recursive = self.request.is_set("recursive");
        let start = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let is_inside = |path: &str| {
            let inside = path.strip_prefix(&start);
            inside.is_some_and(|inside| is_recursive || !inside.contains('/'))
        };
        let folders = folders(commit);
        let folders = folders.iter().filter(|path| is_inside(path));
        let mut entries: Vec<Value> = folders.map(|path| folder_entry(path)).collect();
        let files = commit.files.iter().filter(|(path, _)| is_inside(path));
        entries.extend(files.map(|(path, file)| self.entry(repo, path, file)));
        if entries.is_empty() && !folder.is_empty() {
            let words = format!("{folder} does not exist on \"{revision}\"");
            return Err(self.refuse(404, &words, Some("EntryNotFound")));
        }
        let number = |name| self.request.parameter(name)?.parse::<usize>().ok();
        let size = number("limit").map_or(self.state.page_size, |limit| {
            limit.clamp(1, self.state.page_size)
        });
        let from = number("cursor").unwrap_or(0).min(entries.len());
        let until = (from + size).min(entries.len());
        let response = Response::json(200, &json!(entries[from..until]));
        if until == entries.len() {
            return Ok(response);
        }
        let mut next = format!("{}{}?", self.state.hub, self.request.path);
        let kept = parameters(&self.request.query).filter(|(name, _)| name != "cursor");
        for (name, value) in kept {
            next += &[&encode(&name, ""), "=", &encode(&value, ""), "&"].concat();
        }
        Ok(response.with("Link", format!("<{next}cursor={until}>; rel=\"next\"")))
    }

    fn entry(&self, repo: &Repo, path: &str, file: &File) -> Value {
        let mut entry =
            json!({"type": "file", "oid": file.oid, "size": file.content.size, "path": path});
        if file.is_large {
            let is_hidden = self.is_shut_out(repo);
            let sha256 = if is_hidden { HIDDEN } else { &file.sha256 };
            entry["lfs"] = json!({"oid": sha256, "size": file.content.size, "pointerSize": 134});
            if self.state.has_xet {
                let xet = digest(b"xet", file.sha256.as_bytes(), 64);
                entry["xetHash"] = json!(if is_hidden { HIDDEN } else { &xet });
            }
        }
        entry
    }

    fn paths_info(&self, repo: &Repo, revision: &str) -> Answered {
        let commit = self.commit(repo, revision)?;
        let kind = self.request.field("content-type").unwrap_or_default();
        let paths: Vec<String> = if kind.contains("json") {
            let body: Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
            let paths = body["paths"].as_array().into_iter().flatten();
            paths
                .filter_map(|path| Some(path.as_str()?.to_owned()))
                .collect()
        } else {
            let body = String::from_utf8_lossy(&self.request.body);
            let pairs = parameters(&body).filter(|(name, _)| name == "paths");
            pairs.map(|(_, path)| path).collect()
        };
        let folders = folders(commit);
        let entries: Vec<Value> = paths
            .iter()
            .filter_map(|path| match commit.files.get(path) {
                Some(file) => Some(self.entry(repo, path, file)),
                None => folders.contains(path).then(|| folder_entry(path)),
            })
            .collect();
        Ok(Response::json(200, &json!(entries)))
    }

    /// All headers of a sharded model on `main` at once, and its index without the weight map.
    fn headers(&self, repo: &Repo, index_path: &str) -> Answered {
        self.pass_gate(repo, index_path)?;
        let commit = self.commit(repo, "main")?;
        let missing = || self.refuse(404, "Entry not found", Some("EntryNotFound"));
        let broken = || self.refuse(422, "not a safetensors model", None);
        let index = commit.files.get(index_path).ok_or_else(missing)?;
        let mut index: Map<String, Value> =
            serde_json::from_slice(&index.content.head).map_err(|_| broken())?;
        let map = index.remove("weight_map").unwrap_or_default();
        let folder = index_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut headers = Map::new();
        for shard in map.as_object().ok_or_else(broken)?.values() {
            let shard = shard.as_str().ok_or_else(broken)?;
            if headers.contains_key(shard) {
                continue;
            }
            let path = format!("{folder}/{shard}");
            let file = commit.files.get(path.trim_start_matches('/'));
            let header = file.and_then(header).ok_or_else(broken)?;
            headers.insert(shard.into(), header);
        }
        Ok(Response::json(
            200,
            &json!({"index": index, "headers": headers}),
        ))
    }
}

/// The header of a safetensors file as JSON.
fn header(file: &File) -> Option<Value> {
    let (length, rest) = file.content.head.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let text = rest.get(..length).filter(|_| length <= HEADER_BYTES_MAX)?;
    serde_json::from_slice(text).ok()
}

fn refs(repo: &Repo) -> Response {
    let list = |start: &str| -> Vec<Value> {
        let named = repo.refs.iter().filter_map(|(reference, &place)| {
            let name = reference.strip_prefix(start)?;
            let commit = &repo.commits.get(place)?.id;
            Some(json!({"name": name, "ref": reference, "targetCommit": commit}))
        });
        named.collect()
    };
    Response::json(
        200,
        &json!({"branches": list("refs/heads/"), "tags": list("refs/tags/"), "pullRequests": list("refs/pr/"), "converts": []}),
    )
}

/// Every folder that has a file in it or below.
fn folders(commit: &Commit) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for path in commit.files.keys() {
        for (end, _) in path.match_indices('/') {
            folders.insert(path[..end].to_owned());
        }
    }
    folders
}

fn folder_entry(path: &str) -> Value {
    let oid = digest(b"tree", path.as_bytes(), 40);
    json!({"type": "directory", "oid": oid, "size": 0, "path": path})
}
