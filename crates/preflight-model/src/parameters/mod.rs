//! How many parameters the model has: logical weights, whatever container they are packed in.
//!
//! Packed containers are unpacked by layout; scales, zero points, group indexes and quantisation
//! state are left out; tied copies count once; buffers, layers beyond the configured number, layers that
//! predict several tokens and tensors that the class does not have are left out, because no causal-LM
//! class loads them. Where a layout is not known the count has bounds and is
//! not exact: 116.8 billion parameters of gpt-oss-120b lie in 63.1 billion container elements, and
//! the wrong number passes a limit that the right one breaks.

mod agreement;
mod claims;
mod companions;
mod counter;
mod experts;
mod held;
mod layouts;
mod misplaced;
mod role;
mod ties;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use claims::{contradiction, is_leftover, lacks_containers};
use counter::Counter;
pub use held::Held;
pub use layouts::Stored;
pub(crate) use role::is_integer;
pub use role::{Role, role};

use crate::architecture::Expected;
use crate::config::Config;
use crate::header::Tensor;
use crate::memory::HeldBytes;
use crate::quantization::Quantization;
use crate::weights::Weights;

/// The count, or what bounds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// The exact count.
    pub total: Option<u64>,
    /// Never more than the true count.
    pub at_least: u64,
    /// Never less than the true count; `None` where nothing bounds it.
    pub at_most: Option<u64>,
    /// Of a mixture of experts: parameters that one token uses.
    pub active: Option<u64>,
    /// Elements of all tensors that the loader takes, containers as they are.
    pub stored_elements: Option<u64>,
    /// The same by dtype.
    pub by_dtype: BTreeMap<String, u64>,
    /// Of the parameters that lie unpacked: how many in each dtype.
    pub unpacked_by_dtype: BTreeMap<String, u64>,
    /// Bytes of all that is loaded, as an engine holds it: what is left out of the count is left out here.
    pub held: HeldBytes,
    /// Inputs and outputs of all linear layers but routed experts: what a rank of LoRA adds.
    pub adapter_elements_per_rank: u64,
    /// Tensors in integer containers that nothing explains.
    pub opaque_tensors: u64,
    /// Why the count is not exact; empty where it is.
    pub inexact_because: Vec<String>,
    /// What was left out, for people: tied copies, layers that are not loaded, buffers.
    pub left_out: Vec<String>,
}

/// What is known of a checkpoint beside its tensors.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// `config.json`.
    pub config: Option<&'a Config>,
    /// How the weights are quantised.
    pub quantization: Option<&'a Quantization>,
    /// The tensors of the class, where it is described: they settle the last word of a padded container.
    pub expected: Option<&'a Expected>,
    /// Tensors that the class does not have, where it has all that it needs without them.
    pub not_loaded: &'a [String],
}

/// Counts the parameters of the weights that the loader opens. `stored` are all of its tensors ([`stored`]), and
/// `roles` what each stands for ([`roles`]).
pub fn count<'a>(
    weights: &'a Weights<'_>,
    stored: &'a Stored<'a>,
    roles: &[Role],
    context: Context<'a>,
) -> Parameters {
    let mut counter = Counter::new(weights, stored, context);
    if context.quantization.is_some() && !counter.is_quantized() {
        let plain = self::roles(weights, stored, None);
        counter.add_all(weights, &plain);
    } else {
        counter.add_all(weights, roles);
    }
    counter.finish(weights)
}

/// The role of each of [`Weights::tensors`], in that order.
pub fn roles(
    weights: &Weights<'_>,
    stored: &Stored<'_>,
    quantization: Option<&Quantization>,
) -> Vec<Role> {
    let tensors = weights.tensors();
    tensors
        .map(|tensor| role(&tensor, quantization, stored))
        .collect()
}

/// A parameter that the checkpoint holds, under the name it has in the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalTensor<'a> {
    /// Name in the state dict of the class that is not quantised.
    pub name: Cow<'a, str>,
    /// Its shape, where the container has the same, or nothing says that it is one.
    pub shape: Option<&'a [u64]>,
}

/// The parameters that the checkpoint holds: packed containers under the name of what they pack, the
/// state of the quantisation left out. `roles` are those of all tensors ([`roles`]).
pub fn logical_tensors<'a>(
    weights: &'a Weights,
    stored: &Stored<'_>,
    roles: &[Role],
    quantization: Option<&Quantization>,
) -> Vec<LogicalTensor<'a>> {
    weights
        .tensors()
        .zip(roles)
        .filter_map(|(tensor, role)| {
            let (name, shape) = match role {
                Role::State => return None,
                Role::Buffer | Role::Weight(_) => (Cow::Borrowed(tensor.name), Some(tensor.shape)),
                // Without a method the loader takes a container for the parameter itself.
                Role::Opaque(_) if quantization.is_none() => {
                    (Cow::Borrowed(tensor.name), Some(tensor.shape))
                }
                Role::Packed(_) | Role::Opaque(_) => {
                    (parameter_of(&tensor, quantization, stored), None)
                }
            };
            Some(LogicalTensor { name, shape })
        })
        .collect()
}

/// All tensors by name, where roles depend on what stands beside a tensor; empty where nothing says that the
/// weights are quantised.
pub fn stored<'a>(weights: &'a Weights, quantization: Option<&Quantization>) -> Stored<'a> {
    match quantization {
        Some(_) => weights
            .tensors()
            .map(|tensor| (tensor.name, tensor))
            .collect(),
        None => Stored::default(),
    }
}

/// The parameter that a container packs; without a method the loader knows of no container, and the name
/// stands as it is.
fn parameter_of<'a>(
    tensor: &Tensor<'a>,
    quantization: Option<&Quantization>,
    stored: &Stored<'_>,
) -> Cow<'a, str> {
    let container = quantization.and_then(|found| layouts::container(tensor, found, stored));
    match container {
        Some(container) if container.bare => Cow::Borrowed(container.module),
        Some(container) => Cow::Owned(format!("{}.weight", container.module)),
        None => Cow::Borrowed(tensor.name),
    }
}

/// The number of the layer that a tensor of the language model belongs to.
pub fn layer_of(name: &str) -> Option<u64> {
    let mut rest = name;
    while let Some(inner) = ["model.", "language_model."]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    let (number, _) = rest.strip_prefix("layers.")?.split_once('.')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests;
