//! What single settings must be for the loader, as a table.
//!
//! Measured with transformers 4.55.4: fourteen classes, each with two layers and real weights, were
//! loaded with twelve kinds of values under each of 107 keys (`AutoConfig`,
//! `AutoModelForCausalLM.from_pretrained`, then a loss and its gradient), and the table was held against
//! the outcomes. For the other classes of a row only the building with `null` and with a text was tried.
//! A value that loads and trains is no defect, however odd.

use super::{ACTIVATIONS, PATH};
use crate::config::Section;
use crate::fact::Defect;
use crate::json::{Cursor, Number, Value};

/// Whether `null` is a value that the loader takes.
#[derive(Clone, Copy, PartialEq)]
enum Null {
    Taken,
    Refused,
    /// As far as the class's own default is none, or follows from other settings.
    AsDefault,
}

/// Which configs a row is about.
#[derive(Clone, Copy)]
enum Of {
    /// All: the key is read by the class that all configs share.
    All,
    /// Those whose class has the key.
    Readers,
    /// Those with a rotary embedding of the common kind.
    Rotary,
    /// These model types.
    Types(&'static [&'static str]),
}

struct Row {
    keys: &'static [&'static str],
    of: Of,
    null: Null,
    fits: fn(&Cursor<'_>) -> bool,
    wants: &'static str,
}

const TABLE: [Row; 23] = [
    Row {
        keys: &[
            "hidden_size",
            "num_attention_heads",
            "num_hidden_layers",
            "vocab_size",
        ],
        of: Of::All,
        null: Null::AsDefault,
        // A model without layers is built without a word, and is no model.
        fits: |value| whole(value).is_some_and(|value| value > 0),
        wants: "a whole number above 0 that a tensor can have",
    },
    Row {
        keys: &["num_key_value_heads"],
        of: Of::Readers,
        null: Null::Taken,
        fits: |value| whole(value).is_some_and(|value| value > 0),
        wants: "a whole number above 0",
    },
    Row {
        keys: &["num_key_value_heads"],
        of: Of::Types(&["gemma2", "gemma3_text", "qwen3_moe"]),
        null: Null::Refused,
        fits: |_| true,
        wants: "a whole number above 0",
    },
    Row {
        keys: &[
            "ffn_dim",
            "intermediate_size",
            "kv_lora_rank",
            "moe_intermediate_size",
            "n_inner",
            "n_routed_experts",
            "num_experts",
            "num_experts_per_tok",
            "num_local_experts",
            "qk_nope_head_dim",
            "qk_rope_head_dim",
            "v_head_dim",
        ],
        of: Of::Readers,
        null: Null::AsDefault,
        fits: |value| whole(value).is_some_and(|value| value >= 0),
        wants: "a whole number",
    },
    Row {
        keys: &["head_dim", "q_lora_rank"],
        of: Of::Readers,
        null: Null::Taken,
        fits: |value| whole(value).is_some_and(|value| value >= 0),
        wants: "a whole number",
    },
    Row {
        keys: &["head_dim"],
        of: Of::Types(&[
            "gemma",
            "gemma2",
            "gemma3_text",
            "glm",
            "glm4",
            "helium",
            "qwen3",
            "qwen3_moe",
        ]),
        null: Null::Refused,
        fits: |_| true,
        wants: "a whole number",
    },
    // Learned positions are a tensor and GPT-OSS scales by it; elsewhere it is not read before a sequence
    // is longer.
    Row {
        keys: &["max_position_embeddings"],
        of: Of::Types(&["gpt_oss"]),
        null: Null::Refused,
        fits: |value| number(value).is_some_and(|value| value > 0.0),
        wants: "a number above 0",
    },
    Row {
        keys: &["max_position_embeddings"],
        of: Of::Types(&[
            "biogpt",
            "gpt-sw3",
            "gpt2",
            "gpt_bigcode",
            "gpt_neo",
            "openai-gpt",
            "opt",
        ]),
        null: Null::Refused,
        fits: |value| whole(value).is_some_and(|value| value > 0),
        wants: "a whole number above 0",
    },
    Row {
        keys: &[
            "embedding_multiplier",
            "layer_norm_eps",
            "layer_norm_epsilon",
            "logit_scale",
            "logits_scaling",
            "norm_epsilon",
            "residual_multiplier",
            "rms_norm_eps",
            "rope_local_base_freq",
            "rope_theta",
            "rotary_emb_base",
            "routed_scaling_factor",
        ],
        of: Of::Readers,
        null: Null::AsDefault,
        fits: is_number,
        wants: "a number",
    },
    Row {
        keys: &["attention_multiplier", "final_logit_softcapping"],
        of: Of::Readers,
        null: Null::Taken,
        fits: is_number,
        wants: "a number",
    },
    // Every rotary embedding looks for it, whether or not the class has the key.
    Row {
        keys: &["partial_rotary_factor"],
        of: Of::Rotary,
        null: Null::Refused,
        fits: |value| number(value).is_some_and(|value| value > 0.0 && value <= 1.0),
        wants: "a number above 0 and at most 1",
    },
    Row {
        keys: &["rotary_pct"],
        of: Of::Readers,
        null: Null::Refused,
        fits: |value| number(value).is_some_and(|value| value > 0.0 && value <= 1.0),
        wants: "a number above 0 and at most 1",
    },
    Row {
        keys: &["sliding_window"],
        of: Of::Types(&["gemma2", "gemma3_text", "gpt_oss"]),
        null: Null::Refused,
        fits: is_number,
        wants: "a number",
    },
    Row {
        keys: &["sliding_window"],
        of: Of::Types(&["mistral", "mixtral", "phi3"]),
        null: Null::Taken,
        fits: is_number,
        wants: "a number",
    },
    Row {
        keys: &["query_pre_attn_scalar"],
        of: Of::Readers,
        null: Null::Refused,
        fits: |value| number(value).is_some_and(|value| value > 0.0),
        wants: "a number above 0",
    },
    Row {
        keys: &[
            "attention_dropout",
            "attn_pdrop",
            "embd_pdrop",
            "hidden_dropout",
            "resid_pdrop",
        ],
        of: Of::Readers,
        null: Null::AsDefault,
        fits: |value| number(value).is_some_and(|value| (0.0..=1.0).contains(&value)),
        wants: "a number from 0 to 1",
    },
    Row {
        keys: &[
            "activation",
            "activation_function",
            "hidden_act",
            "hidden_activation",
        ],
        of: Of::Readers,
        null: Null::AsDefault,
        fits: |value| {
            value
                .as_str()
                .is_some_and(|name| ACTIVATIONS.contains(&name))
        },
        wants: "an activation of transformers",
    },
    Row {
        keys: &["pad_token_id"],
        of: Of::All,
        null: Null::Taken,
        fits: is_number,
        wants: "a whole number",
    },
    Row {
        keys: &["label2id"],
        of: Of::All,
        null: Null::Taken,
        fits: |value| value.is_object(),
        wants: "an object",
    },
    Row {
        keys: &["id2label", "pruned_heads"],
        of: Of::All,
        null: Null::Taken,
        fits: |value| value.is_object() && value.members().all(|(key, _)| is_python_int(key)),
        wants: "an object with whole numbers as keys",
    },
    Row {
        keys: &["num_labels"],
        of: Of::All,
        null: Null::Taken,
        fits: |value| whole(value).is_some() || value.as_bool().is_some(),
        wants: "a whole number",
    },
    Row {
        keys: &["problem_type"],
        of: Of::All,
        null: Null::Taken,
        fits: |value| value.as_str().is_some_and(|name| PROBLEMS.contains(&name)),
        wants: "one of `regression`, `single_label_classification` and `multi_label_classification`",
    },
    Row {
        keys: &["_attn_implementation", "_attn_implementation_internal"],
        of: Of::All,
        null: Null::Taken,
        fits: |value| {
            value.is_object()
                || value
                    .as_str()
                    // With a slash it names a kernel of the Hub.
                    .is_some_and(|name| ATTENTIONS.contains(&name) || name.contains('/'))
        },
        wants: "an attention of transformers",
    },
];

/// Source: `PretrainedConfig.__init__`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/configuration_utils.py>
const PROBLEMS: [&str; 3] = [
    "regression",
    "single_label_classification",
    "multi_label_classification",
];

/// Source: `AttentionInterface._global_mapping`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
const ATTENTIONS: [&str; 8] = [
    "eager",
    "eager_paged",
    "flash_attention_2",
    "flash_attention_3",
    "flex_attention",
    "paged_attention",
    "sdpa",
    "sdpa_paged",
];

/// Everything in this section that is of a kind or size that the loader refuses.
pub(super) fn find(section: &Section<'_>, defects: &mut Vec<Defect>) {
    for row in &TABLE {
        for key in row.keys {
            let Some(given) = section.given(key).filter(|_| row.is_about(section, key)) else {
                continue;
            };
            let is_fine = if given.is_null() {
                row.takes_null(section, key)
            } else {
                (row.fits)(&given)
            };
            if !is_fine {
                let (wants, found) = (row.wants, given.describe());
                defects.push(Defect::at(
                    PATH,
                    given.place(),
                    format!("`{key}` must be {wants}, it is {found}"),
                ));
            }
        }
    }
}

impl Row {
    fn is_about(&self, section: &Section<'_>, key: &str) -> bool {
        match self.of {
            Of::All => true,
            Of::Readers => section.reads(key) && !is_unused(section, key),
            Of::Rotary => super::rope::is_rotary(section),
            Of::Types(types) => section
                .model_type()
                .is_some_and(|model_type| types.contains(&model_type)),
        }
    }

    fn takes_null(&self, section: &Section<'_>, key: &str) -> bool {
        match self.null {
            Null::Taken => true,
            Null::Refused => false,
            // Of a class that is not in the table nothing is known.
            Null::AsDefault => section.class().is_none() || !section.has_default(key),
        }
    }
}

/// Keys that the config class has and the model never reads: GPT-OSS has an activation of its own,
/// GPT-NeoX other names, and of these mixtures of experts no layer is dense by default.
fn is_unused(section: &Section<'_>, key: &str) -> bool {
    let unused = [
        ("deepseek_v2", "intermediate_size"),
        ("gpt_neox", "rope_theta"),
        ("gpt_oss", "hidden_act"),
        ("phimoe", "rope_theta"),
        ("qwen2_moe", "intermediate_size"),
        ("qwen3_moe", "intermediate_size"),
        ("recurrent_gemma", "rope_theta"),
    ];
    section
        .model_type()
        .is_some_and(|model_type| unused.contains(&(model_type, key)))
}

/// A whole number as Python has it, within what a tensor's size can be.
fn whole(value: &Cursor<'_>) -> Option<i64> {
    match value.value() {
        Value::Number(Number::Int(value)) => Some(*value),
        _ => None,
    }
}

/// A number as Python has it: `True` is one.
pub(super) fn number(value: &Cursor<'_>) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_bool().map(u8::from).map(f64::from))
}

fn is_number(value: &Cursor<'_>) -> bool {
    number(value).is_some()
}

/// Whether Python's `int()` takes this text.
pub(crate) fn is_python_int(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = digits.split('_');
    parts.all(|part| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit()))
}
