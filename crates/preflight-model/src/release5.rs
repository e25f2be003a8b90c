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

fn rope(config: &Config, found: &mut Vec<Defect>) {
    let text = config.text();
    let Some(parameters) = text.given("rope_parameters").filter(Cursor::is_object) else {
        return;
    };
    // One set of parameters for all layers, or one for each kind of layer.
    let by_kind: Vec<_> = parameters
        .members()
        .filter(|(_, value)| value.is_object())
        .collect();
    if by_kind.is_empty() {
        compare(&text, &parameters, "rope_theta", found);
    }
    for (kind, parameters) in by_kind {
        let key = match kind {
            "sliding_attention" if text.f64("rope_local_base_freq").is_some() => {
                "rope_local_base_freq"
            }
            _ => "rope_theta",
        };
        compare(&text, &parameters, key, found);
    }
}

fn compare(text: &Section<'_>, parameters: &Cursor<'_>, key: &str, found: &mut Vec<Defect>) {
    let path = "config.json";
    if let Some(theta) = parameters.get_set("rope_theta") {
        let (wanted, used) = (theta.as_f64(), text.f64(key));
        // Without a default in the table there is no telling what release 4 would use.
        if let Some((wanted, used)) = wanted
            .zip(used)
            .filter(|(wanted, used)| !same(*wanted, *used))
        {
            found.push(Defect::at(
                path,
                theta.place(),
                format!(
                    "release 4 ignores `rope_parameters` and uses {key} {used} instead of {wanted}"
                ),
            ));
        } else if used.is_none() {
            found.push(Defect::at(
                path,
                theta.place(),
                format!(
                    "release 4 ignores `rope_parameters`, and config.json has no `{key}` for it"
                ),
            ));
        }
    }
    let kind = parameters
        .get_set("rope_type")
        .or_else(|| parameters.get_set("type"));
    let scaled = kind
        .as_ref()
        .and_then(|kind| Some((kind.place(), kind.as_str()?)));
    if let Some((place, kind)) = scaled.filter(|(_, kind)| *kind != "default") {
        let scaling = text.given("rope_scaling").filter(Cursor::is_object);
        if scaling.is_none() {
            let message = format!(
                "release 4 ignores `rope_parameters` and does not scale the rotary embedding (`{kind}`)"
            );
            found.push(Defect::at(path, place, message));
        }
    }
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

    #[test]
    fn only_where_the_effective_value_differs() {
        let same = r#"{"model_type": "llama", "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}}"#;
        assert_eq!(of_config(same), [""; 0]);
        let both = r#"{"model_type": "llama", "rope_theta": 500000.0, "rope_parameters": {"rope_theta": 500000.0}}"#;
        assert_eq!(of_config(both), [""; 0]);
    }

    #[test]
    fn says_which_theta_would_be_used() {
        let llama = r#"{"model_type": "llama", "rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8}}"#;
        let found = of_config(llama);
        assert!(
            found[0].contains("rope_theta 10000 instead of 500000"),
            "{found:?}"
        );
        assert!(found[1].contains("does not scale"), "{found:?}");
        let gemma = r#"{"model_type": "gemma3_text", "rope_parameters": {"full_attention": {"rope_theta": 5.0}, "sliding_attention": {"rope_theta": 10000.0}}}"#;
        let found = of_config(gemma);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("1000000 instead of 5"), "{found:?}");
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
