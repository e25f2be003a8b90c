//! What a model is for: what `AutoModelForCausalLM` of a release makes of it, and what its own
//! `architectures` say.

mod causal;

pub use causal::{CausalLm, causal_lm};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::fact::Fact;
use crate::json::Document;
use crate::release::{self, Release};
use crate::sentence_transformers::Kind;

/// What a model is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Text generation.
    CausalLm,
    /// Vectors for texts.
    Embedding,
    /// Encoder and decoder.
    Seq2Seq,
    /// Fill-in-the-blank encoders.
    MaskedLm,
    /// Classification, tagging, rewards.
    Classification,
    /// Text from images and text.
    ImageTextToText,
    /// Another task of transformers, by its name in the mapping tables.
    Other(String),
    /// Nothing says so for sure; the text says what is missing.
    Unknown(String),
}

impl Task {
    /// The word of the report.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CausalLm => "causal-lm",
            Self::Embedding => "embedding",
            Self::Seq2Seq => "seq2seq",
            Self::MaskedLm => "masked-lm",
            Self::Classification => "classification",
            Self::ImageTextToText => "image-text-to-text",
            Self::Other(name) => name,
            Self::Unknown(_) => "unknown",
        }
    }

    /// What it is in words.
    pub fn describe(&self) -> &str {
        match self {
            Self::CausalLm => "a text generation model",
            Self::Embedding => "an embedding model",
            Self::Seq2Seq => "an encoder-decoder model",
            Self::MaskedLm => "a masked language model",
            Self::Classification => "a classifier or reward model",
            Self::ImageTextToText => "a multimodal (image and text) model",
            Self::Other(_) => "a model of another task",
            Self::Unknown(_) => "a model whose task is not known",
        }
    }

    /// `text`, `image`, `audio`: what goes in.
    pub fn modalities(&self) -> Vec<&'static str> {
        match self {
            Self::ImageTextToText => vec!["text", "image"],
            Self::Other(name) if name.contains("speech") || name.contains("audio") => vec!["audio"],
            Self::Other(name) if name.contains("image") => vec!["image"],
            Self::Other(_) | Self::Unknown(_) => Vec::new(),
            _ => vec!["text"],
        }
    }
}

/// What the repository as a whole is for.
pub fn task(checkpoint: &Checkpoint<'_>) -> Task {
    let Some(config) = checkpoint.config.known() else {
        return Task::Unknown("config.json is not known".into());
    };
    match &checkpoint.sentence_transformers {
        Fact::Known(found) => return of_sentence_transformers(found.kind),
        Fact::Unavailable(why) => return Task::Unknown(why.clone()),
        Fact::Absent | Fact::Malformed(_) => {}
    }
    let Some(model_type) = config.model_type() else {
        return Task::Unknown("config.json names no `model_type`".into());
    };
    if let Some(name) = config.architectures().first() {
        let head = head(name);
        let is_foreign = release::model_type_since(model_type).is_none();
        let task = if is_foreign && head == Head::Bare {
            of_foreign_bare(config, name)
        } else {
            of_head(head, name, model_type)
        };
        let is_native = release::causal_lm_class(Release::newest(), model_type).is_some();
        return match task {
            // Of a type that transformers does not have, the name of the class says little.
            Task::CausalLm if !is_native && sees_or_hears(checkpoint, config) => {
                Task::ImageTextToText
            }
            task => task,
        };
    }
    let newest = Release::newest();
    match release::causal_lm_class(newest, model_type) {
        Some(_) if other_use(newest, model_type).is_none() => Task::CausalLm,
        Some(_) => Task::Unknown(format!(
            "`architectures` is missing and model type `{model_type}` has several uses"
        )),
        None => main_task(newest, model_type).map_or_else(
            || {
                Task::Unknown(format!(
                    "nothing says what model type `{model_type}` is for"
                ))
            },
            |(task, _)| task,
        ),
    }
}

fn of_sentence_transformers(kind: Kind) -> Task {
    let undocumented = |what: &str| {
        Task::Unknown(format!(
            "the files of sentence-transformers say that this is {what}; no source says whether the platform takes it for an embedding model"
        ))
    };
    match kind {
        Kind::Dense => Task::Embedding,
        Kind::CrossEncoder => Task::Classification,
        Kind::Sparse => undocumented("a sparse encoder, with a weight for each word"),
        Kind::MultiVector => undocumented("a multi-vector model, with a vector for each token"),
    }
}

/// Keys under which config.json describes the part of a model that sees or hears: the library's own
/// first, then those of remote code in circulation (Qwen-VL, Phi-3-vision, the original `LLaVA`).
fn sees_or_hears(checkpoint: &Checkpoint<'_>, config: &Config) -> bool {
    const KEYS: [&str; 9] = [
        "vision_config",
        "audio_config",
        "visual",
        "audio",
        "img_processor",
        "audio_processor",
        "mm_vision_tower",
        "vision_tower",
        "vision_backbone",
    ];
    // Processors prepare what is no text. Their files stand beside multimodal models only.
    const FILES: [&str; 3] = [
        "preprocessor_config.json",
        "processor_config.json",
        "video_preprocessor_config.json",
    ];
    let roots = [
        Some(config.root()),
        checkpoint.tokenizer_config.known().map(Document::root),
    ];
    let offers_processor = roots.into_iter().flatten().any(|root| {
        let map = root.get_set("auto_map");
        map.is_some_and(|map| map.get_set("AutoProcessor").is_some())
    });
    KEYS.iter().any(|key| config.root().get_set(key).is_some())
        || offers_processor
        || checkpoint.first_file(&FILES).is_some()
}

/// What a model type without a causal-LM class is first of all, and the class for it: most types have
/// classifiers beside their real use.
fn main_task(release: Release, model_type: &str) -> Option<(Task, &'static str)> {
    let mut tasks: Vec<_> = release::tasks(release, model_type)
        .filter_map(|(task, class)| Some((of_mapping(task)?, class)))
        .collect();
    tasks.sort_by_key(|(task, _)| match task {
        Task::Seq2Seq | Task::ImageTextToText => 0,
        Task::MaskedLm => 1,
        Task::Other(_) => 2,
        _ => 3,
    });
    tasks.into_iter().next()
}

/// A bare class of the repository's own code: `ChatGLM` calls its chat model `ChatGLMModel`.
fn of_foreign_bare(config: &Config, name: &str) -> Task {
    let map = config.root().get("auto_map");
    match map.and_then(|map| map.get_set("AutoModelForCausalLM")) {
        Some(_) => Task::CausalLm,
        None => Task::Unknown(format!("nothing says what `{name}` is for")),
    }
}

fn of_head(head: Head, name: &str, model_type: &str) -> Task {
    match head {
        Head::CausalLm => Task::CausalLm,
        Head::Task(Task::ImageTextToText) if is_text_alone(Release::newest(), model_type) => {
            Task::CausalLm
        }
        Head::Task(Task::ImageTextToText)
            if release::causal_lm_class(Release::newest(), model_type).is_some() =>
        {
            Task::Unknown(format!(
                "`architectures` names the multimodal `{name}`; model type `{model_type}` also has a class for text alone"
            ))
        }
        Head::Task(task) => task,
        // The body of a text encoder gives vectors; that of anything else may be meant for much.
        Head::Bare
            if release::tasks(Release::newest(), model_type)
                .any(|(task, _)| task == "masked_lm") =>
        {
            Task::Embedding
        }
        Head::Bare => Task::Unknown(format!(
            "`architectures` names `{name}`, a model without a head: it may be meant for embeddings or lack its head"
        )),
        Head::Unrecognised => Task::Unknown(format!(
            "`architectures` names `{name}`, which is no class of transformers"
        )),
    }
}

/// What a class name of `architectures` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Head {
    CausalLm,
    Task(Task),
    /// The model without a head.
    Bare,
    Unrecognised,
}

fn head(name: &str) -> Head {
    let mut tasks: Vec<&str> = release::classes_named(name)
        .iter()
        .map(|class| class.task)
        .collect();
    if tasks.contains(&"causal_lm") {
        return Head::CausalLm;
    }
    // A class may stand in `pretraining` beside its real task, and the encoder-decoders of the BART family
    // also fill in blanks.
    tasks.sort_by_key(|task| match *task {
        "pretraining" | "with_lm_head" | "base" | "text_encoding" => 2,
        "masked_lm" => 1,
        _ => 0,
    });
    if let Some(task) = tasks.iter().find_map(|task| of_mapping(task)) {
        return Head::Task(task);
    }
    if tasks
        .iter()
        .any(|task| matches!(*task, "base" | "text_encoding"))
    {
        return Head::Bare;
    }
    by_ending(name)
}

/// Classes that no release knows are named after the same pattern.
fn by_ending(name: &str) -> Head {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&["ForCausalLM", "LMHeadModel", "ModelWithLMHead"]) {
        Head::CausalLm
    } else if ends(&["ForMaskedLM", "ForPreTraining"]) {
        Head::Task(Task::MaskedLm)
    } else if ends(&[
        "Classification",
        "ForQuestionAnswering",
        "ForMultipleChoice",
        "ForScore",
        "WithValueHead",
    ]) || name.contains("Reward")
    {
        Head::Task(Task::Classification)
    } else if ends(&["ForSeq2SeqLM"]) {
        Head::Task(Task::Seq2Seq)
    } else if ends(&["Model", "Encoder"]) {
        Head::Bare
    } else {
        Head::Unrecognised
    }
}

fn of_mapping(task: &str) -> Option<Task> {
    Some(match task {
        "causal_lm" => Task::CausalLm,
        "seq2seq_lm" => Task::Seq2Seq,
        "masked_lm" => Task::MaskedLm,
        "sequence_classification"
        | "token_classification"
        | "question_answering"
        | "multiple_choice"
        | "next_sentence_prediction" => Task::Classification,
        "image_text_to_text" | "vision2seq" | "multimodal_lm" => Task::ImageTextToText,
        "base" | "pretraining" | "text_encoding" | "with_lm_head" => return None,
        other => Task::Other(other.replace('_', "-")),
    })
}

/// Whether a model type is the text part of a multimodal model, saved as a model of its own
/// (`qwen3_5_moe_text`): it has a causal-LM class and none that sees.
fn is_text_alone(release: Release, model_type: &str) -> bool {
    model_type.ends_with("_text")
        && release::causal_lm_class(release, model_type).is_some()
        && !release::tasks(release, model_type)
            .any(|(task, _)| of_mapping(task) == Some(Task::ImageTextToText))
}

/// Another generative or encoding use of a causal model type, with the class for it.
fn other_use(release: Release, model_type: &str) -> Option<&'static str> {
    let causal = release::causal_lm_class(release, model_type);
    release::tasks(release, model_type)
        .filter(|(task, class)| {
            matches!(
                *task,
                "masked_lm"
                    | "seq2seq_lm"
                    | "speech_seq_2_seq"
                    | "image_text_to_text"
                    | "vision2seq"
            ) && Some(*class) != causal
        })
        .map(|(_, class)| class)
        .next()
}

#[cfg(test)]
mod tests;
