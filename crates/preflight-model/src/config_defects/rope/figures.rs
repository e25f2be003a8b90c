//! The numbers of `rope_scaling` that the common functions calculate with while the model is built.
//!
//! Source: `_compute_*_parameters` of
//! <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_rope_utils.py>; each
//! value here ended them for every class of the lists above, and its neighbour did not. A factor of 0 does not.

use super::{Wrong, wrong_length};
use crate::config::Section;
use crate::config_defects::is_one_of;
use crate::json::Cursor;

/// Parameters that are calculated with.
const ALL: [&str; 6] = [
    "beta_fast",
    "beta_slow",
    "factor",
    "high_freq_factor",
    "low_freq_factor",
    "original_max_position_embeddings",
];

/// Those that are divided by, by the kind.
const DIVISORS: [(&str, &[&str]); 2] = [
    ("yarn", &["original_max_position_embeddings"]),
    ("llama3", &["low_freq_factor", "high_freq_factor"]),
];

/// Model types whose config fills in a `head_dim` of `null`.
const FILL_IN_HEAD_DIM: [&str; 10] = [
    "arcee",
    "aria_text",
    "code_llama",
    "deepseek_v2",
    "diffllama",
    "ernie4_5",
    "falcon",
    "gpt_oss",
    "llama",
    "moshi",
];

/// Model types whose `head_dim` is `null` where the config has none.
const WITHOUT_HEAD_DIM: [&str; 3] = ["minimax", "mistral", "mixtral"];

/// Model types of which the number of rotary dimensions is known: a whole head, or what the config says.
const DIMENSIONS_KNOWN: [&str; 8] = [
    "code_llama",
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
];

pub(super) fn check<'a>(
    text: &Section<'a>,
    scaling: &Cursor<'a>,
    kind: &str,
) -> Result<(), Wrong<'a>> {
    texts(text, scaling)?;
    nulls(text, scaling, kind)?;
    zeros(scaling, kind)?;
    head_dim(text, scaling, kind)?;
    if kind == "longrope" {
        longrope(text, scaling)?;
    }
    Ok(())
}

fn must_be_number<'a>(key: &str, value: Cursor<'a>) -> Wrong<'a> {
    let found = value.describe();
    let message = format!("`{key}` of `rope_scaling` must be a number, it is {found}");
    (value, message)
}

fn texts<'a>(text: &Section<'a>, scaling: &Cursor<'a>) -> Result<(), Wrong<'a>> {
    // DeepSeek-V3 makes numbers of its strings.
    if text.model_type() == Some("deepseek_v3") {
        return Ok(());
    }
    let mut values = ALL.iter().filter_map(|key| Some((key, scaling.get(key)?)));
    let found = values.find(|(_, value)| value.as_str().is_some());
    found.map_or(Ok(()), |(key, value)| Err(must_be_number(key, value)))
}

fn nulls<'a>(text: &Section<'a>, scaling: &Cursor<'a>, kind: &str) -> Result<(), Wrong<'a>> {
    let used: &[&str] = match kind {
        "linear" | "dynamic" => &["factor"],
        // The quotient of both lengths replaces the factor, which only DeepSeek-V3 looks at before.
        "yarn" if text.model_type() != Some("deepseek_v3") => {
            match scaling.get("original_max_position_embeddings") {
                Some(_) => &["original_max_position_embeddings"],
                None => &["factor"],
            }
        }
        "yarn" => &["factor", "original_max_position_embeddings"],
        "llama3" => &[
            "factor",
            "high_freq_factor",
            "low_freq_factor",
            "original_max_position_embeddings",
        ],
        _ => &[],
    };
    let mut values = used.iter().filter_map(|key| Some((key, scaling.get(key)?)));
    let found = values.find(|(_, value)| value.is_null());
    found.map_or(Ok(()), |(key, value)| Err(must_be_number(key, value)))
}

fn zeros<'a>(scaling: &Cursor<'a>, kind: &str) -> Result<(), Wrong<'a>> {
    let divisors = DIVISORS.iter().filter(|(of, _)| *of == kind);
    let mut values = divisors
        .flat_map(|(_, keys)| *keys)
        .filter_map(|key| Some((key, scaling.get(key)?)));
    match values.find(|(_, value)| value.as_f64() == Some(0.0)) {
        Some((key, value)) => {
            let message = format!("`{key}` of `rope_scaling` is 0, and the model divides by it");
            Err((value, message))
        }
        None => Ok(()),
    }
}

/// Three kinds take `head_dim` as it stands, without the quotient that the model itself falls back to.
fn head_dim<'a>(text: &Section<'a>, scaling: &Cursor<'a>, kind: &str) -> Result<(), Wrong<'a>> {
    let given = text.given("head_dim");
    let is_none = match &given {
        Some(given) => given.is_null() && !is_one_of(text, &FILL_IN_HEAD_DIM),
        None => is_one_of(text, &WITHOUT_HEAD_DIM),
    };
    if !is_none || !matches!(kind, "dynamic" | "yarn" | "longrope") {
        return Ok(());
    }
    let message = format!(
        "`rope_scaling` of type `{kind}` calculates with `head_dim`, which this class does not fill in: set it to `hidden_size` divided by `num_attention_heads`"
    );
    Err((given.unwrap_or_else(|| scaling.clone()), message))
}

fn longrope<'a>(text: &Section<'a>, scaling: &Cursor<'a>) -> Result<(), Wrong<'a>> {
    let is_set = |key| scaling.get_set(key).is_some();
    // Beside `rope_scaling`, not in it: their quotient is the factor then.
    let has_both_lengths = text.given("original_max_position_embeddings").is_some();
    if !is_set("factor") && !is_set("attention_factor") && !has_both_lengths {
        let message = "`rope_scaling` of type `longrope` needs `factor` (or `original_max_position_embeddings` beside `rope_scaling`)";
        return Err((scaling.clone(), message.into()));
    }
    let Some(factors) = scaling.get("short_factor").filter(Cursor::is_array) else {
        return Ok(());
    };
    let have = factors.elements().count() as u64;
    // One factor counts for all. The long ones are first used with a long sequence.
    match pairs(text).filter(|&want| have != want && have != 1 && want != 1) {
        Some(want) => Err(wrong_length("short_factor", factors, want)),
        None => Ok(()),
    }
}

/// Half of the rotary dimensions of a head, rounded up.
fn pairs(text: &Section<'_>) -> Option<u64> {
    if !is_one_of(text, &DIMENSIONS_KNOWN) || text.given("partial_rotary_factor").is_some() {
        return None;
    }
    let quotient = || {
        let heads = text.u64("num_attention_heads")?;
        text.u64("hidden_size")?.checked_div(heads)
    };
    let head = text.u64("head_dim").or_else(quotient)?;
    Some(head.div_ceil(2))
}
