//! What transformers 5 writes and release 4 misreads *with another effective value*.
//!
//! Release 5 writes `rope_parameters` where release 4 reads `rope_theta` and `rope_scaling`: release 4
//! keeps the unknown key and uses its class's default, so a Llama 3 trained with theta 500 000 runs
//! with 10 000, without a word. Measured at +0.765 nats a token:
//! <https://github.com/Open-Athena/MarinFold/pull/184>.

use crate::checkpoint::Checkpoint;
use crate::config::{Config, Section};
use crate::fact::Defect;
use crate::json::Cursor;

/// Tokenizer classes that only release 5 has.
/// Source: <https://github.com/gpustack/gpustack/issues/5096>
const TOKENIZER_CLASSES_5: [&str; 2] = ["MistralCommonBackend", "TokenizersBackend"];

/// Everything that release 4 would misread or refuse.
pub fn misread_by_release_4(checkpoint: &Checkpoint<'_>) -> Vec<Defect> {
    let mut found = Vec::new();
    if let Some(config) = checkpoint.config.known() {
        rope(config, &mut found);
    }
    if let Some(document) = checkpoint.tokenizer_config.known() {
        tokenizer(&document.root(), &mut found);
    }
    found
}

fn tokenizer(root: &Cursor<'_>, found: &mut Vec<Defect>) {
    let path = "tokenizer_config.json";
    if let Some(class) = root.get("tokenizer_class")
        && let Some(name) = class
            .as_str()
            .filter(|name| TOKENIZER_CLASSES_5.contains(name))
    {
        found.push(Defect::at(
            path,
            class.place(),
            format!("`tokenizer_class` is `{name}`, which only transformers 5 has"),
        ));
    }
    if let Some(tokens) = root.get("extra_special_tokens").filter(Cursor::is_array) {
        found.push(Defect::at(
            path,
            tokens.place(),
            "`extra_special_tokens` is a list, which only transformers 5 reads: release 4 wants an object",
        ));
    }
}

/// Names under which release 4 reads the base frequency of layers with a sliding window, where a class
/// has its own for them. Source: `Gemma3TextConfig`, `ModernBertDecoderConfig` of 4.55.4.
const LOCAL_THETA: [&str; 2] = ["rope_local_base_freq", "local_rope_theta"];

fn rope(config: &Config, found: &mut Vec<Defect>) {
    let text = config.text();
    let Some(parameters) = text.given("rope_parameters").filter(Cursor::is_object) else {
        return;
    };
    // GPT-NeoX calls them so, and derives the usual names from these.
    let (theta, part) = if text.reads("rotary_emb_base") {
        ("rotary_emb_base", "rotary_pct")
    } else {
        ("rope_theta", "partial_rotary_factor")
    };
    // One set of parameters for all layers, or one for each kind of layer.
    let by_kind: Vec<_> = parameters
        .members()
        .filter(|(_, value)| value.is_object())
        .collect();
    let sets = if by_kind.is_empty() {
        vec![("", parameters)]
    } else {
        by_kind
    };
    for (kind, set) in sets {
        let local = LOCAL_THETA.into_iter().find(|key| text.reads(key));
        let theta = local
            .filter(|_| kind == "sliding_attention")
            .unwrap_or(theta);
        number(&text, &set, "rope_theta", theta, found);
        number(&text, &set, "partial_rotary_factor", part, found);
        scaling(&text, &set, found);
    }
}

/// Compares a number of `rope_parameters` with what release 4 takes from `key` or its class.
fn number(
    text: &Section<'_>,
    parameters: &Cursor<'_>,
    name: &str,
    key: &str,
    found: &mut Vec<Defect>,
) {
    // A class that does not have the setting (GPT-2) does not miss it, and that of a type which is in no
    // table reads what it likes.
    if !text.reads(key) && text.given(key).is_none() {
        return;
    }
    let Some((place, wanted)) = parameters
        .get_set(name)
        .and_then(|wanted| Some((wanted.place(), wanted.as_f64()?)))
    else {
        return;
    };
    let message = match text.f64(key) {
        Some(used) if same(used, wanted) => return,
        Some(used) => {
            format!("release 4 ignores `rope_parameters` and uses {key} {used} instead of {wanted}")
        }
        None => {
            format!("release 4 ignores `rope_parameters`, and config.json has no `{key}` for it")
        }
    };
    found.push(Defect::at("config.json", place, message));
}

/// The scaling that a class of release 4 has where config.json gives none: its kind and factor.
/// Source: `GptOssConfig.__init__`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/gpt_oss/configuration_gpt_oss.py>
fn default_scaling(text: &Section<'_>) -> Option<(&'static str, f64)> {
    (text.model_type() == Some("gpt_oss")).then_some(("yarn", 32.0))
}

fn scaling(text: &Section<'_>, parameters: &Cursor<'_>, found: &mut Vec<Defect>) {
    let given = text.given("rope_scaling");
    // Where it is set, release 5 takes it too, in place of `rope_parameters`. Source: `rope_scaling or
    // self.rope_parameters` in `RotaryEmbeddingConfigMixin.convert_rope_params_to_dict` of 5.10.4.
    if given
        .as_ref()
        .is_some_and(|given| given.members().next().is_some())
    {
        return;
    }
    let kind = parameters
        .get_set("rope_type")
        .or_else(|| parameters.get_set("type"));
    let place = kind.as_ref().unwrap_or(parameters).place();
    let wanted = kind.as_ref().and_then(Cursor::as_str).unwrap_or("default");
    let used = default_scaling(text).filter(|_| given.is_none());
    let message = match used {
        None if wanted == "default" => return,
        None => format!(
            "release 4 ignores `rope_parameters` and does not scale the rotary embedding (`{wanted}`)"
        ),
        Some((used, factor)) if used != wanted => format!(
            "release 4 ignores `rope_parameters` and scales the rotary embedding as its class does (`{used}`, factor {factor}) instead of `{wanted}`"
        ),
        Some((_, factor)) => {
            let length = text.f64("max_position_embeddings");
            let differs = |key, used: Option<f64>| {
                let wanted = parameters.get_set(key)?.as_f64()?;
                let used = used.filter(|used| !same(*used, wanted))?;
                Some(format!("{key} {used} instead of {wanted}"))
            };
            let differences: Vec<_> = [
                differs("factor", Some(factor)),
                // Without this key the length of the model stands in for it.
                differs("original_max_position_embeddings", length),
            ]
            .into_iter()
            .flatten()
            .collect();
            if differences.is_empty() {
                return;
            }
            format!(
                "release 4 ignores `rope_parameters` and scales the rotary embedding with {}",
                differences.join(" and ")
            )
        }
    };
    found.push(Defect::at("config.json", place, message));
}

#[expect(clippy::float_cmp, reason = "both are figures as written, not results")]
fn same(a: f64, b: f64) -> bool {
    a == b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn of_config(text: &str) -> Vec<String> {
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        let mut found = Vec::new();
        rope(&config, &mut found);
        found.into_iter().map(|defect| defect.message).collect()
    }

    /// Every row was measured: what 4.55.4 has in the config that it builds, and in `inv_freq`.
    #[test]
    fn only_where_the_effective_value_differs() {
        for same in [
            r#"{"model_type": "llama", "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}"#,
            r#"{"model_type": "llama", "rope_theta": 500000, "rope_parameters": {"rope_theta": 500000.0}}"#,
            r#"{"model_type": "llama", "rope_parameters": [1]}"#,
            // Both releases take `rope_scaling` where it is set.
            r#"{"model_type": "llama", "rope_parameters": {"rope_type": "linear", "factor": 4.0}, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}"#,
            r#"{"model_type": "gemma3", "text_config": {"rope_parameters": {"full_attention": {"rope_theta": 1000000.0}, "sliding_attention": {"rope_theta": 10000.0}}}}"#,
            r#"{"model_type": "phi", "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}}"#,
            r#"{"model_type": "phi", "partial_rotary_factor": 0.4, "rope_parameters": {"partial_rotary_factor": 0.4}}"#,
            r#"{"model_type": "glm", "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}}"#,
            r#"{"model_type": "gpt_neox", "rope_parameters": {"rope_theta": 10000, "partial_rotary_factor": 0.25}}"#,
            r#"{"model_type": "gpt_neox", "rotary_emb_base": 50000, "rotary_pct": 1.0, "rope_parameters": {"rope_theta": 50000, "partial_rotary_factor": 1.0}}"#,
            r#"{"model_type": "bamba", "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.5}}"#,
            r#"{"model_type": "gpt_oss", "rope_parameters": {"rope_theta": 150000.0, "rope_type": "yarn", "factor": 32.0}}"#,
            // No rotary embedding, or a class that is in no table.
            r#"{"model_type": "gpt2", "rope_parameters": {"rope_theta": 500000.0}}"#,
            r#"{"model_type": "acme", "rope_parameters": {"rope_theta": 500000.0}}"#,
            r#"{"model_type": "llama", "rope_parameters": {"partial_rotary_factor": 0.5}}"#,
            r#"{"model_type": "llama", "dtype": "bfloat16", "eos_token_id": [1, 2]}"#,
        ] {
            assert_eq!(of_config(same), [""; 0], "{same}");
        }
    }

    #[test]
    fn says_what_release_4_uses_instead() {
        for (config, says) in [
            (
                r#"{"model_type": "llama", "rope_parameters": {"rope_theta": 500000.0}}"#,
                "uses rope_theta 10000 instead of 500000",
            ),
            (
                r#"{"model_type": "llama", "rope_theta": 500000.0, "rope_parameters": {"rope_type": "llama3", "factor": 8.0}}"#,
                "does not scale the rotary embedding (`llama3`)",
            ),
            (
                r#"{"model_type": "llama", "rope_theta": null, "rope_parameters": {"rope_theta": 500000.0}}"#,
                "config.json has no `rope_theta`",
            ),
            (
                r#"{"model_type": "mistral", "rope_parameters": {"rope_theta": 1000000.0}}"#,
                "uses rope_theta 10000 instead of 1000000",
            ),
            (
                r#"{"model_type": "smollm3", "rope_parameters": {"rope_theta": 5000000.0}}"#,
                "uses rope_theta 2000000 instead of 5000000",
            ),
            (
                r#"{"model_type": "gemma3", "text_config": {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}}}}"#,
                "does not scale the rotary embedding (`linear`)",
            ),
            (
                r#"{"model_type": "gemma3_text", "rope_parameters": {"full_attention": {"rope_theta": 5.0}, "sliding_attention": {"rope_theta": 10000.0}}}"#,
                "uses rope_theta 1000000 instead of 5",
            ),
            (
                r#"{"model_type": "gemma3_text", "rope_parameters": {"sliding_attention": {"rope_theta": 5000.0}}}"#,
                "uses rope_local_base_freq 10000 instead of 5000",
            ),
            (
                r#"{"model_type": "modernbert-decoder", "rope_parameters": {"full_attention": {"rope_theta": 160000.0}, "sliding_attention": {"rope_theta": 10000.0}}}"#,
                "uses local_rope_theta 160000 instead of 10000",
            ),
            (
                r#"{"model_type": "phi", "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.4}}"#,
                "uses partial_rotary_factor 0.5 instead of 0.4",
            ),
            (
                r#"{"model_type": "stablelm", "rope_parameters": {"partial_rotary_factor": 1.0}}"#,
                "uses partial_rotary_factor 0.25 instead of 1",
            ),
            (
                r#"{"model_type": "glm4", "rope_parameters": {"partial_rotary_factor": 1.0}}"#,
                "uses partial_rotary_factor 0.5 instead of 1",
            ),
            (
                r#"{"model_type": "nemotron", "rope_parameters": {"partial_rotary_factor": 0.25}}"#,
                "uses partial_rotary_factor 0.5 instead of 0.25",
            ),
            (
                r#"{"model_type": "phi3", "rope_parameters": {"partial_rotary_factor": 0.75}}"#,
                "uses partial_rotary_factor 1 instead of 0.75",
            ),
            (
                r#"{"model_type": "gpt_neox", "rope_parameters": {"partial_rotary_factor": 1.0}}"#,
                "uses rotary_pct 0.25 instead of 1",
            ),
            (
                r#"{"model_type": "gpt_neox", "rope_theta": 50000, "rope_parameters": {"rope_theta": 50000}}"#,
                "uses rotary_emb_base 10000 instead of 50000",
            ),
            (
                r#"{"model_type": "gpt_oss", "rope_parameters": {"rope_type": "default"}}"#,
                "scales the rotary embedding as its class does (`yarn`, factor 32) instead of `default`",
            ),
            (
                r#"{"model_type": "gpt_oss", "rope_parameters": {"rope_type": "yarn", "factor": 16.0}}"#,
                "with factor 32 instead of 16",
            ),
            (
                r#"{"model_type": "gpt_oss", "rope_parameters": {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096}}"#,
                "with original_max_position_embeddings 131072 instead of 4096",
            ),
            (
                r#"{"model_type": "gpt_oss", "rope_scaling": null, "rope_parameters": {"rope_type": "yarn", "factor": 32.0}}"#,
                "does not scale the rotary embedding (`yarn`)",
            ),
        ] {
            let found = of_config(config);
            assert_eq!(found.len(), 1, "{config}: {found:?}");
            assert!(found[0].contains(says), "{config}: {found:?}");
        }
    }

    #[test]
    fn tokenizers_of_release_5() {
        let document = Document::parse(
            br#"{"tokenizer_class": "TokenizersBackend", "extra_special_tokens": ["a"]}"#,
        )
        .unwrap();
        let mut found = Vec::new();
        tokenizer(&document.root(), &mut found);
        assert_eq!(found.len(), 2);
    }
}
