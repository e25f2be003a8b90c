//! From a source to a snapshot: the small files whole and of every weight file exactly the header,
//! in as few round trips as can be.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use preflight_model::fact::Fact;
use preflight_model::header::{LENGTH_PREFIX_BYTES, header_end};
use preflight_model::snapshot::{Content, File, Snapshot};
use preflight_model::wanted;

use crate::Error;
use crate::source::{Cost, FileKind, ListedFile, Source};

/// First range of a remote weight file without an index: the header of a model of 300 tensors has
/// about 40 kB, and a single file seldom has more.
pub(crate) const FIRST_BYTES: u64 = 64 << 10;
/// Least and most of a first range that is computed from the index.
const FIRST_BYTES_RANGE: (u64, u64) = (512, 2 << 20);
/// Tenths of a header byte per byte of index. An entry of the index is the tensor's name and about 45
/// bytes, one of the header the name and about 85: of the recordings in `fixtures/` the headers have 1.3 to
/// 1.5 times the bytes of the index, and the longest of a model's shards seldom more than 2.1 times the
/// index divided by shards.
const HEADER_TENTHS_PER_INDEX: u64 = 21;

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

async fn collect_one(
    source: &dyn Source,
    limits: &Limits,
) -> Result<(Snapshot, Fact<Box<dyn Source>>), Error> {
    let listing = source.list().await?;
    let files = match listing.files {
        Fact::Known(mut files) => {
            files.sort_by(|one, other| one.path.cmp(&other.path));
            files.dedup_by(|one, other| one.path == other.path);
            Fact::Known(read_files(source, limits, files).await)
        }
        unknown => unknown.map(|_| Vec::new()),
    };
    let snapshot = Snapshot {
        origin: listing.origin,
        access: listing.access,
        observed_at: listing.observed_at,
        files,
        base: Fact::Absent,
    };
    Ok((snapshot, listing.base))
}

async fn read_files(source: &dyn Source, limits: &Limits, files: Vec<ListedFile>) -> Vec<File> {
    let reader = Reader {
        source,
        first_bytes: first_bytes(source, limits, &files),
    };
    let reader = &reader;
    let mut headers_left = limits.header_files_max;
    let firsts = files.iter().map(|file| {
        let is_over = wanted::has_wanted_header(&file.path) && {
            let is_over = headers_left == 0;
            headers_left = headers_left.saturating_sub(1);
            is_over
        };
        async move {
            if is_over {
                let most = limits.header_files_max;
                return Step::unavailable(format!(
                    "there are more than the {most} weight files whose headers are read"
                ));
            }
            reader.first(file).await
        }
    });
    let mut steps = concurrently(limits.in_flight, firsts).await;
    keep_to_budget(&mut steps, limits.headers_bytes_max);
    let rests = files.iter().zip(steps).map(|(file, step)| async move {
        match step {
            Step::Done(content) => content,
            Step::Partial { start, end } => reader.rest(&file.path, &start, end).await,
        }
    });
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

struct Reader<'a> {
    source: &'a dyn Source,
    /// Bytes of a weight file that are asked for first.
    first_bytes: u64,
}

impl Reader<'_> {
    /// The first round: small files whole, of weight files the likely header.
    async fn first(&self, file: &ListedFile) -> Step {
        match &file.kind {
            FileKind::Other(what) => Step::Done(Content::NotRegular(what.clone())),
            FileKind::Pointer => Step::Done(Content::Pointer),
            FileKind::Unavailable(reason) => Step::unavailable(reason.clone()),
            FileKind::Regular if wanted::WHOLE.contains(&file.path.as_str()) => {
                self.whole(file).await
            }
            FileKind::Regular if wanted::has_wanted_header(&file.path) => self.header(file).await,
            FileKind::Regular => Step::Done(Content::Listed),
        }
    }

    async fn whole(&self, file: &ListedFile) -> Step {
        let Some(size) = file.size else {
            return Step::unavailable("its size is not known".into());
        };
        let most = wanted::bytes_max(&file.path);
        if size > most {
            return Step::unavailable(format!(
                "it has {size} bytes, more than the {most} that are read"
            ));
        }
        match self.source.read(&file.path, 0..size).await {
            Ok(bytes) => Step::Done(Content::Whole(bytes.into())),
            Err(error) => Step::unavailable(error.reason()),
        }
    }

    async fn header(&self, file: &ListedFile) -> Step {
        // Of a file of unknown size, more than the prefix could be more than there is.
        let first = file
            .size
            .map_or(LENGTH_PREFIX_BYTES, |size| size.min(self.first_bytes));
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

/// How many bytes of each weight file to ask for first.
fn first_bytes(source: &dyn Source, limits: &Limits, files: &[ListedFile]) -> u64 {
    if !source.is_remote() {
        return LENGTH_PREFIX_BYTES;
    }
    let shards = files
        .iter()
        .filter(|file| wanted::has_wanted_header(&file.path))
        .count() as u64;
    let index = files
        .iter()
        .find(|file| file.path == wanted::INDEX)
        .and_then(|file| file.size);
    let likely = match index.and_then(|bytes| bytes.checked_div(shards)) {
        Some(share) => {
            let (least, most) = FIRST_BYTES_RANGE;
            let likely = share.saturating_mul(HEADER_TENTHS_PER_INDEX) / 10;
            likely.clamp(least, most)
        }
        None => FIRST_BYTES,
    };
    // All first ranges together stay within the budget for headers.
    let most = limits
        .headers_bytes_max
        .checked_div(shards)
        .unwrap_or(likely);
    likely.min(most).max(LENGTH_PREFIX_BYTES)
}

/// Runs all futures, `in_flight` at a time, and gives their results in their order. A slow one does
/// not keep later ones from starting.
async fn concurrently<T>(
    in_flight: usize,
    futures: impl Iterator<Item = impl Future<Output = T>>,
) -> Vec<T> {
    let numbered = futures
        .enumerate()
        .map(|(number, future)| async move { (number, future.await) });
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
    use crate::memory::Memory;

    fn first_bytes_of(source: &Memory) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let files = runtime.block_on(source.list()).unwrap().files;
        first_bytes(source, &Limits::default(), files.known().unwrap())
    }

    /// A repository of `shards` with an index of `index_bytes`.
    fn sharded(shards: usize, index_bytes: usize) -> Memory {
        let memory = Memory::new().file(wanted::INDEX, vec![b' '; index_bytes]);
        (0..shards).fold(memory, |memory, number| {
            memory.file(&format!("model-{number}.safetensors"), "")
        })
    }

    #[test]
    fn the_first_range_follows_the_index() {
        assert_eq!(
            first_bytes_of(&Memory::new().file(wanted::SINGLE, "")),
            FIRST_BYTES
        );
        assert_eq!(first_bytes_of(&sharded(30, 60_000)), 4200);
        assert_eq!(first_bytes_of(&sharded(300, 60_000)), 512, "at least");
        assert_eq!(first_bytes_of(&sharded(10, 100_000)), 21_000);
        assert_eq!(first_bytes_of(&sharded(1, 8 << 20)), 2 << 20, "at most");
        assert_eq!(first_bytes_of(&sharded(20_000, 0)), 512);
        assert_eq!(first_bytes_of(&sharded(10, 100_000).local()), 8);
    }

    #[test]
    fn first_ranges_keep_to_the_budget() {
        let limits = Limits {
            headers_bytes_max: 1000,
            ..Limits::default()
        };
        let files: Vec<ListedFile> = (0..10)
            .map(|number| ListedFile {
                path: format!("model-{number}.safetensors"),
                size: None,
                sha256: None,
                kind: FileKind::Regular,
            })
            .collect();
        assert_eq!(first_bytes(&Memory::new(), &limits, &files), 100);
    }

    #[test]
    fn results_keep_their_order() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let futures = (0..20_u32).map(|number| async move {
            // Later ones end earlier.
            for _ in number..20 {
                tokio::task::yield_now().await;
            }
            number
        });
        let results = runtime.block_on(concurrently(7, futures));
        assert_eq!(results, (0..20).collect::<Vec<_>>());
    }
}
