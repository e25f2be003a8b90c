//! The sum over all tensors, by role.

use std::collections::BTreeMap;

use foldhash::HashSet;

use super::experts::{Experts, is_routed};
use super::ties::Ties;
use super::{Context, Held, Parameters, Role, Stored, layer_of, parameter_of, role};
use crate::architecture::Naming;
use crate::config::Config;
use crate::fact::Fact;
use crate::header::{Dtype, Tensor};
use crate::memory::{HeldBytes, key_value_share, loaded_bytes};
use crate::names::{parts, split_last};
use crate::quantization::{Layout, Quantization};
use crate::weights::{Format, Shard, Weights};

/// Most parameters that one stored byte can hold where nothing says how they are packed: one a bit.
const PARAMETERS_PER_BYTE_MAX: u64 = 8;
/// Fewest: 64-bit floats are the widest weights.
const BYTES_PER_PARAMETER_MAX: u64 = 8;

/// Whether a tensor belongs to one of many layers, under any of the names that lists of them have.
pub(super) fn layers_in(name: &str) -> bool {
    let module = split_last(name).map_or("", |(module, _)| module);
    parts(module)
        .skip(1)
        .any(|part| matches!(part, "layers" | "h" | "layer" | "blocks"))
}

/// Whether a tensor belongs to layers that predict several tokens at once, which no causal-LM class loads.
/// Source: `_keys_to_ignore_on_load_unexpected` of `ernie4_5_moe`, `qwen3_next`, `nemotron_h`,
/// `longcat_flash` and others in transformers 4.55.4 and 5.10.4.
pub(super) fn predicts_more_tokens(name: &str) -> bool {
    let own = name.strip_prefix("model.").unwrap_or(name);
    own.starts_with("mtp.") || own.starts_with("mtp_")
}

pub(super) struct Counter<'a> {
    context: Context<'a>,
    stored: &'a Stored<'a>,
    naming: Option<Naming>,
    not_loaded: HashSet<&'a str>,
    ties: Ties<'a>,
    /// Tensors left out as copies.
    tied: Vec<&'a str>,
    /// `num_hidden_layers`.
    layers: Option<u64>,
    exact: u64,
    at_least: u64,
    at_most: Option<u64>,
    overflow: bool,
    /// Containers of a known layout that do not tell how much they hold.
    ambiguous: u64,
    opaque: u64,
    routed: u64,
    stored_elements: u64,
    by_dtype: BTreeMap<Dtype, u64>,
    unpacked_by_dtype: BTreeMap<Dtype, u64>,
    unused: Unused,
    held: HeldBytes,
    /// How much of a fused projection is keys and values.
    key_value_share: (u64, u64),
    adapter_elements_per_rank: u64,
}

/// Parameters that are stored and not loaded, by the reason.
#[derive(Default)]
struct Unused {
    beyond_layers: u64,
    predicting: u64,
    not_of_class: u64,
    buffers: u64,
}

impl<'a> Counter<'a> {
    pub(super) fn new(weights: &'a Weights, stored: &'a Stored<'a>, context: Context<'a>) -> Self {
        let mut context = context;
        // A method that only the loader knows says nothing where there is nothing to unpack.
        let is_plain = |tensor: Tensor<'_>| {
            !matches!(role(&tensor, None, &Stored::default()), Role::Opaque(_))
                && tensor.dtype.bitsize() >= 16
        };
        let is_unknown = |found: &&Quantization| found.layout == Layout::Unknown;
        if context.quantization.as_ref().is_some_and(is_unknown) && weights.tensors().all(is_plain)
        {
            context.quantization = None;
        }
        let text = context.config.map(Config::text);
        Self {
            stored,
            naming: context
                .expected
                .map(|expected| Naming::new(expected, weights.tensors().map(|tensor| tensor.name))),
            not_loaded: context.not_loaded.iter().map(String::as_str).collect(),
            ties: Ties::new(weights, context.config),
            tied: Vec::new(),
            layers: text.and_then(|text| text.u64("num_hidden_layers")),
            exact: 0,
            at_least: 0,
            at_most: Some(0),
            overflow: false,
            ambiguous: 0,
            opaque: 0,
            routed: 0,
            stored_elements: 0,
            by_dtype: BTreeMap::new(),
            unpacked_by_dtype: BTreeMap::new(),
            unused: Unused::default(),
            held: HeldBytes::default(),
            key_value_share: context.config.map_or((0, 1), key_value_share),
            adapter_elements_per_rank: 0,
            context,
        }
    }

    /// Whether the method of the quantisation says what is stored.
    pub(super) fn is_quantized(&self) -> bool {
        self.context.quantization.is_some()
    }

    pub(super) fn add_all(&mut self, weights: &'a Weights<'_>, roles: &[Role]) {
        for (tensor, role) in weights.tensors().zip(roles) {
            self.add(&tensor, *role);
        }
    }

    fn add(&mut self, tensor: &Tensor<'a>, role: Role) {
        let elements = tensor.elements();
        self.stored_elements = self.plus(self.stored_elements, elements);
        let of_dtype = self.by_dtype.entry(tensor.dtype).or_default();
        *of_dtype = of_dtype.saturating_add(elements);
        let held = match role {
            Role::State => {
                if self.unused_sum(tensor.name).is_none() {
                    self.hold(tensor, tensor.bytes);
                }
                return;
            }
            Role::Buffer => {
                self.unused.buffers = self.plus(self.unused.buffers, elements);
                return;
            }
            Role::Weight(count) => Held::exact(count),
            Role::Packed(held) => {
                let held = self.settled(tensor, held);
                self.ambiguous += u64::from(held.known().is_none());
                held
            }
            Role::Opaque(held) => {
                self.opaque += 1;
                held
            }
        };
        if self.is_unused(tensor.name, held.least) {
            return;
        }
        if self.ties.is_copy(tensor) {
            self.tied.push(tensor.name);
            return;
        }
        let is_routed = is_routed(tensor.name);
        if let Role::Weight(count) = role {
            let bits = tensor.dtype.bitsize() as u64;
            self.hold(tensor, loaded_bytes(count, bits).unwrap_or(tensor.bytes));
            self.add_linear(tensor, is_routed);
            let of_dtype = self.unpacked_by_dtype.entry(tensor.dtype).or_default();
            *of_dtype = of_dtype.saturating_add(count);
        } else {
            self.hold(tensor, tensor.bytes);
        }
        self.at_least = self.plus(self.at_least, held.least);
        self.exact = self.plus(self.exact, held.known().unwrap_or(0));
        self.at_most = match (self.at_most, held.most) {
            (Some(sum), Some(most)) => Some(self.plus(sum, most)),
            _ => None,
        };
        if is_routed {
            self.routed = self.plus(self.routed, held.least);
        }
    }

    /// A container that is padded to whole words holds what the class has under that name, if that
    /// is within the last word.
    fn settled(&self, tensor: &Tensor<'_>, held: Held) -> Held {
        // Widths that are twice as much as others leave more open than a word.
        let is_narrow = |most: u64| most - held.least < held.least;
        let (Some(most), Some(expected), Some(naming)) =
            (held.most, self.context.expected, self.naming)
        else {
            return held;
        };
        if most <= held.least || !is_narrow(most) {
            return held;
        }
        let parameter = parameter_of(tensor, self.context.quantization, self.stored);
        let shape = naming
            .resolve(&parameter)
            .and_then(|name| expected.tensors.get(&*name));
        shape
            .and_then(|shape| {
                shape
                    .iter()
                    .try_fold(1_u64, |product, size| product.checked_mul(*size))
            })
            .filter(|wanted| (held.least..=most).contains(wanted))
            .map_or(held, Held::exact)
    }

    /// Counts the bytes that an engine holds of a tensor.
    fn hold(&mut self, tensor: &Tensor<'_>, bytes: u64) {
        let held = HeldBytes::of(tensor.name, bytes, self.key_value_share);
        self.held.add(HeldBytes {
            is_converted: bytes < tensor.bytes,
            ..held
        });
    }

    /// Counts what LoRA adds to a matrix that is no embedding and no head.
    fn add_linear(&mut self, tensor: &Tensor<'_>, is_routed: bool) {
        let &[rows, columns] = tensor.shape else {
            return;
        };
        if !is_routed && tensor.name.ends_with(".weight") && layers_in(tensor.name) {
            let sum = self.adapter_elements_per_rank.saturating_add(rows);
            self.adapter_elements_per_rank = sum.saturating_add(columns);
        }
    }

    /// Whether the loader leaves out a tensor of `weights` parameters, which are then noted.
    fn is_unused(&mut self, name: &str, weights: u64) -> bool {
        let Some(sum) = self.unused_sum(name) else {
            return false;
        };
        *sum = sum.saturating_add(weights);
        true
    }

    /// Where tensors are counted that the loader leaves out for the reason that holds for this one.
    fn unused_sum(&mut self, name: &str) -> Option<&mut u64> {
        let is_beyond = self
            .layers
            .zip(layer_of(name))
            .is_some_and(|(layers, layer)| layer >= layers);
        if is_beyond {
            Some(&mut self.unused.beyond_layers)
        } else if predicts_more_tokens(name) {
            Some(&mut self.unused.predicting)
        } else if self.not_loaded.contains(name) {
            Some(&mut self.unused.not_of_class)
        } else {
            None
        }
    }

    fn plus(&mut self, sum: u64, more: u64) -> u64 {
        sum.checked_add(more).unwrap_or_else(|| {
            self.overflow = true;
            u64::MAX
        })
    }

    pub(super) fn finish(mut self, weights: &Weights<'_>) -> Parameters {
        let mut because = self.why_not_told();
        for shard in &weights.shards {
            self.add_unread(weights, shard, &mut because);
        }
        let complete = weights.is_complete();
        if !complete && weights.shards.is_empty() {
            because.push(match weights.format {
                Format::Safetensors => "the weight index could not be used".into(),
                other => format!(
                    "there are no safetensors headers to read ({})",
                    other.as_str()
                ),
            });
            // A pickle holds its tensors uncompressed, so its size bounds them from above.
            self.at_most = match weights.format {
                Format::Pytorch => self.most_of(weights.bytes),
                _ => None,
            };
        }
        let exact = because.is_empty() && complete;
        let total = exact.then_some(self.exact);
        let experts = self.context.config.and_then(Experts::of);
        Parameters {
            total,
            at_least: self.at_least,
            at_most: self.at_most,
            active: total
                .zip(experts)
                .and_then(|(total, experts)| experts.active(total, self.routed)),
            stored_elements: complete.then_some(self.stored_elements),
            left_out: self.left_out(),
            by_dtype: named(self.by_dtype),
            unpacked_by_dtype: named(self.unpacked_by_dtype),
            held: self.held,
            adapter_elements_per_rank: self.adapter_elements_per_rank,
            opaque_tensors: self.opaque,
            inexact_because: because,
        }
    }

    fn why_not_told(&mut self) -> Vec<String> {
        let mut because = Vec::new();
        let method = self
            .context
            .quantization
            .and_then(|found| found.method.as_deref())
            .unwrap_or("no quantisation method is named");
        if self.opaque > 0 {
            because.push(format!(
                "{} tensors lie in containers whose packing is not known ({method})",
                self.opaque,
            ));
        }
        if self.ambiguous > 0 {
            because.push(format!(
                "{} containers do not tell how many weights they hold ({method})",
                self.ambiguous,
            ));
        }
        if self.overflow {
            because.push("the sum of the sizes overflows".into());
            self.at_most = None;
        }
        because
    }

    /// Bounds for a shard whose header is not known.
    fn add_unread(&mut self, weights: &Weights<'_>, shard: &Shard<'_>, because: &mut Vec<String>) {
        if let Some(header) = shard.header.known() {
            if header.left_out > 0 {
                because.push(format!(
                    "`{}` has tensors whose size cannot be told",
                    shard.path
                ));
                self.at_most = None;
            }
            return;
        }
        because.push(format!("the header of `{}` was not read", shard.path));
        let data = shard.size.map(|size| size.saturating_sub(8));
        let most = self.most_of(data);
        self.at_most = self
            .at_most
            .zip(most)
            .and_then(|(sum, more)| sum.checked_add(more));
        // Of a quantised shard even the bytes bound nothing from below: they may be state.
        let is_sure = self.context.quantization.is_none()
            && shard.header.is_unread()
            && self.all_count(weights, shard);
        if is_sure {
            let least = data.unwrap_or(0) / BYTES_PER_PARAMETER_MAX;
            self.at_least = self.at_least.saturating_add(least);
        }
    }

    /// Whether all tensors that the index assigns to an unread shard would be counted.
    fn all_count(&self, weights: &Weights<'_>, shard: &Shard<'_>) -> bool {
        let Fact::Known(index) = &weights.index else {
            return true;
        };
        index.tensors().all(|(name, path)| {
            let is_beyond = self
                .layers
                .zip(layer_of(name))
                .is_some_and(|(layers, layer)| layer >= layers);
            path != shard.path
                || !(is_beyond || predicts_more_tokens(name) || self.ties.is_tied(name))
        })
    }

    /// The most parameters that so many bytes hold.
    fn most_of(&self, bytes: Option<u64>) -> Option<u64> {
        let per_byte = match self.context.quantization {
            // Not quantised: eight-bit floats are the narrowest that a plain load accepts.
            None => 1,
            // Codes of vectors, and what is sparse: nothing bounds them.
            Some(found) if matches!(found.layout, Layout::Aqlm | Layout::Unknown) => return None,
            Some(found) if found.layout == Layout::CompressedTensors => PARAMETERS_PER_BYTE_MAX * 2,
            Some(found) => {
                let narrowest = found.schemes.iter().map(|scheme| scheme.bits).min();
                narrowest.map_or(PARAMETERS_PER_BYTE_MAX, |bits| 8_u64.div_ceil(bits))
            }
        };
        bytes?.checked_mul(per_byte)
    }

    fn left_out(&self) -> Vec<String> {
        let mut left_out = Vec::new();
        if !self.tied.is_empty() {
            left_out.push(format!("tied copies: {}", self.tied.join(", ")));
        }
        let unused = &self.unused;
        for (parameters, what) in [
            (
                unused.beyond_layers,
                "parameters of layers beyond `num_hidden_layers`, which are not loaded",
            ),
            (
                unused.predicting,
                "parameters of layers that predict several tokens, which are not loaded",
            ),
            (
                unused.not_of_class,
                "parameters of tensors that the class does not have, which are not loaded",
            ),
            (unused.buffers, "elements of buffers"),
        ] {
            if parameters > 0 {
                left_out.push(format!("{parameters} {what}"));
            }
        }
        left_out
    }
}

fn named(by_dtype: BTreeMap<Dtype, u64>) -> BTreeMap<String, u64> {
    let pairs = by_dtype.into_iter();
    pairs
        .map(|(dtype, count)| (dtype.to_string(), count))
        .collect()
}
