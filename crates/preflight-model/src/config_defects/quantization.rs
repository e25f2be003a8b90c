//! Settings of `quantization_config` that the class of their method refuses: `from_pretrained` makes an
//! object of the section before it opens the weights, and ends where its checks fail.
//!
//! Source: transformers 4.55.4, `utils/quantization_config.py` and `quantizers/auto.py`. Every row was run
//! with `AutoQuantizationConfig.from_dict` (with stand-ins for the libraries of torchao, HQQ and
//! bitsandbytes, which the checks do not need). Checks of what is installed are none of the model's.
//!
//! Engines read the section with code of their own and do not look at every key, so that checkpoints which
//! transformers refuses are served all the same: FP8 with static activations is the common one
//! (<https://github.com/vllm-project/vllm/pull/4332>). Such a setting is kept apart.
//! Source: vLLM 0.10, `vllm/model_executor/layers/quantization/`: `fp8.py`, `gptq.py`, `awq.py`,
//! `auto_round.py`, `bitsandbytes.py`, `hqq_marlin.py`, `torchao.py` (read).

mod table;

use super::at;
use super::values::number;
use crate::fact::Defect;
use crate::json::{Cursor, Value};
use table::{BNB, By, NEEDED, TABLE, is_text, is_text_of, names_exllama};

/// What is refused in a section, by whom.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// By transformers, and of no use to engines either.
    pub everywhere: Vec<Defect>,
    /// By transformers alone: vLLM does not read the key, or takes the value.
    pub by_transformers: Vec<Defect>,
}

/// Everything that is refused in `section`, the top-level `quantization_config`.
pub(super) fn refused(section: &Cursor<'_>) -> Refused {
    let mut refused = Refused::default();
    if !section.is_object() {
        let found = section.describe();
        refused.everywhere.push(at(
            section,
            format!(
                "`quantization_config` is {found}, which the loader cannot read: remove the key"
            ),
        ));
        return refused;
    }
    let Some(method) = method(section, &mut refused) else {
        return refused;
    };
    for (_, key) in NEEDED.iter().filter(|(of, _)| *of == method) {
        if section.get(key).is_none() {
            let message = format!("`quantization_config` has no `{key}`, which `{method}` needs");
            refused.everywhere.push(at(section, message));
        }
    }
    for row in TABLE.iter().filter(|row| row.methods.contains(&method)) {
        let given = row
            .keys
            .iter()
            .filter_map(|key| Some((key, section.get(key)?)));
        for (key, value) in given.filter(|(_, value)| !(row.fits)(value)) {
            refused.push(row.by, &value, key, row.wants);
        }
    }
    match method {
        "fp8" => fp8(section, &mut refused),
        "awq" => fused_awq(section, &mut refused),
        "higgs" => hadamard(section, &mut refused),
        "torchao" => options_of_torchao(section, &mut refused),
        BNB => bitsandbytes(section, &mut refused),
        _ => {}
    }
    refused
}

impl Refused {
    fn push(&mut self, by: By, value: &Cursor<'_>, key: &str, wants: &str) {
        let found = value.describe();
        let message = format!("`{key}` of `quantization_config` must be {wants}, it is {found}");
        let list = match by {
            By::All => &mut self.everywhere,
            By::Transformers => &mut self.by_transformers,
        };
        list.push(at(value, message));
    }
}

/// The method whose class reads the section: a flag of bitsandbytes goes before `quant_method`.
fn method<'a>(section: &Cursor<'a>, refused: &mut Refused) -> Option<&'a str> {
    let written = section.get_set("quant_method");
    let flag = ["load_in_4bit", "load_in_8bit"]
        .into_iter()
        .find(|flag| section.get(flag).is_some_and(|value| is_true(&value)));
    let named = written.as_ref().and_then(Cursor::as_str);
    match (written, flag) {
        (None, None) => refused.everywhere.push(at(
            section,
            "`quantization_config` names no `quant_method`".into(),
        )),
        (Some(written), None) if named.is_none() => {
            refused.push(By::All, &written, "quant_method", "a text");
        }
        (Some(written), None) if named == Some(BNB) => refused.by_transformers.push(at(
            &written,
            "`quant_method` of `quantization_config` is `bitsandbytes` without `load_in_4bit` or `load_in_8bit`, with which the weights are taken for unquantised ones".into(),
        )),
        (Some(written), Some(flag)) if named.is_some_and(|name| name != BNB) => {
            let found = written.describe();
            refused.by_transformers.push(at(
                &written,
                format!("`quant_method` of `quantization_config` is {found} beside `{flag}`, with which the weights are taken for those of bitsandbytes"),
            ));
        }
        _ => {}
    }
    flag.map_or(named, |_| Some(BNB))
}

fn bitsandbytes(section: &Cursor<'_>, refused: &mut Refused) {
    let is_set = |key| section.get(key).is_some_and(|value| is_true(&value));
    if is_set("load_in_4bit") && is_set("load_in_8bit") {
        refused.by_transformers.push(at(
            section,
            "`quantization_config` has both `load_in_4bit` and `load_in_8bit`".into(),
        ));
    }
}

/// One scale for a tensor, and scales of activations in the checkpoint, are known to vLLM, but not together
/// with scales of blocks; `FineGrainedFP8Config` knows blocks alone.
fn fp8(section: &Cursor<'_>, refused: &mut Refused) {
    let block = section.get("weight_block_size");
    if let Some(scheme) = section.get("activation_scheme") {
        let is_dynamic = scheme
            .as_str()
            .is_some_and(|scheme| scheme.to_lowercase() == "dynamic");
        let has_blocks = block.as_ref().is_some_and(|block| !block.is_null());
        let by = if scheme.as_str() == Some("static") && !has_blocks {
            By::Transformers
        } else {
            By::All
        };
        if !is_dynamic {
            refused.push(by, &scheme, "activation_scheme", "`dynamic`");
        }
    }
    let Some(block) = block else { return };
    let is_size = |side: Cursor<'_>| number(&side).is_some_and(|side| side > 0.0);
    let is_block = block.elements().count() == 2 && block.elements().all(is_size);
    if !is_block {
        let by = if block.is_null() {
            By::Transformers
        } else {
            By::All
        };
        refused.push(by, &block, "weight_block_size", "two numbers above 0");
    }
}

/// Fusing needs the longest sequence and a mapping of modules; engines fuse as they like.
fn fused_awq(section: &Cursor<'_>, refused: &mut Refused) {
    const NEEDED: [&str; 7] = [
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "mlp",
        "attention",
        "layernorm",
        "use_alibi",
    ];
    let mapping = section.get_set("modules_to_fuse");
    let fuses = match section.get_set("do_fuse") {
        Some(flag) => is_true(&flag),
        None => mapping.as_ref().is_some_and(is_true),
    };
    if fuses && section.get_set("fuse_max_seq_len").is_none() {
        refused.by_transformers.push(at(
            section,
            "`quantization_config` has fused modules and no `fuse_max_seq_len`".into(),
        ));
    }
    let lacks = |mapping: &Cursor<'_>| NEEDED.iter().any(|key| mapping.get(key).is_none());
    if let Some(mapping) = mapping.filter(|found| fuses && found.is_object() && lacks(found)) {
        let wants = format!(
            "an object with {}",
            NEEDED.map(|key| format!("`{key}`")).join(", ")
        );
        refused.push(By::Transformers, &mapping, "modules_to_fuse", &wants);
    }
    let is_exllama = section
        .get("version")
        .and_then(|version| version.as_str())
        .is_some_and(|version| version.to_lowercase() == "exllama");
    let settings = section.get_set("exllama_config").filter(|_| is_exllama);
    if let Some(settings) = settings.filter(|settings| !names_exllama(settings)) {
        let wants = "an object with a `version` of 1 or 2";
        refused.push(By::Transformers, &settings, "exllama_config", wants);
    }
}

fn hadamard(section: &Cursor<'_>, refused: &mut Refused) {
    let group = section.get("group_size").and_then(|group| group.as_u64());
    let group = group.filter(|group| *group > 0).unwrap_or(256);
    let is_odd = |size: &Cursor<'_>| size.as_u64().is_none_or(|size| size % group != 0);
    if let Some(size) = section.get("hadamard_size").filter(is_odd) {
        let wants = format!("a multiple of `group_size`, {group}");
        refused.push(By::All, &size, "hadamard_size", &wants);
    }
}

/// Without this key the class takes all others, `quant_method` too, for options of the type.
fn options_of_torchao(section: &Cursor<'_>, refused: &mut Refused) {
    let is_named = section.get("quant_type").is_some_and(|kind| is_text(&kind));
    if is_named && section.get_set("quant_type_kwargs").is_none() {
        refused.everywhere.push(at(
            section,
            "`quantization_config` has no `quant_type_kwargs`, which a `quant_type` that is a text needs".into(),
        ));
    }
}

/// Newer types are an object that describes them.
fn is_type_of_torchao(value: &Cursor<'_>) -> bool {
    const NAMES: [&str; 4] = [
        "int4_weight_only",
        "int8_weight_only",
        "int8_dynamic_activation_int8_weight",
        "autoquant",
    ];
    is_text_of(value, &NAMES)
        || value.get("default").is_some() && value.members().all(|(key, _)| key == "default")
}

fn is_layers_of_vptq(value: &Cursor<'_>) -> bool {
    let is_packed = |layer: &Cursor<'_>| {
        let packed = layer.get("is_indice_packed");
        layer.is_object() && packed.is_none_or(|packed| packed.as_bool() != Some(false))
    };
    value.is_object() && value.members().all(|(_, layer)| is_packed(&layer))
}

/// What Python takes for true.
fn is_true(value: &Cursor<'_>) -> bool {
    match value.value() {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(_) => number(value).is_some_and(|number| number.abs() > 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) => value.elements().next().is_some(),
        Value::Object(_) => value.members().next().is_some(),
    }
}

#[cfg(test)]
mod tests;
