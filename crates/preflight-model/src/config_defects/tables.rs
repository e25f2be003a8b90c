//! What classes of transformers 4.55.4 take, as lists.

/// Attributes of `torch` that name a dtype a model can be built in.
/// Source: <https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype>
pub(super) const DTYPES: [&str; 7] = [
    "bfloat16", "double", "float", "float16", "float32", "float64", "half",
];

/// Keys of `ACT2FN`.
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/activations.py>
pub(super) const ACTIVATIONS: [&str; 20] = [
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_pytorch_tanh",
    "laplace",
    "leaky_relu",
    "linear",
    "mish",
    "prelu",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
];

/// Model types whose embedding is built with `padding_idx = pad_token_id`: of the 128 causal ones, those
/// that could not be built with a pad token beyond the vocabulary; and the encoders and later ones whose
/// `nn.Embedding(config.vocab_size, …, padding_idx=config.pad_token_id)` was read in
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
pub(super) const PADDING_CHECKED: [&str; 99] = [
    "albert",
    "arcee",
    "aria_text",
    "bamba",
    "bart",
    "bert",
    "bert-generation",
    "big_bird",
    "bigbird_pegasus",
    "biogpt",
    "bitnet",
    "blenderbot",
    "blenderbot-small",
    "camembert",
    "code_llama",
    "cohere",
    "cohere2",
    "convbert",
    "data2vec-text",
    "dbrx",
    "deberta",
    "deberta-v2",
    "deepseek_v2",
    "deepseek_v3",
    "diffllama",
    "distilbert",
    "doge",
    "dots1",
    "electra",
    "ernie",
    "ernie4_5",
    "ernie4_5_moe",
    "exaone4",
    "falcon_h1",
    "gemma",
    "gemma2",
    "gemma3_text",
    "git",
    "glm",
    "glm4",
    "glm4_moe",
    "gpt_oss",
    "granite",
    "granitemoe",
    "granitemoehybrid",
    "granitemoeshared",
    "helium",
    "jamba",
    "jetmoe",
    "lfm2",
    "llama",
    "llama4_text",
    "longformer",
    "marian",
    "mbart",
    "mega",
    "megatron-bert",
    "minimax",
    "mistral",
    "mixtral",
    "mobilebert",
    "modernbert",
    "modernbert-decoder",
    "mvp",
    "nemotron",
    "nystromformer",
    "olmo",
    "olmo2",
    "olmoe",
    "open-llama",
    "opt",
    "pegasus",
    "persimmon",
    "phi",
    "phi3",
    "phimoe",
    "plbart",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "recurrent_gemma",
    "rembert",
    "roberta",
    "roberta-prelayernorm",
    "roc_bert",
    "roformer",
    "smollm3",
    "squeezebert",
    "stablelm",
    "starcoder2",
    "trocr",
    "whisper",
    "xglm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
    "zamba",
    "zamba2",
];

/// Model types whose config class checks `layer_types`: those that call `layer_type_validation`.
pub(super) const LAYER_TYPES_CHECKED: [&str; 12] = [
    "cohere2",
    "dots1",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "gemma3n_text",
    "gpt_oss",
    "llama4_text",
    "minimax",
    "qwen2",
    "qwen3",
    "smollm3",
];
pub(super) const LAYER_TYPES: [&str; 4] = [
    "full_attention",
    "sliding_attention",
    "chunked_attention",
    "linear_attention",
];

/// Properties of config classes that cannot be set, by model types; no types are all.
/// Source: `inspect` over the classes of transformers 4.55.4.
pub(super) const READ_ONLY: [(&[&str], &[&str]); 4] = [
    (&[], &["use_return_dict"]),
    (
        &["bamba", "falcon_h1", "jamba", "recurrent_gemma"],
        &["layers_block_type"],
    ),
    (&["jamba"], &["layers_num_experts"]),
    (&["falcon"], &["head_dim", "rotary"]),
];

/// Methods of every config class that the loader calls, of the parts of a composite too: a key of the name
/// hides the method, whatever its value. Each was tried with 4.55.4; release 5 has them all but
/// `dict_torch_dtype_to_str`.
pub(super) const METHODS: [&str; 6] = [
    "__class__",
    "__getstate__",
    "__reduce_ex__",
    "_remove_keys_not_serialized",
    "dict_torch_dtype_to_str",
    "to_dict",
];
/// Those that it calls of the whole only.
pub(super) const METHODS_OF_THE_WHOLE: [&str; 3] =
    ["get_text_config", "to_diff_dict", "to_json_string"];

/// Model types whose heads must divide the hidden size for the model to be built.
pub(super) const HEADS_DIVIDE: [&str; 6] = [
    "deberta",
    "deberta-v2",
    "falcon",
    "gpt2",
    "gpt_neox",
    "modernbert",
];
/// Those that do not look where the config has an `embedding_size`. Source: `BertSelfAttention` of
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/bert/modeling_bert.py>
/// and its copies in the modeling file of each.
pub(super) const HEADS_DIVIDE_WITHOUT_EMBEDDING_SIZE: [&str; 9] = [
    "bert",
    "camembert",
    "data2vec-text",
    "ernie",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
];
