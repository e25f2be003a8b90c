//! How the weights are quantised, wherever the repository says so.

use crate::config::Config;
use crate::json::{Cursor, Document, Place};

/// What the repository says of its quantisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    /// `quant_method`, or the method that another key implies; as written, because the loader minds
    /// case. `None` where there is a section without a method.
    pub method: Option<String>,
    /// Bits of a weight, where all weights have the same and the repository says how many.
    pub bits: Option<u64>,
    /// File that says so.
    pub path: &'static str,
    /// Where in the file.
    pub place: Place,
    /// Whether the loader looks there: only the top-level `quantization_config` of config.json.
    /// Source: `AutoHfQuantizer.supports_quant_method` and `from_pretrained`,
    /// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
    pub seen_by_loader: bool,
}

/// Finds the quantisation of a checkpoint: in config.json (top level, inside the text config, under
/// the older `compression_config`, MLX's `quantization`), or in a file of its own.
pub fn find(
    config: Option<&Config>,
    quantize_config: Option<&Document>,
    hf_quant_config: Option<&Document>,
) -> Option<Quantization> {
    let in_config = config.and_then(|config| {
        let root = config.root();
        let text = config.text();
        let section = |cursor: Option<Cursor<'_>>, seen, implied| {
            let cursor = cursor.filter(Cursor::is_object)?;
            Some(read(&cursor, "config.json", seen, implied))
        };
        section(root.get("quantization_config"), true, None)
            .or_else(|| section(text.cursor().get("quantization_config"), false, None))
            .or_else(|| {
                section(
                    root.get("compression_config"),
                    false,
                    Some("compressed-tensors"),
                )
            })
            .or_else(|| section(root.get("quantization"), false, Some("mlx")))
    });
    in_config
        .or_else(|| {
            let root = hf_quant_config?.root();
            let section = root.get("quantization").filter(Cursor::is_object);
            let section = section.unwrap_or(root);
            Some(read(
                &section,
                "hf_quant_config.json",
                false,
                Some("modelopt"),
            ))
        })
        .or_else(|| {
            // Other programs (ONNX exporters) write a file of this name too, without these figures.
            let root = quantize_config?.root();
            let is_gptq = root.get("bits").is_some() && root.get("group_size").is_some();
            is_gptq.then(|| read(&root, "quantize_config.json", false, Some("gptq")))
        })
}

fn read(
    section: &Cursor<'_>,
    path: &'static str,
    seen_by_loader: bool,
    implied: Option<&str>,
) -> Quantization {
    let loads = |key: &str| section.get(key).and_then(|value| value.as_bool()) == Some(true);
    let four = loads("load_in_4bit") || loads("_load_in_4bit");
    let eight = loads("load_in_8bit") || loads("_load_in_8bit");
    let written = section
        .get("quant_method")
        .and_then(|method| method.as_str());
    let method = written
        .or_else(|| (four || eight).then_some("bitsandbytes"))
        .or(implied)
        .map(str::to_owned);
    let bits = ["bits", "w_bit", "num_bits", "nbits"]
        .iter()
        .find_map(|key| section.get(key)?.as_u64())
        .or(if four {
            Some(4)
        } else if eight {
            Some(8)
        } else {
            None
        })
        .or_else(|| group_bits(section))
        .or_else(|| algorithm_bits(section))
        .or(match method.as_deref() {
            Some("fp8" | "fbgemm_fp8") => Some(8),
            Some("mxfp4") => Some(4),
            _ => None,
        });
    Quantization {
        method,
        bits,
        path,
        place: section.place(),
        seen_by_loader,
    }
}

/// compressed-tensors: the bits of all groups, where they agree.
fn group_bits(section: &Cursor<'_>) -> Option<u64> {
    let groups = section.get("config_groups")?;
    let mut bits = groups
        .members()
        .filter_map(|(_, group)| group.get("weights")?.get("num_bits")?.as_u64());
    let first = bits.next()?;
    bits.all(|other| other == first).then_some(first)
}

/// `ModelOpt` names an algorithm.
fn algorithm_bits(section: &Cursor<'_>) -> Option<u64> {
    match section.get("quant_algo")?.as_str()? {
        "FP8" | "FP8_PER_CHANNEL_PER_TOKEN" | "FP8_PB_WO" => Some(8),
        "NVFP4" | "NVFP4_AWQ" | "W4A16_AWQ" | "W4A8_AWQ" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_config(text: &str) -> Option<Quantization> {
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        find(Some(&config), None, None)
    }

    #[test]
    fn wherever_it_is_written() {
        for (text, method, bits, seen) in [
            (
                r#"{"quantization_config": {"quant_method": "gptq", "bits": 3}}"#,
                Some("gptq"),
                Some(3),
                true,
            ),
            (
                r#"{"quantization_config": {"load_in_8bit": true}}"#,
                Some("bitsandbytes"),
                Some(8),
                true,
            ),
            (
                r#"{"quantization_config": {"bits": 4}}"#,
                None,
                Some(4),
                true,
            ),
            (
                r#"{"text_config": {"quantization_config": {"quant_method": "fp8"}}}"#,
                Some("fp8"),
                Some(8),
                false,
            ),
            (
                r#"{"quantization": {"bits": 4}}"#,
                Some("mlx"),
                Some(4),
                false,
            ),
            (
                r#"{"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {"num_bits": 4}}, "b": {"weights": {"num_bits": 8}}}}}"#,
                Some("compressed-tensors"),
                None,
                true,
            ),
        ] {
            let found = of_config(text).unwrap();
            assert_eq!(
                (found.method.as_deref(), found.bits, found.seen_by_loader),
                (method, bits, seen),
                "{text}"
            );
        }
        assert_eq!(of_config(r#"{"quantization_config": null}"#), None);
        let modelopt = Document::parse(br#"{"quantization": {"quant_algo": "NVFP4"}}"#).unwrap();
        let found = find(None, None, Some(&modelopt)).unwrap();
        assert_eq!(
            (found.method.as_deref(), found.bits),
            (Some("modelopt"), Some(4))
        );
    }
}
