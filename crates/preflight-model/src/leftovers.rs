//! Files of a training run that no loader reads.

use crate::checkpoint::Checkpoint;

/// What a training run left beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers<'a> {
    /// How many files.
    pub files: usize,
    /// Sum of the sizes that the listing tells, in bytes.
    pub bytes: u64,
    /// One of them.
    pub example: &'a str,
}

/// Finds them in the listing; none where there are none or the listing is not known.
pub fn find<'a>(checkpoint: &Checkpoint<'a>) -> Option<Leftovers<'a>> {
    let weights = checkpoint.weights.known();
    let is_opened = |path: &String| weights.is_some_and(|weights| weights.files.contains(path));
    let mut files = checkpoint
        .files
        .iter()
        .filter(|file| !file.may_be_absent() && is_leftover(&file.path) && !is_opened(&file.path));
    let first = files.next()?;
    let one = Leftovers {
        files: 1,
        bytes: first.size.unwrap_or_default(),
        example: &first.path,
    };
    Some(files.fold(one, |sum, file| Leftovers {
        files: sum.files + 1,
        bytes: sum.bytes.saturating_add(file.size.unwrap_or_default()),
        ..sum
    }))
}

/// Whether a training program writes a file of this name to go on from, and a loader never opens it.
///
/// Sources: names in <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/trainer.py>,
/// `global_step…` of
/// <https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/runtime/engine.py>, `pytorch_model_fsdp…` of
/// <https://github.com/huggingface/accelerate/blob/main/src/accelerate/utils/constants.py>, `.distcp` of
/// <https://github.com/pytorch/pytorch/blob/main/torch/distributed/checkpoint/filesystem.py>.
pub fn is_leftover(path: &str) -> bool {
    const NAMES: [&str; 5] = [
        "optimizer.bin",
        "optimizer.pt",
        "scheduler.pt",
        "trainer_state.json",
        "training_args.bin",
    ];
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of_run = |folder: &str| {
        ["checkpoint-", "global_step", "pytorch_model_fsdp"]
            .iter()
            .any(|start| folder.starts_with(start))
    };
    NAMES.contains(&name)
        || name
            .strip_suffix(".pth")
            .is_some_and(|stem| stem.starts_with("rng_state"))
        || name.starts_with("pytorch_model_fsdp")
        || name.ends_with(".distcp")
        || folders.split('/').any(is_of_run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_training_runs() {
        for path in [
            "optimizer.pt",
            "last/optimizer.bin",
            "rng_state.pth",
            "rng_state_7.pth",
            "pytorch_model_fsdp.bin",
            "pytorch_model_fsdp_0/__0_0.distcp",
            "global_step500/mp_rank_00_model_states.pt",
            "checkpoint-500/model.safetensors",
        ] {
            assert!(is_leftover(path), "{path}");
        }
        for path in [
            "checkpoint-500",
            "model.safetensors",
            "pytorch_model.bin",
            "my_optimizer.pt",
            "rng_state.json",
            "global_steps.md",
        ] {
            assert!(!is_leftover(path), "{path}");
        }
    }
}
