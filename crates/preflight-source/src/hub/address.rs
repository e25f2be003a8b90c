//! The Hub's addresses.

use reqwest::Url;

use crate::http::Endpoint;

/// The Hub itself.
pub(super) const HUB: &str = "https://huggingface.co";
/// The branch that is meant where none is named.
pub(super) const MAIN: &str = "main";

impl Endpoint {
    /// The page of a repository, for messages.
    pub(super) fn page(&self, id: &str) -> String {
        format!("{}://{}/{id}", self.0.scheme(), self.host())
    }

    /// What the Hub knows of a repository: commit and files with sizes.
    pub(super) fn model_info(&self, id: &str, revision: Option<&str>) -> Url {
        let mut url = self.join(["api", "models"].into_iter().chain(id.split('/')));
        if let Some(revision) = revision {
            push(&mut url, ["revision", revision]);
        }
        url.set_query(Some("blobs=true"));
        url
    }

    /// The files of a repository, page by page.
    pub(super) fn tree(&self, id: &str, commit: &str) -> Url {
        let mut url = self.join(["api", "models"].into_iter().chain(id.split('/')));
        push(&mut url, ["tree", commit]);
        url.set_query(Some("recursive=true"));
        url
    }

    /// The repository of another `kind` ("datasets", "spaces") that has the same name.
    pub(super) fn other_info(&self, kind: &str, id: &str) -> Url {
        self.join(["api", kind].into_iter().chain(id.split('/')))
    }

    /// A file at a revision.
    pub(super) fn file(&self, id: &str, revision: &str, path: &str) -> Url {
        let mut url = self.join(id.split('/'));
        push(
            &mut url,
            ["resolve", revision].into_iter().chain(path.split('/')),
        );
        url
    }

    /// The address of a `Link` of ours, at this endpoint whatever host it names: a mirror may hand
    /// on the Hub's own, and the credential is for the mirror.
    pub(super) fn same_path(&self, link: &Url) -> Url {
        let mut url = self.0.clone();
        let prefix = self.0.path().trim_end_matches('/');
        if link.path().starts_with(prefix) {
            url.set_path(link.path());
        } else {
            url.set_path(&format!("{prefix}{}", link.path()));
        }
        url.set_query(link.query());
        url
    }

    fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        push(&mut url, segments);
        url
    }
}

/// Appends segments, each percent-encoded: a `/` in a revision becomes `%2F`.
fn push<'a>(url: &mut Url, segments: impl IntoIterator<Item = &'a str>) {
    // Every http address has a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_of_the_hub() {
        let hub = Endpoint::parse("https://huggingface.co/").unwrap();
        assert_eq!(hub.page("o/n"), "https://huggingface.co/o/n");
        let text = |url: Url| url.as_str().to_owned();
        assert_eq!(
            text(hub.model_info("gpt2", None)),
            "https://huggingface.co/api/models/gpt2?blobs=true"
        );
        assert_eq!(
            text(hub.model_info("org/name", Some("refs/pr/1"))),
            "https://huggingface.co/api/models/org/name/revision/refs%2Fpr%2F1?blobs=true"
        );
        assert_eq!(
            text(hub.tree("org/name", "abc")),
            "https://huggingface.co/api/models/org/name/tree/abc?recursive=true"
        );
        assert_eq!(
            text(hub.file("org/name", "a?b#c", "sub/ä %.json")),
            "https://huggingface.co/org/name/resolve/a%3Fb%23c/sub/%C3%A4%20%25.json"
        );
        assert_eq!(
            text(hub.other_info("datasets", "org/name")),
            "https://huggingface.co/api/datasets/org/name"
        );
    }

    #[test]
    fn a_mirror_may_live_below_a_path() {
        let mirror = Endpoint::parse("http://127.0.0.1:8080/hf").unwrap();
        assert_eq!(
            mirror.file("o/n", "main", "f").as_str(),
            "http://127.0.0.1:8080/hf/o/n/resolve/main/f"
        );
        let link = |text| mirror.same_path(&Url::parse(text).unwrap()).to_string();
        assert_eq!(
            link("https://huggingface.co/api/x?cursor=1"),
            "http://127.0.0.1:8080/hf/api/x?cursor=1"
        );
        assert_eq!(
            link("http://other/hf/api/x"),
            "http://127.0.0.1:8080/hf/api/x"
        );
    }
}
