//! Over how many GPUs tensor parallelism can spread a model.

use super::has_experts;
use super::weights::packs_whole;
use crate::cache::KvCache;
use crate::config::{Config, Section};
use crate::quantization::{Layout, Quantization, WHOLE_ROW};

/// Whether a model can be spread over a number of GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// It can.
    Possible,
    /// It cannot, for this reason.
    Impossible(String),
    /// What has to divide is not known.
    Unknown,
}

/// Heads of every kind that one GPU keeps whole.
/// Source: `verify_with_parallel_config` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/config/model.py>; for the heads of recurrent
/// layers `MambaStateShapeCalculator` in
/// <https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/mamba/mamba_utils.py>
const HEADS: [(&str, &str); 5] = [
    ("num_attention_heads", "attention heads"),
    ("linear_num_key_heads", "key heads of linear attention"),
    ("linear_num_value_heads", "value heads of linear attention"),
    ("mamba_n_heads", "Mamba heads"),
    ("mamba_num_heads", "Mamba heads"),
];

/// The inner size of a dense feed-forward layer, as classes spell it.
const INTERMEDIATE: [&str; 4] = ["intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"];

/// The inner size of an expert, as classes spell it.
const INTERMEDIATE_OF_EXPERT: [&str; 3] =
    ["moe_intermediate_size", "expert_dim", "intermediate_size"];

/// Numbers of experts, as classes spell them.
const EXPERTS: [&str; 4] = [
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "moe_num_experts",
];

/// What has to divide among the GPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divisions {
    /// Numbers of heads, with what they are called.
    heads: Vec<(&'static str, u64)>,
    /// Inner size of the feed-forward layers, and whether they are experts.
    inner: Option<Inner>,
    /// Weights that share a scale, along the size that is divided.
    group: u64,
    /// The tensors are packed in a form that no engine divides.
    is_packed_whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    key: &'static str,
    size: u64,
    /// How many experts there are; `None` for a dense layer.
    experts: Option<u64>,
}

impl Divisions {
    /// What config.json says.
    pub fn new(config: &Config, quantization: Option<&Quantization>) -> Self {
        let text = config.text();
        let heads = HEADS.into_iter().filter_map(|(key, name)| {
            let count = text.u64(key).filter(|&count| count > 0)?;
            Some((name, count))
        });
        Self {
            heads: heads.collect(),
            inner: inner(&text),
            group: quantization.map_or(1, |found| group(config, found)),
            is_packed_whole: quantization.is_some_and(|found| packs_whole(found.layout)),
        }
    }

    /// Whether everything divides among `gpus` GPUs.
    pub fn among(&self, gpus: u64, cache: Option<&KvCache>) -> Split {
        if gpus == 1 {
            return Split::Possible;
        }
        if gpus == 0 {
            return Split::Impossible("there is no GPU".into());
        }
        if self.is_packed_whole {
            return Split::Impossible(
                "engines do not split tensors that bitsandbytes packed over several GPUs".into(),
            );
        }
        let uneven = self
            .heads
            .iter()
            .find(|(_, count)| !count.is_multiple_of(gpus));
        if let Some((name, count)) = uneven {
            return Split::Impossible(format!("{count} {name} do not divide among {gpus} GPUs"));
        }
        let shares = |cache: &KvCache| cache.can_split(gpus);
        if !cache.is_none_or(shares) {
            return Split::Impossible(format!("the KV heads cannot be shared by {gpus} GPUs"));
        }
        if let Some(reason) = self
            .inner
            .as_ref()
            .and_then(|inner| self.uneven(inner, gpus))
        {
            return Split::Impossible(reason);
        }
        if self.heads.is_empty() {
            Split::Unknown
        } else {
            Split::Possible
        }
    }

    /// Why the feed-forward layers do not divide. Experts that do not are dealt out whole, where their
    /// number divides (expert parallelism).
    /// Source: `divide` in `ColumnParallelLinear` and `RowParallelLinear` of vLLM; for groups the
    /// conditions in <https://github.com/QwenLM/Qwen3/issues/698>, and the error of
    /// <https://github.com/vllm-project/vllm/issues/17569>
    fn uneven(&self, inner: &Inner, gpus: u64) -> Option<String> {
        let Inner { key, size, experts } = inner;
        if experts.is_some_and(|experts| experts.is_multiple_of(gpus)) {
            return None;
        }
        if !size.is_multiple_of(gpus) {
            return Some(format!("`{key}` {size} does not divide among {gpus} GPUs"));
        }
        let share = size / gpus;
        (!share.is_multiple_of(self.group)).then(|| {
            format!(
                "`{key}` {size} among {gpus} GPUs is {share}, which is no multiple of the {} weights that share a scale",
                self.group
            )
        })
    }
}

/// The layers whose size is sure to be divided: the experts of a mixture, else the dense ones.
fn inner(text: &Section<'_>) -> Option<Inner> {
    let first = |keys: &[&'static str]| {
        keys.iter().find_map(|&key| {
            let size = text.u64(key).filter(|&size| size > 0)?;
            Some((key, size))
        })
    };
    if has_experts(text) {
        let (_, experts) = first(&EXPERTS)?;
        let (key, size) = first(&INTERMEDIATE_OF_EXPERT)?;
        return Some(Inner {
            key,
            size,
            experts: Some(experts),
        });
    }
    let (key, size) = first(&INTERMEDIATE)?;
    Some(Inner {
        key,
        size,
        experts: None,
    })
}

/// How many weights along the divided size belong together: a group of GPTQ and AWQ and what packs
/// alike, a block of FP8 with block scales. Other methods scale rows, or engines pad what is uneven
/// (MXFP4).
/// Source: `create_weights` in `gptq_marlin.py`, `awq.py` and `fp8.py` of
/// <https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/model_executor/layers/quantization>
fn group(config: &Config, quantization: &Quantization) -> u64 {
    let size = match quantization.layout {
        Layout::Gptq | Layout::Awq | Layout::CompressedTensors => {
            let mut groups = quantization.schemes.iter().map(|scheme| scheme.group);
            let first = groups.next().flatten();
            first.filter(|_| groups.all(|group| group == first))
        }
        Layout::PerElement => {
            let section = config.root().get("quantization_config");
            let block = section.and_then(|section| section.get("weight_block_size"));
            block.and_then(|block| block.elements().next()?.as_u64())
        }
        _ => None,
    };
    size.filter(|&size| size > 0 && size != WHOLE_ROW)
        .unwrap_or(1)
}
