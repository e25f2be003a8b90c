//! Which formula a model type has.

/// How a model type caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Keys and values of every KV head in every layer, all tokens or as its layer kinds say.
    Attention,
    /// The same with one KV head per attention head, and no setting for another head size.
    MultiHead,
    /// Falcon: three generations of head sharing.
    Falcon,
    /// `GPTBigCode`: one KV head with `multi_query`.
    BigCode,
    /// DBRX: the KV heads stand in a nested object.
    Dbrx,
    /// Multi-head latent attention.
    Latent,
    /// Mamba layers alone.
    Mamba,
    /// Mamba and attention layers, or both in one layer.
    Hybrid,
    /// Gated delta rule and attention layers, every fourth by default (Qwen3-Next, Qwen3.5).
    LinearAttention,
    /// Nemotron-H: the kind of every layer is a letter.
    NemotronH,
    /// Lfm2: short convolutions and attention layers.
    ShortConvolution,
    /// Encoders: every token sees every other, nothing is kept between steps.
    Encoder,
}

impl Family {
    /// The family of a model type; `None` where it is not known.
    pub(super) fn of(model_type: &str) -> Option<Self> {
        Some(match model_type {
            "arcee" | "aria_text" | "bitnet" | "code_llama" | "cohere" | "cohere2" | "dots1"
            | "ernie4_5" | "ernie4_5_moe" | "exaone4" | "gemma" | "gemma2" | "gemma3_text"
            | "gemma3n_text" | "glm" | "glm4" | "glm4_moe" | "gpt_oss" | "granite"
            | "granitemoe" | "granitemoeshared" | "helium" | "jetmoe" | "llama" | "llama4_text"
            | "mistral" | "mixtral" | "nemotron" | "olmo" | "olmo2" | "olmoe" | "phi" | "phi3"
            | "phi4_multimodal" | "phimoe" | "qwen2" | "qwen2_moe" | "qwen3" | "qwen3_moe"
            | "smollm3" | "stablelm" | "starcoder2" | "qwen2_vl" | "qwen2_vl_text"
            | "qwen2_5_vl" | "qwen2_5_vl_text" | "glm4v_text"
            // Of releases after 4.55.4, whose classes' defaults are not in our table: only what the
            // file says is used.
            | "apertus" | "glm4v_moe_text" | "hunyuan_v1_dense" | "olmo3" | "qwen3_vl_moe_text"
            | "qwen3_vl_text" | "seed_oss" => Self::Attention,
            "qwen3_5_moe_text" | "qwen3_5_text" | "qwen3_next" => Self::LinearAttention,
            "nemotron_h" => Self::NemotronH,
            "bloom" | "codegen" | "gpt-sw3" | "gpt2" | "gpt_neox" | "gpt_neox_japanese"
            | "gptj" | "mpt" | "opt" | "persimmon" => Self::MultiHead,
            "falcon" => Self::Falcon,
            "gpt_bigcode" => Self::BigCode,
            "dbrx" => Self::Dbrx,
            "deepseek_v2" | "deepseek_v3" | "kimi_k2" => Self::Latent,
            "mamba" | "mamba2" | "falcon_mamba" => Self::Mamba,
            "bamba" | "falcon_h1" | "granitemoehybrid" | "jamba" => Self::Hybrid,
            "lfm2" => Self::ShortConvolution,
            "albert" | "bert" | "camembert" | "distilbert" | "electra" | "modernbert" | "mpnet"
            | "roberta" | "xlm-roberta" => Self::Encoder,
            _ => return None,
        })
    }
}
