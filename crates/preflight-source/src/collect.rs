//! From a source to a snapshot: the small files whole and of every weight file exactly the header,
//! in as few round trips as can be.

use bytes::Bytes;
use futures_util::future::{join, ready};
use futures_util::stream::{self, StreamExt as _};
use preflight_model::fact::Fact;
use preflight_model::header::{LENGTH_PREFIX_BYTES, header_end};
use preflight_model::snapshot::{Content, File, Snapshot, SourceKind};
use preflight_model::wanted;
use tokio::sync::OnceCell;

use crate::Error;
use crate::blocking::blocking;
use crate::first_range::FirstRange;
use crate::source::{BoxFuture, Cost, FileKind, ListedFile, Source};

/// Largest index that the shards wait for: what it says of each shard saves bytes, and the transfer of a
/// longer one would cost more time than that is worth.
const INDEX_AWAITED_BYTES_MAX: u64 = 1 << 20;

/// How much a collection may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Reads under way at once.
    pub in_flight: usize,
    /// Bytes of all headers of one repository together.
    pub headers_bytes_max: u64,
    /// Weight files whose header is read; the largest checkpoints have some hundred.
    pub header_files_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // One wave for the largest checkpoints in circulation, of some 250 shards: each further wave
            // is two more round trips.
            in_flight: 256,
            headers_bytes_max: wanted::HEADERS_BYTES_MAX,
            header_files_max: 10_000,
        }
    }
}

/// A snapshot and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// What was found. `observed_at` is set only where the source kept it: the clock is the caller's.
    pub snapshot: Snapshot,
    /// What looking cost, the base included.
    pub cost: Cost,
}

/// Reads what a check needs, and of an adapter's base too, where the source has it.
///
/// A file that cannot be read is [`Content::Unavailable`] with the reason; `Err` only where
/// [`Source::list`] fails. Needs a tokio runtime around it. The result does not depend on the order
/// in which answers arrive.
pub async fn collect(source: &dyn Source, limits: &Limits) -> Result<Collected, Error> {
    let before = source.cost();
    let (mut snapshot, base) = collect_one(source, limits).await?;
    let after = source.cost();
    let mut cost = Cost {
        requests: after.requests - before.requests,
        bytes: after.bytes - before.bytes,
    };
    snapshot.base = match base {
        Fact::Known(base) => {
            // One level: what a base says of its own base is not followed.
            let collected = collect_one(&*base, limits).await;
            cost += base.cost();
            match collected {
                Ok((snapshot, _)) => Fact::Known(Box::new(snapshot)),
                Err(error) => Fact::Unavailable(error.to_string()),
            }
        }
        Fact::Absent => Fact::Absent,
        Fact::Malformed(defect) => Fact::Malformed(defect),
        Fact::Unavailable(reason) => Fact::Unavailable(reason),
    };
    Ok(Collected { snapshot, cost })
}

pub(crate) async fn collect_one(
    source: &dyn Source,
    limits: &Limits,
) -> Result<(Snapshot, Fact<Box<dyn Source>>), Error> {
    let listing = source.list().await?;
    let mut is_new = true;
    let files = match listing.files {
        Fact::Known(mut files) => {
            files.sort_by(|one, other| one.path.cmp(&other.path));
            files.dedup_by(|one, other| one.path == other.path);
            let is_recording = listing.origin.source == SourceKind::Recording;
            if let Some(kept) = read_kept(source, limits, &files).await {
                is_new = false;
                Fact::Known(kept)
            } else {
                Fact::Known(read_files(source, limits, files, is_recording).await)
            }
        }
        unknown => unknown.map(|_| Vec::new()),
    };
    let snapshot = Snapshot {
        origin: listing.origin,
        access: listing.access,
        observed_at: listing.observed_at,
        files,
        container: listing.container,
        base: Fact::Absent,
    };
    if let Some(entry) = source.kept().filter(|_| is_new) {
        let (entry, copy) = (entry.clone(), snapshot.clone());
        // A cache that cannot be written changes nothing.
        let _ = blocking("cache", move || {
            entry.keep(&copy);
            Ok(())
        })
        .await;
    }
    Ok((snapshot, listing.base))
}

/// The listed files as they were kept at an earlier time; none where that is not all that would be read now.
async fn read_kept(
    source: &dyn Source,
    limits: &Limits,
    listed: &[ListedFile],
) -> Option<Vec<File>> {
    let entry = source.kept()?.clone();
    let recording = blocking("cache", move || Ok(entry.open())).await.ok()??;
    let Fact::Known(kept) = recording.list().await.ok()?.files else {
        return None;
    };
    let kept = read_files(&recording, limits, kept, true).await;
    let is_same = |(kept, listed): (&File, &ListedFile)| {
        kept.path == listed.path
            && kept.size == listed.size
            && !matches!(kept.content, Content::Unavailable(_))
    };
    let is_all = kept.len() == listed.len() && kept.iter().zip(listed).all(is_same);
    // The checksums are those of today: a gate hides them from some.
    let files = kept.into_iter().zip(listed).map(|(kept, listed)| File {
        sha256: listed.sha256.clone(),
        ..kept
    });
    is_all.then(|| files.collect())
}

async fn read_files(
    source: &dyn Source,
    limits: &Limits,
    files: Vec<ListedFile>,
    is_recording: bool,
) -> Vec<File> {
    let reader = &Reader {
        source,
        files: &files,
        headers_bytes_max: limits.headers_bytes_max,
        ahead: ahead(source, &files),
        index: OnceCell::new(),
        first_range: OnceCell::new(),
        is_recording,
    };
    let mut headers_left = limits.header_files_max;
    let mut firsts: Vec<BoxFuture<'_, Step>> = Vec::new();
    for file in &files {
        let is_header = wanted::has_wanted_header(&file.path);
        if is_header && headers_left == 0 {
            let most = limits.header_files_max;
            firsts.push(Box::pin(ready(Step::unavailable(format!(
                "there are more than the {most} weight files whose headers are read"
            )))));
            continue;
        }
        headers_left -= usize::from(is_header);
        firsts.push(Box::pin(reader.first(file)));
    }
    let mut steps = concurrently(limits.in_flight, firsts).await;
    keep_to_budget(&mut steps, limits.headers_bytes_max);
    let mut rests: Vec<BoxFuture<'_, Content>> = Vec::new();
    for (file, step) in files.iter().zip(steps) {
        rests.push(match step {
            Step::Done(content) => Box::pin(ready(content)),
            Step::Partial { start, end } => {
                Box::pin(async move { reader.rest(&file.path, &start, end).await })
            }
        });
    }
    let contents = concurrently(limits.in_flight, rests).await;
    let files = files.into_iter().zip(contents).map(|(file, content)| File {
        path: file.path,
        size: file.size,
        sha256: file.sha256,
        content,
    });
    files.collect()
}

/// A file between the two rounds of reads.
enum Step {
    Done(Content),
    /// The first bytes of a weight file, and where its header ends beyond them.
    Partial {
        start: Bytes,
        end: u64,
    },
}

impl Step {
    fn unavailable(reason: String) -> Self {
        Self::Done(Content::Unavailable(reason))
    }

    fn prefix(bytes: &[u8]) -> Self {
        Self::Done(Content::Prefix(bytes.to_vec()))
    }
}

/// What is done while the index, which tells how much of each shard to ask for, is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// It is here: it came with the listing.
    AtHand,
    /// The shards are located, which takes them as long as the index takes.
    Locate,
    /// Nothing waits for it: its size, or the lack of one, has to do.
    Nothing,
}

struct Reader<'a> {
    source: &'a dyn Source,
    files: &'a [ListedFile],
    headers_bytes_max: u64,
    ahead: Ahead,
    /// The index, where something waits for it.
    index: OnceCell<Content>,
    first_range: OnceCell<FirstRange>,
    /// Whether this is a recording, which holds what was kept of a repository.
    is_recording: bool,
}

impl Reader<'_> {
    /// The first round: small files whole, of weight files the likely header.
    async fn first(&self, file: &ListedFile) -> Step {
        match &file.kind {
            FileKind::Other(what) => Step::Done(Content::NotRegular(what.clone())),
            FileKind::Pointer => Step::Done(Content::Pointer),
            FileKind::Unavailable(reason) => Step::unavailable(reason.clone()),
            FileKind::Regular if file.path == wanted::INDEX && self.ahead != Ahead::Nothing => {
                Step::Done(self.index(file).await.clone())
            }
            FileKind::Regular if wanted::WHOLE.contains(&file.path.as_str()) => {
                Step::Done(self.whole(file).await)
            }
            FileKind::Regular if wanted::has_wanted_header(&file.path) => self.header(file).await,
            FileKind::Regular if file.path == wanted::TOKENIZER => self.tokenizer(file).await,
            FileKind::Regular if self.is_vocabulary(file) => self.vocabulary(file).await,
            FileKind::Regular => Step::Done(Content::Listed),
        }
    }

    /// The tokenizer's file: whole where bytes cost nothing, else its start, which a small one fits into.
    async fn tokenizer(&self, file: &ListedFile) -> Step {
        let Some(size) = file.size else {
            return Step::Done(Content::Listed);
        };
        let start = size.min(wanted::TOKENIZER_START_BYTES);
        let most = if self.source.is_remote() {
            wanted::TOKENIZER_REMOTE_BYTES_MAX
        } else {
            wanted::TOKENIZER_BYTES_MAX
        };
        let first = if size <= most { size } else { start };
        let read = match self.source.read(&file.path, 0..first).await {
            Err(_) if first > start => self.source.read(&file.path, 0..start).await,
            read => read,
        };
        self.start(read, size)
    }

    /// Whether a vocabulary is worth a look: where there is no `tokenizer.json`, which goes before, and from a
    /// remote place only where it is too small to be one.
    fn is_vocabulary(&self, file: &ListedFile) -> bool {
        let most = if self.source.is_remote() {
            wanted::VOCABULARY_REMOTE_BYTES_MAX
        } else {
            u64::MAX
        };
        let is_tokenizer = |file: &ListedFile| file.path == wanted::TOKENIZER;
        wanted::VOCABULARIES.contains(&file.path.as_str())
            && file.size.is_some_and(|size| size <= most)
            && !self.files.iter().any(is_tokenizer)
    }

    /// The first bytes of a vocabulary.
    async fn vocabulary(&self, file: &ListedFile) -> Step {
        let size = file.size.unwrap_or_default();
        let length = size.min(wanted::VOCABULARY_START_BYTES);
        self.start(self.source.read(&file.path, 0..length).await, size)
    }

    /// What was read of a file of which the start is enough.
    fn start(&self, read: Result<Bytes, Error>, size: u64) -> Step {
        Step::Done(match read {
            Ok(bytes) if bytes.len() as u64 == size => Content::Whole(bytes.into()),
            Ok(bytes) => Content::Prefix(bytes.to_vec()),
            // Recordings may hold its start, or nothing of it.
            Err(_) if self.is_recording => Content::Listed,
            Err(error) => Content::Unavailable(error.reason()),
        })
    }

    /// A small file.
    async fn whole(&self, file: &ListedFile) -> Content {
        let Some(size) = file.size else {
            return Content::Unavailable("its size is not known".into());
        };
        let most = wanted::bytes_max(&file.path);
        if size > most {
            return Content::Unavailable(format!(
                "it has {size} bytes, more than the {most} that are read"
            ));
        }
        match self.source.read(&file.path, 0..size).await {
            Ok(bytes) => Content::Whole(bytes.into()),
            Err(error) => Content::Unavailable(error.reason()),
        }
    }

    /// The index, read by whoever needs it first.
    async fn index(&self, file: &ListedFile) -> &Content {
        self.index.get_or_init(|| self.whole(file)).await
    }

    /// How many bytes of each shard to ask for first.
    async fn first_range(&self) -> &FirstRange {
        let choose = || async {
            if !self.source.is_remote() {
                return FirstRange::prefix();
            }
            let index = listed_index(self.files).filter(|_| self.ahead != Ahead::Nothing);
            let text = match index {
                Some(index) => match self.index(index).await {
                    Content::Whole(text) => Some(text.as_slice()),
                    _ => None,
                },
                None => None,
            };
            FirstRange::of(self.files, text, self.headers_bytes_max)
        };
        self.first_range.get_or_init(choose).await
    }

    async fn header(&self, file: &ListedFile) -> Step {
        let first_range = match self.source.locate(&file.path) {
            Some(locate) if self.ahead == Ahead::Locate => join(self.first_range(), locate).await.0,
            _ => self.first_range().await,
        };
        // Of a file of unknown size, more than the prefix could be more than there is.
        let first = file.size.map_or(LENGTH_PREFIX_BYTES, |size| {
            size.min(first_range.bytes(&file.path))
        });
        let start = match self.source.read(&file.path, 0..first).await {
            Ok(start) => start,
            Err(error) => return Step::unavailable(error.reason()),
        };
        let Some(prefix) = start.first_chunk::<8>() else {
            return Step::prefix(&start);
        };
        // A header that is too long or cut short is not read; its length alone says what is wrong.
        let Ok(end) = header_end(*prefix, file.size) else {
            return Step::prefix(prefix);
        };
        match usize::try_from(end).ok().and_then(|end| start.get(..end)) {
            Some(header) => Step::prefix(header),
            None => Step::Partial { start, end },
        }
    }

    /// The second round: the rest of a header.
    async fn rest(&self, path: &str, start: &Bytes, end: u64) -> Content {
        match self.source.read(path, start.len() as u64..end).await {
            Ok(rest) => Content::Prefix([&start[..], &rest[..]].concat()),
            Err(error) => Content::Unavailable(error.reason()),
        }
    }
}

/// What to do while a short index is on its way.
fn ahead(source: &dyn Source, files: &[ListedFile]) -> Ahead {
    let is_short = |file: &&ListedFile| {
        file.size
            .is_some_and(|size| size <= INDEX_AWAITED_BYTES_MAX)
    };
    match listed_index(files).filter(is_short) {
        Some(index) if source.is_at_hand(&index.path) => Ahead::AtHand,
        Some(index) if source.locate(&index.path).is_some() => Ahead::Locate,
        _ => Ahead::Nothing,
    }
}

fn listed_index(files: &[ListedFile]) -> Option<&ListedFile> {
    let is_index =
        |file: &&ListedFile| file.path == wanted::INDEX && file.kind == FileKind::Regular;
    files.iter().find(is_index)
}

/// Gives up headers, in the order of paths, that no longer fit into the budget of all.
fn keep_to_budget(steps: &mut [Step], headers_bytes_max: u64) {
    let mut left = headers_bytes_max;
    for step in steps {
        let needed = match step {
            Step::Done(Content::Prefix(header)) => header.len() as u64,
            Step::Partial { end, .. } => *end,
            Step::Done(_) => continue,
        };
        match left.checked_sub(needed) {
            Some(rest) => left = rest,
            None => {
                *step = Step::unavailable(format!(
                    "the headers of all files together have more than the {headers_bytes_max} bytes that are read"
                ));
            }
        }
    }
}

/// Runs all futures, `in_flight` at a time, and gives their results in their order. A slow one does
/// not keep later ones from starting.
async fn concurrently<T: Send>(in_flight: usize, futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut numbered: Vec<BoxFuture<'_, (usize, T)>> = Vec::with_capacity(futures.len());
    for (number, future) in futures.into_iter().enumerate() {
        numbered.push(Box::pin(async move { (number, future.await) }));
    }
    let mut results: Vec<(usize, T)> = stream::iter(numbered)
        .buffer_unordered(in_flight.max(1))
        .collect()
        .await;
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_models_can_be_collected_on_several_threads() {
        fn is_send(_: impl Send) {}
        let memory = crate::memory::Memory::new();
        is_send(collect(&memory, &Limits::default()));
    }

    #[test]
    fn results_keep_their_order() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let futures = (0..20_u32).map(|number| -> BoxFuture<'_, u32> {
            Box::pin(async move {
                // Later ones end earlier.
                for _ in number..20 {
                    tokio::task::yield_now().await;
                }
                number
            })
        });
        let results = runtime.block_on(concurrently(7, futures.collect()));
        assert_eq!(results, (0..20).collect::<Vec<_>>());
    }
}
