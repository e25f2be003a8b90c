//! What an adapter's tensors say of the modules of its base.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compare, Feature, Group, ancestors, kind};
use crate::adapter::modules::{Modules, is_vocabulary};
use crate::adapter::selection::Targets;
use crate::checkpoint::Checkpoint;
use crate::wanted::ADAPTER_WEIGHTS;

impl Compare<'_> {
    /// Every module is one of the base, and fits it.
    pub(super) fn modules_of_base(&mut self, base: &Modules) {
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
    pub(super) fn gaps(&mut self, base: &Modules) {
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
    pub(super) fn saved_modules(&mut self, base: &Modules, checkpoint: &Checkpoint<'_>) {
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
