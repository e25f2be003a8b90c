//! What an adapter's own files say of one another.

use super::{Compare, Feature, Group, missing};
use crate::adapter::ADAPTER_CONFIG;
use crate::adapter::modules::is_vocabulary;
use crate::adapter::selection::Targets;
use crate::adapter::tensors::{Parts, origin};
use crate::wanted::ADAPTER_WEIGHTS;

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

impl Compare<'_> {
    /// How the factors began, where that decides which base they belong to. A conversion sets the key to true.
    /// Source: `LoraLayer.update_layer` and `PeftModel.save_pretrained`,
    /// <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/tuners/lora/layer.py>
    pub(super) fn initialization(&mut self) {
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
    pub(super) fn integers(&mut self) {
        if let Some(first) = self.tensors.integers.first() {
            let count = self.tensors.integers.len();
            self.is_undecided(format!(
                "{count} of the tensors are stored as integers, the first `{first}`, and how they were scaled is not known; save the adapter in a float type"
            ));
        }
    }

    /// Tensors that PEFT does not look for.
    pub(super) fn names(&mut self) {
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
    pub(super) fn pairs_and_ranks(&mut self) {
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

    pub(super) fn is_of_parameters(&self) -> bool {
        self.root_names("target_parameters")
    }

    /// Every module with tensors is one that the configuration selects.
    pub(super) fn targets(&mut self) {
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
    pub(super) fn variants(&mut self) {
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
}
