//! Adapters: with their base on the Hub, in a folder, or out of reach.

use loopback_hub::LoopbackHub;
use serde_json::{Value, json};

use crate::hub::{model, program, report};
use crate::program::Program;
use crate::repo::{Repo, Tensor};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// A LoRA adapter of rank 4 on the queries of the sound model, with this base.
fn adapter(base: &str) -> Repo {
    let repo = Repo::empty();
    repo.json(
        CONFIG,
        &json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8,
            "target_modules": ["q_proj"], "base_model_name_or_path": base,
        }),
    );
    let names =
        (0..2).map(|layer| format!("base_model.model.model.layers.{layer}.self_attn.q_proj"));
    let tensors: Vec<Tensor> = names
        .flat_map(|name| {
            [
                Tensor::new(format!("{name}.lora_A.weight"), "F32", &[4, 64]),
                Tensor::new(format!("{name}.lora_B.weight"), "F32", &[64, 4]),
            ]
        })
        .collect();
    repo.weights(WEIGHTS, &tensors);
    repo
}

fn hub_with(base: &str) -> LoopbackHub {
    let hub = LoopbackHub::start();
    hub.add(model("acme/base", &Repo::sound()));
    hub.add(model("acme/adapter", &adapter(base)));
    hub
}

/// The outcome of a rule for fine-tuning, and what it found first.
fn for_fine_tune(model: &Value, rule: &str) -> (String, String) {
    let rows = model["rules"].as_array().unwrap();
    let is_it = |row: &&Value| {
        row["id"] == rule
            && row["targets"]
                .as_array()
                .unwrap()
                .contains(&json!("fine-tune"))
    };
    let row = rows.iter().find(is_it).unwrap();
    let first = row["findings"][0]["message"].as_str().unwrap_or_default();
    (row["outcome"].as_str().unwrap().into(), first.into())
}

#[test]
fn the_base_is_read_from_the_hub_and_judged() {
    let hub = hub_with("acme/base");
    hub.take_log();
    let read = report(&hub, &["acme/adapter"]);
    assert_eq!(read["kind"], "adapter");
    assert_eq!(read["verdicts"]["fine-tune"], "pass", "{read:#}");
    // Not one of those that the platform serves.
    assert_eq!(read["verdicts"]["upload"], "fail");
    let base = &read["facts"]["base"];
    assert_eq!(base["parameters"]["total"], crate::repo::PARAMETERS);
    let told = &read["facts"]["adapter"];
    let expected = json!({"type": "LORA", "rank": 4, "alpha": 8.0, "target_modules": ["q_proj"], "base_model": "acme/base"});
    assert_eq!(*told, expected);
    // The cost is true, the base included.
    let log = hub.take_log();
    assert_eq!(read["cost"]["requests"], log.len(), "{log:#?}");
}

#[test]
fn the_rules_of_the_base_are_those_of_the_merged_model() {
    let hub = hub_with("acme/packed");
    let packed = Repo::sound();
    packed.edit("config.json", |config| {
        config["quantization_config"] =
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true});
    });
    hub.add(model("acme/packed", &packed));
    let read = report(&hub, &["acme/adapter"]);
    let (outcome, found) = for_fine_tune(&read, "quantization-unsupported");
    assert_eq!(outcome, "fail", "{read:#}");
    assert!(found.starts_with("base model `acme/packed`: "), "{found}");
}

#[test]
fn a_base_that_is_out_of_reach_is_not_a_pass() {
    let hub = hub_with("acme/missing");
    let read = report(&hub, &["acme/adapter"]);
    assert_eq!(read["verdicts"]["fine-tune"], "undecided", "{read:#}");
    let (outcome, found) = for_fine_tune(&read, "adapter-base-unsupported");
    assert_eq!(outcome, "unknown");
    assert!(
        found.contains("`acme/missing` could not be read"),
        "{found}"
    );
    assert_eq!(read["facts"]["base"], Value::Null);
    let offline = program(&hub)
        .args(["acme/adapter", "--offline", "--format", "json"])
        .run();
    assert_eq!(
        offline.json()["models"][0]["verdicts"]["fine-tune"],
        "undecided"
    );
}

#[test]
fn an_adapter_from_elsewhere_opens_no_local_path() {
    let here = Repo::sound();
    let path = here.path().to_str().unwrap();
    let hub = hub_with(path);
    let read = report(&hub, &["acme/adapter"]);
    assert_eq!(read["facts"]["base"], Value::Null, "{read:#}");
    let (outcome, found) = for_fine_tune(&read, "adapter-base-unsupported");
    assert_eq!(outcome, "fail");
    assert!(found.contains("given by a path"), "{found}");
    // The user's own adapter may.
    let own = adapter(path);
    let answer = Program::new()
        .arg("check")
        .arg(own.path())
        .args(["--format", "json"])
        .run();
    let own = &answer.json()["models"][0];
    assert_eq!(
        own["facts"]["base"]["parameters"]["total"],
        crate::repo::PARAMETERS
    );
    assert_eq!(
        for_fine_tune(own, "adapter-weights-mismatch").0,
        "pass",
        "{own:#}"
    );
}

#[test]
fn the_revision_of_the_base_is_the_one_that_was_adapted() {
    let hub = hub_with("acme/base");
    let repo = adapter("acme/base");
    repo.edit(CONFIG, |config| {
        config["revision"] = json!("no-such-branch");
    });
    hub.add(model("acme/pinned", &repo));
    let read = report(&hub, &["acme/pinned"]);
    assert_eq!(read["facts"]["base"], Value::Null, "{read:#}");
    assert_eq!(read["verdicts"]["fine-tune"], "undecided");
}

#[test]
fn what_a_repository_is_can_be_said() {
    let hub = hub_with("acme/base");
    let as_model = report(&hub, &["acme/adapter", "--model-type", "model"]);
    assert_eq!(as_model["kind"], "model");
    assert_eq!(for_fine_tune(&as_model, "config-invalid").0, "fail");
    let both = Repo::sound();
    for file in [CONFIG, WEIGHTS] {
        std::fs::copy(adapter("acme/base").file(file), both.file(file)).unwrap();
    }
    hub.add(model("acme/both", &both));
    let as_found = report(&hub, &["acme/both"]);
    assert_eq!(as_found["kind"], "model");
    assert_eq!(
        as_found["verdicts"],
        json!({"upload": "pass", "fine-tune": "pass"})
    );
    assert_eq!(for_fine_tune(&as_found, "adapter-beside-model").0, "warn");
    let as_adapter = report(&hub, &["acme/both", "--model-type", "adapter"]);
    assert_eq!(as_adapter["kind"], "adapter");
    assert_eq!(
        as_adapter["verdicts"]["fine-tune"], "pass",
        "{as_adapter:#}"
    );
}
