//! What the Hub says of a repository: one answer with commit and files, or the tree page by page.

use std::collections::BTreeSet;

use bytes::Bytes;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use crate::http::Client;
use crate::http::Problem;
use crate::paths;
use crate::source::{FileKind, ListedFile};

/// Most bytes of one answer. With sizes and checksums a file takes some 300 bytes, so that this is
/// [`FILES_MAX`] files.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Most files that are listed, as of a folder.
const FILES_MAX: usize = 100_000;
/// Files of one page of the tree. A list of files without pages that is as long as some pages may have
/// been cut there.
/// Source: <https://huggingface.co/docs/hub/api#get-apimodelsrepoidtreerevisionpath>
const PAGE_FILES: usize = 1000;
/// Most pages of the tree.
const PAGES_MAX: usize = FILES_MAX / PAGE_FILES + 1;
/// Characters of a commit.
const COMMIT_CHARS: usize = 40;

/// A repository at a commit.
#[derive(Debug)]
pub(super) struct Info {
    /// The name that it has now.
    pub(super) id: Option<String>,
    pub(super) commit: String,
    /// Whether its files are behind a gate, open to us or not.
    pub(super) is_gated: bool,
    pub(super) is_disabled: bool,
    /// Its files, where the answer has all of them with their sizes.
    pub(super) files: Option<Vec<ListedFile>>,
}

/// The answer of the information route.
/// Source: `ModelInfo`, <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/hf_api.py>
#[derive(Deserialize)]
struct InfoAnswer {
    id: Option<String>,
    sha: Option<String>,
    /// `false`, `"auto"` or `"manual"`.
    gated: Option<Value>,
    disabled: Option<bool>,
    siblings: Option<Vec<Sibling>>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

/// An entry of the tree.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

/// What stands for a large file in git. The two routes spell the checksum differently.
#[derive(Deserialize)]
struct Lfs {
    #[serde(alias = "oid")]
    sha256: Option<String>,
    size: Option<u64>,
}

impl Info {
    /// Understands an answer; the error says what is wrong with it.
    pub(super) fn parse(answer: &[u8]) -> Result<Self, String> {
        let answer: InfoAnswer = serde_json::from_slice(answer)
            .map_err(|_| "its answer is not the description of a repository")?;
        let commit = answer.sha.filter(|sha| is_commit(sha));
        let siblings = answer.siblings.filter(|files| {
            let has_size = |file: &Sibling| {
                file.size.is_some() || file.lfs.as_ref().is_some_and(|lfs| lfs.size.is_some())
            };
            let may_be_cut = !files.is_empty() && files.len() % PAGE_FILES == 0;
            !may_be_cut && files.len() <= FILES_MAX && files.iter().all(has_size)
        });
        Ok(Self {
            id: answer.id.filter(|id| crate::model_ref::is_hub_id(id)),
            commit: commit.ok_or("its answer does not name the commit")?,
            is_gated: answer
                .gated
                .is_some_and(|gated| !matches!(gated, Value::Bool(false) | Value::Null)),
            is_disabled: answer.disabled == Some(true),
            files: siblings.map(|files| {
                let files = files.into_iter();
                sorted(
                    files
                        .map(|file| listed(file.rfilename, file.size, file.lfs))
                        .collect(),
                )
            }),
        })
    }
}

/// The repository's information.
pub(super) async fn info(
    client: &Client,
    id: &str,
    revision: Option<&str>,
) -> Result<Info, Problem> {
    let url = client.endpoint.model_info(id, revision);
    let (head, answer) = client.get(&url, ANSWER_BYTES_MAX).await?;
    let info = Info::parse(&answer).map_err(|what| head.broken(what))?;
    match revision.filter(|revision| is_commit(revision)) {
        Some(asked) if !asked.eq_ignore_ascii_case(&info.commit) => {
            Err(head.broken("it answers for another commit than it was asked for"))
        }
        _ => Ok(info),
    }
}

/// All files at a commit, page by page.
pub(super) async fn tree(
    client: &Client,
    id: &str,
    commit: &str,
) -> Result<Vec<ListedFile>, Problem> {
    let broken = |what: String| Problem::Broken {
        host: client.endpoint.host(),
        what,
    };
    let mut url = client.endpoint.tree(id, commit);
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for _ in 0..PAGES_MAX {
        if !seen.insert(url.to_string()) {
            return Err(broken("its pages of files lead in a circle".into()));
        }
        let (head, answer) = client.get(&url, ANSWER_BYTES_MAX).await?;
        files.extend(page(&answer).map_err(|what| head.broken(what))?);
        if files.len() > FILES_MAX {
            break;
        }
        match next_page(head.url(), &head.all("link")).map_err(|what| head.broken(what))? {
            None => return Ok(sorted(files)),
            Some(next) => url = client.endpoint.same_path(&next),
        }
    }
    Err(broken(format!("there are more than {FILES_MAX} files")))
}

fn page(answer: &Bytes) -> Result<impl Iterator<Item = ListedFile>, String> {
    let entries: Vec<Entry> =
        serde_json::from_slice(answer).map_err(|_| "its answer is not a list of files")?;
    let files = entries.into_iter().filter(|entry| entry.kind == "file");
    Ok(files.map(|file| listed(file.path, file.size, file.lfs)))
}

/// The address of `rel="next"` in the values of `Link` headers; the error says that one cannot be read:
/// a page that is missed would make its files look absent.
/// Source: <https://www.rfc-editor.org/rfc/rfc8288#section-3>
fn next_page(here: &Url, values: &[&str]) -> Result<Option<Url>, String> {
    const UNREADABLE: &str = "its link to the next page cannot be read";
    for value in values {
        let mut rest = value.trim();
        while !rest.is_empty() {
            // A target may hold commas, so it is cut at its brackets.
            let (target, after) = rest
                .strip_prefix('<')
                .and_then(|rest| rest.split_once('>'))
                .ok_or(UNREADABLE)?;
            let (parameters, others) = after.split_once(',').unwrap_or((after, ""));
            if parameters.split(';').any(is_next) {
                return Ok(Some(here.join(target.trim()).map_err(|_| UNREADABLE)?));
            }
            rest = others.trim();
        }
    }
    Ok(None)
}

/// Whether a parameter of a link is a relation of which one is `next`.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let relations = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel")
        && relations
            .split_whitespace()
            .any(|one| one.eq_ignore_ascii_case("next"))
}

fn listed(path: String, size: Option<u64>, lfs: Option<Lfs>) -> ListedFile {
    let kind = if paths::is_inside(&path) {
        FileKind::Regular
    } else {
        FileKind::Other("a path that leads outside the repository".into())
    };
    let (lfs_size, sha256) = lfs.map_or((None, None), |lfs| (lfs.size, lfs.sha256));
    ListedFile {
        path,
        size: lfs_size.or(size),
        // Of a gated repository it is hidden behind 64 asterisks.
        sha256: sha256
            .filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())),
        kind,
    }
}

fn sorted(mut files: Vec<ListedFile>) -> Vec<ListedFile> {
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

pub(super) fn is_commit(text: &str) -> bool {
    text.len() == COMMIT_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn info_of(siblings: &str) -> Info {
        Info::parse(
            format!(r#"{{"id":"o/n","sha":"{SHA}","gated":"auto","siblings":{siblings}}}"#)
                .as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn one_answer_has_all() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let info = info_of(&format!(
            r#"[{{"rfilename":"w.safetensors","size":9,"lfs":{{"sha256":"{oid}","size":9,"pointerSize":130}}}},
                {{"rfilename":"config.json","size":3,"blobId":"x"}},
                {{"rfilename":"../x","size":1}},
                {{"rfilename":"hidden","size":1,"lfs":{{"sha256":"{}","size":1}}}}]"#,
            "*".repeat(64)
        ));
        assert_eq!(
            (info.id.as_deref(), info.commit.as_str()),
            (Some("o/n"), SHA)
        );
        assert!(info.is_gated && !info.is_disabled);
        let files = info.files.unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["../x", "config.json", "hidden", "w.safetensors"]);
        assert!(matches!(files[0].kind, FileKind::Other(_)));
        assert_eq!((files[1].size, files[1].sha256.as_deref()), (Some(3), None));
        assert_eq!(files[2].sha256, None);
        assert_eq!(
            (files[3].size, files[3].sha256.as_deref()),
            (Some(9), Some(oid))
        );
    }

    #[test]
    fn a_list_without_sizes_or_as_long_as_pages_is_not_enough() {
        assert!(info_of(r#"[{"rfilename":"config.json"}]"#).files.is_none());
        let many = |count| {
            let files: Vec<String> = (0..count)
                .map(|number| format!(r#"{{"rfilename":"{number}","size":1}}"#))
                .collect();
            info_of(&format!("[{}]", files.join(",")))
                .files
                .map(|files| files.len())
        };
        assert_eq!(many(999), Some(999));
        assert_eq!(many(1000), None);
        assert_eq!(many(1001), Some(1001));
        assert_eq!(many(3000), None);
        assert_eq!(info_of("[]").files, Some(vec![]));
        assert!(info_of("null").files.is_none());
    }

    #[test]
    fn what_is_no_answer_of_a_hub() {
        let why = |text: &str| Info::parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            why("<html>"),
            "its answer is not the description of a repository"
        );
        assert_eq!(why("{}"), "its answer does not name the commit");
        assert_eq!(
            why(r#"{"sha":"../../x"}"#),
            "its answer does not name the commit"
        );
        assert!(page(&Bytes::from_static(b"{}")).is_err());
    }

    #[test]
    fn pages_are_linked() {
        let here = Url::parse("https://hub/api/models/o/n/tree/c").unwrap();
        let next = |values: &[&str]| {
            let found = next_page(&here, values).map_err(|_| ());
            found.map(|url| url.map(Into::<String>::into).unwrap_or_default())
        };
        let cursor = Ok("https://hub/x?cursor=1,000".to_owned());
        assert_eq!(
            next(&["<https://hub/x?cursor=1,000>; rel=\"next\""]),
            cursor
        );
        assert_eq!(
            next(&["</first>; rel=first, </x?cursor=1,000>; REL=next"]),
            cursor
        );
        assert_eq!(
            next(&[
                "</first>; rel=\"first\"",
                "</x?cursor=1,000>; rel=\"next last\""
            ]),
            cursor
        );
        assert_eq!(next(&[]), Ok(String::new()));
        assert_eq!(next(&["</x>; rel=\"prev\""]), Ok(String::new()));
        assert_eq!(next(&["/x; rel=next"]), Err(()));
        assert_eq!(next(&["<https://>; rel=next"]), Err(()));
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_one_or_an_error(value in "[\\[\\]{},:\"a-z0-9]{0,40}") {
            let gated = format!(r#"{{"sha": "{SHA}", "siblings": [{{"rfilename": "a", "size": 1}}], "gated": {value}}}"#);
            for text in [&value, &gated] {
                let _ = Info::parse(text.as_bytes());
                if let Ok(files) = page(&Bytes::copy_from_slice(text.as_bytes())) {
                    files.for_each(drop);
                }
            }
        }

        #[test]
        fn a_listing_is_read_as_it_was_written(sizes in proptest::collection::btree_map("[a-z]{1,8}", 0_u64..1 << 60, 1..5)) {
            let files: Vec<_> = sizes.iter().map(|(path, size)| serde_json::json!({"rfilename": path, "size": size})).collect();
            let answer = serde_json::json!({"sha": SHA, "siblings": files}).to_string();
            let read = Info::parse(answer.as_bytes()).unwrap().files.unwrap();
            let read: std::collections::BTreeMap<_, _> = read.into_iter().map(|file| (file.path, file.size.unwrap())).collect();
            proptest::prop_assert_eq!(read, sizes);
        }

        #[test]
        fn any_link_is_followed_or_refused(text in "[ -~]{0,40}", link in "(<[a-z:/?=&,;]{0,12}>[;,= \"a-z]{0,16}){0,3}", cursor in "[A-Za-z0-9]{1,20}") {
            let here = Url::parse("https://huggingface.co/api/models/a/b/tree/c").unwrap();
            let _ = next_page(&here, &[&text, &link]);
            let written = format!("<https://huggingface.co/x?cursor={cursor}>; rel=\"next\"");
            let next = next_page(&here, &[&written]).unwrap().unwrap();
            let expected = format!("cursor={cursor}");
            proptest::prop_assert_eq!(next.query(), Some(expected.as_str()));
        }
    }
}
