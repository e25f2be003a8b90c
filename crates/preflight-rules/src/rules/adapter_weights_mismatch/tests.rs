//! Each case was tried with PEFT 0.21.2 on a two-layer Llama; the comment says what it did.

use crate::testing::Repo;

const P: &str = "base_model.model.model.layers.0.self_attn";

fn run(text: &str) -> String {
    Repo::new(&format!("adapter: acme/base\n{text}")).run(super::RULE.id)
}

/// The rule on an adapter whose configuration has these keys and whose weights these tensors.
fn with(config: &str, tensors: &str) -> String {
    let config = format!("//- adapter_config.json +\n{{{config}}}\n");
    let tensors = match tensors {
        "" => String::new(),
        lines => format!("//- adapter_model.safetensors\n{lines}"),
    };
    run(&format!("{config}{tensors}"))
}

/// Both factors for a module of 16 inputs.
fn pair(module: &str, rank: u64, outputs: u64) -> String {
    format!(
        "{P}.{module}.lora_A.weight F32 [{rank}, 16]\n{P}.{module}.lora_B.weight F32 [{outputs}, {rank}]\n"
    )
}

fn sound() -> String {
    pair("q_proj", 4, 16) + &pair("v_proj", 4, 16)
}

#[track_caller]
fn fails(got: &str, says: &str) {
    let is_fail = got.starts_with("upload, fine-tune: fail\n");
    assert!(is_fail && got.contains(says), "{says}\n{got}");
}

#[track_caller]
fn passes(got: &str) {
    assert!(got.starts_with("upload, fine-tune: pass\n"), "{got}");
}

#[test]
fn rank() {
    passes(&with("", &sound()));
    // A size mismatch.
    fails(
        &with(r#""r": 8"#, ""),
        "the tensors have rank 4, adapter_config.json says 8",
    );
    // PEFT's default is 8.
    passes(&run(&format!(
        "//- adapter_config.json\n{{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"acme/base\", \"target_modules\": [\"q_proj\"]}}\n//- adapter_model.safetensors\n{}",
        pair("q_proj", 8, 16)
    )));
    // The first key that matches decides.
    let mixed = pair("q_proj", 2, 16) + &pair("v_proj", 4, 16);
    passes(&with(r#""rank_pattern": {"q_proj": 2}"#, &mixed));
    passes(&with(
        r#""rank_pattern": {"layers.0.self_attn.q_proj": 2, "q_proj": 4}"#,
        &mixed,
    ));
    fails(
        &with("", &mixed),
        "`model.layers.0.self_attn.q_proj`: the tensors have rank 2",
    );
    // A `TypeError`, where the key matches.
    for (config, says) in [
        (
            r#""alpha_pattern": {"q_proj": "x"}"#,
            "`alpha_pattern` gives no number",
        ),
        (
            r#""alpha_pattern": {"q_proj": null}"#,
            "`alpha_pattern` gives no number",
        ),
        (
            r#""rank_pattern": {"q_proj": 4.0}"#,
            "`rank_pattern` gives no positive integer",
        ),
        (
            r#""rank_pattern": {"q_proj": "4"}"#,
            "`rank_pattern` gives no positive integer",
        ),
    ] {
        fails(&with(config, &sound()), says);
        passes(&with(&config.replace("q_proj", "k_proj"), &sound()));
    }
    passes(&with(
        r#""alpha_pattern": {"q_proj": true, "proj": "x"}"#,
        &sound(),
    ));
    // Keys that match nothing are ignored with a warning.
    passes(&with(r#""rank_pattern": {"proj": 2}"#, &sound()));
    // A pattern that Python refuses, or that only Python reads.
    let unknown = with(r#""rank_pattern": {"(": 2}"#, &sound());
    assert!(
        unknown.starts_with("upload, fine-tune: unknown\n"),
        "{unknown}"
    );
    let scale = with(
        r#""use_rslora": true, "alpha_pattern": {"q_proj": 64}, "lora_alpha": 8.5"#,
        &sound(),
    );
    passes(&scale);
}

#[test]
fn pairs() {
    let half = pair("q_proj", 4, 16) + &format!("{P}.v_proj.lora_A.weight F32 [4, 16]\n");
    // Loads with zeros or random numbers and a warning.
    fails(
        &with("", &half),
        "`model.layers.0.self_attn.v_proj`: `lora_B` is missing, PEFT fills it with zeros",
    );
    let half = pair("q_proj", 4, 16) + &format!("{P}.v_proj.lora_B.weight F32 [16, 4]\n");
    fails(
        &with("", &half),
        "`lora_A` is missing, PEFT fills it with random numbers",
    );
    fails(&with("", "foo F32 [1]\n"), "it holds no tensor of LoRA");
    let both = sound() + "foo.bar F32 [3]\n";
    let note = with("", &both);
    assert!(
        note.contains("pass\n  note: adapter_model.safetensors: 1 tensors belong to no adapter"),
        "{note}"
    );
}

#[test]
fn names() {
    // Each of these loads, without any effect and with a warning at most.
    for (from, to, says) in [
        (
            "base_model.model.",
            "",
            "PEFT's names start with `base_model.model.`",
        ),
        (
            "base_model.model.model.",
            "base_model.model.",
            "not in the base",
        ),
        ("base_model.", "module.base_model.", "left its prefix"),
        (
            "base_model.model.",
            "base_model.model._orig_mod.",
            "not in the base",
        ),
        (".lora_A.weight", ".lora_a", "names of MLX"),
        (
            ".lora_A.weight",
            ".lora_down.weight",
            "names of image LoRAs",
        ),
        (".lora_A.weight", ".lora_A", "names end in"),
        (".lora_A.weight", ".lora_A.sft.weight", "names end in"),
    ] {
        let got = with("", &sound().replace(from, to));
        fails(&got, says);
    }
    // The name that PEFT gives by itself.
    passes(&with("", &sound().replace(".weight", ".default.weight")));
}

#[test]
fn targets() {
    let three = sound() + &pair("o_proj", 4, 16);
    // Loads, the tensors of `o_proj` are dropped.
    fails(
        &with("", &three),
        "does not select a module that has tensors",
    );
    passes(&with(
        r#""target_modules": "model\\..*\\.(q|v|o)_proj""#,
        &three,
    ));
    passes(&with(
        r#""target_modules": ["model.layers.0.self_attn.q_proj", "v_proj"]"#,
        &sound(),
    ));
    // Matched against the whole name.
    fails(
        &with(r#""target_modules": "q_proj|v_proj""#, &sound()),
        "does not select",
    );
    fails(
        &with(r#""exclude_modules": ["v_proj"]"#, &sound()),
        "does not select a module",
    );
    fails(
        &with(r#""layers_to_transform": [1]"#, &sound()),
        "2 modules have tensors",
    );
    passes(&with(r#""layers_to_transform": [0]"#, &sound()));
    // Names that the base does not have are passed over.
    passes(&with(
        r#""target_modules": ["q_proj", "v_proj", "query_key_value"]"#,
        &sound(),
    ));
    // Selected and never trained: stays as in the base.
    let all = with(r#""target_modules": "all-linear""#, &sound());
    assert!(
        all.contains("pass\n  note:") && all.contains("stay as in the base"),
        "{all}"
    );
    fails(
        &with(r#""target_modules": []"#, ""),
        "is empty, so PEFT adapts nothing",
    );
    let unsaid = with(r#""target_modules": null"#, &sound());
    assert!(
        unsaid.starts_with("upload, fine-tune: unknown\n"),
        "{unsaid}"
    );
}

#[test]
fn the_base() {
    let beyond = sound() + &pair("q_proj", 4, 16).replace("layers.0", "layers.1");
    // Loads, the tensors are dropped.
    fails(
        &with("", &beyond),
        "the base has no module `model.layers.1.self_attn.q_proj`",
    );
    fails(
        &with("", &(pair("q_proj", 4, 32) + &pair("v_proj", 4, 16))),
        "the adapter is for 16 inputs and 32 outputs, the base has 16 and 16",
    );
    let two = "//- base/config.json +\n{\"num_hidden_layers\": 2}\n";
    // Loads with a warning: the second layer stays as it is.
    fails(
        &run(two),
        "2 modules are selected and have no tensors, though those of other layers are there",
    );
    let unread = Repo::new("adapter: acme/base\nbase-unread: timed out\n").run(super::RULE.id);
    assert!(
        unread.starts_with("upload, fine-tune: unknown\n  the base was not compared: timed out"),
        "{unread}"
    );
    let bad = Repo::new(
        "adapter: acme/base\nbase-unread: timed out\n//- adapter_config.json +\n{\"r\": 8}",
    )
    .run(super::RULE.id);
    fails(&bad, "adapter_config.json says 8");
}

#[test]
fn variants() {
    let vectors = format!(
        "{P}.q_proj.lora_magnitude_vector F32 [16]\n{P}.v_proj.lora_magnitude_vector F32 [16]\n"
    );
    let dora = with(r#""use_dora": true"#, &(sound() + &vectors));
    assert!(
        dora.contains("upload: unknown\n  the adapter has DoRA")
            && dora.contains("fine-tune: pass"),
        "{dora}"
    );
    // Loads with a warning, from the base's own norms.
    fails(
        &with(r#""use_dora": true"#, &sound()),
        "2 of 2 modules have no `lora_magnitude_vector`",
    );
    fails(
        &with("", &(sound() + &vectors)),
        "but `use_dora` is not set",
    );
    let bias = format!("{P}.q_proj.lora_B.bias F32 [16]\n{P}.v_proj.lora_B.bias F32 [16]\n");
    fails(&with("", &(sound() + &bias)), "but `lora_bias` is not set");
    // Loads, and `merge_and_unload` ends with an error.
    let merged = with(r#""lora_bias": true"#, &(sound() + &bias));
    assert!(
        merged.contains("upload: unknown")
            && merged.contains("fine-tune: fail\n  adapter_config.json: 2 layers have no bias"),
        "{merged}"
    );
    // A size mismatch.
    let dora = |shape| sound() + &vectors.replace("[16]", shape);
    for shape in ["[1]", "[1, 16]", "[17]"] {
        fails(
            &with(r#""use_dora": true"#, &dora(shape)),
            "2 vectors are not of the length of the outputs",
        );
    }
    let short = bias.replace("[16]", "[4]");
    let short = with(r#""lora_bias": true"#, &(sound() + &short));
    assert!(
        short.starts_with("upload: fail\n")
            && short.contains("`lora_B.bias` is [4], for 16 outputs"),
        "{short}"
    );
    let variant = with(r#""use_qalora": true"#, &sound());
    assert!(
        variant.contains("unknown") && !variant.contains("pass"),
        "{variant}"
    );
    // A `KeyError`.
    fails(
        &with(r#""trainable_token_indices": [1]"#, &sound()),
        "`trainable_token_indices` is set",
    );
}

#[test]
fn replicated_layers_are_not_missed() {
    let tensors = sound() + &sound().replace("layers.0", "layers.1");
    fails(&with("", &tensors), "are not in the base");
    let got = with(r#""layer_replication": [[0, 1], [0, 1]]"#, &tensors);
    assert!(
        got.contains("unknown\n") && !got.contains("fail\n") && !got.contains("pass\n"),
        "{got}"
    );
    fails(
        &with(r#""layer_replication": []"#, &tensors),
        "are not in the base",
    );
}

#[test]
fn whole_modules() {
    let head = sound() + "base_model.model.lm_head.weight F32 [64, 16]\n";
    let saved = with(r#""modules_to_save": ["lm_head"]"#, &head);
    assert!(
        saved.contains("upload: unknown\n  the adapter has whole modules")
            && saved.contains("fine-tune: pass"),
        "{saved}"
    );
    // A `KeyError`.
    fails(
        &with(r#""modules_to_save": ["lm_head"]"#, &sound()),
        "`modules_to_save` asks for a tensor that is not there, loading ends with an error: `lm_head.weight`",
    );
    // Modules that the base does not have are passed over; PEFT adds these two to every classifier's.
    let strangers = with(r#""modules_to_save": ["classifier", "score"]"#, &sound());
    assert!(strangers.contains("fine-tune: pass"), "{strangers}");
    // A size mismatch unless the base is resized first.
    let resized = sound()
        + "base_model.model.lm_head.weight F32 [70, 16]\nbase_model.model.model.embed_tokens.weight F32 [70, 16]\n";
    fails(&with("", &resized), "2 tensors are of a resized vocabulary");
    let with_tokenizer = run(&format!(
        "//- tokenizer_config.json\n{{}}\n//- adapter_model.safetensors\n{resized}"
    ));
    assert!(
        with_tokenizer.starts_with("upload, fine-tune: unknown\n")
            || with_tokenizer.contains("fine-tune: unknown"),
        "{with_tokenizer}"
    );
    let embedding = sound()
        + "base_model.model.model.embed_tokens.lora_embedding_A F32 [4, 64]\nbase_model.model.model.embed_tokens.lora_embedding_B F32 [16, 4]\n";
    let on_embedding = with(
        r#""target_modules": ["q_proj", "v_proj", "embed_tokens"]"#,
        &embedding,
    );
    assert!(
        on_embedding.contains("fine-tune: pass") && on_embedding.contains("upload: unknown"),
        "{on_embedding}"
    );
    fails(
        &with(
            r#""target_modules": ["q_proj", "v_proj", "embed_tokens"]"#,
            &embedding.replace("[4, 64]", "[4, 65]"),
        ),
        "the adapter is for 65 inputs",
    );
}

#[test]
fn methods_and_tasks() {
    let other = with(r#""peft_type": "IA3""#, "");
    assert!(
        other.contains(
            "upload: fail\n  adapter_config.json: `peft_type` is `IA3`; the platform takes LORA"
        ) && other.contains("fine-tune: unknown\n"),
        "{other}"
    );
    fails(
        &with(r#""peft_type": "lora""#, ""),
        "which PEFT does not know",
    );
    fails(
        &with(r#""task_type": "SEQ_CLS""#, ""),
        "trained for another task",
    );
    fails(
        &with(r#""task_type": "FEATURE_EXTRACTION""#, ""),
        "trained for another task",
    );
    passes(&with(r#""task_type": null"#, ""));
    fails(&with(r#""r": 0"#, ""), "PEFT needs a positive integer");
}

/// The first three change the base when training begins, PEFT's loader changes it again, and engines do not.
#[test]
fn initialization() {
    for (kind, says) in [
        ("\"pissa\"", "path_initial_model_for_weight_conversion"),
        (
            "\"pissa_niter_4\"",
            "path_initial_model_for_weight_conversion",
        ),
        ("\"OLoRA\"", "path_initial_model_for_weight_conversion"),
        ("\"corda\"", "path_initial_model_for_weight_conversion"),
        ("\"lora_ga\"", "path_initial_model_for_weight_conversion"),
        ("\"loftq\"", "quantised base"),
        ("\"newer\"", "is not known"),
        ("1", "is not known"),
    ] {
        let got = with(&format!(r#""init_lora_weights": {kind}"#), "");
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains(says),
            "{kind}\n{got}"
        );
    }
    for kind in [
        "true",
        "false",
        "null",
        "\"gaussian\"",
        "\"eva\"",
        "\"orthogonal\"",
    ] {
        passes(&with(&format!(r#""init_lora_weights": {kind}"#), ""));
    }
}

#[test]
fn integers() {
    let got = with("", &sound().replace("F32", "I8"));
    assert!(
        got.starts_with("upload, fine-tune: unknown\n  4 of the tensors are stored as integers"),
        "{got}"
    );
}
