//! safetensors headers, parsed with bounds on every number.
//!
//! The format: 8 bytes with the length of the header, little endian; the header, JSON; the data.
//! Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>

use safetensors_dtype::bits;

use crate::json::{Error as JsonError, Kind, Number, Reader};

/// Longest header that the reference implementation reads.
/// Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/safetensors/src/tensor.rs>
pub const HEADER_BYTES_MAX: u64 = 100_000_000;
/// Most tensors in one file: ten times the largest shard in circulation.
pub const TENSORS_MAX: usize = 1_000_000;
/// Most dimensions of a tensor. PyTorch stops at 64.
pub const DIMENSIONS_MAX: usize = 64;
/// Bytes before the header.
pub const LENGTH_PREFIX_BYTES: u64 = 8;
/// Defects of one header that are kept; more are counted as the file being broken anyway.
const DEFECTS_MAX: usize = 20;

/// A parsed header. Names and shapes lie in two shared buffers: a header of 100 000 tensors costs
/// three allocations, not 200 000.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    names: String,
    dimensions: Vec<u64>,
    entries: Vec<Entry>,
    /// The `format` of `__metadata__`: `None` without metadata or without the key.
    pub format: Option<String>,
    /// Whether there is a `__metadata__` object.
    pub has_metadata: bool,
    /// Bytes of the whole file as the header describes it: prefix, header and data.
    pub described_bytes: u64,
    /// What the reference loader would refuse, first found first.
    pub defects: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name_end: usize,
    dimensions_end: usize,
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

/// Element types of safetensors 0.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dtype(&'static str);

mod safetensors_dtype {
    /// Name and bits of an element.
    /// Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/safetensors/src/tensor.rs>
    pub(super) const DTYPES: [(&str, u64); 22] = [
        ("BOOL", 8),
        ("F4", 4),
        ("F6_E2M3", 6),
        ("F6_E3M2", 6),
        ("U8", 8),
        ("I8", 8),
        ("F8_E5M2", 8),
        ("F8_E4M3", 8),
        ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8),
        ("F8_E5M2FNUZ", 8),
        ("I16", 16),
        ("U16", 16),
        ("F16", 16),
        ("BF16", 16),
        ("I32", 32),
        ("U32", 32),
        ("F32", 32),
        ("C64", 64),
        ("F64", 64),
        ("I64", 64),
        ("U64", 64),
    ];

    pub(super) fn bits(name: &str) -> Option<(&'static str, u64)> {
        DTYPES.iter().find(|(known, _)| *known == name).copied()
    }
}

impl Dtype {
    /// The type that `name` stands for.
    pub fn parse(name: &str) -> Option<Self> {
        bits(name).map(|(name, _)| Self(name))
    }

    /// Its name in a header.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Bits of one element.
    pub fn bits(self) -> u64 {
        bits(self.0).map_or(0, |(_, bits)| bits)
    }

    /// Whether its values are numbers with a fraction or exponent, as weights are.
    pub fn is_float(self) -> bool {
        self.0.starts_with('F') || self.0.starts_with("BF")
    }
}

/// A header that cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// The file is shorter than the length prefix and the header it announces.
    CutShort {
        /// Bytes that the prefix asks for, prefix included.
        needed: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// The announced length is beyond what the reference implementation reads.
    TooLong(u64),
    /// Not JSON, or not of the shape that the format asks for.
    NotAHeader(String),
    /// Only a part of the header was read.
    NotRead,
}

impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CutShort { needed, size } => write!(
                f,
                "the file has {size} bytes, its header alone needs {needed}"
            ),
            Self::TooLong(length) => write!(
                f,
                "the first 8 bytes announce a header of {length} bytes, more than the {HEADER_BYTES_MAX} that safetensors reads"
            ),
            Self::NotAHeader(why) => write!(f, "the header is not valid: {why}"),
            Self::NotRead => write!(f, "the header was read only in part"),
        }
    }
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

impl Header {
    /// Parses the first bytes of a file: at least the prefix and the whole header.
    pub fn parse(start: &[u8], size: Option<u64>) -> Result<Self, HeaderError> {
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
        let mut header = parse_text(text).map_err(|error| HeaderError::NotAHeader(error.to_string()))?;
        header.check_layout(end as u64);
        if let Some(size) = size {
            header.check_size(size);
        }
        Ok(header)
    }

    /// The tensors in the order of the header.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        let (mut name_start, mut dimensions_start) = (0, 0);
        self.entries.iter().map(move |entry| {
            let tensor = Tensor {
                name: &self.names[name_start..entry.name_end],
                dtype: entry.dtype,
                shape: &self.dimensions[dimensions_start..entry.dimensions_end],
                bytes: entry.end.saturating_sub(entry.start),
            };
            (name_start, dimensions_start) = (entry.name_end, entry.dimensions_end);
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
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|&index| (self.entries[index].start, self.entries[index].end));
        let mut defects = Vec::new();
        let mut at = 0;
        for index in order {
            let entry = &self.entries[index];
            if entry.start != at && entry.end >= entry.start {
                let what = if entry.start < at { "overlaps the tensor before it" } else { "leaves a hole before it" };
                defects.push(format!(
                    "tensor `{}` starts at byte {} of the data and {what}, which ends at {at}",
                    self.name(index),
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

    fn name(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].name_end);
        &self.names[start..self.entries[index].name_end]
    }
}

fn parse_text(text: &[u8]) -> Result<Header, JsonError> {
    if text.first() != Some(&b'{') {
        return Err(JsonError {
            message: "a header starts with `{`".into(),
            at: 0,
        });
    }
    let mut reader = Reader::new(text)?;
    let mut header = Header::default();
    // Names are unique as a rule; a hash set of 100 000 names would cost more than the parse, so
    // duplicates are found by sorting once at the end.
    reader.object(|reader, name, _| {
        if name == "__metadata__" {
            return metadata(reader, &mut header);
        }
        if header.entries.len() == TENSORS_MAX {
            return reader.error(format!("more than {TENSORS_MAX} tensors"));
        }
        tensor(reader, &name, &mut header)
    })?;
    if let Some(mistake) = reader.finish()?.first() {
        header.defect(format!("not strict JSON: {mistake:?}"));
    }
    let mut names: Vec<&str> = header.tensors().map(|tensor| tensor.name).collect();
    names.sort_unstable();
    let twice: Vec<String> = names
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| format!("tensor `{}` stands twice in the header", pair[0]))
        .take(DEFECTS_MAX)
        .collect();
    for defect in twice {
        header.defect(defect);
    }
    Ok(header)
}

fn metadata(reader: &mut Reader<'_>, header: &mut Header) -> Result<(), JsonError> {
    if reader.kind()? == Kind::Null {
        return reader.null();
    }
    header.has_metadata = true;
    reader.object(|reader, key, _| {
        let value = reader.string()?;
        if key == "format" {
            header.format = Some(value.into_owned());
        }
        Ok(())
    })
}

fn tensor(reader: &mut Reader<'_>, name: &str, header: &mut Header) -> Result<(), JsonError> {
    let at = reader.offset();
    let (mut dtype, mut shape_seen, mut offsets) = (None, false, None);
    let dimensions_start = header.dimensions.len();
    reader.object(|reader, key, _| match &*key {
        "dtype" => {
            dtype = Some(reader.string()?);
            Ok(())
        }
        "shape" => {
            shape_seen = true;
            header.dimensions.truncate(dimensions_start);
            reader.array(|reader, index| {
                if index == DIMENSIONS_MAX {
                    return reader.error(format!("more than {DIMENSIONS_MAX} dimensions"));
                }
                let size = unsigned(reader)?;
                header.dimensions.push(size);
                Ok(())
            })
        }
        "data_offsets" => {
            let mut pair = [None; 2];
            reader.array(|reader, index| match pair.get_mut(index) {
                Some(slot) => {
                    *slot = Some(unsigned(reader)?);
                    Ok(())
                }
                None => reader.error("`data_offsets` has more than two numbers"),
            })?;
            offsets = pair[0].zip(pair[1]);
            Ok(())
        }
        _ => reader.skip(),
    })?;
    let (Some(dtype), Some((start, end)), true) = (dtype, offsets, shape_seen) else {
        return Err(JsonError {
            message: format!("tensor `{name}` lacks `dtype`, `shape` or `data_offsets`"),
            at,
        });
    };
    let shape = &header.dimensions[dimensions_start..];
    let known = Dtype::parse(&dtype);
    let bytes = known.and_then(|known| tensor_bytes(known, shape));
    let defect = match (known, bytes) {
        (None, _) => Some(format!("tensor `{name}` has the unknown dtype `{dtype}`")),
        (_, None) => Some(format!("tensor `{name}` has a shape whose size overflows: {shape:?}")),
        _ if end < start => Some(format!("tensor `{name}` ends at {end}, before it starts at {start}")),
        (Some(known), Some(bytes)) if end - start != bytes => Some(format!(
            "tensor `{name}` of {} {shape:?} needs {bytes} bytes, its offsets give it {}",
            known.as_str(),
            end - start
        )),
        _ => None,
    };
    if let Some(defect) = defect {
        header.defect(defect);
    }
    let (Some(dtype), Some(_)) = (known, bytes) else {
        header.dimensions.truncate(dimensions_start);
        return Ok(());
    };
    header.names.push_str(name);
    header.entries.push(Entry {
        name_end: header.names.len(),
        dimensions_end: header.dimensions.len(),
        dtype,
        start,
        end,
    });
    Ok(())
}

/// Bytes of a tensor; `None` where they overflow or are not whole bytes.
fn tensor_bytes(dtype: Dtype, shape: &[u64]) -> Option<u64> {
    let elements = shape
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size))?;
    let bits = elements.checked_mul(dtype.bits())?;
    (bits % 8 == 0).then_some(bits / 8)
}

fn unsigned(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    let at = reader.offset();
    let number = match reader.number()? {
        Number::Int(value) => u64::try_from(value).ok(),
        Number::BigInt(text) => text.parse().ok(),
        Number::Float(_) => None,
    };
    number.ok_or(JsonError {
        message: "a whole number from 0 to 2^64 - 1 was expected".into(),
        at,
    })
}
