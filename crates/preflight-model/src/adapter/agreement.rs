//! Whether an adapter's configuration, its tensors and its base agree.

use std::collections::{BTreeMap, BTreeSet};

use super::ADAPTER_CONFIG;
use super::config::Adapter;
use super::modules::{Modules, is_vocabulary};
use super::selection::Targets;
use super::tensors::{AdapterTensors, Parts, origin};
use crate::checkpoint::Checkpoint;
use crate::fact::Defect;
use crate::header::Header;
use crate::wanted::ADAPTER_WEIGHTS;

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

/// Keys of `adapter_config.json` that change what is computed from the tensors.
/// Source: <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/tuners/lora/config.py>
const VARIANTS: [&str; 8] = [
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "monteclora_config",
    "use_bdlora",
    "use_qalora",
    "velora_config",
];

/// Holds an adapter's files against one another and, where it is known, against the base.
pub fn agreement(
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

    /// How the factors began, where that decides which base they belong to. A conversion sets the key to true.
    /// Source: `LoraLayer.update_layer` and `PeftModel.save_pretrained`,
    /// <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/tuners/lora/layer.py>
    fn initialization(&mut self) {
        let Some(given) = self.adapter.root().get_set("init_lora_weights") else {
            return;
        };
        let shown = given.describe();
        let lower = given.as_str().map(str::to_ascii_lowercase);
        match lower.as_deref() {
            None if given.as_bool().is_some() => {}
            Some("" | "gaussian" | "eva" | "orthogonal" | "mica") => {}
            Some("loftq") => self.is_undecided(format!(
                "`init_lora_weights` is {shown}: the factors belong to the quantised base that they were trained with, and what they do on the plain one is not known; merge them into that base and submit the whole model"
            )),
            Some(kind)
                if kind.starts_with("pissa")
                    || kind.starts_with("corda")
                    || ["olora", "lora_ga"].contains(&kind) =>
            {
                self.is_undecided(format!(
                    "`init_lora_weights` is {shown}: the factors belong to a base that was changed before the training, and are wrong on the plain one; save again with `path_initial_model_for_weight_conversion`, which converts them"
                ));
            }
            _ => self.is_undecided(format!(
                "`init_lora_weights` is {shown}, and whether the base was changed for it is not known"
            )),
        }
    }

    /// Factors are floats: integers may need scales that PEFT does not know.
    fn integers(&mut self) {
        if let Some(first) = self.tensors.integers.first() {
            let count = self.tensors.integers.len();
            self.is_undecided(format!(
                "{count} of the tensors are stored as integers, the first `{first}`, and how they were scaled is not known; save the adapter in a float type"
            ));
        }
    }

    /// Tensors that PEFT does not look for.
    fn names(&mut self) {
        if let Some(first) = self.tensors.dropped.first() {
            let count = self.tensors.dropped.len();
            self.problem(
                ADAPTER_WEIGHTS,
                format!(
                    "PEFT does not look for {count} of the tensors and drops them without a word, the first `{first}`: {}",
                    origin(first)
                ),
            );
        } else if self.tensors.modules.is_empty() {
            self.problem(ADAPTER_WEIGHTS, "it holds no tensor of LoRA".into());
        }
        if let Some(first) = self.tensors.foreign.first() {
            let count = self.tensors.foreign.len();
            self.note(
                ADAPTER_WEIGHTS,
                format!(
                    "{count} tensors belong to no adapter and are ignored, the first `{first}`"
                ),
            );
        }
    }

    /// Both factors are there, and of the rank that the configuration gives.
    fn pairs_and_ranks(&mut self) {
        let (mut alone, mut ranks, mut unknown) = (Group::default(), Group::default(), false);
        let mut refused = Group::default();
        let mut highest = self
            .adapter
            .rank
            .filter(|_| self.tensors.modules.is_empty());
        for (module, parts) in &self.tensors.modules {
            let (Some(a), Some(b)) = (parts.a, parts.b) else {
                alone.add(|| missing(module, parts));
                continue;
            };
            // Convolutions have more dimensions and no layer of a language model is one.
            let ([own, _], [_, other]) = (a, b) else {
                self.found.features.insert(Feature::Parameters);
                unknown = true;
                continue;
            };
            highest = highest.max(Some(*own));
            if own != other {
                ranks.add(|| format!("`{module}`: `lora_A` has rank {own}, `lora_B` {other}"));
                continue;
            }
            if let Some(why) = self.adapter.selection.refused(module) {
                refused.add(|| format!("`{module}`: {why}"));
                continue;
            }
            match self.adapter.selection.rank(module, self.adapter.rank) {
                Some(wanted) if wanted != *own => {
                    ranks.add(|| format!("`{module}`: the tensors have rank {own}, adapter_config.json says {wanted}"));
                }
                Some(_) => {}
                None => unknown = true,
            }
        }
        self.found.rank = highest;
        if let Some(text) = refused.text(
            "loading ends with an error, a pattern has a value of the wrong kind for",
            "modules get a value of the wrong kind from a pattern, loading ends with an error",
        ) {
            self.problem(ADAPTER_CONFIG, text);
        }
        if let Some(text) = alone.text(
            "half of a pair is missing:",
            "modules lack half of their pair",
        ) {
            self.problem(ADAPTER_WEIGHTS, text);
        }
        let is_rank_sound = self.adapter.defects.is_empty();
        if let Some(text) = ranks.text(
            "the rank differs, loading ends with an error:",
            "modules differ in rank, loading ends with an error",
        ) {
            if self.is_of_parameters() {
                // Their factors hold all experts side by side: rank times experts.
                unknown = true;
            } else if is_rank_sound {
                self.problem(ADAPTER_WEIGHTS, text);
            }
        }
        if unknown {
            self.is_undecided(
                "the rank of some modules could not be told from adapter_config.json",
            );
        }
    }

    fn is_of_parameters(&self) -> bool {
        self.root_names("target_parameters")
    }

    /// Every module with tensors is one that the configuration selects.
    fn targets(&mut self) {
        let (mut unselected, mut unknown) = (Group::default(), false);
        for module in self.tensors.modules.keys() {
            match self.adapter.selection.selects(module) {
                Some(true) => {}
                Some(false) => unselected.add(|| format!("`{module}`")),
                // Every linear layer but the head is what "all-linear" says.
                None if self.adapter.selection.targets == Targets::AllLinear => {}
                None => unknown = true,
            }
        }
        if self.is_of_parameters() {
            self.found.features.insert(Feature::Parameters);
            unknown = true;
        } else if let Some(text) = unselected.text(
            "adapter_config.json does not select a module that has tensors, and PEFT drops them without a word:",
            "modules have tensors but adapter_config.json does not select them, and PEFT drops them without a word",
        ) {
            self.problem(ADAPTER_CONFIG, text);
        }
        if unknown {
            self.is_undecided("which modules adapter_config.json selects could not be told (`target_modules`, `target_parameters`)");
        }
    }

    /// Flags against tensors: magnitudes, biases, tokens.
    fn variants(&mut self) {
        let modules = &self.tensors.modules;
        let flags = [
            (
                "use_dora",
                Feature::Dora,
                "`lora_magnitude_vector`",
                (|parts| parts.magnitude) as for<'a> fn(&Parts<'a>) -> Option<&'a [u64]>,
            ),
            ("lora_bias", Feature::Bias, "`lora_B.bias`", |parts| {
                parts.bias
            }),
        ];
        let (mut told, mut shapes) = (Vec::new(), Group::default());
        for (flag, feature, what, has) in flags {
            let with = modules
                .values()
                .filter(|parts| has(parts).is_some())
                .count();
            let is_set = self.adapter.flag(flag);
            if is_set || with > 0 {
                self.found.features.insert(feature);
            }
            if is_set && with < modules.len() {
                told.push(format!(
                    "`{flag}` is set, but {} of {} modules have no {what}: PEFT starts them anew",
                    modules.len() - with,
                    modules.len()
                ));
            } else if !is_set && with > 0 {
                told.push(format!(
                    "{with} modules have {what}, but `{flag}` is not set: PEFT drops them without a word"
                ));
            }
            for (module, parts) in modules.iter().filter(|_| is_set) {
                // One number for each output.
                if let (Some(shape), Some([outputs, _])) = (has(parts), parts.b)
                    && shape != [*outputs]
                {
                    shapes
                        .add(|| format!("`{module}`: {what} is {shape:?}, for {outputs} outputs"));
                }
            }
        }
        for message in told {
            self.problem(ADAPTER_CONFIG, message);
        }
        if let Some(text) = shapes.text(
            "loading ends with an error, a vector is not of the length of the outputs:",
            "vectors are not of the length of the outputs, loading ends with an error",
        ) {
            self.problem(ADAPTER_WEIGHTS, text);
        }
        let root = self.adapter.root();
        if root
            .get("bias")
            .and_then(|bias| bias.as_str())
            .is_some_and(|bias| bias != "none")
        {
            self.found.features.insert(Feature::Bias);
        }
        let on_vocabulary =
            |(module, parts): (&&str, &Parts<'_>)| parts.is_embedding || is_vocabulary(module);
        if modules.iter().any(on_vocabulary) {
            self.found.features.insert(Feature::Embedding);
        }
        let deltas = self
            .tensors
            .saved
            .keys()
            .any(|name| name.ends_with("trainable_tokens_delta"));
        let is_asked = self.root_names("trainable_token_indices");
        if deltas || is_asked {
            self.found.features.insert(Feature::Tokens);
        }
        if is_asked && !deltas {
            self.problem(
                ADAPTER_CONFIG,
                "`trainable_token_indices` is set, but there is no `trainable_tokens_delta`: loading ends with an error".into(),
            );
        }
        let has_variant = VARIANTS.iter().any(|key| self.root_names(key));
        if has_variant {
            self.found.features.insert(Feature::Variant);
        }
        if !self.adapter.selection.modules_to_save.is_empty() {
            self.found.features.insert(Feature::SavedModules);
        }
        if self.adapter.alpha == Some(0.0) {
            self.note(
                ADAPTER_CONFIG,
                "`lora_alpha` is 0: the adapter changes nothing".into(),
            );
        }
    }

    /// Every module is one of the base, and fits it.
    fn modules_of_base(&mut self, base: &Modules) {
        let (mut strangers, mut shapes, mut unknown) = (Group::default(), Group::default(), false);
        let mut merging = Group::default();
        for (module, parts) in &self.tensors.modules {
            let Some([outputs, inputs]) = base.matrix(module) else {
                if base.has(module) || self.is_of_parameters() {
                    unknown = true;
                } else {
                    strangers.add(|| format!("`{module}`"));
                }
                continue;
            };
            let (Some([_, a]), Some([b, _])) = (parts.a, parts.b) else {
                continue;
            };
            if self.adapter.flag("lora_bias")
                && parts.bias.is_some()
                && base.shape(&format!("{module}.bias")).is_none()
            {
                merging.add(|| format!("`{module}`"));
            }
            // An embedding is looked up, so its factors stand the other way round.
            let (inputs, outputs) = if parts.is_embedding {
                (outputs, inputs)
            } else {
                (inputs, outputs)
            };
            if (*a, *b) != (inputs, outputs) {
                shapes.add(|| format!(
                    "`{module}`: the adapter is for {a} inputs and {b} outputs, the base has {inputs} and {outputs}"
                ));
            }
        }
        self.found.fits = Some(shapes.count + strangers.count == 0);
        if let Some(text) = shapes.text(
            "loading ends with an error, a shape is not the base's:",
            "modules have shapes that are not the base's, loading ends with an error",
        ) {
            self.problem(ADAPTER_WEIGHTS, text);
        }
        if let Some(text) = strangers.text(
            "the base has no module",
            "modules are not in the base, so PEFT drops their tensors without a word",
        ) {
            if base.are_names_loose {
                self.is_undecided(format!(
                    "{text}; names inside this kind of base changed between releases"
                ));
            } else {
                self.problem(ADAPTER_WEIGHTS, text);
            }
        }
        self.found.cannot_merge = merging.text(
            "PEFT cannot merge a `lora_bias` into a layer without bias,",
            "layers have no bias to merge `lora_bias` into, and PEFT cannot merge the adapter",
        );
        if unknown {
            self.is_undecided("some modules of the adapter are no linear layers of the base, or stored in a form that hides their shape");
        }
    }

    /// Modules of the base that the configuration selects and that have no tensors: PEFT leaves them as they
    /// are. A kind of module that is missing in some layers only is a file cut short; one that is missing
    /// everywhere was not trained.
    fn gaps(&mut self, base: &Modules) {
        let trained: BTreeSet<String> = self
            .tensors
            .modules
            .keys()
            .map(|module| kind(module))
            .collect();
        let mut missing: BTreeMap<String, Group> = BTreeMap::new();
        for module in base
            .linear()
            .filter(|module| !self.tensors.modules.contains_key(module))
        {
            let is_selected = match self.adapter.selection.targets {
                Targets::AllLinear => Some(!is_vocabulary(module)),
                _ => self.adapter.selection.selects(module),
            };
            if is_selected == Some(true) {
                missing
                    .entry(kind(module))
                    .or_default()
                    .add(|| format!("`{module}`"));
            }
        }
        if self.is_of_parameters() {
            return;
        }
        let (mut cut, mut untrained) = (Group::default(), Group::default());
        for (kind, group) in &missing {
            let to = if trained.contains(kind) {
                &mut cut
            } else {
                &mut untrained
            };
            for _ in 0..group.count {
                to.add(|| group.first.clone());
            }
        }
        if let Some(text) = cut.text(
            "adapter_config.json selects a module that has no tensors, though those of other layers are there:",
            "modules are selected and have no tensors, though those of other layers are there",
        ) {
            if base.are_names_loose {
                self.is_undecided(text);
            } else {
                self.problem(ADAPTER_WEIGHTS, text);
            }
        }
        if !self.tensors.dropped.is_empty() {
            return;
        }
        if let Some(text) = untrained.text(
            "adapter_config.json selects a module without tensors, which stays as in the base:",
            "modules are selected and have no tensors in any layer; they stay as in the base",
        ) {
            self.note(ADAPTER_WEIGHTS, text);
        }
    }

    /// Whole modules that the adapter brings.
    fn saved_modules(&mut self, base: &Modules, checkpoint: &Checkpoint<'_>) {
        let names = &self.adapter.selection.modules_to_save;
        let mut lacking = Group::default();
        for tensor in base.tensors().take_while(|_| !names.is_empty()) {
            let is_wanted = ancestors(tensor)
                .any(|module| names.iter().any(|name| module.ends_with(name.as_str())));
            // A tied head may be saved once, with the embedding.
            if is_wanted
                && !self.tensors.saved.contains_key(tensor)
                && !tensor.ends_with("lm_head.weight")
            {
                lacking.add(|| format!("`{tensor}`"));
            }
        }
        let is_head_lost = names.iter().any(|name| name == "lm_head")
            && base.shape("lm_head.weight").is_some()
            && !self.tensors.saved.keys().any(|name| is_vocabulary(name));
        if is_head_lost {
            lacking.add(|| "`lm_head.weight`".into());
        }
        if let Some(text) = lacking.text(
            "`modules_to_save` asks for a tensor that is not there, loading ends with an error:",
            "tensors of `modules_to_save` are not there, loading ends with an error",
        ) {
            if base.are_names_loose {
                self.is_undecided(text);
            } else {
                self.problem(ADAPTER_WEIGHTS, text);
            }
        }
        let (mut resized, mut shapes) = (Group::default(), Group::default());
        let mut has_saved = false;
        for (name, shape) in &self.tensors.saved {
            // What a wrapped module was before is saved beside it by some releases.
            let name = name.replace(".base_layer.", ".");
            let Some(wanted) = base.shape(&name) else {
                continue;
            };
            has_saved = true;
            if wanted == *shape {
                continue;
            }
            let same_width = wanted.len() == 2 && shape.len() == 2 && wanted[1] == shape[1];
            let group = if same_width && is_vocabulary(&name) {
                &mut resized
            } else {
                &mut shapes
            };
            group.add(|| format!("`{name}`: {shape:?}, the base has {wanted:?}"));
        }
        if has_saved {
            self.found.features.insert(Feature::SavedModules);
        }
        if let Some(text) = shapes.text(
            "a saved tensor has not the base's shape, loading ends with an error:",
            "saved tensors have not the base's shapes, loading ends with an error",
        ) {
            self.problem(ADAPTER_WEIGHTS, text);
        }
        if let Some(text) = resized.text(
            "the vocabulary was resized:",
            "tensors are of a resized vocabulary",
        ) {
            if checkpoint.first_file(&["tokenizer_config.json"]).is_some() {
                self.is_undecided(format!(
                    "{text}; PEFT resizes the base only where it is asked to, or takes the tokenizer beside the adapter"
                ));
            } else {
                self.problem(
                    ADAPTER_WEIGHTS,
                    format!("{text}; loading ends with an error unless the base is resized first"),
                );
            }
        }
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
    let parts = module.split('.').map(|part| {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*" } else { part }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The modules that a tensor lies in, outermost first.
fn ancestors(tensor: &str) -> impl Iterator<Item = &str> {
    tensor.match_indices('.').map(|(at, _)| &tensor[..at])
}
