//! Which weight files the loader would open, decided once: counting, integrity and format all use
//! [`Weights`].

use rayon::prelude::*;

use crate::config::Config;
use crate::fact::{Defect, Fact};
use crate::header::{Header, HeaderError, Tensor};
use crate::index::Index;
use crate::leftovers::is_leftover;
use crate::placement::Placement;
use crate::snapshot::{Content, File, Snapshot};
use crate::wanted::{ADAPTER_WEIGHTS, INDEX, PYTORCH_INDEX, SINGLE};

/// Shards whose headers are parsed one after another: for fewer, to wake another thread takes longer.
const SHARDS_A_TASK: usize = 8;

/// Kinds of weight files, in the order in which `from_pretrained` looks for them.
/// Source: `_get_resolved_checkpoint_files`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `model.safetensors`, or shards and an index.
    Safetensors,
    /// `pytorch_model.bin`, or shards and an index: pickle.
    Pytorch,
    /// `tf_model.h5`.
    Tensorflow,
    /// `flax_model.msgpack`.
    Flax,
    /// `*.gguf`, which `from_pretrained` opens only when asked by name.
    Gguf,
    /// `consolidated*`, `*.pth`: the publisher's own format.
    Original,
    /// Safetensors under names that the loader does not look for.
    MisnamedSafetensors,
    /// No weights at all.
    None,
}

impl Format {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Pytorch => "pytorch",
            Self::Tensorflow => "tensorflow",
            Self::Flax => "flax",
            Self::Gguf => "gguf",
            Self::Original => "original",
            Self::MisnamedSafetensors => "safetensors-misnamed",
            Self::None => "none",
        }
    }
}

/// The weights as the loader would open them.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<'a> {
    /// What the loader opens first.
    pub format: Format,
    /// Files of that format.
    pub files: Vec<String>,
    /// Those of them that the repository does not have.
    pub missing: Vec<String>,
    /// Sum of their sizes, where all are known.
    pub bytes: Option<u64>,
    /// The index, where the loader uses one.
    pub index: Fact<Index<'a>>,
    /// The shards in order; one for a single file. Empty for other formats.
    pub shards: Vec<Shard<'a>>,
    /// Weight files that the loader leaves alone: other formats, other programs' copies. What a training run
    /// left is told by [`crate::leftovers`].
    pub ignored: Vec<String>,
    /// How the index and the shards fit together; none without an index.
    placement: Option<Placement>,
}

/// One safetensors file that the loader opens.
#[derive(Debug, Clone, PartialEq)]
pub struct Shard<'a> {
    /// Path inside the repository.
    pub path: String,
    /// Size in bytes, where known; of a git-lfs pointer, of what it points to.
    pub size: Option<u64>,
    /// Its header; absent where the repository has no such file.
    pub header: Fact<Header<'a>>,
}

impl Weights<'_> {
    /// Every tensor that the loader takes: with an index, those whose name stands in it, each once.
    ///
    /// The index names shards and tensors; the loader opens the shards in order and takes from each
    /// whatever has a name of the index, wherever that is assigned to. So of a tensor in two shards the
    /// later one counts. (Run with transformers 4.55.4. Release 5 also takes tensors that the
    /// index does not name.)
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        let (placed, others): (_, &[Shard<'_>]) = match &self.placement {
            Some(placement) => (Some(placement.taken(&self.shards)), &[]),
            None => (None, &self.shards),
        };
        let headers = others.iter().filter_map(|shard| shard.header.known());
        placed
            .into_iter()
            .flatten()
            .chain(headers.flat_map(Header::tensors))
    }

    /// Tensors of the opened shards that the index does not name: release 5 loads them all the same, where
    /// the class has them. (Run with transformers 5.23.)
    pub fn unnamed(&self) -> impl Iterator<Item = Tensor<'_>> {
        let placement = self.placement.iter();
        placement.flat_map(|placement| placement.unnamed(&self.shards))
    }

    /// Tensors that lie in another shard than the index says, or in several, with the number of the shard
    /// that the loader takes them from, by name.
    pub fn strays(&self) -> impl Iterator<Item = (&str, usize)> {
        let strays = self.placement.iter().flat_map(|it| &it.strays);
        strays.map(|(name, number)| (name.as_str(), *number))
    }

    /// Tensors that the index assigns to a shard whose header was read and lacks them, and that no other such
    /// shard has, with the path of that shard, by name.
    pub fn unfilled(&self) -> impl Iterator<Item = (&str, &str)> {
        let index = self.index.known();
        let both = self.placement.as_ref().zip(index).into_iter();
        both.flat_map(|(placement, index)| {
            let unfilled = placement.unfilled.iter();
            unfilled.filter_map(|&at| index.assignment(at))
        })
    }

    /// Whether every shard's header was read and is sound enough to count.
    pub fn is_complete(&self) -> bool {
        self.format == Format::Safetensors
            && self.shards.iter().all(|shard| {
                shard
                    .header
                    .known()
                    .is_some_and(|header| header.left_out == 0)
            })
            && !matches!(self.index, Fact::Malformed(_) | Fact::Unavailable(_))
    }
}

/// Decides which files the loader opens, and parses their headers.
pub fn weights<'a>(snapshot: &'a Snapshot, files: &[File], config: Option<&Config>) -> Weights<'a> {
    let has = |path: &str| snapshot.file(path).is_some();
    let explicit = config.and_then(|config| config.root().get("transformers_weights")?.as_str());
    let mut index = Fact::Absent;
    let (format, names) = match explicit {
        Some(name) if name.ends_with(".safetensors") => {
            (Format::Safetensors, vec![name.to_owned()])
        }
        Some(name) if name.ends_with(".safetensors.index.json") => {
            index = read_index(snapshot, name);
            (Format::Safetensors, shard_names(&index))
        }
        _ if has(SINGLE) => (Format::Safetensors, vec![SINGLE.to_owned()]),
        _ if has(INDEX) => {
            index = read_index(snapshot, INDEX);
            (Format::Safetensors, shard_names(&index))
        }
        _ if !has("pytorch_model.bin") && has(PYTORCH_INDEX) => {
            // Without a readable index, what lies there is all that is known.
            let shards = shard_names(&read_index(snapshot, PYTORCH_INDEX));
            if shards.is_empty() {
                other_format(files)
            } else {
                (Format::Pytorch, shards)
            }
        }
        _ => other_format(files),
    };
    let shards = if format == Format::Safetensors {
        let shards = names.par_iter().with_min_len(SHARDS_A_TASK);
        shards.map(|path| shard(snapshot, path)).collect()
    } else {
        Vec::new()
    };
    let ignored = files
        .iter()
        .map(|file| &file.path)
        .filter(|path| is_weight_file(path) && !names.contains(path))
        .cloned()
        .collect();
    let missing = names.iter().filter(|path| !has(path)).cloned().collect();
    let placement = index.known().map(|index| Placement::new(index, &shards));
    Weights {
        placement,
        missing,
        bytes: total_size(snapshot, &names),
        format,
        files: names,
        index,
        shards,
        ignored,
    }
}

/// The single weight file of an adapter.
pub fn adapter_weights(snapshot: &Snapshot) -> Shard<'_> {
    shard(snapshot, ADAPTER_WEIGHTS)
}

fn shard_names(index: &Fact<Index<'_>>) -> Vec<String> {
    index
        .known()
        .map(|index| index.shards().to_vec())
        .unwrap_or_default()
}

fn total_size(snapshot: &Snapshot, names: &[String]) -> Option<u64> {
    names.iter().try_fold(0_u64, |sum, name| {
        sum.checked_add(snapshot.file(name)?.size?)
    })
}

fn other_format(files: &[File]) -> (Format, Vec<String>) {
    let root = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        files
            .iter()
            .map(|file| file.path.as_str())
            .filter(|path| !path.contains('/') && !is_leftover(path) && wanted(path))
            .map(str::to_owned)
            .collect()
    };
    let ends = |path: &str, end: &str| path.ends_with(end);
    for (format, wanted) in [
        (
            Format::Pytorch,
            &(|path: &str| path.starts_with("pytorch_model") && ends(path, ".bin"))
                as &dyn Fn(&str) -> bool,
        ),
        (Format::Tensorflow, &|path| {
            path.starts_with("tf_model") && ends(path, ".h5")
        }),
        (Format::Flax, &|path| {
            path.starts_with("flax_model") && ends(path, ".msgpack")
        }),
        (Format::MisnamedSafetensors, &|path| {
            ends(path, ".safetensors")
                && !path.starts_with("consolidated")
                && path != ADAPTER_WEIGHTS
        }),
        (Format::Gguf, &|path| ends(path, ".gguf")),
        (Format::Original, &|path| {
            path.starts_with("consolidated")
                || ends(path, ".pth")
                || ends(path, ".pt")
                || ends(path, ".bin")
        }),
    ] {
        let found = root(wanted);
        if !found.is_empty() {
            return (format, found);
        }
    }
    (Format::None, Vec::new())
}

fn is_weight_file(path: &str) -> bool {
    const ENDS: [&str; 8] = [
        ".safetensors",
        ".bin",
        ".gguf",
        ".pt",
        ".pth",
        ".h5",
        ".msgpack",
        ".onnx",
    ];
    ENDS.iter().any(|end| path.ends_with(end)) && path != ADAPTER_WEIGHTS && !is_leftover(path)
}

fn read_index<'a>(snapshot: &'a Snapshot, path: &str) -> Fact<Index<'a>> {
    content(snapshot, path).and_then(|text| match Index::parse(text) {
        Ok(index) => Fact::Known(index),
        Err(error) => Fact::unparsed(path, text, "", &error),
    })
}

fn shard<'a>(snapshot: &'a Snapshot, path: &str) -> Shard<'a> {
    let size = snapshot.file(path).and_then(|file| file.size);
    let header = content(snapshot, path).and_then(|bytes| match Header::parse(bytes, size) {
        Ok(header) => Fact::Known(header),
        Err(error @ (HeaderError::NotRead | HeaderError::TooMuch(_))) => {
            Fact::Unavailable(format!("`{path}`: {error}"))
        }
        Err(error) => Fact::Malformed(Defect::of_file(path, error.to_string())),
    });
    Shard {
        path: path.into(),
        size,
        header,
    }
}

/// The bytes that were kept of a file.
pub(crate) fn content<'a>(snapshot: &'a Snapshot, path: &str) -> Fact<&'a [u8]> {
    let files = match &snapshot.files {
        Fact::Known(_) => snapshot.file(path),
        _ => return snapshot.files.as_ref().map(|_| &[][..]),
    };
    let Some(file) = files else {
        return Fact::Absent;
    };
    match &file.content {
        Content::Whole(bytes) | Content::Prefix(bytes) => Fact::Known(bytes),
        Content::Listed if path.contains('/') && path.ends_with(".safetensors") => {
            Fact::Unavailable(format!(
                "`{path}` was not read: of weights, those in subfolders are not"
            ))
        }
        Content::Listed => Fact::Unavailable(format!("`{path}` was not read")),
        Content::Pointer => Fact::Unavailable(format!(
            "`{path}` is a git-lfs pointer: this checkout did not fetch the file (`git lfs pull` does)"
        )),
        Content::NotRegular(kind) => {
            Fact::Unavailable(format!("`{path}` is {kind}, not a regular file"))
        }
        Content::Unavailable(why) => {
            Fact::Unavailable(format!("`{path}` could not be read: {why}"))
        }
    }
}
