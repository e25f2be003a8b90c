//! The sizes of layers that tensor parallelism divides.

use super::experts;
use super::grain::Grain;
use crate::cache::KvCache;
use crate::config::Section;

/// Last parts of names under which attention, or a projection of it, may be left as it is.
pub(super) const MODULES_OF_ATTENTION: [&str; 6] = [
    "self_attn",
    "attn",
    "attention",
    "self_attention",
    "o_proj",
    "out_proj",
];

/// The same of feed-forward layers.
pub(super) const MODULES_OF_FEED_FORWARD: [&str; 5] =
    ["mlp", "feed_forward", "experts", "down_proj", "ffn"];

/// The inner size of a dense feed-forward layer, as classes spell it.
const INTERMEDIATE: [&str; 4] = ["intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"];

/// The inner size of an expert, as classes spell it.
const INTERMEDIATE_OF_EXPERT: [&str; 3] =
    ["moe_intermediate_size", "expert_dim", "intermediate_size"];

/// The inner size of what every token passes beside the experts, as classes spell it.
const INTERMEDIATE_OF_SHARED: [&str; 2] = [
    "shared_expert_intermediate_size",
    "shared_intermediate_size",
];

/// A number that the class has: given, or its default. A class passes over a key that is not its own;
/// of a class that is not in our table the file alone speaks.
pub(super) fn read(text: &Section<'_>, key: &str) -> Option<u64> {
    let is_read = text.class().is_none() || text.reads(key);
    text.u64(key).filter(|_| is_read)
}

/// Heads times their size, of the projections of attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attention {
    /// Heads, and what each puts into the output projection.
    output: (u64, u64),
    /// Heads, the rows of each in a projection, and what they are called.
    rows: Vec<(&'static str, u64, u64)>,
}

/// The projections of attention; `None` where a size is not known.
pub(super) fn attention(text: &Section<'_>, cache: Option<&KvCache>) -> Option<Attention> {
    let heads = read(text, "num_attention_heads")?;
    if text.u64("kv_lora_rank").is_some_and(|rank| rank > 0) {
        let [value, plain, rotary] =
            ["v_head_dim", "qk_nope_head_dim", "qk_rope_head_dim"].map(|key| text.u64(key));
        let (value, plain, rotary) = (value?, plain?, rotary?);
        return Some(Attention {
            output: (heads, value),
            rows: vec![
                ("query heads", heads, plain.checked_add(rotary)?),
                ("heads of keys and values", heads, plain.checked_add(value)?),
            ],
        });
    }
    let group = cache?
        .groups()
        .iter()
        .find(|group| group.kv_heads.is_some() && group.elements_per_token > 0)?;
    let kv_heads = group.kv_heads?;
    let head_dim = group.elements_per_token / 2 / kv_heads;
    Some(Attention {
        output: (heads, head_dim),
        rows: vec![
            ("query heads", heads, head_dim),
            ("KV heads", kv_heads, head_dim),
        ],
    })
}

impl Attention {
    /// Where a scale would belong to weights of several GPUs. A GPU has at least one whole KV head.
    /// Source: `validate_fp8_block_shape` in
    /// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/quantization/utils/fp8_utils.py>;
    /// for groups <https://github.com/intel/auto-round/issues/643>
    pub(super) fn uneven(&self, gpus: u64, grain: &Grain) -> Option<String> {
        let share = |heads: u64, size: u64| (heads / gpus).max(1).checked_mul(size);
        let told = |name: &str, heads: u64, size: u64, unit: u64| {
            let share = share(heads, size)?;
            (!share.is_multiple_of(unit)).then(|| {
                format!(
                    "{heads} {name} of {size} among {gpus} GPUs are {share} for each, which is no multiple of the {unit} weights that share a scale"
                )
            })
        };
        let (heads, size) = self.output;
        told("attention heads", heads, size, grain.inputs).or_else(|| {
            let mut rows = self.rows.iter();
            rows.find_map(|&(name, heads, size)| told(name, heads, size, grain.outputs))
        })
    }
}

/// The inner size of feed-forward layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FeedForward {
    key: &'static str,
    size: u64,
    /// How many experts of this size there are; `None` for what every token passes.
    experts: Option<u64>,
}

/// The layers whose size is sure to be divided: the experts of a mixture and the layers beside them, else
/// the dense ones.
pub(super) fn feed_forward(text: &Section<'_>) -> Vec<FeedForward> {
    let first = |keys: &[&'static str]| {
        keys.iter().find_map(|&key| {
            let size = read(text, key).filter(|&size| size > 0)?;
            Some((key, size))
        })
    };
    let whole = |(key, size)| FeedForward {
        key,
        size,
        experts: None,
    };
    let Some(experts) = experts(text) else {
        return first(&INTERMEDIATE).map(whole).into_iter().collect();
    };
    let of_expert = first(&INTERMEDIATE_OF_EXPERT);
    let routed = of_expert.map(|(key, size)| FeedForward {
        key,
        size,
        experts: Some(experts),
    });
    // Where several experts are for every token they are one layer.
    let several = || {
        let (key, size) = of_expert?;
        let shared = read(text, "n_shared_experts").filter(|&shared| shared > 0)?;
        Some((key, size.checked_mul(shared)?))
    };
    let shared = first(&INTERMEDIATE_OF_SHARED).or_else(several);
    let has_dense = read(text, "first_k_dense_replace").is_some_and(|layers| layers > 0);
    let dense = first(&INTERMEDIATE).filter(|_| has_dense);
    let beside = shared.into_iter().chain(dense).map(whole);
    beside.chain(routed).collect()
}

impl FeedForward {
    /// Why it does not divide at all.
    /// Source: `divide` in `ColumnParallelLinear` and `RowParallelLinear` of vLLM.
    pub(super) fn indivisible(&self, gpus: u64) -> Option<String> {
        let Self { key, size, .. } = self;
        (!size.is_multiple_of(gpus)).then(|| {
            let hint = self.hint(gpus);
            format!("`{key}` {size} does not divide among {gpus} GPUs{hint}")
        })
    }

    /// Where a scale would belong to weights of several GPUs.
    /// Source: the conditions in <https://github.com/QwenLM/Qwen3/issues/698>, and the error of
    /// <https://github.com/vllm-project/vllm/issues/17569>
    pub(super) fn uneven(&self, gpus: u64, grain: &Grain) -> Option<String> {
        let Self { key, size, .. } = self;
        let share = size / gpus;
        let unit = [grain.inputs, grain.outputs]
            .into_iter()
            .find(|&unit| !share.is_multiple_of(unit))?;
        let hint = self.hint(gpus);
        Some(format!(
            "`{key}` {size} among {gpus} GPUs is {share}, which is no multiple of the {unit} weights that share a scale{hint}"
        ))
    }

    /// Whole experts can be dealt out, which engines do when they are told to (`--enable-expert-parallel`).
    fn hint(&self, gpus: u64) -> &'static str {
        match self.experts {
            Some(experts) if experts.is_multiple_of(gpus) => " (whole experts could be dealt out)",
            _ => "",
        }
    }
}
