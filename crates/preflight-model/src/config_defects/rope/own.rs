//! `rope_scaling` of the classes that check it by a function of their own, in the form it had before
//! `rope_type`. Each form here and in the tests was given to the classes of transformers 4.55.4.

use super::{Wrong, wrong_length};
use crate::config::Section;
use crate::json::{Cursor, Number, Value};

/// Source: `_rope_scaling_validation` of
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/olmo2/configuration_olmo2.py>
/// and of `configuration_olmo.py`, which is the same.
pub(super) fn olmo<'a>(scaling: &Cursor<'a>) -> Result<(), Wrong<'a>> {
    let [kind, factor] = only(scaling, ["type", "factor"])?;
    if !matches!(kind.as_str(), Some("linear" | "dynamic")) {
        let found = kind.describe();
        let message = format!(
            "`type` of `rope_scaling` must be `linear` or `dynamic` for this class, it is {found}"
        );
        return Err((kind, message));
    }
    let is_above_one = matches!(factor.value(), Value::Number(Number::Float(factor)) if *factor > 1.0 || factor.is_nan());
    if !is_above_one {
        let message = format!(
            "`factor` of `rope_scaling` must be above 1 and written with a decimal point for this class (`2.0`, not `2`), it is {}",
            factor.describe()
        );
        return Err((factor, message));
    }
    Ok(())
}

/// The number of the rotary dimensions is halved: one factor for each pair. Source:
/// `_rope_scaling_adjustment` and `_rope_scaling_validation` of
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/phi3/configuration_phi3.py>
/// and of `configuration_phi4_multimodal.py`, which are the same.
pub(super) fn phi3<'a>(text: &Section<'a>, scaling: &Cursor<'a>) -> Result<(), Wrong<'a>> {
    let [kind, short, long] = only(scaling, ["type", "short_factor", "long_factor"])?;
    // The two older names become `longrope` before the check.
    if !matches!(kind.as_str(), Some("longrope" | "su" | "yarn")) {
        let found = kind.describe();
        let message =
            format!("`type` of `rope_scaling` must be `longrope` for this class, it is {found}");
        return Err((kind, message));
    }
    let pairs = pairs(text);
    for (key, factors) in [("short_factor", short), ("long_factor", long)] {
        let is_number =
            |factor: Cursor<'_>| matches!(factor.value(), Value::Number(_) | Value::Bool(_));
        if !factors.is_array() || !factors.elements().all(is_number) {
            let message = format!("`{key}` of `rope_scaling` must be a list of numbers");
            return Err((factors, message));
        }
        let have = factors.elements().count() as u64;
        if let Some(want) = pairs.filter(|&want| have != want) {
            return Err(wrong_length(key, factors, want));
        }
    }
    Ok(())
}

/// Half of the rotary dimensions of a head, rounded down as Python does.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the size of a head; a factor that is not from 0 to 1 gives none"
)]
fn pairs(text: &Section<'_>) -> Option<u64> {
    let head = text
        .u64("hidden_size")?
        .checked_div(text.u64("num_attention_heads")?)?;
    let part = text.f64("partial_rotary_factor")?;
    (0.0..=1.0)
        .contains(&part)
        .then_some((head as f64 * part) as u64 / 2)
}

/// The values under these keys, where there are no others.
fn only<'a, const N: usize>(
    scaling: &Cursor<'a>,
    keys: [&str; N],
) -> Result<[Cursor<'a>; N], Wrong<'a>> {
    let found: Vec<_> = keys.iter().filter_map(|key| scaling.get(key)).collect();
    let has_others = scaling.members().count() != N;
    found
        .try_into()
        .ok()
        .filter(|_| !has_others)
        .ok_or_else(|| {
            let named: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            let message = format!(
                "`rope_scaling` of this class must be an object of {} and nothing else",
                named.join(", ")
            );
            (scaling.clone(), message)
        })
}
