use preflight_model::config::Config;
use preflight_model::fact::{Defect, Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::release::{self, Release};
use preflight_model::task::Task;

use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "config-invalid",
    summary: "config.json is absent, or the loader refuses it",
    fix: "correct the named key; `AutoConfig.from_pretrained` must load the folder without an error",
    docs: include_str!("config_invalid.md"),
    category: Category::Config,
    since: "0.1.0",
    check,
};

const FIX_OF_GENERATION: &str = "correct the named key of generation_config.json, or leave the file out: the loader does without";

const FIX_OF_QUANTIZATION: &str = "restore the `quantization_config` that the quantising tool wrote, or use the unquantised model";

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    match &facts.checkpoint.config {
        Fact::Known(config) => of_config(facts, config, case.target),
        Fact::Absent => Ok(Findings::problem(Finding::in_file(
            "config.json",
            "the repository has no config.json at its root",
        ))),
        Fact::Malformed(defect) => Ok(Findings::problem(Finding::from(defect))),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
    }
}

fn of_config(facts: &Facts<'_>, config: &Config, target: Target) -> Outcome {
    let mut findings: Findings = facts
        .checkpoint
        .config_defects
        .iter()
        .map(Finding::from)
        .collect();
    let is_of_quantization = |finding: &Finding| {
        let pointer = finding.pointer.as_deref().unwrap_or_default();
        pointer.starts_with("/quantization_config")
    };
    if !findings.problems.is_empty() && findings.problems.iter().all(is_of_quantization) {
        findings = findings.with_fix(FIX_OF_QUANTIZATION);
    }
    for (key, place) in config.document().duplicates() {
        let mut note = Finding::in_file(
            "config.json",
            format!("`{key}` stands twice; the loader takes this later one"),
        );
        (note.line, note.column) = (Some(place.line), Some(place.column));
        findings = findings.with_note(note);
    }
    findings.problems.extend(unknown_parts(facts, config));
    // Only a model that generates text is given this file: the bare class of an embedding model is not.
    let generates = target == Target::FineTune || facts.task != Task::Embedding;
    if generates && !facts.generation_defects.is_empty() {
        let is_of_file = |defect: &Defect| defect.path != "config.json";
        if findings.problems.is_empty() && facts.generation_defects.iter().all(is_of_file) {
            findings = findings.with_fix(FIX_OF_GENERATION);
        }
        let defects = facts.generation_defects.iter().map(Finding::from);
        defects.for_each(|finding| findings.push(finding));
    }
    match unknown_type(facts, config) {
        Some(Ok(finding)) => findings.push(finding),
        Some(Err(gap)) if findings.problems.is_empty() => return Err(gap),
        _ => {}
    }
    if let Some(disputed) = disputed(facts).filter(|_| findings.problems.is_empty()) {
        return Err(Gap::Unknown(disputed));
    }
    match &facts.checkpoint.generation_config {
        Fact::Unavailable(why) if generates && findings.problems.is_empty() => {
            Err(Gap::Unavailable(why.clone()))
        }
        _ => Ok(findings),
    }
}

/// A setting of the quantisation that transformers refuses and that the engine vLLM takes. Release 5 takes
/// many of them too.
/// Source: `FineGrainedFP8Config` of
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/utils/quantization_config.py>
fn disputed(facts: &Facts<'_>) -> Option<String> {
    let first = facts.checkpoint.disputed_settings.first()?;
    (facts.release.major() < 5).then(|| {
        format!(
            "{}: transformers {} refuses that and engines such as vLLM do not, and it is not published which of them decides",
            first.message, facts.release
        )
    })
}

/// A model type of no release, without code of the repository for it. A slip of the pen is a defect;
/// any other name may belong to a release that is newer than the tables.
fn unknown_type(facts: &Facts<'_>, config: &Config) -> Option<Result<Finding, Gap>> {
    let model_type = config.model_type().filter(|name| !name.is_empty())?;
    let offers_code = facts
        .remote_code
        .needs
        .iter()
        .any(|need| need.step == "AutoConfig");
    if offers_code || release::model_type_since(model_type).is_some() {
        return None;
    }
    let meant = release::nearest_model_type(model_type);
    Some(match meant {
        Some(meant) if is_slip(model_type, meant) => Ok(Finding::in_config(
            config.root().get("model_type").as_ref(),
            format!(
                "no transformers release knows model type `{model_type}`; did you mean `{meant}`?"
            ),
        )),
        _ => Err(Gap::Unknown(format!(
            "no transformers release up to {} knows model type `{model_type}`, and the repository brings no code for it",
            Release::newest()
        ))),
    })
}

/// Parts of a composite config whose model type the release does not know: the class around them looks
/// it up, and fails.
fn unknown_parts(facts: &Facts<'_>, config: &Config) -> Vec<Finding> {
    let release = facts.release;
    let unknown = config.parts_looked_up().filter_map(|(key, named)| {
        let name = named.as_str()?;
        if release::knows_model_type(release, name) {
            return None;
        }
        let since = match release::model_type_since(name) {
            Some(since) => format!("known since transformers {since}"),
            None => "known to no release".into(),
        };
        let message = format!(
            "`model_type` of `{key}` is `{name}`, {since}: transformers {release} stops at it"
        );
        Some(Finding::at("config.json", &named, message))
    });
    unknown.collect()
}

/// Whether two names differ in nothing but case and separators: `gpt-oss` and `gpt_oss`. Names that are
/// merely close may be of two models: `mimo` and `mimi`.
fn is_slip(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> String {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    letters(one) == letters(other)
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    fn of(config: &str) -> String {
        run(&format!("//- config.json\n{config}"))
    }

    /// Each was run with `GenerationConfig.from_model_config` of transformers 4.55.4.
    #[test]
    fn settings_of_generation_in_the_config() {
        let with = |more: &str| run(&format!("//- config.json +\n{{{more}}}"));
        for refused in [
            r#""max_new_tokens": 0"#,
            r#""early_stopping": "x""#,
            r#""cache_implementation": "evil""#,
            r#""num_return_sequences": 3"#,
            r#""watermarking_config": {"a": 1}"#,
            r#""compile_config": 1"#,
        ] {
            let got = with(refused);
            assert!(
                got.starts_with("upload, fine-tune: fail\n  config.json:")
                    && got.contains("fix: correct the named key;"),
                "{refused}: {got}"
            );
        }
        for taken in [
            r#""num_beams": -1"#,
            r#""temperature": 0, "do_sample": true"#,
            r#""num_return_sequences": 3, "do_sample": true"#,
            r#""early_stopping": null, "max_new_tokens": null, "num_return_sequences": null"#,
            r#""bad_words_ids": "x""#,
        ] {
            assert_eq!(with(taken), "upload, fine-tune: pass\n", "{taken}");
        }
    }

    #[test]
    fn a_type_of_no_release() {
        let slip = of(r#"{"model_type": "gpt-oss"}"#);
        assert!(
            slip.starts_with("upload, fine-tune: fail\n")
                && slip.contains("did you mean `gpt_oss`?"),
            "{slip}"
        );
        let close = of(r#"{"model_type": "mimo"}"#);
        assert!(close.starts_with("upload, fine-tune: unknown\n"), "{close}");
        let strange = of(r#"{"model_type": "acme"}"#);
        assert!(
            strange.starts_with("upload, fine-tune: unknown\n")
                && strange.contains("brings no code"),
            "{strange}"
        );
        let with_code = of(r#"{"model_type": "acme", "auto_map": {"AutoConfig": "a.B"}}"#);
        assert_eq!(with_code, "upload, fine-tune: pass\n");
        let defect_decides = of(r#"{"model_type": "acme", "auto_map": null}"#);
        assert!(
            defect_decides.contains("fail\n  config.json:1:24: `auto_map` is `null`"),
            "{defect_decides}"
        );
    }

    #[test]
    fn the_type_of_a_part_is_looked_up_too() {
        let of_part = |name: &str| {
            of(&format!(
                r#"{{"model_type": "mistral3", "text_config": {{"model_type": "{name}"}}}}"#
            ))
        };
        assert_eq!(of_part("mistral"), "upload, fine-tune: pass\n");
        let later = of_part("ministral3");
        assert!(
            later.starts_with("upload, fine-tune: fail\n  config.json:1:44: `model_type` of `text_config` is `ministral3`, known since"),
            "{later}"
        );
        assert!(of_part("acme").contains("known to no release"));
        // Gemma 3 has one class for its text part and does not look at the name.
        let fixed = of(r#"{"model_type": "gemma3", "text_config": {"model_type": "acme"}}"#);
        assert_eq!(fixed, "upload, fine-tune: pass\n");
    }

    #[test]
    fn a_type_of_any_release_is_known() {
        for model_type in ["qwen3_next", "code_llama", "open-llama", "t5"] {
            assert_eq!(
                of(&format!(r#"{{"model_type": "{model_type}"}}"#)),
                "upload, fine-tune: pass\n",
                "{model_type}"
            );
        }
    }

    #[test]
    fn settings_of_the_quantisation() {
        let of_section = |section: &str| {
            of(&format!(
                r#"{{"model_type": "llama", "quantization_config": {section}}}"#
            ))
        };
        let refused = of_section(r#"{"quant_method": "gptq", "bits": 5}"#);
        assert!(
            refused.starts_with("upload, fine-tune: fail\n  config.json:1:73: `bits` of `quantization_config` must be 2, 3, 4 or 8"),
            "{refused}"
        );
        let disputed = of_section(r#"{"quant_method": "fp8", "activation_scheme": "static"}"#);
        assert!(
            disputed.starts_with("upload, fine-tune: unknown\n")
                && disputed.contains("`static`: transformers 4.55 refuses that and engines"),
            "{disputed}"
        );
        let both = of_section(r#"{"quant_method": "gptq", "bits": 5, "damp_percent": 7}"#);
        assert!(
            both.contains("fail\n") && !both.contains("damp_percent"),
            "{both}"
        );
        let later = run(
            "policy: together-2026-07\n//- config.json\n{\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"fp8\", \"activation_scheme\": \"static\"}}",
        );
        assert_eq!(later, "upload, fine-tune: pass\n");
    }

    #[test]
    fn settings_of_generation() {
        let of = |text: &str| run(&format!("//- generation_config.json{text}"));
        let stops = of("\n{\"max_new_tokens\": 0}");
        assert!(
            stops.starts_with(
                "upload, fine-tune: fail\n  generation_config.json:1:2: `max_new_tokens`"
            ),
            "{stops}"
        );
        // What is no JSON is passed over by the loader.
        assert_eq!(
            of("\n{\"max_new_tokens\": 0,}"),
            "upload, fine-tune: pass\n"
        );
        assert!(of(" pointer 100").starts_with("upload, fine-tune: unknown\n"));
        let embeds = of("\n[]\n//- 1_Pooling/config.json listed 9");
        assert!(
            embeds.contains("upload: pass\n") && embeds.contains("fine-tune: fail\n"),
            "{embeds}"
        );
    }

    #[test]
    fn absent_unreadable_and_no_object() {
        assert!(
            run("//- config.json removed")
                .contains("fail\n  config.json: the repository has no config.json")
        );
        assert!(of("[1]").contains("fail\n  config.json:1:1: config.json must hold an object"));
        assert!(of("\u{feff}{\"model_type\": \"llama\"}").contains("byte order mark"));
        assert!(run("//- config.json pointer 600").starts_with("upload, fine-tune: unknown\n"));
        assert!(
            run("//- model/config.json\n{}\n//- config.json removed").contains("fail\n"),
            "only the root counts"
        );
    }
}
