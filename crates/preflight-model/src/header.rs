//! safetensors headers, parsed with bounds on every number.
//!
//! The format: 8 bytes with the length of the header, little endian; the header, JSON; the data.
//! Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>

mod error;
mod parse;

use std::borrow::Cow;

pub use error::HeaderError;
use parse::{parse_text, shorten};

use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;

/// Longest header that the reference implementation reads.
/// Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/safetensors/src/tensor.rs>
pub const HEADER_BYTES_MAX: u64 = 100_000_000;
/// Most tensors in one file: five times the largest shard in circulation.
pub const TENSORS_MAX: usize = 500_000;
/// Most bytes of a tensor's name: names are copied and compared at every turn.
pub(crate) const NAME_BYTES_MAX: usize = 4096;
/// Most dimensions of a tensor. `PyTorch` stops at 64.
pub const DIMENSIONS_MAX: usize = 64;
/// Bytes before the header.
pub const LENGTH_PREFIX_BYTES: u64 = 8;
/// Defects of one header that are kept; more are counted as the file being broken anyway.
const DEFECTS_MAX: usize = 20;

/// A parsed header. Names are borrowed from its text and shapes lie in one buffer: a header of 100 000
/// tensors costs two allocations, not 200 000.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header<'a> {
    dimensions: Vec<u64>,
    entries: Vec<Entry<'a>>,
    /// The `format` of `__metadata__`: `None` without metadata or without the key.
    pub format: Option<String>,
    /// Whether there is a `__metadata__` object.
    pub has_metadata: bool,
    /// Bytes of the whole file as the header describes it: prefix, header and data.
    pub described_bytes: u64,
    /// Tensors whose size cannot be told, so they are not among [`Header::tensors`]: their dtype is not
    /// known, or their shape overflows.
    pub left_out: usize,
    /// What the reference loader would refuse, first found first.
    pub defects: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry<'a> {
    name: Cow<'a, str>,
    dimensions_end: u32,
    dtype: Dtype,
    start: u64,
    end: u64,
}

/// A tensor of a header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tensor<'a> {
    /// Name in the state dict.
    pub name: &'a str,
    /// Element type.
    pub dtype: Dtype,
    /// Sizes, outermost first; empty for a scalar.
    pub shape: &'a [u64],
    /// Bytes of data.
    pub bytes: u64,
}

impl Tensor<'_> {
    /// Number of elements; checked while parsing, so it fits.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// Element types of safetensors.
pub use safetensors::Dtype;

/// Longer than the name of any element type.
const DTYPE_BYTES_MAX: usize = 32;

/// The dtype that a header names, where the reference implementation knows it.
pub fn dtype_named(name: &str) -> Option<Dtype> {
    // An unknown name is copied into an error, however long it is.
    if name.len() > DTYPE_BYTES_MAX {
        return None;
    }
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        name.into_deserializer();
    Dtype::deserialize(name).ok()
}

/// Bytes of prefix and header together, told by the first 8 bytes of a file of `size` bytes.
pub fn header_end(prefix: [u8; 8], size: Option<u64>) -> Result<u64, HeaderError> {
    let length = u64::from_le_bytes(prefix);
    if length > HEADER_BYTES_MAX {
        return Err(HeaderError::TooLong(length));
    }
    let needed = LENGTH_PREFIX_BYTES + length;
    match size {
        Some(size) if size < needed => Err(HeaderError::CutShort { needed, size }),
        _ => Ok(needed),
    }
}

impl<'a> Header<'a> {
    /// Parses the first bytes of a file: at least the prefix and the whole header.
    pub fn parse(start: &'a [u8], size: Option<u64>) -> Result<Self, HeaderError> {
        let Some(prefix) = start.first_chunk::<8>() else {
            return Err(match size {
                Some(size) if size >= LENGTH_PREFIX_BYTES => HeaderError::NotRead,
                _ => HeaderError::CutShort {
                    needed: LENGTH_PREFIX_BYTES,
                    size: size.unwrap_or(start.len() as u64),
                },
            });
        };
        let end = header_end(*prefix, size)?;
        let end = usize::try_from(end).map_err(|_| HeaderError::NotRead)?;
        let text = start.get(8..end).ok_or(HeaderError::NotRead)?;
        let mut header = parse_text(text).map_err(|error| {
            let why = error.to_string();
            if error.is_bound {
                HeaderError::TooMuch(why)
            } else {
                HeaderError::NotAHeader(why)
            }
        })?;
        header.check_layout(end as u64);
        if let Some(size) = size {
            header.check_size(size);
        }
        Ok(header)
    }

    /// The tensors in the order of the header.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        let mut dimensions_start = 0;
        self.entries.iter().map(move |entry| {
            let dimensions_end = entry.dimensions_end as usize;
            let tensor = Tensor {
                name: &entry.name,
                dtype: entry.dtype,
                shape: &self.dimensions[dimensions_start..dimensions_end],
                bytes: entry.end.saturating_sub(entry.start),
            };
            dimensions_start = dimensions_end;
            tensor
        })
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn defect(&mut self, message: String) {
        if self.defects.len() < DEFECTS_MAX {
            self.defects.push(message);
        }
    }

    /// The data of the tensors must follow one another from 0 without hole or overlap, and each must
    /// have the length that dtype and shape say.
    fn check_layout(&mut self, data_at: u64) {
        let mut order: Vec<&Entry<'_>> = self.entries.iter().collect();
        order.sort_unstable_by_key(|entry| (entry.start, entry.end));
        let mut defects = Vec::new();
        let mut at = 0;
        for entry in order {
            if entry.start != at && entry.end >= entry.start && defects.len() < DEFECTS_MAX {
                let what = if entry.start < at {
                    "overlaps the tensor before it"
                } else {
                    "leaves a hole before it"
                };
                defects.push(format!(
                    "tensor `{}` starts at byte {} of the data and {what}, which ends at {at}",
                    shorten(&entry.name),
                    entry.start
                ));
            }
            at = at.max(entry.end);
        }
        for defect in defects {
            self.defect(defect);
        }
        self.described_bytes = data_at.saturating_add(at);
    }

    /// Names must be unique. A hash set of 100 000 names would cost more than the parse.
    fn check_names(&mut self) {
        let mut names: Vec<&str> = self.entries.iter().map(|entry| &*entry.name).collect();
        names.sort_unstable();
        let twice: Vec<String> = names
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .map(|pair| format!("tensor `{}` stands twice in the header", shorten(pair[0])))
            .take(DEFECTS_MAX)
            .collect();
        for defect in twice {
            self.defect(defect);
        }
    }

    fn check_size(&mut self, size: u64) {
        let described = self.described_bytes;
        if size < described {
            self.defect(format!(
                "the file has {size} bytes, its header describes {described}: it was cut short"
            ));
        } else if size > described {
            self.defect(format!(
                "the file has {size} bytes, its header describes only {described}"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
