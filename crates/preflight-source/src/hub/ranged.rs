//! Strict ranged reads: exactly the bytes asked for, of exactly the file that was listed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, HeaderMap};
use reqwest::{StatusCode, Url};

use crate::http::{Client, Head, Problem, bare, content_range, first, host, validator};

/// The commit that a file is of.
const COMMIT: &str = "x-repo-commit";

/// A file as it was listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) path: &'a str,
    /// Its address at the commit.
    pub(super) url: &'a Url,
    pub(super) commit: &'a str,
    pub(super) size: u64,
    pub(super) sha256: Option<&'a str>,
}

/// What earlier reads of the files showed, by path.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeMap<String, File>>);

#[derive(Debug, Clone, Default)]
struct File {
    /// Where the file was in the end: used again for its next range, until it expires. Signed, and so
    /// never shown.
    place: Option<SignedUrl>,
    /// Validator at that place.
    etag: Option<String>,
}

impl File {
    /// What an answer shows of the file.
    fn at(client: &Client, head: &Head) -> Self {
        let is_moved = !client.endpoint.is_origin_of(head.url());
        Self {
            place: is_moved.then(|| SignedUrl(head.url().clone())),
            etag: validator(head),
        }
    }
}

#[derive(Clone)]
struct SignedUrl(Url);

impl std::fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedUrl(…)")
    }
}

impl Seen {
    fn get(&self, path: &str) -> File {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(path).cloned().unwrap_or_default()
    }

    fn change(&self, path: &str, change: impl FnOnce(&mut File)) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(files.entry(path.into()).or_default());
    }
}

/// The start of a file that was not listed yet.
#[derive(Debug)]
pub(super) struct Start {
    commit: Option<String>,
    size: u64,
    /// SHA-256 of the whole file, where git-lfs keeps it.
    sha256: Option<String>,
    bytes: Bytes,
    file: File,
}

impl Start {
    /// A file that was read whole, without a range.
    pub(super) fn whole(head: &Head, bytes: Bytes) -> Self {
        Self {
            commit: head.first(COMMIT).map(str::to_owned),
            size: bytes.len() as u64,
            sha256: linked_checksum(head),
            bytes,
            file: File::default(),
        }
    }

    /// The first bytes of a file, at most `length`: one attempt.
    pub(super) async fn read(client: &Client, url: &Url, length: u64) -> Result<Self, Problem> {
        let mut head = client.open(url, Some(&(0..length))).await?;
        let sent = head.last(CONTENT_RANGE.as_str()).and_then(content_range);
        let Some((range, size)) = sent.filter(|_| head.status() == StatusCode::PARTIAL_CONTENT)
        else {
            return Err(head.broken("it ignores ranges"));
        };
        if range != (0..length.min(size)) {
            return Err(head.broken("it sends another range"));
        }
        let bytes = client.body(&mut head, range.end).await?;
        Ok(Self {
            commit: head.first(COMMIT).map(str::to_owned),
            size,
            sha256: linked_checksum(&head),
            file: File::at(client, &head),
            bytes,
        })
    }

    /// The bytes of `range` where this is the start of the file that was listed; the next range of it
    /// is read from where this one came from.
    pub(super) fn take(self, seen: &Seen, target: Target<'_>, range: &Range<u64>) -> Option<Bytes> {
        let is_same_content = match (&self.sha256, target.sha256) {
            (Some(sent), Some(listed)) => sent.eq_ignore_ascii_case(listed),
            _ => true,
        };
        let is_same = self.commit.as_deref() == Some(target.commit)
            && self.size == target.size
            && is_same_content;
        let end = usize::try_from(range.end).ok()?;
        if !is_same || range.start != 0 || end > self.bytes.len() {
            return None;
        }
        seen.change(target.path, |file| *file = self.file);
        Some(self.bytes.slice(..end))
    }
}

/// The bytes of `range`, which is not empty and lies within the file.
pub(super) async fn read(
    client: &Client,
    seen: &Seen,
    target: Target<'_>,
    range: &Range<u64>,
) -> Result<Bytes, Problem> {
    let mut attempts = client.attempts();
    loop {
        let known = seen.get(target.path);
        let place = known.place.as_ref().map_or(target.url, |place| &place.0);
        match attempt(client, target, place, range, known.etag.as_deref()).await {
            Ok((bytes, head)) => {
                let now = File::at(client, &head);
                seen.change(target.path, |file| {
                    file.place = now.place;
                    file.etag = file.etag.take().or(now.etag);
                });
                return Ok(bytes);
            }
            Err(problem) => {
                // The next attempt asks the Hub where the file is now.
                seen.change(target.path, |file| file.place = None);
                attempts.after(problem).await?;
            }
        }
    }
}

/// Finds out where the file is, and only where all that is said of it is what was listed; what goes
/// wrong is left to the read.
pub(super) async fn locate(client: &Client, seen: &Seen, target: Target<'_>) {
    if let Ok(Some((place, hops))) = client.locate(target.url).await
        && first(&hops, COMMIT) == Some(target.commit)
        && is_as_listed(&hops, target).is_ok()
    {
        seen.change(target.path, |file| file.place = Some(SignedUrl(place)));
    }
}

async fn attempt(
    client: &Client,
    target: Target<'_>,
    place: &Url,
    range: &Range<u64>,
    etag: Option<&str>,
) -> Result<(Bytes, Head), Problem> {
    let mut head = match client.open(place, Some(range)).await {
        Ok(head) => head,
        Err(Problem::Status(refusal)) if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE => {
            return Err(Problem::Changed(format!(
                "it ends before byte {}, {} were listed",
                range.end, target.size
            )));
        }
        Err(problem) => return Err(problem),
    };
    is_same_file(&head, target, etag)?;
    is_this_range(&head, target, range)?;
    let length = range.end - range.start;
    let bytes = client.body(&mut head, length).await?;
    if bytes.len() as u64 == length {
        return Ok((bytes, head));
    }
    Err(Problem::Connection {
        host: host(head.url()),
        what: format!("it sent {} of {length} bytes", bytes.len()),
    })
}

/// Whether the answer is about the file that was listed and read before.
fn is_same_file(head: &Head, target: Target<'_>, etag: Option<&str>) -> Result<(), Problem> {
    is_as_listed(head.hops(), target)?;
    let changed = |what: String| Err(Problem::Changed(what));
    if let (Some(before), Some(now)) = (etag, validator(head))
        && before != now
    {
        return changed("it has another validator (`ETag`) than before".into());
    }
    Ok(())
}

/// Whether what the hops say of the file is what was listed.
fn is_as_listed(hops: &[HeaderMap], target: Target<'_>) -> Result<(), Problem> {
    let changed = |what: String| Err(Problem::Changed(what));
    if let Some(commit) = first(hops, COMMIT)
        && commit != target.commit
    {
        return changed(format!(
            "commit {}, now {}",
            short(target.commit),
            short(commit)
        ));
    }
    if let Some(size) = first(hops, "x-linked-size").and_then(|size| size.parse().ok()) {
        same_size(target, size)?;
    }
    let linked = first(hops, "x-linked-etag").map(bare);
    if let (Some(listed), Some(linked)) = (target.sha256, linked)
        && linked.len() == listed.len()
        && !linked.eq_ignore_ascii_case(listed)
    {
        return changed("it has another checksum than listed".into());
    }
    Ok(())
}

/// Whether the answer has the range that was asked for.
fn is_this_range(head: &Head, target: Target<'_>, range: &Range<u64>) -> Result<(), Problem> {
    let is_whole = *range == (0..target.size);
    match head.status() {
        StatusCode::PARTIAL_CONTENT => {}
        // All of a file that was wanted whole is no more than was asked for. It has to name the commit,
        // since a page that wants a login is a 200 too.
        StatusCode::OK if is_whole && head.first(COMMIT).is_some() => {
            let size = head
                .last("content-length")
                .and_then(|length| length.parse().ok());
            return same_size(target, size.unwrap_or(target.size));
        }
        StatusCode::OK => return Err(head.broken("it ignores ranges and sends the whole file")),
        other => {
            return Err(head.broken(format!(
                "it answers a ranged request with {}",
                other.as_u16()
            )));
        }
    }
    let Some((sent, size)) = head.last(CONTENT_RANGE.as_str()).and_then(content_range) else {
        return Err(head.broken("it does not say which range it sends"));
    };
    same_size(target, size)?;
    if sent != *range {
        return Err(head.broken(format!(
            "bytes {}-{} were asked for, it sends {}-{}",
            range.start,
            range.end - 1,
            sent.start,
            sent.end - 1
        )));
    }
    Ok(())
}

fn same_size(target: Target<'_>, now: u64) -> Result<(), Problem> {
    if now == target.size {
        return Ok(());
    }
    Err(Problem::Changed(format!(
        "{} bytes were listed, now it has {now}",
        target.size
    )))
}

/// SHA-256 of a file that git-lfs or Xet keeps, as the Hub names it.
fn linked_checksum(head: &Head) -> Option<String> {
    let etag = head.first("x-linked-etag")?;
    Some(bare(etag).to_owned())
}

/// A commit as people write it; at most so many characters of what a server sends.
fn short(commit: &str) -> String {
    let short: String = commit.chars().take(8).collect();
    format!("`{short}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_shortened() {
        assert_eq!(short("0123456789"), "`01234567`");
    }
}
