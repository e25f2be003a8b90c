//! MODEL as the command line and lists spell it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Hosts whose pages name a repository of the Hub.
pub(crate) const HUB_HOSTS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];
/// Longest name of a repository on the Hub.
/// Source: <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_validators.py>
const HUB_NAME_BYTES_MAX: usize = 96;
/// Least characters of a token after `hf_`; those in use have 34.
const TOKEN_BYTES_MIN: usize = 10;
const ARCHIVE_ENDINGS: [&str; 8] = [
    ".tar.gz", ".tgz", ".tar", ".zip", ".tar.zst", ".tar.bz2", ".tar.xz", ".7z",
];

/// Which place a MODEL means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// A folder, a recording or a local archive.
    Local {
        /// The path.
        path: PathBuf,
        /// The repository of the Hub that the same text would name if the path did not exist.
        hides: Option<String>,
    },
    /// A repository of the Hub.
    Hub {
        /// `org/name`, or the bare `name` of an old repository.
        id: String,
        /// Branch, tag or commit.
        revision: Option<String>,
    },
    /// A prefix or an object in S3, `s3://…`.
    S3(String),
    /// A file behind a URL.
    Url(SecretUrl),
}

/// A URL that may carry a signature or a password: shown without them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole URL, for the one who sends the request.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The model whose page this may be on a mirror of the Hub.
    pub(crate) fn as_page(&self) -> Option<Page> {
        if self.0.contains(['?', '#', '@']) || is_archive(&self.0) {
            return None;
        }
        let (scheme, rest) = self.0.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (org, name, revision) = match parts.as_slice() {
            [org, name] => (org, name, None),
            [org, name, "tree" | "blob", revision, ..] => {
                (org, name, Some(revision.replace("%2F", "/")))
            }
            _ => return None,
        };
        let id = format!("{org}/{name}");
        is_hub_id(&id).then(|| Page {
            server: format!("{scheme}://{host}"),
            id,
            revision,
        })
    }
}

/// A model's page on a mirror of the Hub.
#[derive(Debug)]
pub(crate) struct Page {
    /// Scheme and host.
    pub(crate) server: String,
    /// `org/name`.
    pub(crate) id: String,
    pub(crate) revision: Option<String>,
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, query) = match self.0.split_once(['?', '#']) {
            Some((before, _)) => (before, "?…"),
            None => (self.0.as_str(), ""),
        };
        let (scheme, rest) = before.split_once("://").unwrap_or(("https", before));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        write!(f, "{scheme}://{host}{path}{query}")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

/// As the user gave it, without secrets.
impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { path, .. } => write!(f, "{}", path.display()),
            Self::Hub { id, revision: None } => f.write_str(id),
            Self::Hub {
                id,
                revision: Some(revision),
            } => write!(f, "{id}@{revision}"),
            Self::S3(address) => f.write_str(address),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

impl ModelRef {
    /// Understands an argument of the command line: an existing folder (or local archive) wins over
    /// the Hub repository of the same name.
    pub fn from_argument(text: &str) -> Result<Self, Error> {
        if let Some(plain) = unambiguous(text) {
            return plain;
        }
        let path = Path::new(text);
        if path.is_dir() || (is_archive(text) && path.is_file()) {
            return Ok(Self::Local {
                path: path.into(),
                hides: hub_name(text).map(|_| text.to_owned()),
            });
        }
        match hub_name(text) {
            Some(hub) => Ok(hub),
            None if path.exists() => Ok(local(text)),
            None => Err(of_another_kind(text).unwrap_or_else(|| Error::NoSuchFolder(masked(text)))),
        }
    }

    /// Understands a line of a list, whose meaning does not depend on what is on this disk:
    /// `org/name` is the Hub, a path starts with `.` or `/`.
    pub fn from_list(line: &str) -> Result<Self, Error> {
        if let Some(plain) = unambiguous(line) {
            return plain;
        }
        if let Some(error) = of_another_kind(line) {
            return Err(error);
        }
        hub_name(line).ok_or_else(|| {
            let line = masked(line);
            Error::Usage(format!("`{line}` is neither `org/name` nor an address; in a list, a path starts with `.` or `/`"))
        })
    }

    /// The same at the revision of `--revision`, which only a repository on the Hub has.
    pub fn at_revision(self, revision: &str) -> Result<Self, Error> {
        match self {
            Self::Hub {
                id,
                revision: named,
            } => match named {
                Some(named) if named != revision => Err(Error::Usage(format!(
                    "`{id}@{named}` names another revision than `--revision {revision}`"
                ))),
                _ => Ok(hub(&id, Some(revision))),
            },
            other => Err(Error::Usage(format!(
                "`--revision` is for repositories on the Hub, `{other}` is none"
            ))),
        }
    }

    /// What the user should know of how MODEL was understood.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Local {
                hides: Some(name), ..
            } => Some(format!(
                "`{name}` is a local path here; `hf://{name}` names the repository on the Hub"
            )),
            _ => None,
        }
    }
}

/// What has a scheme or can only be a path.
fn unambiguous(text: &str) -> Option<Result<ModelRef, Error>> {
    if text.is_empty() {
        return Some(Err(Error::Usage("MODEL is empty".into())));
    }
    if text == "."
        || text == ".."
        || ["./", "../", "/"]
            .iter()
            .any(|start| text.starts_with(start))
    {
        return Some(Ok(local(text)));
    }
    let (scheme, rest) = text.split_once("://")?;
    Some(match scheme {
        "hf" => split_revision(rest)
            .filter(|(id, _)| is_hub_id(id))
            .map(|(id, revision)| hub(id, revision))
            .ok_or_else(|| of_another_kind(rest).unwrap_or_else(|| Error::Usage(format!("`{}` does not name a repository: write `hf://org/name` or `hf://org/name@revision`", masked(text))))),
        "s3" if is_signed(rest) => Err(Error::Usage(format!("`{}` holds a signature, and an `s3://` address has none: give the `https://` address, or the one without it", masked(text)))),
        "s3" if rest.split_once('/').is_some_and(|(bucket, _)| !bucket.is_empty()) => Ok(ModelRef::S3(text.into())),
        "s3" => Err(Error::Usage(format!("`{}` names no object: write `s3://bucket/prefix/` or `s3://bucket/key.tar.gz`", masked(text)))),
        "https" => https(text, rest),
        // For trying things out: nothing that is signed goes over a network in the clear.
        "http" if is_loopback(rest) => Ok(ModelRef::Url(SecretUrl(text.into()))),
        "http" => Err(Error::Usage("an `http://` address shows its signature to everyone on the way: use `https://`".into())),
        _ => Err(Error::Usage(format!(
            "`{scheme}://` is not an address that models are read from: use `hf://`, `s3://` or `https://`"
        ))),
    })
}

/// Whether an address, without its scheme, is on this machine.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn https(url: &str, rest: &str) -> Result<ModelRef, Error> {
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() {
        return Err(Error::Usage("the URL has no host".into()));
    }
    if !HUB_HOSTS.contains(&host) {
        return Ok(ModelRef::Url(SecretUrl(url.into())));
    }
    let page: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let not_a_model = || Error::Usage(format!("`https://{rest}` is not the page of a model"));
    if let [kind @ ("datasets" | "spaces"), _, ..] = page.as_slice() {
        return Err(another_kind(&format!("https://{rest}"), kind));
    }
    match page.as_slice() {
        // Other pages, which have the form of a name.
        [
            "datasets" | "spaces" | "docs" | "papers" | "blog" | "collections" | "api" | "models",
            ..,
        ] => Err(not_a_model()),
        [_, _, "resolve", _, .., file] if is_archive(file) => {
            Ok(ModelRef::Url(SecretUrl(url.into())))
        }
        [org, name] => page_of(&format!("{org}/{name}"), None),
        [
            org,
            name,
            "tree" | "blob" | "resolve" | "commit",
            "refs",
            kind,
            number,
            ..,
        ] => page_of(
            &format!("{org}/{name}"),
            Some(&format!("refs/{kind}/{number}")),
        ),
        [
            org,
            name,
            "tree" | "blob" | "resolve" | "commit",
            revision,
            ..,
        ] => page_of(
            &format!("{org}/{name}"),
            Some(&revision.replace("%2F", "/")),
        ),
        [name] => page_of(name, None),
        _ => Err(not_a_model()),
    }
    .map_err(|_: Error| not_a_model())
}

/// The error for `datasets/org/name` and `spaces/org/name`, as the Hub's own tools spell them.
fn of_another_kind(text: &str) -> Option<Error> {
    let (kind, name) = text.split_once('/')?;
    let is_named = matches!(kind, "datasets" | "spaces") && hub_name(name).is_some();
    is_named.then(|| another_kind(text, kind))
}

/// The error for a repository that holds no model; `kind` is "datasets" or "spaces".
fn another_kind(text: &str, kind: &str) -> Error {
    let kind = kind.trim_end_matches('s');
    Error::Usage(format!(
        "`{text}` names a {kind}, and only models are checked"
    ))
}

fn page_of(id: &str, revision: Option<&str>) -> Result<ModelRef, Error> {
    if is_hub_id(id) {
        return Ok(hub(id, revision));
    }
    Err(Error::Usage(id.into()))
}

fn local(text: &str) -> ModelRef {
    ModelRef::Local {
        path: text.into(),
        hides: None,
    }
}

fn hub(id: &str, revision: Option<&str>) -> ModelRef {
    ModelRef::Hub {
        id: id.into(),
        revision: revision.map(Into::into),
    }
}

/// `org/name` or `org/name@revision`.
fn hub_name(text: &str) -> Option<ModelRef> {
    let (id, revision) = split_revision(text)?;
    (id.contains('/') && is_hub_id(id)).then(|| hub(id, revision))
}

/// Cuts at the first `@`: a name has none, a revision may. None where the revision is empty.
fn split_revision(text: &str) -> Option<(&str, Option<&str>)> {
    match text.split_once('@') {
        None => Some((text, None)),
        Some((_, "")) => None,
        // A slip that must not be sent or shown.
        Some((_, revision)) if is_token(revision) => None,
        Some((id, revision)) => Some((id, Some(revision))),
    }
}

/// Whether an address carries a signature of AWS.
fn is_signed(address: &str) -> bool {
    let address = address.to_ascii_lowercase();
    ["?x-amz-", "&x-amz-", "?awsaccesskeyid=", "&signature="]
        .iter()
        .any(|mark| address.contains(mark))
}

/// Whether a word is a token for the Hub.
/// Source: <https://huggingface.co/docs/hub/security-tokens>
fn is_token(word: &str) -> bool {
    word.strip_prefix("hf_").is_some_and(|rest| {
        rest.len() >= TOKEN_BYTES_MIN && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// What a user wrote in the place of MODEL, without what may be a secret in it: a query, a user and a
/// password before a host, a token.
pub fn masked(text: &str) -> String {
    let (before, query) = match text.split_once('?') {
        Some((before, query)) if query.contains('=') => (before, "?…"),
        _ => (text, ""),
    };
    let (scheme, rest) = match before.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), before),
    };
    let (first, others) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let first = match first.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => format!("…@{host}"),
        _ => first.to_owned(),
    };
    let whole = format!("{scheme}{first}{others}{query}");
    let words = whole.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .map(|word| {
            let name = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            if is_token(name) {
                format!("hf_…{}", &word[name.len()..])
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// Whether the Hub allows this as `org/name` or `name`.
/// Source: <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_validators.py>
pub(crate) fn is_hub_id(id: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_part = |part: &str| {
        part.bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'-' | b'.'))
            && part.bytes().next().is_some_and(is_word)
            && part.bytes().last().is_some_and(is_word)
    };
    let mut parts = id.rsplit('/');
    parts
        .next()
        .is_some_and(|name| name.len() <= HUB_NAME_BYTES_MAX && is_part(name))
        && parts.next().is_none_or(is_part)
        && parts.next().is_none()
        && !id.contains("--")
        && !id.contains("..")
        && !id.to_ascii_lowercase().ends_with(".git")
}

/// Whether a file of this name is an archive.
pub(crate) fn is_archive(name: &str) -> bool {
    ARCHIVE_ENDINGS
        .iter()
        .any(|end| name.to_ascii_lowercase().ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub_of(text: &str) -> (String, Option<String>) {
        match ModelRef::from_list(text).unwrap() {
            ModelRef::Hub { id, revision } => (id, revision),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn the_many_names_of_a_repository() {
        for text in [
            "org/name",
            "hf://org/name",
            "https://huggingface.co/org/name",
            "https://hf.co/org/name/?x=1",
        ] {
            assert_eq!(hub_of(text), ("org/name".into(), None), "{text}");
        }
        let at = |revision: &str| ("org/name".into(), Some(revision.into()));
        assert_eq!(hub_of("org/name@v1"), at("v1"));
        assert_eq!(hub_of("hf://org/name@refs/pr/1"), at("refs/pr/1"));
        assert_eq!(
            hub_of("https://huggingface.co/org/name/tree/main"),
            at("main")
        );
        assert_eq!(
            hub_of("https://huggingface.co/org/name/blob/refs%2Fpr%2F1/config.json"),
            at("refs/pr/1")
        );
        assert_eq!(
            hub_of("https://huggingface.co/org/name/tree/refs/pr/1"),
            at("refs/pr/1")
        );
        assert_eq!(hub_of("hf://gpt2").0, "gpt2");
    }

    #[test]
    fn a_file_of_a_repository_names_it_and_an_archive_names_itself() {
        let at = |file: &str| {
            ModelRef::from_list(&format!(
                "https://huggingface.co/org/name/resolve/v1/{file}"
            ))
            .unwrap()
        };
        assert_eq!(at("config.json"), hub("org/name", Some("v1")));
        assert!(matches!(at("model.tar.gz"), ModelRef::Url(_)));
    }

    #[test]
    fn a_dataset_or_space_is_said() {
        for (text, kind) in [
            ("datasets/org/name", "dataset"),
            ("spaces/org/name@v1", "space"),
            ("hf://datasets/org/name", "dataset"),
            (
                "https://huggingface.co/datasets/org/name/tree/main",
                "dataset",
            ),
            ("https://huggingface.co/spaces/org/name", "space"),
        ] {
            for error in [
                ModelRef::from_list(text).unwrap_err(),
                ModelRef::from_argument(text).unwrap_err(),
            ] {
                let says = error.to_string();
                assert!(
                    says.ends_with(&format!("names a {kind}, and only models are checked")),
                    "{says}"
                );
            }
        }
    }

    #[test]
    fn the_revision_may_stand_apart() {
        let at = |text: &str| ModelRef::from_list(text).unwrap().at_revision("v1");
        assert_eq!(at("org/name").unwrap(), hub("org/name", Some("v1")));
        assert_eq!(at("org/name@v1").unwrap(), hub("org/name", Some("v1")));
        assert_eq!(
            at("org/name@v2").unwrap_err().to_string(),
            "`org/name@v2` names another revision than `--revision v1`"
        );
        assert_eq!(
            at("./folder").unwrap_err().to_string(),
            "`--revision` is for repositories on the Hub, `./folder` is none"
        );
    }

    #[test]
    fn what_is_not_a_name() {
        for text in [
            "",
            "word",
            "a/b/c",
            "org/na--me",
            "org/name.git",
            ".org/name",
            "org/name@",
            "hf://",
            "hf://a/b/c",
            "ftp://x/y",
            "s3://",
            "s3://bucket",
            "https://",
            "https://huggingface.co/datasets/a/b",
            "https://huggingface.co/org/name/discussions/1",
            "org/na me",
        ] {
            assert!(
                ModelRef::from_list(text).unwrap_err().is_usage(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_path_is_what_looks_like_one() {
        for text in [".", "..", "./x", "../org/name", "/x"] {
            assert_eq!(ModelRef::from_list(text).unwrap(), local(text));
            assert_eq!(ModelRef::from_argument(text).unwrap(), local(text));
        }
        let error = ModelRef::from_argument("no-such-folder").unwrap_err();
        assert_eq!(error.to_string(), "no such folder: `no-such-folder`");
    }

    #[test]
    fn an_existing_folder_wins_and_says_so() {
        // Tests run in the crate's own folder.
        let here = ModelRef::from_argument("src/recording").unwrap();
        assert_eq!(
            here.note().unwrap(),
            "`src/recording` is a local path here; `hf://src/recording` names the repository on the Hub"
        );
        assert!(ModelRef::from_argument("src").unwrap().note().is_none());
        assert!(matches!(
            ModelRef::from_list("src/recording").unwrap(),
            ModelRef::Hub { .. }
        ));
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for text in [
            "http://127.0.0.1:8080/m.zip",
            "http://localhost/m.zip?X-Amz-Signature=x",
            "http://[::1]:9000/m.zip",
        ] {
            let model = ModelRef::from_list(text).unwrap();
            assert!(matches!(model, ModelRef::Url(_)), "{text}");
            assert!(model.to_string().starts_with("http://"));
        }
        for text in [
            "http://host/m.zip?sig=secret",
            "http://127.0.0.1.evil/m.zip",
            "http://127.0.0.1@evil/m.zip",
            "http://",
        ] {
            let error = ModelRef::from_list(text).unwrap_err();
            assert!(
                error.is_usage() && !error.to_string().contains("secret"),
                "{text}"
            );
        }
    }

    #[test]
    fn signatures_are_not_shown() {
        let url = "https://user:pass@host:8443/m.tar.gz?X-Amz-Signature=abc#d";
        let model = ModelRef::from_argument(url).unwrap();
        assert_eq!(model.to_string(), "https://host:8443/m.tar.gz?…");
        assert_eq!(
            format!("{model:?}"),
            "Url(SecretUrl(https://host:8443/m.tar.gz?…))"
        );
        let ModelRef::Url(secret) = model else {
            panic!()
        };
        assert_eq!(secret.expose(), url);
    }

    proptest::proptest! {
        #[test]
        fn no_text_shows_a_query_or_a_password(
            text in ".{0,40}",
            scheme in proptest::sample::select(vec!["https", "http", "s3", "hf", "ftp", "HTTPS"]),
            host in "[a-z./:@-]{0,16}",
            path in "[a-z/.%]{0,16}",
        ) {
            let secret = "S3CR3T";
            let queries = [
                format!("{scheme}://{host}{path}?X-Amz-Signature={secret}"),
                format!("{scheme}://{host}{path}#{secret}"),
            ];
            for text in std::iter::once(&text).chain(&queries) {
                for model in [ModelRef::from_argument(text), ModelRef::from_list(text)].into_iter().flatten() {
                    let shown = format!("{model} {model:?} {:?}", model.note());
                    let is_address = matches!(model, ModelRef::Url(_));
                    proptest::prop_assert!(!is_address || !shown.contains(secret), "{shown}");
                }
            }
        }

        #[test]
        fn a_name_is_read_as_it_was_written(name in "[a-z][a-z0-9]{0,9}/[A-Z][a-z0-9]{0,9}", revision in proptest::option::of("[a-z][a-z0-9/.-]{0,9}")) {
            let text = match &revision {
                Some(revision) => format!("{name}@{revision}"),
                None => name.clone(),
            };
            let model = ModelRef::from_list(&text).unwrap();
            proptest::prop_assert_eq!(model.to_string(), text);
            proptest::prop_assert_eq!(model, ModelRef::Hub { id: name, revision });
        }
    }

    #[test]
    fn slips_do_not_show_secrets() {
        for text in [
            "s3://AKIASECRET:SECRETKEY@bucket/x.zip",
            "s3://bucket/x.zip?X-Amz-Signature=SECRET",
            "s3://bucket/x.zip?a=b&X-Amz-Signature=SECRET",
            "b.s3.amazonaws.com/m.zip?X-Amz-Signature=SECRET",
            "https:/b/m.zip?X-Amz-Signature=SECRET",
            "hf://o/n?token=SECRET",
            "o/n@hf_SECRETSECRETSECRET",
            "hf_SECRETSECRETSECRET",
            "hf://o/n@hf_SECRETSECRETSECRET",
        ] {
            for error in [ModelRef::from_argument(text), ModelRef::from_list(text)] {
                let error = match error.map(|model| {
                    crate::s3::open(
                        &model.to_string(),
                        &crate::S3Options::of([("A", "")]),
                        &crate::ArchiveOptions::default(),
                    )
                    .map(|_| ())
                }) {
                    Ok(Ok(())) => panic!("`{text}` is understood"),
                    Ok(Err(error)) | Err(error) => error,
                };
                assert!(error.is_usage());
                assert!(!error.to_string().contains("SECRET"), "{error}");
            }
        }
        assert_eq!(masked("what is this? a path"), "what is this? a path");
        assert_eq!(masked("org/name@v1.0"), "org/name@v1.0");
        assert_eq!(masked("org/hf_model"), "org/hf_model");
    }
}
