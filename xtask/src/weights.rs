//! Safetensors headers and weight indexes, written as `save_pretrained` writes them.

use std::collections::BTreeMap;

use preflight_model::header::{HEADER_BYTES_MAX, LENGTH_PREFIX_BYTES};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::layout::Tensor;

/// A weight file without its data.
#[derive(Debug, PartialEq)]
pub(crate) struct WeightFile {
    pub(crate) name: String,
    /// Length prefix and header.
    pub(crate) start: Vec<u8>,
    /// Bytes of the whole file.
    pub(crate) size: u64,
}

/// The weight files of `shards`, numbered from `first`, and the index where there are several.
/// `strays` are tensors that the index names although no file has them.
pub(crate) fn files(
    stem: &str,
    shards: &[Vec<Tensor>],
    first: usize,
    strays: &BTreeMap<String, String>,
) -> Result<(Vec<WeightFile>, Option<Vec<u8>>), String> {
    if let [only] = shards {
        return Ok((
            vec![weight_file(format!("{stem}.safetensors"), only)?],
            None,
        ));
    }
    let last = shards.len() + first - 1;
    let mut weight_map = strays.clone();
    let mut files = Vec::with_capacity(shards.len());
    for (shard, number) in shards.iter().zip(first..) {
        let name = format!("{stem}-{number:05}-of-{last:05}.safetensors");
        weight_map.extend(
            shard
                .iter()
                .map(|tensor| (tensor.name.clone(), name.clone())),
        );
        files.push(weight_file(name, shard)?);
    }
    let total_size = shards.iter().flatten().map(|tensor| tensor.bytes).sum();
    Ok((files, Some(index(total_size, &weight_map)?)))
}

fn weight_file(name: String, tensors: &[Tensor]) -> Result<WeightFile, String> {
    let (start, size) = header(tensors).map_err(|why| format!("{name}: {why}"))?;
    Ok(WeightFile { name, start, size })
}

/// Length prefix and header of a file with these tensors, and the bytes of the whole file. Wide
/// element types come first, then names in order, so that all data is aligned; spaces pad the header
/// to whole words.
/// Source: <https://github.com/huggingface/safetensors/blob/v0.8.0/safetensors/src/tensor.rs> (`prepare`)
fn header(tensors: &[Tensor]) -> Result<(Vec<u8>, u64), String> {
    let mut ordered: Vec<&Tensor> = tensors.iter().collect();
    ordered.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(&b.name)));
    let mut entries = Map::from_iter([("__metadata__".to_owned(), json!({"format": "pt"}))]);
    let mut at = 0_u64;
    for tensor in ordered {
        let end = at
            .checked_add(tensor.bytes)
            .ok_or("the data is longer than 2^64 bytes")?;
        let entry = json!({
            "dtype": tensor.dtype.to_string(),
            "shape": tensor.shape,
            "data_offsets": [at, end],
        });
        if entries.insert(tensor.name.clone(), entry).is_some() {
            return Err(format!(
                "tensor `{}` stands twice in the layout",
                tensor.name
            ));
        }
        at = end;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = text.len() as u64;
    if length > HEADER_BYTES_MAX {
        return Err(format!(
            "a header of {length} bytes is more than any loader reads"
        ));
    }
    let start = [&length.to_le_bytes()[..], &text].concat();
    let size = at
        .checked_add(LENGTH_PREFIX_BYTES + length)
        .ok_or("the file is longer than 2^64 bytes")?;
    Ok((start, size))
}

fn index(total_size: u64, weight_map: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    #[derive(Serialize)]
    struct Index<'a> {
        metadata: Value,
        weight_map: &'a BTreeMap<String, String>,
    }
    let index = Index {
        metadata: json!({"total_size": total_size}),
        weight_map,
    };
    let mut text = serde_json::to_vec_pretty(&index).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use preflight_model::header::{Dtype, Header};

    use super::*;
    use crate::layout::{Row, expand};

    fn tensors(rows: &[(&str, Dtype, &[u64])]) -> Vec<Tensor> {
        let rows: Vec<Row> = rows
            .iter()
            .map(|&(name, dtype, shape)| Row(name.into(), dtype, shape.into()))
            .collect();
        expand(&rows).expect("a sound layout")
    }

    #[test]
    fn a_header_reads_back_without_defects() {
        let tensors = tensors(&[
            ("b.weight", Dtype::BF16, &[3, 5]),
            ("a.weight", Dtype::BF16, &[7]),
            ("scale", Dtype::F32, &[2, 2]),
            ("packed", Dtype::U8, &[3]),
            ("scalar", Dtype::I64, &[]),
        ]);
        let (start, size) = header(&tensors).expect("a sound layout");
        assert_eq!(start.len() % 8, 0);
        assert_eq!(size, start.len() as u64 + 30 + 14 + 16 + 3 + 8);
        let read = Header::parse(&start, Some(size)).expect("readable");
        assert_eq!(read.defects, Vec::<String>::new());
        assert_eq!(read.format.as_deref(), Some("pt"));
        let names: Vec<&str> = read.tensors().map(|tensor| tensor.name).collect();
        assert_eq!(names, ["scalar", "scale", "a.weight", "b.weight", "packed"]);
        let shapes: Vec<&[u64]> = read.tensors().map(|tensor| tensor.shape).collect();
        assert_eq!(shapes, [&[][..], &[2, 2], &[7], &[3, 5], &[3]]);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let twice = tensors(&[("a", Dtype::F32, &[1]), ("a", Dtype::F32, &[1])]);
        let error = header(&twice).expect_err("must be refused");
        assert!(error.contains("`a` stands twice"), "{error}");
    }

    #[test]
    fn one_shard_has_a_plain_name_and_no_index() {
        let shards = [tensors(&[("a", Dtype::F32, &[1])])];
        let (files, index) = files("model", &shards, 1, &BTreeMap::new()).expect("sound");
        assert_eq!(files[0].name, "model.safetensors");
        assert_eq!(index, None);
    }

    #[test]
    fn several_shards_are_numbered_and_indexed() {
        let shards = [
            tensors(&[("b", Dtype::F32, &[1])]),
            tensors(&[("a", Dtype::F32, &[2])]),
        ];
        let strays = BTreeMap::from([(
            "ghost".to_owned(),
            "model-00001-of-00002.safetensors".to_owned(),
        )]);
        let (written, index) = files("model", &shards, 1, &strays).expect("sound");
        let names: Vec<&str> = written.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors"
            ]
        );
        let expected = "{\n  \"metadata\": {\n    \"total_size\": 12\n  },\n  \"weight_map\": {\n    \
             \"a\": \"model-00002-of-00002.safetensors\",\n    \
             \"b\": \"model-00001-of-00002.safetensors\",\n    \
             \"ghost\": \"model-00001-of-00002.safetensors\"\n  }\n}\n";
        assert_eq!(index.as_deref(), Some(expected.as_bytes()));

        let (from_zero, _) = files("model", &shards, 0, &BTreeMap::new()).expect("sound");
        assert_eq!(from_zero[0].name, "model-00000-of-00001.safetensors");
    }
}
