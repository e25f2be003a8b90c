//! How many weights share a scale, and so stay on one GPU.

use crate::config::Config;
use crate::json::Cursor;
use crate::quantization::{Exclusions, Layout, Quantization, WHOLE_ROW};

/// Weights that belong together, along each side of a matrix: a group of GPTQ and AWQ and what packs
/// alike, a block of FP8 with block scales. Other methods scale rows, or engines pad what is uneven
/// (MXFP4).
/// Source: `create_weights` in `gptq_marlin.py`, `awq.py` and `fp8.py` of
/// <https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/model_executor/layers/quantization>
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grain {
    /// Along the inputs.
    pub inputs: u64,
    /// Along the outputs.
    pub outputs: u64,
    /// Whether these layers are quantised for sure.
    pub is_sure: bool,
}

impl Default for Grain {
    fn default() -> Self {
        Self {
            inputs: 1,
            outputs: 1,
            is_sure: true,
        }
    }
}

impl Grain {
    /// The grain of layers that the config calls one of `modules`.
    pub(super) fn of(config: &Config, quantization: &Quantization, modules: &[&str]) -> Self {
        let exclusions = &quantization.exclusions;
        if leaves_out(config, exclusions, modules) {
            return Self::default();
        }
        let section = config.root().get("quantization_config");
        let block = section.and_then(|section| match quantization.layout {
            Layout::PerElement => section.get("weight_block_size"),
            Layout::CompressedTensors => block_of_groups(&section),
            _ => None,
        });
        let (inputs, outputs) = match (quantization.layout, block) {
            (_, Some(block)) => {
                let side = |at: usize| block.elements().nth(at)?.as_u64();
                (side(1), side(0))
            }
            (Layout::Gptq | Layout::Awq | Layout::CompressedTensors, None) => {
                let mut groups = quantization.schemes.iter().map(|scheme| scheme.group);
                let first = groups.next().flatten();
                (first.filter(|_| groups.all(|group| group == first)), None)
            }
            _ => (None, None),
        };
        let size = |size: Option<u64>| {
            let size = size.filter(|&size| size > 0 && size != WHOLE_ROW);
            size.unwrap_or(1)
        };
        Self {
            inputs: size(inputs),
            outputs: size(outputs),
            is_sure: !exclusions.is_open,
        }
    }
}

/// The block of compressed-tensors, where all weights have the same.
fn block_of_groups<'a>(section: &Cursor<'a>) -> Option<Cursor<'a>> {
    let groups = section.get("config_groups")?;
    let mut members = groups.members();
    let (_, only) = members.next()?;
    members
        .next()
        .is_none()
        .then(|| only.get("weights")?.get_set("block_structure"))?
}

/// Whether the lists leave such modules of the language model as they are, in all layers: by a name
/// without a number, or by one for each layer.
fn leaves_out(config: &Config, exclusions: &Exclusions, modules: &[&str]) -> bool {
    // Of other parts of the model, and of single experts.
    let foreign = ["vis", "audio", ".experts."];
    let of_text = |name: &&String| !foreign.iter().any(|part| name.contains(part));
    let named = exclusions.names.iter().filter(of_text).filter(|name| {
        let name = name.trim_end_matches(['*', '.']);
        let last = name.rsplit('.').next().unwrap_or(name);
        modules.contains(&last)
    });
    let mut numbered = 0_u64;
    for name in named {
        if !name.contains(|c: char| c.is_ascii_digit()) {
            return true;
        }
        numbered += 1;
    }
    let layers = config.text().u64("num_hidden_layers");
    layers.is_some_and(|layers| layers > 0 && numbered >= layers)
}
