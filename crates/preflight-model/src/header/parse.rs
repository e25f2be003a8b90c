//! The text of a header, tensor by tensor.

use std::borrow::Cow;

use super::{DIMENSIONS_MAX, Dtype, Entry, Header, NAME_BYTES_MAX, TENSORS_MAX, dtype_named};
use crate::json::{Error as JsonError, Kind, Number, Reader, SERDE_DEPTH_MAX};
/// Most dimensions of all tensors of one file: four for each of the most tensors.
const ALL_DIMENSIONS_MAX: usize = 4 * TENSORS_MAX;
/// Bytes of all names that are written with escapes: those are copied.
const COPIED_BYTES_MAX: usize = 4 << 20;
/// Characters of a name that a message shows.
const SHOWN_MAX: usize = 200;

pub(super) fn parse_text(text: &[u8]) -> Result<Header<'_>, JsonError> {
    // The format asks for `{` as the first byte; the reference implementation also takes white space.
    let mut reader = Reader::new(text)?.no_deeper_than(SERDE_DEPTH_MAX);
    let mut header = Header::default();
    let (mut metadata_seen, mut copied_bytes) = (false, 0);
    reader.object(|reader, name, _| {
        if name == "__metadata__" {
            if std::mem::replace(&mut metadata_seen, true) {
                return reader.error("`__metadata__` stands twice");
            }
            return metadata(reader, &mut header);
        }
        if name.len() > NAME_BYTES_MAX {
            return reader.beyond(format!("a name of more than {NAME_BYTES_MAX} bytes"));
        }
        if header.entries.len() == TENSORS_MAX {
            return reader.beyond(format!("more than {TENSORS_MAX} tensors"));
        }
        if let Cow::Owned(name) = &name {
            copied_bytes += name.capacity();
            if copied_bytes > COPIED_BYTES_MAX {
                return reader.beyond(format!(
                    "more than {COPIED_BYTES_MAX} bytes of names with escapes"
                ));
            }
        }
        tensor(reader, name, &mut header)
    })?;
    if let Some(at) = reader.python_only() {
        header.defect(format!(
            "not strict JSON: infinity, not a number or half a character at byte {at}"
        ));
    }
    if let Some(mistake) = reader.finish()?.first() {
        header.defect(format!("not strict JSON: {mistake}"));
    }
    header.check_names();
    Ok(header)
}

fn metadata(reader: &mut Reader<'_>, header: &mut Header<'_>) -> Result<(), JsonError> {
    if reader.kind()? == Kind::Null {
        return reader.null();
    }
    header.has_metadata = true;
    reader.object(|reader, key, _| {
        let value = reader.string()?;
        if key == "format" {
            header.format = Some(shorten(&value).into());
        }
        Ok(())
    })
}

fn tensor<'a>(
    reader: &mut Reader<'a>,
    name: Cow<'a, str>,
    header: &mut Header<'a>,
) -> Result<(), JsonError> {
    let at = reader.offset();
    let (mut dtype, mut shape_seen, mut offsets) = (None, false, None);
    let dimensions_start = header.dimensions.len();
    // The reference implementation refuses a field that stands twice.
    let twice = |reader: &Reader<'_>, field| reader.error(format!("`{field}` stands twice"));
    reader.object(|reader, key, _| match &*key {
        "dtype" if dtype.is_some() => twice(reader, "dtype"),
        "shape" if shape_seen => twice(reader, "shape"),
        "data_offsets" if offsets.is_some() => twice(reader, "data_offsets"),
        "dtype" => {
            dtype = Some(reader.string()?);
            Ok(())
        }
        "shape" => {
            shape_seen = true;
            reader.array(|reader, index| {
                if index == DIMENSIONS_MAX {
                    return reader.error(format!("more than {DIMENSIONS_MAX} dimensions"));
                }
                if header.dimensions.len() == ALL_DIMENSIONS_MAX {
                    return reader.beyond(format!(
                        "more than {ALL_DIMENSIONS_MAX} dimensions of all tensors"
                    ));
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
            if offsets.is_none() {
                return reader.error("`data_offsets` has fewer than two numbers");
            }
            Ok(())
        }
        _ => reader.skip(),
    })?;
    let (Some(dtype), Some((start, end)), true) = (dtype, offsets, shape_seen) else {
        return Err(JsonError {
            message: format!(
                "tensor `{}` lacks `dtype`, `shape` or `data_offsets`",
                shorten(&name)
            ),
            at,
            is_bound: false,
        });
    };
    let shape = &header.dimensions[dimensions_start..];
    let known = dtype_named(&dtype);
    let bytes = known.and_then(|known| tensor_bytes(known, shape));
    let shown = shorten(&name);
    let defect = match (known, bytes) {
        (None, _) => Some(format!(
            "tensor `{shown}` has the unknown dtype `{}`",
            shorten(&dtype)
        )),
        (_, None) => Some(format!(
            "tensor `{shown}` has a shape whose size overflows: {shape:?}"
        )),
        _ if end < start => Some(format!(
            "tensor `{shown}` ends at {end}, before it starts at {start}"
        )),
        (Some(known), Some(bytes)) if end - start != bytes => Some(format!(
            "tensor `{shown}` of {} {shape:?} needs {bytes} bytes, its offsets give it {}",
            known,
            end - start
        )),
        _ => None,
    };
    if let Some(defect) = defect {
        header.defect(defect);
    }
    let (Some(dtype), Some(_)) = (known, bytes) else {
        header.left_out += 1;
        header.dimensions.truncate(dimensions_start);
        return Ok(());
    };
    header.entries.push(Entry {
        name,
        dimensions_end: u32::try_from(header.dimensions.len()).unwrap_or(u32::MAX),
        dtype,
        start,
        end,
    });
    Ok(())
}

/// The beginning of a hostile name.
pub(super) fn shorten(name: &str) -> &str {
    if name.len() <= SHOWN_MAX {
        return name;
    }
    name.char_indices()
        .nth(SHOWN_MAX)
        .map_or(name, |(end, _)| &name[..end])
}

/// Bytes of a tensor; `None` where they overflow or are not whole bytes.
fn tensor_bytes(dtype: Dtype, shape: &[u64]) -> Option<u64> {
    let elements = shape
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size))?;
    let bits = elements.checked_mul(dtype.bitsize() as u64)?;
    (bits % 8 == 0).then_some(bits / 8)
}

fn unsigned(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    if let Some(value) = reader.short_integer() {
        return Ok(value);
    }
    let at = reader.offset();
    // The reference implementation takes `-0` for a number with a fraction.
    let is_negative = reader.is_negative();
    let number = match reader.number()? {
        _ if is_negative => None,
        Number::Int(value) => u64::try_from(value).ok(),
        Number::BigInt(text) => text.parse().ok(),
        Number::Float(_) => None,
    };
    number.ok_or_else(|| JsonError {
        message: "a whole number from 0 to 2^64 - 1 was expected".into(),
        at,
        is_bound: false,
    })
}
