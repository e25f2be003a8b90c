use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::{Defect, Gap};
use preflight_model::facts::Facts;
use preflight_model::parameters;
use preflight_model::quantization::Quantization;
use preflight_model::release;
use preflight_model::snapshot::Content;

use super::config_of;
use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "quantization-unsupported",
    summary: "the weights are quantised in a way that the platform cannot use",
    fix: "use the unquantised model that this one was made from",
    docs: include_str!("quantization_unsupported.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    config_of(checkpoint)?;
    let Some(quantization) = &checkpoint.quantization else {
        if let Some(path) = unread_side_file(checkpoint) {
            return Err(Gap::Unavailable(format!("`{path}` was not read")));
        }
        let findings: Findings = narrow_weights(checkpoint).into_iter().collect();
        return Ok(match leftover(checkpoint) {
            Some(note) => findings.with_note(note),
            None => findings,
        });
    };
    let is_told = |weights| {
        let stored = parameters::stored(weights, Some(quantization));
        parameters::is_leftover(weights, &stored, quantization).is_some()
    };
    if !quantization.seen_by_loader && !checkpoint.weights.known().is_some_and(is_told) {
        return Err(Gap::Unavailable(format!(
            "{} names a quantisation, and not every tensor was read that would show it",
            quantization.path
        )));
    }
    let mut findings: Findings = misloaded(facts, quantization).into_iter().collect();
    if findings.problems.is_empty() && case.target == Target::FineTune {
        let method = quantization.method.as_deref().unwrap_or("unnamed");
        findings.push(at(
            quantization,
            format!("the weights are quantised (`{method}`), and quantised weights cannot be fine-tuned as they are"),
        ));
    }
    Ok(findings)
}

/// What a file says of weights that are plain; the loader does not look there.
fn leftover(checkpoint: &Checkpoint<'_>) -> Option<Finding> {
    let said = checkpoint.leftover_quantization.as_ref()?;
    let method = said.method.as_deref().unwrap_or("unnamed");
    let message = format!(
        "names a quantisation (`{method}`), but the weights are plain: a leftover that the loader does not read"
    );
    Some(at(said, message))
}

/// Weights of four, six or eight bits are quantised whatever config.json says: the loader would take
/// their values without the scales.
fn narrow_weights(checkpoint: &Checkpoint<'_>) -> Option<Finding> {
    let opaque = checkpoint.parameters.opaque_tensors;
    if opaque > 0 {
        return Some(Finding::in_file(
            "config.json",
            format!(
                "{opaque} tensors are stored as integers, but config.json has no `quantization_config`"
            ),
        ));
    }
    let mut dtypes = checkpoint.parameters.by_dtype.keys();
    let narrow = dtypes.find(|dtype| {
        // `F64` is no narrow float.
        ["F4", "F6_", "F8_"]
            .iter()
            .any(|start| dtype.starts_with(start))
    })?;
    Some(Finding::in_file(
        "config.json",
        format!("weights are stored as `{narrow}`, but config.json has no `quantization_config`"),
    ))
}

/// Files of other tools that name a quantisation where config.json does not.
fn unread_side_file(checkpoint: &Checkpoint<'_>) -> Option<&'static str> {
    ["hf_quant_config.json", "quantize_config.json"]
        .into_iter()
        .find(|path| {
            let file = checkpoint.snapshot.file(path);
            // What an offline cache does not hold is rarely there: most models have neither file.
            file.is_some_and(|file| {
                !file.may_be_absent() && !matches!(file.content, Content::Whole(_))
            })
        })
}

/// What the loader would read as something else than it is.
fn misloaded(facts: &Facts<'_>, quantization: &Quantization) -> Option<Finding> {
    let method = quantization.method.as_deref()?;
    let as_unquantised = "so it takes the weights for unquantised ones and fills the model with wrong or random numbers";
    if !quantization.seen_by_loader {
        return Some(at(
            quantization,
            format!(
                "the loader does not look here for the quantisation (`{method}`), {as_unquantised}"
            ),
        ));
    }
    if release::quant_method_known(facts.release, method) {
        return None;
    }
    let meant = release::nearest_quant_method(method)
        .map_or(String::new(), |meant| format!(" (did you mean `{meant}`?)"));
    let place = quantization.method_place.as_ref();
    Some(Finding::from(&Defect::at(
        quantization.path,
        place.unwrap_or(&quantization.place).clone(),
        format!(
            "transformers {} does not know the method `{method}`{meant}, {as_unquantised}",
            facts.release
        ),
    )))
}

fn at(quantization: &Quantization, message: String) -> Finding {
    Finding::from(&Defect::at(
        quantization.path,
        quantization.place.clone(),
        message,
    ))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    #[test]
    fn narrow_weights_without_a_word_in_the_config() {
        let repo = "//- model.safetensors\nmodel.norm.weight F8_E4M3 [16]\n";
        let got = Repo::new(repo).run(super::RULE.id);
        assert!(
            got.contains("fine-tune: fail") && got.contains("stored as `F8_E4M3`"),
            "{got}"
        );
    }

    #[test]
    fn a_method_stands_where_it_is_named() {
        let config = r#"{"quantization_config": {"bits": 4, "quant_method": "zzz"}}"#;
        let report = Repo::new(&format!("//- config.json +\n{config}")).report();
        let row = report
            .rules
            .iter()
            .find(|row| row.id == super::RULE.id)
            .unwrap();
        let pointer = row.findings[0].pointer.as_deref();
        assert_eq!(
            pointer,
            Some("/quantization_config/quant_method"),
            "{row:#?}"
        );
    }

    #[test]
    fn wide_floats_are_plain_weights() {
        for dtype in ["F16", "BF16", "F32", "F64"] {
            let got = run(&format!(
                "//- model.safetensors\nmodel.norm.weight {dtype} [16]\n"
            ));
            assert_eq!(got, "upload: pass\nfine-tune: pass\n", "{dtype}");
        }
    }

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    fn of(config: &str) -> String {
        run(&format!("//- config.json +\n{config}"))
    }

    #[test]
    fn what_the_loader_knows_is_refused_for_training_only() {
        for method in [
            "gptq",
            "awq",
            "bitsandbytes",
            "compressed-tensors",
            "fp8",
            "mxfp4",
        ] {
            let got = of(&format!(
                r#"{{"quantization_config": {{"quant_method": "{method}"}}}}"#
            ));
            assert!(
                got.starts_with("upload: pass\nfine-tune: fail\n"),
                "{method}: {got}"
            );
        }
        let old_form = of(r#"{"quantization_config": {"load_in_4bit": true}}"#);
        assert!(old_form.contains("`bitsandbytes`"), "{old_form}");
    }

    #[test]
    fn case_matters_and_the_slip_is_named() {
        let got = of(r#"{"quantization_config": {"quant_method": "GPTQ"}}"#);
        assert!(
            got.contains("upload: warn\n")
                && got.contains("the method `GPTQ` (did you mean `gptq`?), so it"),
            "{got}"
        );
    }

    #[test]
    fn a_method_of_a_later_release_is_known_there() {
        let config = r#"{"quantization_config": {"quant_method": "sinq"}}"#;
        assert!(of(config).contains("transformers 4.55 does not know the method `sinq`"));
        let later = run(&format!(
            "policy: together-2026-07\n//- config.json +\n{config}"
        ));
        assert!(
            later.starts_with("upload: pass\nfine-tune: fail\n"),
            "{later}"
        );
    }

    #[test]
    fn places_where_the_loader_does_not_look() {
        for (config, method, tensor) in [
            (
                r#"{"text_config": {"quantization_config": {"quant_method": "fp8"}}}"#,
                "fp8",
                "model.norm.weight F8_E4M3 [16]",
            ),
            (
                r#"{"quantization": {"bits": 4, "group_size": 64}}"#,
                "mlx",
                "a.weight U32 [80, 24]\na.scales F16 [80, 3]\na.biases F16 [80, 3]",
            ),
            (
                r#"{"compression_config": {"format": "pack-quantized"}}"#,
                "compressed-tensors",
                "a.weight_packed I32 [80, 24]\na.weight_scale F16 [80, 3]",
            ),
        ] {
            let got = run(&format!(
                "//- config.json +\n{config}\n//- model.safetensors\n{tensor}\n"
            ));
            let says = format!("the loader does not look here for the quantisation (`{method}`)");
            assert!(
                got.contains("upload: warn\n") && got.contains(&says),
                "{config}: {got}"
            );
        }
        let aside = run(
            "//- quantize_config.json\n{\"bits\": 4, \"group_size\": 128}\n//- model.safetensors\na.qweight I32 [24, 80]\n",
        );
        assert!(
            aside.contains("quantize_config.json:1:1: the loader does not look here"),
            "{aside}"
        );
    }

    const LEFTOVERS: [&str; 4] = [
        "//- config.json +\n{\"quantization\": {\"bits\": 4, \"group_size\": 64}}\n",
        "//- hf_quant_config.json\n{\"quantization\": {\"quant_algo\": \"FP8\"}}\n",
        "//- quantize_config.json\n{\"bits\": 4, \"group_size\": 128}\n",
        "//- quanto_qmap.json\n{}\n",
    ];

    #[test]
    fn a_leftover_beside_plain_weights_is_a_note() {
        for text in LEFTOVERS {
            let got = run(text);
            assert!(
                got.contains("upload: pass\n")
                    && got.contains("fine-tune: pass\n")
                    && got.contains("a leftover that"),
                "{text}: {got}"
            );
        }
        // The scales of a cache say nothing of the weights.
        let cache = "//- model.safetensors\nmodel.norm.weight BF16 [16]\na.k_proj.k_scale F32 []\n";
        assert!(run(&format!("{}{cache}", LEFTOVERS[1])).contains("pass\n"));
        let scaled =
            "//- model.safetensors\nmodel.norm.weight F8_E4M3 [16]\na.weight_scale F32 []\n";
        assert!(run(&format!("{}{scaled}", LEFTOVERS[1])).contains("fine-tune: fail\n"));
    }

    #[test]
    fn what_was_not_read_may_be_quantised() {
        for text in LEFTOVERS {
            let got = run(&format!("{text}//- model.safetensors pointer 1000\n"));
            assert!(
                got.contains("upload: unknown\n") && got.contains("fine-tune: unknown\n")
                    || got.starts_with("upload, fine-tune: unknown\n"),
                "{text}: {got}"
            );
        }
    }

    #[test]
    fn a_file_that_could_name_it_and_was_not_read() {
        for path in ["hf_quant_config.json", "quantize_config.json"] {
            let got = run(&format!("//- {path} unreadable timed out"));
            assert!(got.contains("fine-tune: unknown\n"), "{path}: {got}");
            let decided = run(&format!(
                "//- {path} unreadable timed out\n//- config.json +\n{{\"quantization_config\": {{\"quant_method\": \"gptq\"}}}}"
            ));
            assert!(decided.contains("fine-tune: fail\n"), "{path}: {decided}");
        }
    }

    #[test]
    fn no_section_is_no_quantisation() {
        assert_eq!(
            of(r#"{"quantization_config": null}"#),
            "upload: pass\nfine-tune: pass\n"
        );
    }
}
