use crate::testing::Repo;

fn run(text: &str) -> String {
    Repo::new(text).run(super::RULE.id)
}

#[test]
fn a_slip_in_the_name_is_recognised() {
    let got = run("base-model: togethercomputer/llama-2-7b-caht\n");
    assert!(
        got.contains("; did you mean `togethercomputer/llama-2-7b-chat`?"),
        "{got}"
    );
}

#[test]
fn no_name_is_no_defect_where_the_catalog_has_one() {
    let got = run("");
    assert!(
        got.starts_with("fine-tune: pass\n  note: no base model was named"),
        "{got}"
    );
}

#[test]
fn what_the_platform_counts_as_the_same() {
    let got = run(
        "base-model: togethercomputer/llama-2-7b-chat\n//- config.json +\n{\"model_type\": \"code_llama\"}",
    );
    assert!(got.starts_with("fine-tune: pass\n"), "{got}");
}

#[test]
fn a_longer_sequence_is_a_note() {
    let got = run(
        "base-model: meta-llama/Llama-3.2-1B-Instruct\n//- config.json +\n{\"max_position_embeddings\": 8192}",
    );
    assert!(
        got.starts_with("fine-tune: pass\n")
            && got.contains("pass a `max_seq_length` of at most 8192"),
        "{got}"
    );
}

#[test]
fn an_old_catalog_says_so() {
    let on = |now: &str| run(&format!("now: {now}\n"));
    let note = "note: the catalog is of 2025-11, more than 90 days ago";
    // The end of November 2025 and 90 days, and the day after.
    assert!(!on("1772323199").contains(note), "{}", on("1772323199"));
    assert!(on("1772323200").contains(note));
    assert!(!run("").contains("days ago"));
}

#[test]
fn a_catalog_of_the_future_says_so() {
    let on = |now: &str| run(&format!("now: {now}\n"));
    let note = "note: the catalog is of 2025-11, which is still to come: that date or this machine's clock is wrong";
    // The last second of October 2025, and the next.
    assert!(on("1761955199").contains(note), "{}", on("1761955199"));
    assert!(!on("1761955200").contains("still to come"));
}

#[test]
fn the_publishers_name_is_translated() {
    let got = run("base-model: meta-llama/Llama-3.1-8B-Instruct\n");
    assert!(
        got.contains("did you mean `meta-llama/Meta-Llama-3.1-8B-Instruct-Reference`?"),
        "{got}"
    );
}

/// The documentation's example under the catalog that no longer has its base.
#[test]
fn a_catalog_without_a_base_of_the_length_says_so() {
    let got = run("policy: together-2026-07\n");
    assert!(
        got.contains("as short as the checkpoint's 8192 tokens (the shortest is `meta-llama/Llama-3.3-70B-Instruct-Reference` with 24576): pass a `max_seq_length` of at most 8192; policy `together-2025-11` has `togethercomputer/llama-2-7b-chat` with 4096"),
        "{got}"
    );
    assert!(!run("").contains("as short as"));
}

/// The reason is how they are trained, and not that there are none.
#[test]
fn bases_that_are_trained_with_lora_only() {
    let deepseek = |first: &str| {
        run(&format!(
            "training-type: full\n{first}//- config.json +\n{{\"model_type\": \"deepseek_v3\", \"architectures\": [\"DeepseekV3ForCausalLM\"], \"n_routed_experts\": 256}}"
        ))
    };
    let got = deepseek("");
    assert!(
        got.starts_with("fine-tune: fail\n")
            && got.contains("all 7 base models of the architecture `deepseek_v3` in the catalog of 2025-11 are trained with LoRA only, and training in full was asked for")
            && got.ends_with("fix: pass `--training-type lora`\n"),
        "{got}"
    );
    let got = deepseek("base-model: deepseek-ai/DeepSeek-V3\n");
    assert!(
        got.contains("trained with LoRA only, and full fine-tuning was asked for")
            && got.ends_with("fix: pass `--training-type lora`\n"),
        "{got}"
    );
    let got = deepseek("base-model: Qwen/Qwen3-0.6B\n");
    assert!(
        got.contains("fix: name one of `deepseek-ai/DeepSeek-")
            && got.ends_with(" and pass `--training-type lora`\n"),
        "{got}"
    );
    // A base that is not known is trained with LoRA only, too: it cannot be the one.
    let got = deepseek("policy: together-2026-07\n");
    assert!(
        got.contains("`deepseek-ai/DeepSeek-V3.1`, the only base model of the architecture `deepseek_v3` in the catalog of 2026-07"),
        "{got}"
    );
    let got = run("training-type: full\n//- config.json +\n{\"model_type\": \"mpt\"}");
    assert!(
        got.contains("fix: choose a checkpoint of an architecture that the catalog has"),
        "{got}"
    );
}

/// Gemma 4 has dense models and models with experts under one type and class.
#[test]
fn layers_of_another_kind_break_the_job() {
    let gemma = |base: &str, more: &str| {
        run(&format!(
            "policy: together-2026-07\nbase-model: google/gemma-4-{base}\n//- config.json +\n\
             {{\"model_type\": \"gemma4\", \"architectures\": [\"Gemma4ForConditionalGeneration\"], \"text_config\": {{\"model_type\": \"gemma4_text\", {more}}}}}"
        ))
    };
    let dense = "\"enable_moe_block\": false";
    let experts = "\"num_experts\": 128, \"enable_moe_block\": true";
    assert!(gemma("31B-it", dense).contains("fine-tune: pass"));
    assert!(gemma("26B-A4B-it", experts).contains("fine-tune: pass"));
    let got = gemma("26B-A4B-it", dense);
    assert!(
        got.contains("its layers have experts, the checkpoint's are dense")
            && got.contains("fix: name one of `google/gemma-4-31B-it`"),
        "{got}"
    );
    assert!(gemma("31B-it", experts).contains("its layers are dense"));
    // The class is dense where the config does not say.
    let silent = "\"num_hidden_layers\": 1";
    assert!(gemma("31B-it", silent).contains("fine-tune: pass"));
    assert!(gemma("26B-A4B-it", silent).contains("the checkpoint's are dense"));
}

#[test]
fn bases_that_only_the_api_lists_are_not_known() {
    let got = run("policy: together-2026-07\n");
    assert!(
        got.contains("upload: unknown\n") && !run("").contains("upload"),
        "{got}"
    );
}

#[test]
fn without_a_model_type_another_rule_speaks() {
    assert!(run("//- config.json +\n{\"model_type\": null}").starts_with("fine-tune: skip\n"));
    assert!(run("//- config.json removed").starts_with("fine-tune: skip\n"));
    assert!(run("unreachable: no route\n").starts_with("fine-tune: unknown\n"));
}

/// That it does not disqualify is no pass: nobody looked.
#[test]
fn a_named_base_of_unknown_architecture_leaves_it_open() {
    let kimi = "policy: together-2026-07\nbase-model: moonshotai/Kimi-K2.6\n";
    let got = run(kimi);
    assert!(
        got.contains("fine-tune: unknown\n  `moonshotai/Kimi-K2.6`: its architecture is not known here, so it was not compared: name one of `meta-llama/Meta-Llama-3.1-8B-Instruct-Reference`, `meta-llama/Llama-3.3-70B-Instruct-Reference`, or see that its config.json has the `model_type` `llama`\n"),
        "{got}"
    );
    let mpt = "//- config.json +\n{\"model_type\": \"mpt\"}";
    let got = run(&format!("{kimi}{mpt}"));
    assert!(
        got.contains("fine-tune: unknown\n")
            && got.contains("not compared: see that its config.json has the `model_type` `mpt`\n"),
        "{got}"
    );
    // What is known of it counts all the same.
    let got = run(&format!("{kimi}training-type: full\n"));
    assert!(
        got.contains("fine-tune: fail\n")
            && got.contains("trained with LoRA only, and full fine-tuning was asked for"),
        "{got}"
    );
}

/// The only base of the type has experts, and these layers are dense.
#[test]
fn a_hybrid_without_experts_has_no_template() {
    let nemotron = |pattern: &str, first: &str| {
        run(&format!(
            "policy: together-2026-07\n{first}//- config.json +\n{{\"model_type\": \"nemotron_h\", \"architectures\": [\"NemotronHForCausalLM\"], \"hybrid_override_pattern\": \"{pattern}\"}}"
        ))
    };
    let why = "`nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16`: its layers have experts, the checkpoint's are dense";
    let got = nemotron("M-M*-", "");
    assert!(
        got.contains("fine-tune: unknown\n")
            && got.contains(&format!("suits this `nemotron_h`: {why}")),
        "{got}"
    );
    let named = "base-model: nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16\n";
    let got = nemotron("M-M*-", named);
    assert!(
        got.contains("fine-tune: fail\n")
            && got.contains(why)
            && got.contains("fix: choose a checkpoint with the kinds of layers"),
        "{got}"
    );
    let got = nemotron("MEM*E", named);
    assert!(got.contains("fine-tune: pass\n"), "{got}");
}
