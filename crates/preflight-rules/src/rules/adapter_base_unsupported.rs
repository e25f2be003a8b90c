use preflight_model::adapter::{
    ADAPTER_CONFIG, Adapter, Modules, hub_page, is_address, is_hub_name,
};
use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;

use crate::adapter_bases::{AdapterBase, unquantized};
use crate::adapters::{
    agreement, base, config, current_name, modules_of_base, of_an_adapter, served,
};
use crate::case::Case;
use crate::catalog::Catalog;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "adapter-base-unsupported",
    summary: "the platform does not take adapters of this base model",
    fix: "merge the adapter into its base (`merge_and_unload`, then `save_pretrained`) and submit the whole model, or train it on a base of the list",
    docs: include_str!("adapter_base_unsupported.md"),
    category: Category::Adapter,
    since: "0.1.0",
    check,
};

const NAME_IT: &str =
    "set `base_model_name_or_path` in adapter_config.json to the base's repository on the Hub";

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = of_an_adapter(facts)?;
    let adapter = config(checkpoint)?;
    let Some(named) = adapter.base_model.as_deref() else {
        return Ok(Findings::problem(in_config(
            adapter,
            "adapter_config.json names no base model",
        ))
        .with_fix(NAME_IT));
    };
    if !is_hub_name(named) {
        let kind = if is_address(named) {
            "an address"
        } else {
            "a path"
        };
        let message =
            format!("the base model is given by {kind}, `{named}`, which the platform cannot read");
        let fix = hub_page(named).map(|page| {
            format!("set `base_model_name_or_path` in adapter_config.json to `{page}`")
        });
        return Ok(Findings::problem(in_config(adapter, message))
            .with_fix(fix.as_deref().unwrap_or(NAME_IT)));
    }
    let unread =
        |why: &str| Gap::Unavailable(format!("base model `{named}` could not be read: {why}"));
    match (case.target, &case.policy.target(case.target).adapters.bases) {
        (Target::Upload, Some(bases)) => match served(facts, case) {
            Some(served) => is_it(facts, served, named),
            None => other(facts, case, bases.get()?, adapter, named),
        },
        // Merged with its base: any base will do whose own rules pass, and those need it read.
        _ => match base(facts) {
            Fact::Unavailable(why) => Err(unread(&why)),
            _ => Ok(Findings::none()),
        },
    }
}

fn in_config(adapter: &Adapter, message: impl Into<String>) -> Finding {
    match adapter.root().get("base_model_name_or_path") {
        Some(place) => Finding::at(ADAPTER_CONFIG, &place, message),
        None => Finding::in_file(ADAPTER_CONFIG, message),
    }
}

/// The name is that of a served base: the shapes must be too.
fn is_it(facts: &Facts<'_>, served: &AdapterBase, named: &str) -> Outcome {
    let Some(theirs) = served.modules() else {
        return Err(Gap::Unknown(format!(
            "`{named}` is called as the served `{}`, whose shapes are not known here",
            served.name
        )));
    };
    let fits = match modules_of_base(facts) {
        Fact::Known(ours) => match ours.difference(theirs) {
            None => true,
            Some(tensor) => {
                return Ok(Findings::problem(Finding::new(format!(
                    "`{named}` is called as the served `{}` and has other shapes, the first at `{tensor}`",
                    served.name
                ))));
            }
        },
        _ => does_fit(facts.checkpoint, theirs)?,
    };
    if !fits {
        return Ok(Findings::problem(Finding::in_file(
            ADAPTER_CONFIG,
            format!(
                "the adapter names `{named}`, and its tensors are not for that model's shapes: see adapter-weights-mismatch"
            ),
        )));
    }
    let mut findings = Findings::none();
    if unquantized(named) != named {
        findings = findings.with_note(Finding::new(format!(
            "the adapter was trained on a quantised copy, `{named}`; it is served on `{}`",
            served.name
        )));
    }
    Ok(findings)
}

/// The name is none of the list.
fn other(
    facts: &Facts<'_>,
    case: &Case<'_>,
    bases: &[String],
    adapter: &Adapter,
    named: &str,
) -> Outcome {
    let both: Vec<&str> = [Some(named), current_name(facts)]
        .into_iter()
        .flatten()
        .collect();
    // A name of a policy of the user's own, whose shapes are not known here.
    if bases.iter().any(|base| {
        AdapterBase::named(base).is_none()
            && both.iter().any(|name| name.eq_ignore_ascii_case(base))
    }) {
        return match base(facts) {
            Fact::Known(_) => Ok(Findings::none()),
            _ => Err(Gap::Unavailable(format!(
                "base model `{named}` was not read, so its shapes are not known"
            ))),
        };
    }
    let listed: Vec<_> = bases.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "base model `{named}` is not one that adapters are served on: {}",
        listed.join(", ")
    );
    let refused = Ok(Findings::problem(in_config(adapter, message)));
    if both.iter().any(|name| is_another(name, case)) {
        return refused;
    }
    let known = bases.iter().filter_map(|name| AdapterBase::named(name));
    let mut is_unknown = false;
    for candidate in known {
        let alike = match (candidate.modules(), modules_of_base(facts)) {
            (Some(theirs), Fact::Known(ours)) => ours.difference(theirs).is_none(),
            (Some(theirs), _) => does_fit(facts.checkpoint, theirs)?,
            (None, _) => is_of_type(facts, case, candidate),
        };
        is_unknown |= alike;
    }
    if is_unknown {
        return Err(Gap::Unknown(format!(
            "base model `{named}` is not in the list of served ones, yet the shapes could be those of one: if it is a copy, name the original in adapter_config.json"
        )));
    }
    refused
}

/// Whether the name is that of another model than the listed ones.
fn is_another(name: &str, case: &Case<'_>) -> bool {
    let own = case.base_models(Target::FineTune).ok().flatten();
    let catalogs = own.into_iter().chain(Catalog::shipped());
    let mut rows = catalogs.flat_map(|catalog| &catalog.models);
    let name = unquantized(name);
    rows.any(|row| row.is_called(name))
}

/// Of a served base whose shapes are not known: whether the architecture could be its.
fn is_of_type(facts: &Facts<'_>, case: &Case<'_>, candidate: &AdapterBase) -> bool {
    let own = case.base_models(Target::FineTune).ok().flatten();
    let row = own.and_then(|catalog| catalog.get(&candidate.name));
    let theirs = row.and_then(|row| row.model_type.as_deref());
    let read = base(facts);
    let ours = read
        .known()
        .and_then(|base| base.checkpoint.config.known()?.model_type());
    match (theirs, ours) {
        (Some(theirs), Some(ours)) => theirs == ours,
        // Nothing speaks against it but the name, and the tensors of another architecture do.
        _ => false,
    }
}

/// Whether the adapter's own tensors fit these modules.
fn does_fit(checkpoint: &Checkpoint<'_>, modules: &Modules) -> Result<bool, Gap> {
    let agreement = agreement(checkpoint, Some(modules))?;
    agreement.fits.ok_or_else(|| {
        Gap::Unknown("the tensors of its method are not compared with a base".into())
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    const EIGHT: &str = r#"{"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}"#;
    const TENSORS: &str = "//- adapter_model.safetensors\n\
        base_model.model.model.layers.31.self_attn.q_proj.lora_A.weight F32 [4, 4096]\n\
        base_model.model.model.layers.31.self_attn.q_proj.lora_B.weight F32 [4096, 4]\n";

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    /// An adapter of an 8B Llama whose base has this name.
    fn named(base: &str, settings: &str) -> String {
        run(&format!(
            "adapter: {base}\n{settings}//- base/config.json +\n{EIGHT}\n{TENSORS}"
        ))
    }

    #[test]
    fn an_address_is_named_without_its_secrets() {
        let got = run(
            "adapter: https://user:hf_SECRET@huggingface.co/meta-llama/Llama-3.1-8B?token=abc\n",
        );
        assert!(
            got.starts_with("upload, fine-tune: fail\n")
                && got.contains(
                    "given by an address, `https://huggingface.co/meta-llama/Llama-3.1-8B`,"
                )
                && got.contains("adapter_config.json to `meta-llama/Llama-3.1-8B`"),
            "{got}"
        );
        assert!(!got.contains("SECRET") && !got.contains("abc"), "{got}");
    }

    #[test]
    fn a_name_is_not_enough() {
        for (base, says) in [
            (
                "meta-llama/Llama-3.1-8B-Instruct",
                "upload, fine-tune: pass\n",
            ),
            (
                "NousResearch/Meta-Llama-3.1-8B-Instruct",
                "upload, fine-tune: pass\n",
            ),
            (
                "unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit",
                "note: the adapter was trained on a quantised copy",
            ),
            ("meta-llama/Llama-3.1-8B", "upload: fail\n"),
            ("meta-llama/Llama-3.1-70B-Instruct", "upload: fail\n"),
            ("acme/tiny-llama", "upload: unknown\n"),
        ] {
            let got = named(base, "");
            assert!(got.contains(says), "{base}\n{got}");
        }
        let small = run("adapter: meta-llama/Llama-3.1-8B-Instruct\n");
        assert!(
            small.contains("upload: fail\n") && small.contains("has other shapes"),
            "{small}"
        );
        let stranger = run("adapter: acme/tiny-llama\n");
        assert!(
            stranger.contains("upload: fail\n")
                && stranger.contains("is not one that adapters are served on"),
            "{stranger}"
        );
    }

    #[test]
    fn without_the_base_its_tensors_speak() {
        let unread = "base-unread: the repository is gated\n";
        let fits = named("meta-llama/Llama-3.1-8B-Instruct", unread);
        assert_eq!(
            fits,
            "upload: pass\nfine-tune: unknown\n  base model `meta-llama/Llama-3.1-8B-Instruct` could not be read: the repository is gated\n"
        );
        let other = named("meta-llama/Llama-3.1-70B-Instruct", unread);
        assert!(other.starts_with("upload: fail\n"), "{other}");
        let unknown = named("acme/tiny-llama", unread);
        assert!(
            unknown.starts_with("upload: unknown\n")
                || unknown.starts_with("upload, fine-tune: unknown"),
            "{unknown}"
        );
        let small = run(&format!("adapter: acme/tiny-llama\n{unread}"));
        assert!(small.starts_with("upload: fail\n"), "{small}");
    }

    #[test]
    fn no_name_and_a_path() {
        let path = run("adapter: /data/models/llama\n");
        assert!(
            path.starts_with("upload, fine-tune: fail\n") && path.contains("given by a path"),
            "{path}"
        );
        let none = run(
            "adapter: acme/tiny-llama\n//- adapter_config.json +\n{\"base_model_name_or_path\": null}",
        );
        assert!(
            none.starts_with("upload, fine-tune: fail\n") && none.contains("names no base"),
            "{none}"
        );
    }

    #[test]
    fn the_later_policy_does_not_list_its_bases() {
        let got = named(
            "meta-llama/Llama-3.1-8B-Instruct",
            "policy: together-2026-07\n",
        );
        assert!(
            got.contains("upload: unknown\n") && got.contains("fine-tune: pass\n"),
            "{got}"
        );
    }
}
