//! Whether the causal-LM mapping loads a model.

use super::{Head, Task, head, is_text_alone, main_task, other_use};
use crate::config::Config;
use crate::release::{self, Release};

/// What `AutoModelForCausalLM` of a release makes of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CausalLm {
    /// It builds this class, and the checkpoint is one of it. The notes are worth telling.
    Yes {
        /// The class.
        class: &'static str,
        /// For people.
        notes: Vec<String>,
    },
    /// It does not, or the checkpoint holds another head.
    No {
        /// Key of config.json that says so.
        key: &'static str,
        /// Why.
        because: String,
    },
    /// The config does not say enough.
    Unclear(String),
    /// The model type is native to no release, so other rules decide: remote code, or not supported.
    NotNative,
}

/// Judges a config by the mapping of `release`; a type that only later releases know is judged by the
/// newest (that it is too new is another matter).
pub fn causal_lm(config: &Config, release: Release) -> Option<CausalLm> {
    let model_type = config.model_type()?;
    let judge = if release::knows_model_type(release, model_type) {
        release
    } else {
        Release::newest()
    };
    if !release::knows_model_type(judge, model_type) {
        return Some(match release::model_type_since(model_type) {
            Some(_) => by_name_alone(config, model_type),
            None => CausalLm::NotNative,
        });
    }
    let Some(class) = release::causal_lm_class(judge, model_type) else {
        let instead = main_task(judge, model_type).map_or(String::new(), |(task, class)| {
            format!("; it is {}, `{class}`", task.describe())
        });
        return Some(CausalLm::No {
            key: "model_type",
            because: format!("model type `{model_type}` has no causal-LM class{instead}"),
        });
    };
    Some(by_architectures(config, judge, model_type, class))
}

/// A type that once was known and no longer is, and that this release does not know either.
fn by_name_alone(config: &Config, model_type: &str) -> CausalLm {
    match config.architectures().first().map(|name| head(name)) {
        Some(Head::CausalLm) => {
            CausalLm::Unclear(format!("model type `{model_type}` is not in this release"))
        }
        _ => CausalLm::NotNative,
    }
}

fn by_architectures(
    config: &Config,
    judge: Release,
    model_type: &str,
    class: &'static str,
) -> CausalLm {
    let names = config.architectures();
    let Some(&name) = names.first() else {
        return match other_use(judge, model_type) {
            Some(other) => CausalLm::Unclear(format!(
                "`architectures` is missing, and model type `{model_type}` is used for `{other}` as well as `{class}`"
            )),
            None => CausalLm::Yes {
                class,
                notes: vec![format!(
                    "`architectures` is missing; the loader builds `{class}`"
                )],
            },
        };
    };
    // Real files spell MptForCausalLM in capitals, so case does not count.
    if name.eq_ignore_ascii_case(class) {
        let notes = if release::is_multimodal(class) {
            vec![format!(
                "`{class}` is multimodal: its vision tower is loaded and counted too"
            )]
        } else {
            Vec::new()
        };
        return CausalLm::Yes { class, notes };
    }
    match head(name) {
        Head::CausalLm => CausalLm::Yes {
            class,
            notes: vec![format!(
                "`architectures` names `{name}`; the loader builds `{class}`"
            )],
        },
        Head::Task(Task::ImageTextToText) if is_text_alone(judge, model_type) => CausalLm::Yes {
            class,
            notes: vec![format!(
                "`architectures` names the multimodal `{name}`, but model type `{model_type}` is its text part; the loader builds `{class}`"
            )],
        },
        Head::Task(Task::ImageTextToText) => CausalLm::Unclear(format!(
            "`architectures` names the multimodal `{name}`; the loader would build `{class}` from its text part alone"
        )),
        Head::Task(task) => CausalLm::No {
            key: "architectures",
            because: format!(
                "`architectures` names `{name}`, {}: its checkpoint has no causal-LM head",
                task.describe()
            ),
        },
        Head::Bare => CausalLm::No {
            key: "architectures",
            because: format!(
                "`architectures` names `{name}`, the bare model without a causal-LM head"
            ),
        },
        Head::Unrecognised => CausalLm::Unclear(format!(
            "`architectures` names `{name}`, which no release knows and whose name does not end like a causal LM's"
        )),
    }
}
