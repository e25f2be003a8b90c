//! `rope_scaling`: which forms of it each family of classes takes.

mod figures;
mod own;

use super::{PATH, is_one_of};
use crate::config::Section;
use crate::fact::Defect;
use crate::json::Cursor;

/// Rope types and what each needs beside its name.
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_rope_utils.py>
const ROPE_TYPES: [(&str, &[&str]); 6] = [
    ("default", &[]),
    ("linear", &["factor"]),
    ("dynamic", &["factor"]),
    ("yarn", &["factor"]),
    ("longrope", &["short_factor", "long_factor"]),
    (
        "llama3",
        &[
            "factor",
            "original_max_position_embeddings",
            "low_freq_factor",
            "high_freq_factor",
        ],
    ),
];

/// Model types whose config class checks it by the common function, so that it must be an object.
/// Source: the calls of `rope_config_validation` in
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const CHECKED: [&str; 29] = [
    "arcee",
    "aria_text",
    "code_llama",
    "cohere",
    "cohere2",
    "deepseek_v2",
    "deepseek_v3",
    "diffllama",
    "doge",
    "ernie4_5",
    "gemma3_text",
    "glm4_moe",
    "gpt_neox",
    "gpt_neox_japanese",
    "gpt_oss",
    "granite",
    "granitemoe",
    "granitemoeshared",
    "llama",
    "olmoe",
    "persimmon",
    "phi",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "smollm3",
    "stablelm",
    "starcoder2",
];

/// Those of them that do not know the older name `type` of `rope_type`.
const WITHOUT_OLD_NAME: [&str; 6] = [
    "cohere",
    "cohere2",
    "gemma3_text",
    "granite",
    "granitemoe",
    "granitemoeshared",
];

/// Model types that first look at it when the model is built, and pass over what is no object.
const UNCHECKED: [&str; 13] = [
    "bamba", "bitnet", "falcon", "gemma", "gemma2", "glm", "glm4", "helium", "jetmoe", "minimax",
    "mistral", "mixtral", "moshi",
];

/// Whether the class has the common rotary embedding, that of GPT-NeoX aside: it has its own keys.
pub(super) fn is_rotary(text: &Section<'_>) -> bool {
    (is_one_of(text, &CHECKED)
        || is_one_of(text, &UNCHECKED)
        || is_one_of(text, &["olmo", "olmo2"]))
        && !is_one_of(text, &["gpt_neox", "gpt_neox_japanese"])
}

/// What is wrong with `rope_scaling` of this section.
pub(super) fn find(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(scaling) = text
        .given("rope_scaling")
        .filter(|scaling| !scaling.is_null())
    else {
        return;
    };
    let is_checked = is_one_of(text, &CHECKED);
    let outcome = match text.model_type() {
        Some("olmo" | "olmo2") => own::olmo(&scaling),
        Some("phi3" | "phi4_multimodal") => own::phi3(text, &scaling),
        _ if is_checked || is_one_of(text, &UNCHECKED) && scaling.is_object() => {
            check(text, &scaling)
        }
        _ => Ok(()),
    };
    if let Err((key, message)) = outcome {
        defects.push(Defect::at(PATH, key.place(), message));
    }
}

/// `llama3` compares `max_position_embeddings` where the config is checked, the others calculate with it
/// where the model is built. Source: `_validate_llama3_parameters`, `_compute_dynamic_ntk_parameters` and
/// `_compute_yarn_parameters` of
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_rope_utils.py>
fn positions<'a>(text: &Section<'a>, kind: &str) -> Result<(), Wrong<'a>> {
    let is_used = match kind {
        "llama3" => is_one_of(text, &CHECKED),
        "dynamic" | "yarn" => true,
        _ => false,
    };
    let given = text.given("max_position_embeddings");
    let is_number = |given: &Cursor<'_>| given.as_f64().is_some() || given.as_bool().is_some();
    match given
        .filter(|given| is_used && text.reads("max_position_embeddings") && !is_number(given))
    {
        Some(given) => {
            let message = format!(
                "`rope_scaling` of type `{kind}` calculates with `max_position_embeddings`, which must be a number, it is {}",
                given.describe()
            );
            Err((given, message))
        }
        None => Ok(()),
    }
}

fn wrong_length<'a>(key: &str, factors: Cursor<'a>, want: u64) -> Wrong<'a> {
    let have = factors.elements().count();
    let message = format!(
        "`{key}` of `rope_scaling` has {have} factors, this model needs {want}: one for each pair of rotary dimensions"
    );
    (factors, message)
}

/// The key that names the kind. Most classes that check the object copy `type` over `rope_type` first, so that
/// `type` counts where both stand there; the others read it only where `rope_type` is absent. A `null` names
/// nothing and is not passed over. Source: each class of [`CHECKED`] and [`UNCHECKED`], run with both keys.
fn kind_of<'a>(text: &Section<'a>, scaling: &Cursor<'a>) -> Option<Cursor<'a>> {
    let copies_type = is_one_of(text, &CHECKED) && !is_one_of(text, &WITHOUT_OLD_NAME);
    let [first, second] = if copies_type {
        ["type", "rope_type"]
    } else {
        ["rope_type", "type"]
    };
    scaling.get(first).or_else(|| scaling.get(second))
}

/// The key that is wrong, and how.
type Wrong<'a> = (Cursor<'a>, String);

fn check<'a>(text: &Section<'a>, scaling: &Cursor<'a>) -> Result<(), Wrong<'a>> {
    let of_all = |message: String| Err((scaling.clone(), message));
    if !scaling.is_object() {
        let found = scaling.describe();
        return of_all(format!("`rope_scaling` must be an object, it is {found}"));
    }
    let named = kind_of(text, scaling);
    let Some(kind) = named.as_ref().and_then(Cursor::as_str) else {
        let message = "`rope_scaling` names no `rope_type`";
        return Err((named.unwrap_or_else(|| scaling.clone()), message.into()));
    };
    let Some((_, needs)) = ROPE_TYPES.iter().find(|(known, _)| *known == kind) else {
        let message = format!("`rope_scaling` has the unknown `rope_type` `{kind}`");
        return Err((named.unwrap_or_else(|| scaling.clone()), message));
    };
    if is_one_of(text, &WITHOUT_OLD_NAME) && scaling.get("rope_type").is_none() {
        let message = "`rope_scaling` names its kind under `type`, this class reads `rope_type`";
        return Err((named.unwrap_or_else(|| scaling.clone()), message.into()));
    }
    let missing = needs.iter().filter(|key| scaling.get(key).is_none());
    let missing: Vec<_> = missing.map(|key| format!("`{key}`")).collect();
    if !missing.is_empty() {
        return of_all(format!(
            "`rope_scaling` of type `{kind}` needs {}",
            missing.join(", ")
        ));
    }
    positions(text, kind)?;
    figures::check(text, scaling, kind)
}
