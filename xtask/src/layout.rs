//! The tensors of a checkpoint, from the compact rows of a spec.

use preflight_model::header::{Dtype, TENSORS_MAX};
use serde::Deserialize;

/// One row of a layout: name pattern, dtype, shape. In the pattern `{0-31}` or `{0-2,5}` stands for
/// each of the numbers; every combination of several exists.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Row(pub(crate) String, pub(crate) Dtype, pub(crate) Vec<u64>);

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    pub(crate) bytes: u64,
}

/// All tensors of `rows`, in the order of a state dict: neighbouring rows that begin with the same
/// range are walked together, so that a layer is complete before the next begins.
pub(crate) fn expand(rows: &[Row]) -> Result<Vec<Tensor>, String> {
    let mut tensors = Vec::new();
    expand_into(rows, &mut tensors)?;
    Ok(tensors)
}

fn expand_into(rows: &[Row], tensors: &mut Vec<Tensor>) -> Result<(), String> {
    let mut rest = rows;
    while let [first, after @ ..] = rest {
        let Some(range) = Range::first_of(&first.0)? else {
            if tensors.len() == TENSORS_MAX {
                return Err(format!("the layout has more than {TENSORS_MAX} tensors"));
            }
            tensors.push(tensor(first)?);
            rest = after;
            continue;
        };
        let together = rest
            .iter()
            .take_while(|row| row.0.starts_with(range.through))
            .count();
        let (run, after) = rest.split_at(together);
        for number in range.numbers {
            let layer: Vec<Row> = run
                .iter()
                .map(|Row(name, dtype, shape)| {
                    let tail = &name[range.through.len()..];
                    let name = format!("{}{number}{tail}", range.before);
                    Row(name, *dtype, shape.clone())
                })
                .collect();
            expand_into(&layer, tensors)?;
        }
        rest = after;
    }
    Ok(())
}

fn tensor(Row(name, dtype, shape): &Row) -> Result<Tensor, String> {
    let bytes = shape
        .iter()
        .try_fold(dtype.bitsize() as u64, |bits, &size| bits.checked_mul(size))
        .filter(|bits| bits % 8 == 0)
        .ok_or_else(|| format!("tensor `{name}`: {shape:?} overflows or is not whole bytes"))?
        / 8;
    Ok(Tensor {
        name: name.clone(),
        dtype: *dtype,
        shape: shape.clone(),
        bytes,
    })
}

/// The first range of a pattern.
struct Range<'a> {
    /// What stands before it.
    before: &'a str,
    /// What stands before it, and itself.
    through: &'a str,
    numbers: Vec<u64>,
}

impl<'a> Range<'a> {
    fn first_of(pattern: &'a str) -> Result<Option<Self>, String> {
        let Some((before, rest)) = pattern.split_once('{') else {
            return Ok(None);
        };
        let (inside, after) = rest
            .split_once('}')
            .ok_or_else(|| format!("`{pattern}` has a `{{` without `}}`"))?;
        let mut numbers = Vec::new();
        for part in inside.split(',') {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let bounds = low.parse::<u64>().ok().zip(high.parse::<u64>().ok());
            match bounds {
                Some((low, high)) if low <= high && high < TENSORS_MAX as u64 => {
                    numbers.extend(low..=high);
                }
                _ => {
                    return Err(format!(
                        "`{part}` of `{pattern}` is not a number or a range `low-high`"
                    ));
                }
            }
        }
        Ok(Some(Self {
            before,
            through: &pattern[..pattern.len() - after.len()],
            numbers,
        }))
    }
}

/// Cuts tensors into shards of at most `bytes_max` as `save_pretrained` does: in order, and a tensor
/// that alone is larger has a shard to itself.
/// Source: <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/serialization/_base.py>
pub(crate) fn shard(tensors: Vec<Tensor>, bytes_max: u64) -> Vec<Vec<Tensor>> {
    let mut shards = Vec::new();
    let (mut current, mut current_bytes) = (Vec::new(), 0);
    for tensor in tensors {
        if tensor.bytes > bytes_max {
            shards.push(vec![tensor]);
            continue;
        }
        if tensor.bytes > bytes_max - current_bytes {
            shards.push(std::mem::take(&mut current));
            current_bytes = 0;
        }
        current_bytes += tensor.bytes;
        current.push(tensor);
    }
    if !current.is_empty() {
        shards.push(current);
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, dtype: Dtype, shape: &[u64]) -> Row {
        Row(name.into(), dtype, shape.into())
    }

    fn names(rows: &[Row]) -> Vec<String> {
        expand(rows)
            .expect("a sound layout")
            .into_iter()
            .map(|tensor| tensor.name)
            .collect()
    }

    #[test]
    fn a_layer_is_complete_before_the_next() {
        let rows = [
            row("embed", Dtype::BF16, &[4]),
            row("layers.{0-1}.q", Dtype::BF16, &[2]),
            row("layers.{0-1}.k", Dtype::BF16, &[2]),
            row("norm", Dtype::BF16, &[2]),
        ];
        let expected = [
            "embed",
            "layers.0.q",
            "layers.0.k",
            "layers.1.q",
            "layers.1.k",
            "norm",
        ];
        assert_eq!(names(&rows), expected);
    }

    #[test]
    fn ranges_nest_and_have_gaps() {
        let rows = [
            row("l.{0,2-3}.gate", Dtype::F32, &[]),
            row("l.{0,2-3}.e.{0-1}.w1", Dtype::F32, &[]),
            row("l.{0,2-3}.e.{0-1}.w2", Dtype::F32, &[]),
        ];
        let names = names(&rows);
        assert_eq!(names.len(), 3 * 5);
        assert_eq!(
            names[5..10],
            [
                "l.2.gate",
                "l.2.e.0.w1",
                "l.2.e.0.w2",
                "l.2.e.1.w1",
                "l.2.e.1.w2"
            ]
        );
    }

    #[test]
    fn bytes_follow_from_dtype_and_shape() {
        let rows = [
            row("a", Dtype::BF16, &[3, 5]),
            row("b", Dtype::F4, &[4]),
            row("c", Dtype::I64, &[]),
        ];
        let bytes: Vec<u64> = expand(&rows)
            .expect("sound")
            .iter()
            .map(|tensor| tensor.bytes)
            .collect();
        assert_eq!(bytes, [30, 2, 8]);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |row| expand(&[row]).expect_err("must be refused");
        assert!(error(row("a.{0-", Dtype::F32, &[])).contains("without `}`"));
        assert!(error(row("a.{3-1}", Dtype::F32, &[])).contains("`3-1`"));
        assert!(error(row("a.{x}", Dtype::F32, &[])).contains("`x`"));
        assert!(error(row("a.{0-9999999999}", Dtype::F32, &[])).contains("`0-9999999999`"));
        assert!(error(row("a", Dtype::F4, &[3])).contains("whole bytes"));
        assert!(error(row("a", Dtype::F32, &[u64::MAX, 2])).contains("overflows"));
    }

    #[test]
    fn shards_are_filled_in_order_and_a_large_tensor_stands_alone() {
        let tensors = expand(&[
            row("a", Dtype::U8, &[6]),
            row("b", Dtype::U8, &[4]),
            row("huge", Dtype::U8, &[11]),
            row("c", Dtype::U8, &[1]),
        ])
        .expect("sound");
        let shards = shard(tensors, 10);
        let names: Vec<Vec<&str>> = shards
            .iter()
            .map(|shard| shard.iter().map(|tensor| tensor.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["huge"], vec!["a", "b"], vec!["c"]]);
    }
}
