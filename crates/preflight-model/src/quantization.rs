//! How the weights are quantised, wherever the repository says so.

mod exclusions;

pub use exclusions::Exclusions;

use crate::config::Config;
use crate::json::{Cursor, Document, Place};
use crate::release;

/// What the repository says of its quantisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantization {
    /// `quant_method`, or the method that another key implies; as written, because the loader minds
    /// case. `None` where there is a section without a method.
    pub method: Option<String>,
    /// Bits of a weight, where all weights have the same and the repository says how many.
    pub bits: Option<u64>,
    /// How the containers are built.
    pub layout: Layout,
    /// Every width of weights that the repository speaks of: for all, for a group of layers, for one.
    pub schemes: Vec<Scheme>,
    /// Which modules are left as they are.
    pub exclusions: Exclusions,
    /// File that says so.
    pub path: &'static str,
    /// Where in the file.
    pub place: Place,
    /// Where its method is named, where it is.
    pub method_place: Option<Place>,
    /// Whether the loader looks there: only the top-level `quantization_config` of config.json.
    /// Source: `AutoHfQuantizer.supports_quant_method` and `from_pretrained`,
    /// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
    pub seen_by_loader: bool,
}

/// Who defines the containers of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// GPTQ and what packs alike.
    Gptq,
    /// AWQ.
    Awq,
    /// bitsandbytes, four and eight bits.
    Bitsandbytes,
    /// compressed-tensors.
    CompressedTensors,
    /// One float of eight bits an element: `fp8`, `fbgemm_fp8`.
    PerElement,
    /// Four-bit floats of OCP microscaling, as gpt-oss has them.
    Mxfp4,
    /// NVIDIA's `ModelOpt`.
    ModelOpt,
    /// MLX.
    Mlx,
    /// HQQ.
    Hqq,
    /// optimum-quanto.
    Quanto,
    /// torchao.
    Torchao,
    /// AQLM.
    Aqlm,
    /// Any other: nothing is told from its shapes.
    Unknown,
}

/// The width of weights, and how many share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// Bits of a weight: 1 to 8.
    pub bits: u64,
    /// Weights of a group, [`WHOLE_ROW`] for all of a row; `None` where it is not said.
    pub group: Option<u64>,
}

/// A group that is as long as any row, which GPTQ and AWQ write as -1.
pub const WHOLE_ROW: u64 = u64::MAX;

/// Most schemes that are kept: many more than a recipe has, so that a count stays linear in the tensors.
const SCHEMES_MAX: usize = 16;

impl Quantization {
    /// Whether a release of the loader may know containers of this method that we do not.
    pub fn has_unknown_containers(&self) -> bool {
        let is_known = |method| release::quant_method_since(method).is_some();
        self.layout == Layout::Unknown
            && self.seen_by_loader
            && self.method.as_deref().is_some_and(is_known)
    }
}

/// What the mere name of a file says: `QuantizedModelForCausalLM` of optimum-quanto writes its containers
/// without a word in config.json.
/// Source: optimum-quanto 0.2.7, `optimum/quanto/models/transformers_models.py`
pub const QUANTO_MAP: &str = "quanto_qmap.json";

/// The quantisation of a repository that has [`QUANTO_MAP`].
pub fn of_quanto() -> Quantization {
    Quantization {
        method: Some("quanto".into()),
        bits: None,
        layout: Layout::Quanto,
        schemes: Vec::new(),
        exclusions: Exclusions::default(),
        path: QUANTO_MAP,
        place: Place {
            pointer: String::new(),
            line: 1,
            column: 1,
        },
        method_place: None,
        seen_by_loader: false,
    }
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
        // MLX writes its section a second time under this key, without a method.
        let mlx = root.get("quantization").filter(Cursor::is_object);
        section(root.get("quantization_config"), true, mlx.map(|_| "mlx"))
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
    let bits = bits_said(section)
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
    let layout = layout(method.as_deref(), section);
    Quantization {
        schemes: schemes(section, layout, bits),
        exclusions: exclusions::read(section),
        layout,
        method,
        bits,
        path,
        place: section.place(),
        method_place: section.get("quant_method").map(|method| method.place()),
        seen_by_loader,
    }
}

fn layout(method: Option<&str>, section: &Cursor<'_>) -> Layout {
    let says = |key: &str, wanted: &[&str]| {
        let value = section.get(key).and_then(|value| value.as_str());
        value.is_some_and(|value| wanted.contains(&value))
    };
    match method {
        // What these formats pack is laid out for a kernel of a GPU.
        Some("gptq")
            if says(
                "checkpoint_format",
                &["marlin", "bitblas", "gemm", "exllama"],
            ) =>
        {
            Layout::Unknown
        }
        Some("gptq") => Layout::Gptq,
        Some("auto-round" | "intel/auto-round") if says("data_type", &["int"]) => Layout::Gptq,
        Some("auto-round" | "intel/auto-round") if section.get("data_type").is_none() => {
            Layout::Gptq
        }
        Some("awq") => Layout::Awq,
        Some("bitsandbytes") => Layout::Bitsandbytes,
        Some("compressed-tensors") => Layout::CompressedTensors,
        Some("fp8" | "fbgemm_fp8") => Layout::PerElement,
        Some("mxfp4") => Layout::Mxfp4,
        Some("modelopt") => Layout::ModelOpt,
        Some("mlx") => Layout::Mlx,
        Some("hqq") => Layout::Hqq,
        Some("quanto") => Layout::Quanto,
        Some("torchao") => Layout::Torchao,
        Some("aqlm") => Layout::Aqlm,
        _ => Layout::Unknown,
    }
}

fn bits_said(section: &Cursor<'_>) -> Option<u64> {
    ["bits", "w_bit", "num_bits", "nbits"]
        .iter()
        .find_map(|key| section.get(key)?.as_u64())
}

fn group_said(section: &Cursor<'_>) -> Option<u64> {
    ["group_size", "q_group_size"]
        .iter()
        .find_map(|key| section.get(key)?.as_u64())
}

/// The same where -1 means all of a row.
fn group_or_row(section: &Cursor<'_>) -> Option<u64> {
    let is_row = ["group_size", "q_group_size"].iter().any(|key| {
        let group = section.get(key).and_then(|group| group.as_f64());
        group.is_some_and(|group| group < 0.0)
    });
    group_said(section).or(is_row.then_some(WHOLE_ROW))
}

/// All schemes of a section, those of single layers filled up from the one for all.
fn schemes(section: &Cursor<'_>, layout: Layout, bits: Option<u64>) -> Vec<Scheme> {
    let mut schemes = Vec::new();
    let mut add = |bits: Option<u64>, group: Option<u64>| {
        if let Some(bits @ 1..=8) = bits {
            let scheme = Scheme { bits, group };
            if !schemes.contains(&scheme) && schemes.len() <= SCHEMES_MAX {
                schemes.push(scheme);
            }
        }
    };
    let group_of = |one: &Cursor<'_>| match layout {
        Layout::Gptq | Layout::Awq => group_or_row(one),
        _ => group_said(one),
    };
    let group = group_of(section);
    let members_of = |key: &str| -> Vec<Cursor<'_>> {
        let map = section.get(key);
        let members = map.iter().flat_map(Cursor::members);
        members.map(|(_, member)| member).collect()
    };
    match layout {
        Layout::CompressedTensors => {
            for member in members_of("config_groups") {
                if let Some(weights) = member.get("weights") {
                    add(bits_said(&weights), group_said(&weights));
                }
            }
        }
        Layout::Hqq => {
            let whole = section.get("quant_config");
            for one in whole.into_iter().chain(members_of("quant_config")) {
                if let Some(params) = one.get("weight_quant_params") {
                    add(bits_said(&params), group_said(&params));
                }
            }
        }
        Layout::Torchao => {
            let mut types = Vec::new();
            if let Some(kind) = section.get("quant_type") {
                torchao_types(&kind, &mut types);
            }
            for (name, group) in types {
                // `Int8DynamicActivationInt4WeightConfig`: the last number is that of the weights.
                let digit = name.rfind(['4', '8']);
                let digit = digit.and_then(|at| name[at..].chars().next()?.to_digit(10));
                // Intx keeps narrower values in whole bytes.
                add(digit.map_or(Some(8), |bits| Some(bits.into())), group);
            }
        }
        // AWQ has four bits only.
        Layout::Awq => add(bits.or(Some(4)), group),
        _ => {
            add(bits, group);
            // `dynamic` of GPTQModel and `extra_config` of AutoRound, and the layers that MLX lists
            // beside the figures for all.
            let mut single = members_of("dynamic");
            single.extend(members_of("extra_config"));
            if layout == Layout::Mlx {
                single.extend(section.members().map(|(_, one)| one));
            }
            for one in single.iter().filter(|one| one.is_object()) {
                add(bits_said(one).or(bits), group_of(one).or(group));
            }
        }
    }
    // Some of too many would be a guess.
    if schemes.len() > SCHEMES_MAX {
        schemes.clear();
    }
    schemes
}

/// Names of torchao's configs, wherever they stand in `quant_type`, each with its `group_size`.
fn torchao_types<'a>(kind: &Cursor<'a>, types: &mut Vec<(&'a str, Option<u64>)>) {
    if types.len() > SCHEMES_MAX {
        return;
    }
    if let Some(name) = kind.as_str() {
        types.push((name, None));
        return;
    }
    let name = kind.get("_type").and_then(|name| name.as_str());
    if let Some(name) = name.filter(|name| name.ends_with("Config")) {
        let data = kind.get("_data");
        types.push((name, data.as_ref().and_then(group_said)));
    }
    for (_, member) in kind.members() {
        if member.is_object() {
            torchao_types(&member, types);
        }
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
