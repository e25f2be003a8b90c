//! [`Facts`]: what a checkpoint is to one transformers release. Rules see nothing else.

use crate::checkpoint::{Checkpoint, Kind};
use crate::fact::{Defect, Fact, Gap};
use crate::generation_defects;
use crate::release::Release;
use crate::release5;
use crate::remote_code::{self, RemoteCode};
use crate::task::{self, CausalLm, Task};
use crate::tokenizer::{self, Tokenizer};

/// What a checkpoint is to one release.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// What does not depend on the release.
    pub checkpoint: &'a Checkpoint<'a>,
    /// The release that judges.
    pub release: Release,
    /// Model or adapter.
    pub kind: Kind,
    /// What the repository is for.
    pub task: Task,
    /// What `AutoModelForCausalLM` makes of it; none without a readable config and model type.
    pub causal_lm: Option<CausalLm>,
    /// Steps of loading that need the repository's own code.
    pub remote_code: RemoteCode,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// What release 4 misreads; empty for releases from 5 on.
    pub misread: Vec<Defect>,
    /// Details of `generation_config.json`, and of such settings in `config.json`, that end the load of a model that generates text.
    pub generation_defects: Vec<Defect>,
    /// For an adapter: its base, as the same release sees it; else why it is not known.
    pub base: Fact<Box<Facts<'a>>>,
}

impl<'a> Facts<'a> {
    /// What `checkpoint` is to `release`. Cannot fail, and cheap: all parsing is done.
    pub fn derive(checkpoint: &'a Checkpoint<'a>, release: Release) -> Self {
        let base = checkpoint.base.as_ref();
        Self {
            base: base.map(|base| Box::new(Self::without_base(base, release))),
            ..Self::without_base(checkpoint, release)
        }
    }

    fn without_base(checkpoint: &'a Checkpoint<'a>, release: Release) -> Self {
        let task = task::task(checkpoint);
        let embedding = task == Task::Embedding;
        Self {
            release,
            kind: checkpoint.kind(),
            causal_lm: checkpoint
                .config
                .known()
                .and_then(|config| task::causal_lm(config, release)),
            remote_code: remote_code::remote_code(checkpoint, release, embedding),
            tokenizer: tokenizer::tokenizer(checkpoint, release),
            misread: if release.major() < 5 {
                release5::misread_by_release_4(checkpoint)
            } else {
                Vec::new()
            },
            generation_defects: {
                let config = checkpoint.config.known();
                let mut found = config.map_or_else(Vec::new, |config| {
                    generation_defects::in_config(config, release)
                });
                found.extend(generation_defects::find(
                    &checkpoint.generation_config,
                    release,
                ));
                found
            },
            task,
            checkpoint,
            base: Fact::Absent,
        }
    }

    /// What goes into the model: `text`, and `image`, `audio` or `video` where the config has a part for
    /// it. Empty where that is not known.
    pub fn modalities(&self) -> Vec<&'static str> {
        let mut modalities = self.task.modalities();
        let Some(config) = self.checkpoint.config.known() else {
            return modalities;
        };
        for (part, modality) in [("vision_config", "image"), ("audio_config", "audio")] {
            if config.root().get_set(part).is_some() && !modalities.contains(&modality) {
                modalities.push(modality);
            }
        }
        modalities
    }

    /// Ends a rule that is about whole models where this is an adapter.
    pub fn of_a_model(&self) -> Result<&Checkpoint<'a>, Gap> {
        match self.kind {
            Kind::Model => Ok(self.checkpoint),
            Kind::Adapter => Err(Gap::DoesNotApply(
                "this is an adapter, not a whole model".into(),
            )),
        }
    }
}
