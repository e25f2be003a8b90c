//! A clone of a repository of the Hub without its weights: what the git-lfs pointers stand for is read
//! on the Hub, where it is the same file by size and checksum.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use preflight_model::fact::Fact;
use preflight_model::snapshot::Access;
use preflight_model::wanted;
use tokio::sync::OnceCell;

use crate::model_ref::{HUB_HOSTS, is_hub_id};
use crate::regular::{Links, Regular};
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Listing, Source};
use crate::{Error, Folder, HubOptions};

/// Most bytes that are read of a file of git.
const GIT_BYTES_MAX: u64 = 64 << 10;

/// Where a clone comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Host and port of the address.
    host: String,
    /// `org/name`.
    id: String,
    /// Branch or commit that is checked out.
    revision: Option<String>,
}

impl Remote {
    /// Of the clone at `folder`; none where it is no clone, or of something that has no address of this form.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        // In a submodule and in a further working tree `.git` is a file that says where its folder is; what all
        // working trees share is in a third place.
        // Source: <https://git-scm.com/docs/gitrepository-layout>
        let mut git = folder.join(".git");
        if let Some(file) = text(&git) {
            git = folder.join(file.strip_prefix("gitdir:")?.trim());
        }
        let shared = match text(&git.join("commondir")) {
            Some(path) => git.join(path.trim()),
            None => git.clone(),
        };
        let (host, id) = origin(&text(&shared.join("config"))?)?;
        let head = text(&git.join("HEAD")).unwrap_or_default();
        let head = head.trim();
        let revision = head.strip_prefix("ref: refs/heads/").unwrap_or(head);
        Some(Self {
            host,
            id,
            revision: Some(revision.to_owned()).filter(|revision| !revision.is_empty()),
        })
    }

    /// Whether this is the Hub, or the mirror that is asked in its place.
    fn is_at(&self, endpoint: &str) -> bool {
        HUB_HOSTS.contains(&self.host.as_str()) || self.host == endpoint
    }
}

/// The text of a file of git, or the start of a long one.
fn text(path: &Path) -> Option<String> {
    let mut file = Regular::open(path, Links::Refuse).ok()?;
    let length = file.size.min(GIT_BYTES_MAX);
    String::from_utf8(file.read(&(0..length)).ok()?).ok()
}

/// Host and repository of the remote `origin` in the text of `.git/config`.
/// Source: <https://git-scm.com/docs/git-config#_configuration_file>, <https://git-scm.com/docs/git-clone#_git_urls>
fn origin(config: &str) -> Option<(String, String)> {
    let mut is_origin = false;
    let url = config.lines().map(str::trim).find_map(|line| {
        if line.starts_with('[') {
            is_origin = line == r#"[remote "origin"]"#;
        }
        let (key, value) = line.split_once('=')?;
        (is_origin && key.trim() == "url").then(|| value.trim())
    })?;
    let rest = match url.split_once("://") {
        Some(("https" | "http" | "ssh", rest)) => rest.to_owned(),
        Some(_) => return None,
        // `git@hf.co:org/name`
        None => url.replacen(':', "/", 1),
    };
    let (authority, path) = rest.split_once('/')?;
    // A password may stand before the host.
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let id = path.trim_matches('/');
    let id = id.strip_suffix(".git").unwrap_or(id);
    (id.contains('/') && is_hub_id(id)).then(|| (host.to_owned(), id.to_owned()))
}

/// A clone as a [`Source`].
#[derive(Debug)]
pub(crate) struct Checkout {
    folder: Folder,
    remote: Remote,
    options: HubOptions,
    found: OnceCell<Found>,
}

/// What the Hub has of what is not here.
#[derive(Debug, Default)]
struct Found {
    hub: Option<Box<dyn Source>>,
    paths: BTreeSet<String>,
    note: String,
}

impl Checkout {
    /// Opens the clone `folder` of `remote`; the folder again where that is not on the Hub that `options` ask.
    pub(crate) fn open(folder: Folder, remote: Remote, options: HubOptions) -> Box<dyn Source> {
        if !remote.is_at(&options.host()) {
            return Box::new(folder);
        }
        Box::new(Self {
            folder,
            remote,
            options,
            found: OnceCell::new(),
        })
    }

    /// Asks at what is checked out, and where the Hub has no such branch or commit, at its default branch: what
    /// counts is that it is the same file.
    async fn look_for(&self, pointers: &[&ListedFile]) -> Found {
        let Remote { id, revision, .. } = &self.remote;
        let mut why = String::new();
        for revision in [revision.as_deref(), None] {
            let hub = match crate::hub::open(id, revision, id, &self.options) {
                Ok(hub) => hub,
                Err(error) => {
                    why = error.to_string();
                    continue;
                }
            };
            match hub
                .list()
                .await
                .map(|listing| (listing.access, listing.files))
            {
                Ok((Access::Open, Fact::Known(files))) => {
                    return Found::of(hub, id, pointers, &files);
                }
                Ok((Access::Refused(reason) | Access::Unreachable(reason), _)) => why = reason,
                Ok((Access::Open, _)) => "its files are not known".clone_into(&mut why),
                Err(error) => why = error.to_string(),
            }
        }
        Found {
            note: format!("`{id}` on the Hub, which this is a clone of, could not be read: {why}"),
            ..Found::default()
        }
    }

    /// What reads the file at `path`.
    fn reader(&self, path: &str) -> &dyn Source {
        match self.found.get() {
            Some(Found {
                hub: Some(hub),
                paths,
                ..
            }) if paths.contains(path) => &**hub,
            _ => &self.folder,
        }
    }
}

impl Found {
    fn of(hub: Box<dyn Source>, id: &str, pointers: &[&ListedFile], files: &[ListedFile]) -> Self {
        let is_same = |here: &ListedFile, there: &ListedFile| {
            here.path == there.path
                && there.kind == FileKind::Regular
                && here.size.is_some()
                && here.size == there.size
                && here.sha256.is_some()
                && here.sha256 == there.sha256
        };
        let paths: BTreeSet<String> = pointers
            .iter()
            .filter(|here| files.iter().any(|there| is_same(here, there)))
            .map(|here| here.path.clone())
            .collect();
        let all = pointers.len();
        let note = match paths.len() {
            0 => format!("none of the {all} git-lfs pointers is a file of `{id}` on the Hub"),
            count => format!(
                "{count} of {all} git-lfs pointers were read as the files of `{id}` on the Hub"
            ),
        };
        Self {
            hub: Some(hub),
            paths,
            note,
        }
    }
}

impl Source for Checkout {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(async {
            let mut listing = self.folder.list().await?;
            let Fact::Known(files) = &mut listing.files else {
                return Ok(listing);
            };
            let is_pointer = |file: &&ListedFile| {
                file.kind == FileKind::Pointer
                    && (wanted::is_wanted(&file.path) || wanted::has_wanted_header(&file.path))
            };
            let pointers: Vec<&ListedFile> = files.iter().filter(is_pointer).collect();
            if pointers.is_empty() {
                return Ok(listing);
            }
            let found = self.found.get_or_init(|| self.look_for(&pointers)).await;
            for file in files {
                if found.paths.contains(&file.path) {
                    file.kind = FileKind::Regular;
                }
            }
            Ok(listing)
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        self.reader(path).read(path, range)
    }

    fn cost(&self) -> Cost {
        let mut cost = self.folder.cost();
        if let Some(Found { hub: Some(hub), .. }) = self.found.get() {
            cost += hub.cost();
        }
        cost
    }

    fn is_remote(&self) -> bool {
        self.found
            .get()
            .is_some_and(|found| !found.paths.is_empty())
    }

    fn locate<'a>(&'a self, path: &'a str) -> Option<BoxFuture<'a, ()>> {
        self.reader(path).locate(path)
    }

    fn notes(&self) -> Vec<String> {
        let Some(found) = self.found.get() else {
            return Vec::new();
        };
        let of_hub = found.hub.iter().flat_map(|hub| hub.notes());
        std::iter::once(found.note.clone()).chain(of_hub).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Option<(String, String)> {
        origin(&format!(
            "[core]\n\turl = https://huggingface.co/no/one\n[remote \"fork\"]\n\turl = https://huggingface.co/a/fork\n[remote \"origin\"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
        ))
    }

    #[test]
    fn addresses_of_clones() {
        let hub = |host: &str| Some((host.to_owned(), "org/name".to_owned()));
        for url in [
            "https://huggingface.co/org/name",
            "https://huggingface.co/org/name.git",
            "https://user:hf_secret@huggingface.co/org/name/",
            "ssh://git@huggingface.co/org/name",
            "git@huggingface.co:org/name",
        ] {
            assert_eq!(of(url), hub("huggingface.co"), "{url}");
        }
        assert_eq!(of("http://127.0.0.1:8080/org/name"), hub("127.0.0.1:8080"));
        for url in [
            "",
            "https://huggingface.co/datasets/org/name",
            "https://huggingface.co/name",
            "/srv/git/org/name",
            "file:///org/name",
            "ext::sh -c x",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn only_the_hub_that_is_asked_is_asked() {
        let (host, id) = of("https://github.com/org/name").unwrap();
        let remote = Remote {
            host,
            id,
            revision: None,
        };
        assert!(!remote.is_at("huggingface.co"));
    }
}
