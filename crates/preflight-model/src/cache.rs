//! What a model keeps of the tokens it has seen: the KV cache and the state of recurrent layers.
//!
//! One formula per family, each read from the class that defines it in transformers 4.55.4
//! (<https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>) and held
//! against measured caches. A model type that is not in the table has no answer: never a guess.
//! See `docs/memory.md`.

mod family;
mod layers;
mod state;

use crate::config::{Config, Section};
use crate::release;
use family::Family;
use layers::{LAYERS_MAX, LayerKind};

/// Largest number of elements a layer may keep per token, and of the state of one layer: far beyond
/// any model, and small enough that no sum below overflows.
const ELEMENTS_MAX: u64 = 1 << 32;

/// Bytes of an element of recurrent state: engines keep it in the model's own 16-bit type unless told
/// otherwise. Source: `mamba_ssm_cache_dtype` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/config/cache.py>
const STATE_ELEMENT_BYTES: u64 = 2;

/// Tokens that an engine reads of long prompts at once. While it does, a layer with a window holds these
/// beside the window. vLLM's default as a server on GPUs of 70 GiB and more; on an A100 it is less.
/// Source: `get_batch_defaults` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/engine/arg_utils.py>, and
/// `SlidingWindowSpec.max_memory_usage_bytes` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/kv_cache_interface.py>
pub const PREFILL_TOKENS: u64 = 8192;

/// Type of a cache entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvDtype {
    /// 16 bits, what engines use unless told otherwise.
    #[default]
    Bf16,
    /// 8 bits.
    Fp8,
}

impl KvDtype {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bf16 => "BF16",
            Self::Fp8 => "FP8",
        }
    }

    /// Bytes of one entry.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Bf16 => 2,
            Self::Fp8 => 1,
        }
    }
}

/// Layers of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerGroup {
    /// How many of them.
    pub layers: u64,
    /// Elements that a token adds to the cache of one of them, within the window.
    pub elements_per_token: u64,
    /// Tokens after which the cache of these layers stops growing.
    pub window: Option<u64>,
    /// KV heads, among which GPUs can share the cache; `None` where every GPU needs the whole (MLA).
    pub kv_heads: Option<u64>,
    /// Elements of one of them that do not depend on the number of tokens.
    pub state_elements: u64,
}

/// What one sequence keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvCache {
    groups: Vec<LayerGroup>,
}

impl KvCache {
    /// The cache as serving engines keep it: the latent of MLA, grouped heads as they are, layers
    /// with a window no longer than it. `None` where the family or a size is not known.
    pub fn of_engine(config: &Config) -> Option<Self> {
        Self::read(config, Keeper::Engine)
    }

    /// The cache as transformers 4.55 fills it: MLA and Falcon's groups expanded to all heads.
    pub fn of_transformers(config: &Config) -> Option<Self> {
        Self::read(config, Keeper::Transformers)
    }

    /// A cache of these layers; `None` where a number is beyond any model.
    pub fn new(groups: Vec<LayerGroup>) -> Option<Self> {
        let sane = groups.len() <= 8
            && groups.iter().all(|group| {
                group.layers <= LAYERS_MAX
                    && group.elements_per_token <= ELEMENTS_MAX
                    && group.state_elements <= ELEMENTS_MAX
                    && group.kv_heads != Some(0)
            });
        sane.then_some(Self { groups })
    }

    /// The layers by kind.
    pub fn groups(&self) -> &[LayerGroup] {
        &self.groups
    }

    /// Bytes that a token adds while it is within every window.
    pub fn growing_bytes_per_token(&self, dtype: KvDtype) -> u64 {
        let elements = |group: &LayerGroup| group.layers * group.elements_per_token;
        self.groups.iter().map(elements).sum::<u64>() * dtype.bytes()
    }

    /// Bytes that a token still adds beyond the longest window.
    pub fn beyond_window_bytes_per_token(&self, dtype: KvDtype) -> u64 {
        let unbounded = self.groups.iter().filter(|group| group.window.is_none());
        let elements = |group: &LayerGroup| group.layers * group.elements_per_token;
        unbounded.map(elements).sum::<u64>() * dtype.bytes()
    }

    /// Bytes of a sequence that do not depend on its length.
    pub fn fixed_bytes(&self) -> u64 {
        let elements = |group: &LayerGroup| group.layers * group.state_elements;
        self.groups.iter().map(elements).sum::<u64>() * STATE_ELEMENT_BYTES
    }

    /// Whether engines can share the KV heads among this many GPUs: the heads divide by the GPUs, or
    /// each head is kept whole by a whole number of GPUs.
    /// Source: the assertions of `LlamaAttention` in
    /// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/models/llama.py>
    pub fn can_split(&self, gpus: u64) -> bool {
        gpus > 0
            && self.groups.iter().all(|group| {
                group
                    .kv_heads
                    .is_none_or(|heads| heads.is_multiple_of(gpus) || gpus.is_multiple_of(heads))
            })
    }

    /// Bytes that one of `gpus` GPUs keeps for `sequences` sequences of `tokens` tokens: KV heads
    /// are shared, and kept more than once where there are fewer than GPUs; latent and state are
    /// whole on every GPU (for state that is an upper bound). `None` where the KV heads cannot be
    /// shared so, or the product is beyond 64 bits.
    pub fn bytes_per_gpu(
        &self,
        gpus: u64,
        tokens: u64,
        sequences: u64,
        dtype: KvDtype,
    ) -> Option<u64> {
        if !self.can_split(gpus) {
            return None;
        }
        let mut all = self.fixed_bytes().checked_mul(sequences)?;
        for group in &self.groups {
            let share = match group.kv_heads {
                Some(heads) => group.elements_per_token / heads * (heads / gpus).max(1),
                None => group.elements_per_token,
            };
            if share == 0 {
                continue;
            }
            let held = tokens_held(group.window, tokens, sequences)?;
            let bytes = (group.layers * share * dtype.bytes()).checked_mul(held)?;
            all = all.checked_add(bytes)?;
        }
        Some(all)
    }

    fn read(config: &Config, keeper: Keeper) -> Option<Self> {
        let text = config.text();
        let family = Family::of(text.model_type()?)?;
        // An encoder, or a class of its own, inside code that is not known here says nothing of what is kept.
        if within_own_code(config).is_some()
            && (family == Family::Encoder || text.given("auto_map").is_some())
        {
            return None;
        }
        Self::new(family.groups(&text, keeper)?)
    }
}

/// The type of the language model inside a class that no release of transformers has: the repository's own
/// code is around it. Its cache is taken for that of the language model, and what that code keeps besides is
/// not known.
pub(crate) fn within_own_code(config: &Config) -> Option<&str> {
    let outer = config.model_type()?;
    let inner = config.text().model_type().filter(|inner| *inner != outer)?;
    release::model_type_since(outer).is_none().then_some(inner)
}

/// Tokens of all sequences that a layer holds at once: all of them, or each sequence's window and, once,
/// the part of a prompt that is being read.
fn tokens_held(window: Option<u64>, tokens: u64, sequences: u64) -> Option<u64> {
    let all = tokens.checked_mul(sequences);
    let Some(window) = window.filter(|&window| window < tokens) else {
        return all;
    };
    let windows = window.checked_mul(sequences)?.checked_add(PREFILL_TOKENS)?;
    Some(all.map_or(windows, |all| all.min(windows)))
}

/// Who keeps the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    Engine,
    Transformers,
}

impl Family {
    fn groups(self, text: &Section<'_>, keeper: Keeper) -> Option<Vec<LayerGroup>> {
        match self {
            Self::Attention => {
                let heads = Heads::grouped(text)?;
                by_kind(text, heads)
            }
            Self::MultiHead => Heads::multi_head(text)?.in_every_layer(text),
            Self::Falcon => falcon_heads(text, keeper)?.in_every_layer(text),
            Self::BigCode => {
                let mut heads = Heads::multi_head(text)?;
                if text.bool("multi_query")? {
                    heads.kv_heads = 1;
                }
                heads.in_every_layer(text)
            }
            Self::Dbrx => {
                let mut heads = Heads::multi_head(text)?;
                let attention = text.cursor().get("attn_config")?;
                heads.kv_heads = attention.get("kv_n_heads")?.as_u64()?;
                heads.in_every_layer(text)
            }
            Self::Latent => latent(text, keeper),
            Self::Mamba => state::mamba(text),
            Self::Hybrid => state::hybrid(text, Heads::grouped(text)?),
            Self::LinearAttention => state::linear_attention(text, Heads::grouped(text)?),
            Self::NemotronH => state::nemotron_h(text, Heads::grouped(text)?),
            Self::ShortConvolution => state::short_convolution(text, Heads::grouped(text)?),
            Self::Encoder => {
                let decodes = text.given("is_decoder").and_then(|given| given.as_bool());
                (decodes != Some(true)).then(Vec::new)
            }
        }
    }
}

/// The heads whose keys and values are kept.
#[derive(Debug, Clone, Copy)]
struct Heads {
    kv_heads: u64,
    head_dim: u64,
}

impl Heads {
    /// `num_key_value_heads` heads (absent or null: as many as attention heads) of size `head_dim`
    /// (absent or null: the hidden size shared among the attention heads).
    ///
    /// A class whose defaults are not in our table may have others than these: there both must be given,
    /// but for classes that read no `head_dim`.
    fn grouped(text: &Section<'_>) -> Option<Self> {
        if text.class().is_none() {
            text.given("num_key_value_heads")?.as_u64()?;
            if !matches!(text.model_type()?, "apertus" | "olmo3") {
                text.given("head_dim")?.as_u64()?;
            }
        }
        let kv_heads = match text.u64("num_key_value_heads") {
            Some(kv_heads) => kv_heads,
            None if is_number_or_unset(text, "num_key_value_heads") => {
                text.u64("num_attention_heads")?
            }
            None => return None,
        };
        let head_dim = match text.model_type()? {
            "jetmoe" => text.u64("kv_channels"),
            // These classes read no `head_dim`.
            "granitemoe" | "granitemoehybrid" | "granitemoeshared" | "jamba" | "olmoe"
            | "phimoe" | "stablelm" => even_share(text),
            _ if !is_number_or_unset(text, "head_dim") => None,
            _ => text.u64("head_dim").or_else(|| even_share(text)),
        };
        Some(Self {
            kv_heads,
            head_dim: head_dim?,
        })
    }

    fn multi_head(text: &Section<'_>) -> Option<Self> {
        Some(Self {
            kv_heads: text.u64("num_attention_heads")?,
            head_dim: even_share(text)?,
        })
    }

    /// Keys and values of one token in one layer.
    fn elements_per_token(self) -> Option<u64> {
        self.kv_heads.checked_mul(self.head_dim)?.checked_mul(2)
    }

    fn group(self, layers: u64, window: Option<u64>) -> Option<LayerGroup> {
        // A head of no size, and no head at all, are errors of the file, not a model without a cache.
        if self.kv_heads == 0 || self.head_dim == 0 {
            return None;
        }
        Some(LayerGroup {
            layers,
            elements_per_token: self.elements_per_token()?,
            window,
            kv_heads: Some(self.kv_heads),
            state_elements: 0,
        })
    }

    fn in_every_layer(self, text: &Section<'_>) -> Option<Vec<LayerGroup>> {
        Some(vec![self.group(layers::count(text)?, None)?])
    }
}

/// Absent, null or a number: a fall-back stands for the first two, while a word or a list there is
/// an error of the file, not a reason to assume something.
fn is_number_or_unset(text: &Section<'_>, key: &str) -> bool {
    text.given(key)
        .is_none_or(|given| given.is_null() || given.as_u64().is_some())
}

/// The hidden size divided among the attention heads, where it divides.
fn even_share(text: &Section<'_>) -> Option<u64> {
    let hidden = text.u64("hidden_size")?;
    let heads = text.u64("num_attention_heads").filter(|&heads| heads > 0)?;
    (hidden % heads == 0).then(|| hidden / heads)
}

/// One group for layers that see everything, one for those with a window.
fn by_kind(text: &Section<'_>, heads: Heads) -> Option<Vec<LayerGroup>> {
    let kinds = layers::attention_kinds(text)?;
    let windowed = kinds.iter().filter(|&&kind| kind == LayerKind::Windowed);
    let windowed = u64::try_from(windowed.count()).ok()?;
    let full = u64::try_from(kinds.len()).ok()? - windowed;
    let mut groups = Vec::new();
    if windowed > 0 {
        groups.push(heads.group(windowed, Some(layers::window(text)?))?);
    }
    if full > 0 {
        groups.push(heads.group(full, None)?);
    }
    Some(groups)
}

/// Falcon's KV heads: grouped in the new decoder, one with `multi_query`, else all. transformers
/// repeats the groups for every attention head before it caches them.
/// Source: `FalconAttention` in
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/falcon/modeling_falcon.py>
fn falcon_heads(text: &Section<'_>, keeper: Keeper) -> Option<Heads> {
    let mut heads = Heads::multi_head(text)?;
    if text.bool("new_decoder_architecture")? {
        if keeper == Keeper::Engine && is_number_or_unset(text, "num_kv_heads") {
            // The default is the number of attention heads, not a number of the class's own.
            let given = text.given("num_kv_heads").and_then(|given| given.as_u64());
            heads.kv_heads = given.unwrap_or(heads.kv_heads);
        }
    } else if text.bool("multi_query")? {
        heads.kv_heads = 1;
    }
    Some(heads)
}

/// Multi-head latent attention: engines keep one compressed vector and one rotary key for all heads;
/// transformers keeps the expanded keys and values of every head.
/// Source: section 2.1 of <https://arxiv.org/abs/2405.04434>; `MLAAttentionSpec` of vLLM.
fn latent(text: &Section<'_>, keeper: Keeper) -> Option<Vec<LayerGroup>> {
    let rotary = text.u64("qk_rope_head_dim")?;
    let (elements_per_token, kv_heads) = match keeper {
        Keeper::Engine => {
            let latent = text.u64("kv_lora_rank").filter(|&rank| rank > 0)?;
            (latent.checked_add(rotary)?, None)
        }
        Keeper::Transformers => {
            let heads = text.u64("num_attention_heads")?;
            let key = text.u64("qk_nope_head_dim")?.checked_add(rotary)?;
            let each = key.checked_add(text.u64("v_head_dim")?)?;
            (heads.checked_mul(each)?, Some(heads))
        }
    };
    Some(vec![LayerGroup {
        layers: layers::count(text)?,
        elements_per_token,
        window: None,
        kv_heads,
        state_elements: 0,
    }])
}

#[cfg(test)]
mod tests;
