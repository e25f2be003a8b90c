//! Cases in which we differ on purpose or the reference is wrong, each with the evidence: what transformers
//! 4.55.4 did or what its code says, or what the case's files say themselves.

const GUESSED: &str =
    "`model_type` is missing, so the loader guesses one from the path; that never passes";
const FROM_MEMORY: &str =
    "the index says so from memory; ours is read from the 62 published packages of transformers";
const CAUSAL_AND_SEES: &str = "the causal-LM mapping names the multimodal class itself, which the loader builds, vision tower included; told in a note";
const CONFIG_ALONE: &str =
    "only config.json was kept of this repository, and nothing in it says embedding";
const NO_TYPE: &str =
    "config.json names no `model_type`: nothing loads, and config-invalid says so";
const NO_FORMULA: &str = "the state of RWKV is not described: unknown, never a guess";

/// Case and reason.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "no model_type, path ends in my-llama-thing (loads)",
        GUESSED,
    ),
    ("no model_type, path ends in x-gpt2-x (loads)", GUESSED),
    (
        "llama4 composite (loads)",
        "`from_config` fails, but `from_pretrained`, which the platform uses, takes the text part",
    ),
    (
        "gpt-j-6b (cache, bytes per token)",
        "transformers keeps the keys of GPT-J in 32 bit; engines do not",
    ),
    (
        "gpt-j-6b (cache, bytes per token beyond the window)",
        "transformers keeps the keys of GPT-J in 32 bit; engines do not",
    ),
    (
        "jamba-v0.1 (cache, fixed bytes)",
        "transformers computes Jamba's states in 32 bit and keeps them so; engines keep the model's type",
    ),
    (
        "lfm2-1.2b (cache, fixed bytes)",
        "`Lfm2HybridConvCache` reserves a state for all 16 layers, though only 10 are convolutions",
    ),
    ("rwkv-169m (cache, bytes per token)", NO_FORMULA),
    (
        "rwkv-169m (cache, bytes per token beyond the window)",
        NO_FORMULA,
    ),
    ("rwkv-169m (cache, fixed bytes)", NO_FORMULA),
    ("odd/chatglm2-wrapped-in-perf-config (causal LM)", GUESSED),
    ("odd/chatglm2-wrapped-in-perf-config (context)", GUESSED),
    ("odd/whisper-large-v3-turbo-refactored (causal LM)", GUESSED),
    ("chatglm2-wrapped-in-perf-config (config-invalid)", GUESSED),
    (
        "whisper-large-v3-turbo-refactored (config-invalid)",
        GUESSED,
    ),
    (
        "qwen3-14b-mlx-4bit (config-invalid)",
        "`AutoConfig` reads it, but `from_pretrained` ends with ValueError: `quantization_config` has no `quant_method`",
    ),
    (
        "weights: quant_method hqq (loads)",
        "the probe ended at the missing library; with it, `HqqConfig` ends with KeyError: `quant_config`",
    ),
    (
        "weights: quant_method torchao (loads)",
        "the probe ended at the missing library; with it, `TorchAoConfig` takes `quant_method` for an unexpected option of the type",
    ),
    ("falcon-180b-chat (native since)", FROM_MEMORY),
    ("falcon-40b-native (native since)", FROM_MEMORY),
    ("falcon-7b-1layer (native since)", FROM_MEMORY),
    ("mpt-1layer (native since)", FROM_MEMORY),
    ("mpt-7b (native since)", FROM_MEMORY),
    ("phi-2-1layer (native since)", FROM_MEMORY),
    ("tiny-random-phi-model (native since)", FROM_MEMORY),
    (
        "albert-base-v1 (task)",
        "`architectures` names AlbertForMaskedLM, and no file of sentence-transformers is there: a masked language model",
    ),
    (
        "clip-vit-large-patch14 (task)",
        "CLIPModel takes images and texts; it is no text embedding model",
    ),
    ("e5-mistral-7b-instruct (task)", CONFIG_ALONE),
    (
        "e5-mistral-7b-instruct (parameters by config)",
        "the index counts a head that MistralModel does not have, as its own oddities say",
    ),
    ("qwen3-embedding-8b (task)", CONFIG_ALONE),
    ("qwen3-embedding-8b (causal LM)", CONFIG_ALONE),
    (
        "lfs-pointer-bge-large-zh (task)",
        "every JSON file of the folder is a git-lfs pointer: not known",
    ),
    (
        "lodestone-base-4096 (remote code)",
        "`bert` is native and the native class wins without asking: transformers 4.55.4 loads a BertConfig (run). That this is the wrong model, weights-config-mismatch says",
    ),
    (
        "qwen1.5-moe-8x0.5b-custom (remote code)",
        "`qwen2` is native and the native class wins without asking: transformers 4.55.4 loads a Qwen2Config (run)",
    ),
    (
        "minicpm-v-2_6-rkllm (remote code)",
        "the model is native, the tokenizer is not: AutoTokenizer of 4.55.4 refuses without trust_remote_code (run)",
    ),
    (
        "minimind2 (task)",
        "`MiniMindLM` is no class of transformers and says nothing; models that see offer themselves as causal LMs too, so it is unknown",
    ),
    ("openmoe-8b (task)", NO_TYPE),
    ("qwen-7b-no-model-type (task)", NO_TYPE),
    ("gemma-4-26b-a4b-nvfp4 (causal LM)", CAUSAL_AND_SEES),
    ("gemma-3-27b-it (causal LM)", CAUSAL_AND_SEES),
    ("gemma-3-27b-it-tf4.56 (causal LM)", CAUSAL_AND_SEES),
    ("git-base (causal LM)", CAUSAL_AND_SEES),
    ("medgemma-27b-it (causal LM)", CAUSAL_AND_SEES),
    (
        "chatglm-6b (task)",
        "its code is offered for AutoModel and AutoModelForSeq2SeqLM, not for AutoModelForCausalLM",
    ),
    (
        "chatglm3-6b-32k-int4 (quantised by the word of)",
        "`quantization_bit` is a key of ChatGLM's own code, which no loader of transformers reads; the model needs that code and fails",
    ),
    (
        "chatglm3-6b-32k-int4 (quantisation method)",
        "`quantization_bit` is a key of ChatGLM's own code, which no loader of transformers reads; the model needs that code and fails",
    ),
    (
        "tiny-random-phi-model (parameters by config)",
        "the index counts a head that PhiModel does not have, as its own oddities say",
    ),
];

/// Why a case disagrees, where that is known.
pub(super) fn why(case: &str) -> Option<&'static str> {
    let found = EXPLAINED.iter().find(|(known, _)| *known == case);
    found.map(|(_, why)| *why)
}

/// Explanations of cases that are not among those that disagree.
pub(super) fn stale(used: &[&str]) -> Vec<&'static str> {
    let cases = EXPLAINED.iter().map(|(case, _)| *case);
    cases.filter(|case| !used.contains(case)).collect()
}
