//! What wrappers of training put into the names of tensors.

use preflight_model::architecture::Comparison;

/// A part of a name, and who put it there.
struct Wrapper {
    mark: &'static str,
    /// Whether it stands only at the start: elsewhere it may be a model's own.
    at_start: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Layers of an adapter beside those of the model.
    Adapter,
    /// PEFT's model around the model.
    Peft,
    /// A wrapper that only renames.
    Renaming(&'static str),
}

/// In the order in which they are looked for: an adapter's layers say more than the prefix before them.
///
/// Sources: `lora_A`, `base_layer` and `base_model.model` of
/// <https://github.com/huggingface/peft/blob/main/src/peft/tuners/lora/layer.py> and `peft_model.py`;
/// `_fsdp_wrapped_module` of
/// <https://github.com/pytorch/pytorch/blob/main/torch/distributed/fsdp/_common_utils.py>;
/// `_checkpoint_wrapped_module` of
/// <https://github.com/pytorch/pytorch/blob/main/torch/distributed/algorithms/_checkpoint/checkpoint_wrapper.py>;
/// `_orig_mod` of <https://github.com/pytorch/pytorch/blob/main/torch/_dynamo/eval_frame.py>; `module` of
/// <https://github.com/pytorch/pytorch/blob/main/torch/nn/parallel/data_parallel.py>.
const WRAPPERS: [Wrapper; 8] = [
    anywhere("lora_A.", Kind::Adapter),
    anywhere("lora_B.", Kind::Adapter),
    anywhere("base_layer.", Kind::Adapter),
    anywhere("base_model.model.", Kind::Peft),
    anywhere("_fsdp_wrapped_module.", Kind::Renaming("FSDP")),
    anywhere(
        "_checkpoint_wrapped_module.",
        Kind::Renaming("activation checkpointing"),
    ),
    anywhere("_orig_mod.", Kind::Renaming("`torch.compile`")),
    Wrapper {
        mark: "module.",
        at_start: true,
        kind: Kind::Renaming("`DataParallel` or DeepSpeed"),
    },
];

const fn anywhere(mark: &'static str, kind: Kind) -> Wrapper {
    Wrapper {
        mark,
        at_start: false,
        kind,
    }
}

/// A wrapper's mark in the names of a checkpoint.
pub(super) struct Found<'c> {
    wrapper: &'static Wrapper,
    count: usize,
    example: &'c str,
}

/// The mark that explains why tensors are missing, or that an adapter would be left out.
pub(super) fn find(comparison: &Comparison) -> Option<Found<'_>> {
    let explains =
        |wrapper: &&Wrapper| wrapper.kind == Kind::Adapter || !comparison.missing.is_empty();
    WRAPPERS.iter().filter(explains).find_map(|wrapper| {
        let mut names = comparison
            .unexpected
            .iter()
            .filter(|name| wrapper.is_in(name));
        Some(Found {
            wrapper,
            example: names.next()?,
            count: 1 + names.count(),
        })
    })
}

impl Wrapper {
    fn is_in(&self, name: &str) -> bool {
        let is_part = |at: usize| at == 0 || !self.at_start && name[..at].ends_with('.');
        name.match_indices(self.mark).any(|(at, _)| is_part(at))
    }
}

impl Found<'_> {
    /// What the mark means.
    pub(super) fn message(&self) -> String {
        let Self {
            wrapper: Wrapper { mark, kind, .. },
            count,
            example,
        } = self;
        let means = match kind {
            Kind::Adapter => "an adapter that is not merged, which the loader would leave out",
            Kind::Peft => "saved from PEFT's wrapper, not from the merged model",
            Kind::Renaming(by) => {
                return format!(
                    "names of tensors hold `{mark}`: saved from the wrapper of {by}, not from the model inside ({count}, for example `{example}`)"
                );
            }
        };
        format!("names of tensors hold `{mark}`: {means} ({count}, for example `{example}`)")
    }

    /// The remedy.
    pub(super) fn fix(&self) -> String {
        let mark = self.wrapper.mark;
        match self.wrapper.kind {
            Kind::Adapter => {
                "merge the adapter, then save: `model.merge_and_unload().save_pretrained(folder)`"
                    .into()
            }
            Kind::Peft => format!(
                "save `model.merge_and_unload()`, or strip `{mark}` from the tensors' names where the adapter is merged"
            ),
            Kind::Renaming(_) => format!("strip `{mark}` from the tensors' names and save again"),
        }
    }
}
