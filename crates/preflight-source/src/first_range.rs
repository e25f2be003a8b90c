//! How many bytes of a weight file are asked for before its header's length is known: too few cost
//! a round trip, too many a download that nobody needs.

use std::collections::BTreeMap;

use preflight_model::header::LENGTH_PREFIX_BYTES;
use preflight_model::index::Index;
use preflight_model::wanted;

use crate::source::ListedFile;

/// First range of a remote weight file without an index: the header of a model of 300 tensors has
/// 34 to 40 kB, and a single file seldom has more.
pub(crate) const FIRST_BYTES: u64 = 48 << 10;
/// First range of an adapter's weights: LoRA on seven modules of each of 80 layers has a header of about 170 kB.
const ADAPTER_BYTES: u64 = 192 << 10;
/// Most bytes of a first range that follows from an index.
const MOST: u64 = 2 << 20;
/// Least bytes of one that follows from the size of the index alone.
const LEAST: u64 = 512;
/// Tenths of a header byte per byte of index, where only its size is known. An entry of the index is the
/// tensor's name and about 45 bytes, one of the header the name and about 85: of the recordings in `fixtures/`
/// the headers have 1.3 to 1.5 times the bytes of the index, and the longest of a model's shards seldom more
/// than 2.1 times the index divided by shards.
const HEADER_TENTHS_PER_INDEX: u64 = 21;
/// Bytes of a tensor's entry in a header beside its name and the digits of its two offsets:
/// `"":{"dtype":"BF16","shape":[8192,28672],"data_offsets":[,]},` and some more digits.
const ENTRY_BYTES: u64 = 64;
/// Bytes of a header beside its tensors: the length, `{"__metadata__":{"format":"pt"},`, and spaces up
/// to the next multiple of eight.
const HEADER_BYTES: u64 = 64;

/// The first range of every weight file of a repository.
#[derive(Debug)]
pub(crate) struct FirstRange {
    likely: u64,
    /// By path, for what the index says more of than its size.
    by_file: BTreeMap<String, u64>,
    most: u64,
}

impl FirstRange {
    /// The length prefix alone: what follows it is read when its length is known.
    pub(crate) fn prefix() -> Self {
        Self {
            likely: LENGTH_PREFIX_BYTES,
            by_file: BTreeMap::new(),
            most: LENGTH_PREFIX_BYTES,
        }
    }

    /// From the listing, and from the text of the index where it is at hand; all together at most
    /// `headers_bytes_max`.
    pub(crate) fn of(files: &[ListedFile], index: Option<&[u8]>, headers_bytes_max: u64) -> Self {
        let weights = || {
            files
                .iter()
                .filter(|file| wanted::has_wanted_header(&file.path))
        };
        let count = weights().count() as u64;
        let index_size = files
            .iter()
            .find(|file| file.path == wanted::INDEX)
            .and_then(|file| file.size);
        let likely = match index_size.and_then(|bytes| bytes.checked_div(count)) {
            Some(share) => (share.saturating_mul(HEADER_TENTHS_PER_INDEX) / 10).clamp(LEAST, MOST),
            None => FIRST_BYTES,
        };
        // What is wrong with an index is for the rules to say.
        let index = index.and_then(|text| Index::parse(text).ok());
        let mut by_file = BTreeMap::new();
        for (tensor, shard) in index.iter().flat_map(Index::tensors) {
            let (tensors, names) = by_file.entry(shard).or_insert((0, 0));
            *tensors += 1;
            *names += tensor.len() as u64;
        }
        let by_file = weights()
            .filter_map(|file| {
                let (tensors, names): &(u64, u64) = by_file.get(file.path.as_str())?;
                let digits = file.size?.checked_ilog10().unwrap_or(0) + 1;
                let entry = ENTRY_BYTES + 2 * u64::from(digits);
                let header = HEADER_BYTES + names + tensors * entry;
                Some((file.path.clone(), header.min(MOST)))
            })
            .collect();
        Self {
            likely,
            by_file,
            most: headers_bytes_max.checked_div(count).unwrap_or(u64::MAX),
        }
    }

    /// Bytes to ask for of the file at `path`, before what its size allows.
    pub(crate) fn bytes(&self, path: &str) -> u64 {
        let likely = match self.by_file.get(path) {
            Some(likely) => *likely,
            None if path == wanted::ADAPTER_WEIGHTS => ADAPTER_BYTES,
            None => self.likely,
        };
        likely.min(self.most).max(LENGTH_PREFIX_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileKind;

    const BUDGET: u64 = wanted::HEADERS_BYTES_MAX;

    fn file(path: &str, size: u64) -> ListedFile {
        ListedFile {
            path: path.into(),
            size: Some(size),
            sha256: None,
            kind: FileKind::Regular,
        }
    }

    fn shard(number: u64) -> String {
        format!("model-{number}.safetensors")
    }

    /// A repository of `shards` with an index of `index_bytes`.
    fn sharded(shards: u64, index_bytes: u64) -> Vec<ListedFile> {
        let mut files = vec![file(wanted::INDEX, index_bytes)];
        files.extend((0..shards).map(|number| file(&shard(number), 5_000_000_000)));
        files
    }

    #[test]
    fn without_the_index_its_size_decides() {
        let first = |files: &[ListedFile]| FirstRange::of(files, None, BUDGET).bytes(&shard(0));
        assert_eq!(first(&[file(wanted::SINGLE, 9)]), FIRST_BYTES);
        assert_eq!(first(&sharded(30, 60_000)), 4200);
        assert_eq!(first(&sharded(300, 60_000)), 512, "at least");
        assert_eq!(first(&sharded(10, 100_000)), 21_000);
        assert_eq!(first(&sharded(1, 8 << 20)), 2 << 20, "at most");
        assert_eq!(first(&sharded(20_000, 0)), 512);
        assert_eq!(FirstRange::prefix().bytes("x"), 8);
    }

    #[test]
    fn with_it_the_tensors_of_each_shard_decide() {
        let entries: Vec<String> = (0..100)
            .map(|number| {
                let shard = shard(u64::from(number > 90));
                format!(r#""model.layers.{number:02}.mlp.down_proj.weight": "{shard}""#)
            })
            .collect();
        let index = format!(
            r#"{{"metadata": {{}}, "weight_map": {{{}}}}}"#,
            entries.join(",")
        );
        let files = sharded(3, index.len() as u64);
        let first = FirstRange::of(&files, Some(index.as_bytes()), BUDGET);
        assert_eq!(
            first.bytes(&shard(0)),
            64 + 91 * (36 + 64 + 20),
            "91 names of 36 letters"
        );
        assert_eq!(first.bytes(&shard(1)), 64 + 9 * (36 + 64 + 20));
        let unnamed = first.bytes(&shard(2));
        assert_eq!(unnamed, index.len() as u64 / 3 * 21 / 10);
        let broken = FirstRange::of(&files, Some(b"{"), BUDGET);
        assert_eq!(
            broken.bytes(&shard(0)),
            unnamed,
            "a broken index says nothing"
        );
    }

    #[test]
    fn all_together_keep_to_the_budget() {
        let files: Vec<ListedFile> = (0..10).map(|number| file(&shard(number), 9)).collect();
        assert_eq!(FirstRange::of(&files, None, 1000).bytes("x"), 100);
    }
}
