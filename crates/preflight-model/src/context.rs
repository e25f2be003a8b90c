//! How many tokens a model takes, by its own account.

use crate::config::Section;
use crate::json::Cursor;

/// Model types whose attention knows no positions that could run out (`ALiBi`, recurrent state), so
/// that the class has no such setting and a stray one in config.json means nothing.
/// Source: the classes of <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const WITHOUT_LENGTH: [&str; 5] = ["bloom", "falcon_mamba", "mamba", "mamba2", "xlstm"];

/// Spellings of the setting. `max_position_embeddings` comes first: through the class's
/// `attribute_map` it also finds `n_positions` (GPT-2), `max_seq_len` (DBRX) and `context_length`
/// (RWKV). The rest are names that a class or remote code reads by itself: MPT, `ChatGLM`, Qwen 1.
const SPELLINGS: [&str; 8] = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "n_ctx",
    "model_max_length",
];

/// The context length in tokens that the config or its class gives, never multiplied by a rope
/// scaling factor (the field writes the scaled figure there already). `None` where the class has none
/// or nothing is said.
pub fn context_length(text: &Section<'_>) -> Option<u64> {
    if text
        .model_type()
        .is_some_and(|name| WITHOUT_LENGTH.contains(&name))
    {
        return None;
    }
    text.first_u64(&SPELLINGS).filter(|&tokens| tokens > 0)
}

/// Where [`context_length`] stands in config.json; `None` where it is the default of its class.
pub fn context_length_key<'a>(text: &Section<'a>) -> Option<Cursor<'a>> {
    let key = SPELLINGS.iter().find(|key| text.u64(key).is_some())?;
    text.given(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::json::Document;

    fn length(text: &str) -> Option<u64> {
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        context_length(&config.text())
    }

    #[test]
    fn as_the_class_reads_it() {
        for (config, expected) in [
            (
                r#"{"model_type": "llama", "max_position_embeddings": 131072}"#,
                Some(131_072),
            ),
            (r#"{"model_type": "llama"}"#, Some(2048)),
            (
                r#"{"model_type": "gpt2", "n_positions": 8192, "n_ctx": 1024}"#,
                Some(8192),
            ),
            (
                r#"{"model_type": "mpt", "max_seq_len": 65536}"#,
                Some(65_536),
            ),
            (
                r#"{"model_type": "dbrx", "max_seq_len": 32768}"#,
                Some(32_768),
            ),
            (
                r#"{"model_type": "chatglm", "seq_length": 8192}"#,
                Some(8192),
            ),
            (r#"{"model_type": "bloom", "seq_length": 2048}"#, None),
            (r#"{"model_type": "mamba"}"#, None),
            (
                r#"{"model_type": "llama", "max_position_embeddings": 0}"#,
                None,
            ),
            (r#"{"model_type": "unheard-of"}"#, None),
        ] {
            assert_eq!(length(config), expected, "for {config}");
        }
    }

    #[test]
    fn rope_scaling_does_not_multiply() {
        let scaled = r#"{"model_type": "qwen2", "max_position_embeddings": 32768,
            "rope_scaling": {"type": "yarn", "factor": 4.0}}"#;
        assert_eq!(length(scaled), Some(32_768));
    }

    #[test]
    fn of_the_text_part() {
        let gemma = r#"{"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}"#;
        assert_eq!(length(gemma), Some(131_072));
    }
}
