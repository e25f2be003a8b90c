//! Whether an adapter's configuration, its tensors and its base agree.

mod alone;
mod with_base;

use std::collections::BTreeSet;

use super::ADAPTER_CONFIG;
use super::config::Adapter;
use super::modules::Modules;
use super::tensors::{AdapterTensors, Parts};
use crate::checkpoint::Checkpoint;
use crate::fact::Defect;
use crate::header::Header;
use crate::names::parts;

/// What an adapter's files say of one another and of the base.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// What PEFT refuses, drops or fills with random or neutral values. One for each kind of
    /// disagreement: it counts the tensors and names the first.
    pub problems: Vec<Defect>,
    /// What is worth knowing and loads all the same.
    pub notes: Vec<Defect>,
    /// What could not be told.
    pub undecided: Option<String>,
    /// What the adapter has beyond plain LoRA on linear layers.
    pub features: BTreeSet<Feature>,
    /// Whether every module with tensors is one of the base and fits it; none where that was not told.
    pub fits: Option<bool>,
    /// Why it cannot be merged into the base, where it loads and yet cannot.
    pub cannot_merge: Option<String>,
    /// Highest rank of any module.
    pub rank: Option<u64>,
}

/// Something beyond plain LoRA on linear layers, which PEFT loads and merges but which an engine that
/// serves adapters need not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Magnitude vectors.
    Dora,
    /// Biases that were trained, `bias` or `lora_bias`.
    Bias,
    /// LoRA on an embedding or on the head.
    Embedding,
    /// Modules that were trained and saved whole.
    SavedModules,
    /// Single tokens of the embedding.
    Tokens,
    /// Parameters that are no linear layer, such as fused experts.
    Parameters,
    /// Another computation from the same tensors: `alora`, `qalora`, `kasa` and the like, or replicated layers.
    Variant,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Dora,
        Self::Bias,
        Self::Embedding,
        Self::SavedModules,
        Self::Tokens,
        Self::Parameters,
        Self::Variant,
    ];

    /// The word of a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dora => "dora",
            Self::Bias => "bias",
            Self::Embedding => "embedding",
            Self::SavedModules => "saved-modules",
            Self::Tokens => "tokens",
            Self::Parameters => "parameters",
            Self::Variant => "variant",
        }
    }

    /// What it is, for a message.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Dora => "DoRA (`use_dora`)",
            Self::Bias => "trained biases (`bias`, `lora_bias`)",
            Self::Embedding => "LoRA on the embedding or the head",
            Self::SavedModules => "whole modules (`modules_to_save`)",
            Self::Tokens => "single tokens (`trainable_token_indices`)",
            Self::Parameters => "parameters that are no linear layer (`target_parameters`)",
            Self::Variant => "a variant of LoRA",
        }
    }
}

/// Holds an adapter's files against one another and, where it is known, against the base.
pub(super) fn agreement(
    adapter: &Adapter,
    header: &Header<'_>,
    base: Option<&Modules>,
    checkpoint: &Checkpoint<'_>,
) -> Agreement {
    let mut found = Agreement {
        problems: adapter.defects.clone(),
        ..Agreement::default()
    };
    task(adapter, &mut found);
    if !adapter.is_lora() {
        let method = adapter.peft_type.as_deref().unwrap_or("unknown");
        found.undecided = Some(format!(
            "tensors of method `{method}` are not compared, only those of LoRA"
        ));
        return found;
    }
    let tensors = AdapterTensors::of(header);
    let mut compare = Compare {
        adapter,
        tensors: &tensors,
        found,
    };
    compare.initialization();
    compare.names();
    compare.integers();
    compare.pairs_and_ranks();
    compare.targets();
    compare.variants();
    match base {
        Some(_) if replicates_layers(adapter) => compare.is_undecided(
            "`layer_replication` builds layers that the base does not have, so modules were not compared with it",
        ),
        Some(base) => {
            compare.modules_of_base(base);
            compare.gaps(base);
            compare.saved_modules(base, checkpoint);
        }
        None => {
            compare.is_undecided(
                "the base was not read, so shapes and layers were not compared with it",
            );
        }
    }
    compare.found
}

/// Whether PEFT builds the base anew from copies of its layers before it looks for the modules.
/// Source: `replicate_layers`, <https://github.com/huggingface/peft/blob/v0.10.0/src/peft/tuners/tuners_utils.py>
fn replicates_layers(adapter: &Adapter) -> bool {
    let ranges = adapter.root().get("layer_replication");
    ranges.is_some_and(|ranges| ranges.elements().next().is_some())
}

/// `AutoPeftModelForCausalLM` refuses an adapter of another task.
/// Source: <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/auto.py>
fn task(adapter: &Adapter, found: &mut Agreement) {
    let Some(given) = adapter.root().get_set("task_type") else {
        return;
    };
    let message = match given.as_str() {
        Some(
            task @ ("FEATURE_EXTRACTION" | "SEQ_CLS" | "TOKEN_CLS" | "QUESTION_ANS"
            | "SEQ_2_SEQ_LM"),
        ) => {
            format!(
                "`task_type` is `{task}`: the adapter was trained for another task than text generation"
            )
        }
        _ => return,
    };
    found
        .problems
        .push(Defect::at(ADAPTER_CONFIG, given.place(), message));
}

struct Compare<'a> {
    adapter: &'a Adapter,
    tensors: &'a AdapterTensors<'a>,
    found: Agreement,
}

/// Things of one kind: how many, and the first.
#[derive(Default)]
struct Group {
    count: usize,
    first: String,
}

impl Group {
    fn add(&mut self, describe: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = describe();
        }
        self.count += 1;
    }

    /// `3 modules, the first ...`, or just the one.
    fn text(&self, one: &str, many: &str) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("{one} {}", self.first)),
            count => Some(format!("{count} {many}, the first {}", self.first)),
        }
    }
}

impl Compare<'_> {
    fn problem(&mut self, path: &str, message: String) {
        self.found.problems.push(Defect::of_file(path, message));
    }

    fn note(&mut self, path: &str, message: String) {
        self.found.notes.push(Defect::of_file(path, message));
    }

    fn is_undecided(&mut self, why: impl Into<String>) {
        self.found.undecided.get_or_insert_with(|| why.into());
    }

    fn root_names(&self, key: &str) -> bool {
        self.adapter
            .root()
            .get_set(key)
            .is_some_and(|value| value.as_bool() != Some(false))
    }
}

fn missing(module: &str, parts: &Parts<'_>) -> String {
    let what = match (parts.a, parts.b, parts.is_embedding) {
        (None, None, _) => "both `lora_A` and `lora_B` are missing",
        (None, _, false) => "`lora_A` is missing, PEFT fills it with random numbers",
        (None, _, true) => "`lora_embedding_A` is missing",
        (_, _, false) => "`lora_B` is missing, PEFT fills it with zeros",
        (_, _, true) => "`lora_embedding_B` is missing",
    };
    format!("`{module}`: {what}")
}

/// The name with its numbers left out: the same module in all layers.
fn kind(module: &str) -> String {
    let kinds = parts(module).map(|part| {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*" } else { part }
    });
    kinds.collect::<Vec<_>>().join(".")
}

/// The modules that a tensor lies in, outermost first.
fn ancestors(tensor: &str) -> impl Iterator<Item = &str> {
    tensor.match_indices('.').map(|(at, _)| &tensor[..at])
}
