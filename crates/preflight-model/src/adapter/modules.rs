//! The modules of a base that LoRA can go on, with the shapes of their weights.

use std::collections::BTreeMap;

use crate::architecture::{self, Expected, Shape};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::fact::Fact;
use crate::parameters;

/// Model types whose linear layers are `Conv1D`, which stores weights as inputs by outputs.
/// Source: the uses of `Conv1D` in
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const TRANSPOSED: [&str; 3] = ["gpt2", "openai-gpt", "imagegpt"];

/// Modules of a base.
#[derive(Debug, Clone, PartialEq)]
pub struct Modules {
    /// Name of a tensor to its shape; none where the container hides it.
    tensors: BTreeMap<String, Option<Shape>>,
    /// Whether the names depend on the release: parts of a multimodal model moved between releases.
    pub(super) are_names_loose: bool,
    is_transposed: bool,
}

impl Modules {
    /// Of a base that was read: by its config where its class is described, else by its headers.
    /// See [`Checkpoint::modules`].
    pub(crate) fn of(base: &Checkpoint<'_>) -> Fact<Self> {
        base.config.as_ref().and_then(|config| {
            if let Some(modules) = Self::of_config(config) {
                return Fact::Known(modules);
            }
            let class = config.architectures().first().map_or_else(
                || "a model without `architectures`".into(),
                |class| format!("`{class}`"),
            );
            let unknown = format!(
                "the tensors of {class} are not described, and its headers were not all read"
            );
            match base.weights.known() {
                Some(weights) if weights.is_complete() => {
                    let quantization = base.quantization.as_ref();
                    let stored = parameters::stored(weights, quantization);
                    let roles = parameters::roles(weights, &stored, quantization);
                    let tensors =
                        parameters::logical_tensors(weights, &stored, &roles, quantization);
                    Fact::Known(Self {
                        tensors: tensors
                            .into_iter()
                            .map(|tensor| (tensor.name.into_owned(), tensor.shape.map(Shape::from)))
                            .collect(),
                        // Stored names may be those of another release.
                        are_names_loose: true,
                        is_transposed: is_transposed(config),
                    })
                }
                _ => Fact::Unavailable(unknown),
            }
        })
    }

    /// Of the class that `AutoModelForCausalLM` makes of a config, or that the config names.
    pub fn of_config(config: &Config) -> Option<Self> {
        let causal = config
            .whole()
            .class()
            .and_then(|class| class.causal_lm.as_deref());
        let named = config.architectures().first().copied();
        let expected = [causal, named]
            .into_iter()
            .flatten()
            .find_map(|class| architecture::expected(class, config).ok())?;
        let is_composite = config.root().get_set("text_config").is_some();
        Some(Self {
            tensors: shapes(&expected),
            are_names_loose: is_composite,
            is_transposed: is_transposed(config),
        })
    }

    /// The shape of a module's weight as outputs by inputs; `None` where there is no such module, or it
    /// is not a matrix.
    pub(super) fn matrix(&self, module: &str) -> Option<[u64; 2]> {
        let shape = self.tensors.get(&format!("{module}.weight"))?.as_deref()?;
        match *shape {
            [inputs, outputs] if self.is_transposed && !is_embedding(module) => {
                Some([outputs, inputs])
            }
            [outputs, inputs] => Some([outputs, inputs]),
            _ => None,
        }
    }

    /// Whether the base has a module of this name, or a tensor of just this name.
    pub(super) fn has(&self, module: &str) -> bool {
        let inside = format!("{module}.");
        self.tensors.contains_key(module)
            || self
                .tensors
                .range(inside.clone()..)
                .next()
                .is_some_and(|(name, _)| name.starts_with(&inside))
    }

    /// The shape of a tensor.
    pub(super) fn shape(&self, tensor: &str) -> Option<&[u64]> {
        self.tensors.get(tensor)?.as_deref()
    }

    /// All tensors.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Every module with a matrix that is not an embedding.
    pub(super) fn linear(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().filter_map(|(name, shape)| {
            let module = name.strip_suffix(".weight")?;
            let is_matrix = shape.as_ref().is_none_or(|shape| shape.len() == 2);
            (is_matrix && !is_embedding(module)).then_some(module)
        })
    }

    /// The first tensor that another base has not, or has in another shape; embeddings and heads last, since
    /// a re-upload may pad the vocabulary.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let differs = |name: &&String| self.tensors.get(*name) != other.tensors.get(*name);
        let both = || {
            self.tensors
                .keys()
                .chain(other.tensors.keys())
                .filter(differs)
        };
        both()
            .find(|name| !is_vocabulary(name))
            .or_else(|| both().next())
            .cloned()
    }
}

/// Whether a tensor's size is that of the vocabulary.
pub(super) fn is_vocabulary(tensor: &str) -> bool {
    let module = tensor.strip_suffix(".weight").unwrap_or(tensor);
    is_embedding(module) || module.ends_with("lm_head") || module.ends_with("embed_out")
}

/// Names of the modules that classes of transformers embed tokens and positions with.
fn is_embedding(module: &str) -> bool {
    let last = module.rsplit('.').next().unwrap_or(module);
    ["embed", "wte", "wpe"]
        .iter()
        .any(|part| last.starts_with(part))
        && last != "embed_out"
        || last.ends_with("embeddings")
}

fn is_transposed(config: &Config) -> bool {
    config
        .model_type()
        .is_some_and(|name| TRANSPOSED.contains(&name))
}

fn shapes(expected: &Expected) -> BTreeMap<String, Option<Shape>> {
    let mut shapes: BTreeMap<_, _> = expected
        .tensors
        .iter()
        .map(|(name, shape)| (name.clone(), Some(shape.clone())))
        .collect();
    for copy in &expected.copies {
        let shape = expected.tensors.get(&copy.source).cloned();
        shapes.insert(copy.name.clone(), shape);
    }
    shapes
}
