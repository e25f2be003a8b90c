use preflight_model::config::Config;
use preflight_model::json::Document;

use crate::testing::Repo;

fn run(text: &str) -> String {
    Repo::new(text).run(super::RULE.id)
}

const LAYER: &str = "\
model.layers.0.input_layernorm.weight BF16 [16]
model.layers.0.mlp.down_proj.weight BF16 [16, 32]
model.layers.0.mlp.gate_proj.weight BF16 [32, 16]
model.layers.0.mlp.up_proj.weight BF16 [32, 16]
model.layers.0.post_attention_layernorm.weight BF16 [16]
model.layers.0.self_attn.k_proj.weight BF16 [16, 16]
model.layers.0.self_attn.o_proj.weight BF16 [16, 16]
model.layers.0.self_attn.v_proj.weight BF16 [16, 16]
model.norm.weight BF16 [16]
model.embed_tokens.weight BF16 [64, 16]
";
const QUERY: &str = "model.layers.0.self_attn.q_proj.weight BF16 [16, 16]\n";
const HEAD: &str = "lm_head.weight BF16 [64, 16]\n";
const PASS: &str = "upload, fine-tune: pass\n";

#[test]
fn an_embedding_model_needs_no_head() {
    let mark = "//- 1_Pooling/config.json listed 9\n";
    let weights = format!("//- model.safetensors\n{LAYER}{QUERY}");
    let got = run(&format!("{mark}{weights}"));
    assert!(
        got.contains("upload: pass\n")
            && got.contains("fine-tune: fail\n  tensor `lm_head.weight` is missing"),
        "{got}"
    );
    let without_query = run(&format!("{mark}//- model.safetensors\n{LAYER}{HEAD}"));
    assert!(
        without_query.contains("upload: fail\n") && without_query.contains("fine-tune: fail\n"),
        "{without_query}"
    );
    let bert = run(&format!(
        "{mark}{}",
        "//- config.json\n{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"num_hidden_layers\": 0, \"hidden_size\": 16, \"vocab_size\": 64, \"max_position_embeddings\": 8}\n//- model.safetensors\nembeddings.LayerNorm.bias F32 [16]\nembeddings.LayerNorm.weight F32 [16]\nembeddings.position_embeddings.weight F32 [8, 16]\nembeddings.token_type_embeddings.weight F32 [2, 16]\nembeddings.word_embeddings.weight F32 [64, 16]\n"
    ));
    assert!(
        bert.contains("upload: pass\n  note: `pooler.dense.bias` is missing"),
        "{bert}"
    );
}

#[test]
fn a_config_with_fewer_layers_than_the_checkpoint() {
    let of = |layers: &[u64]| {
        let norms = layers
            .iter()
            .map(|layer| format!("model.layers.{layer}.input_layernorm.weight BF16 [16]\n"));
        let norms: String = norms.collect();
        run(&format!(
            "//- model.safetensors\n{LAYER}{QUERY}{HEAD}{norms}"
        ))
    };
    let one = of(&[1]);
    assert!(
        one.contains(": fail\n") && one.contains("1 layer beyond `num_hidden_layers`"),
        "{one}"
    );
    let cut = of(&[1, 2]);
    assert!(
        cut.contains(": fail\n") && cut.contains("2 layers beyond `num_hidden_layers`"),
        "{cut}"
    );
}

#[test]
fn layers_that_predict_several_tokens_are_those_of_some_types() {
    for (config, layers) in [
        (r#"{"model_type": "deepseek_v3"}"#, 1),
        (
            r#"{"model_type": "glm4_moe", "num_nextn_predict_layers": 2}"#,
            2,
        ),
        (r#"{"model_type": "llama"}"#, 0),
        (
            r#"{"model_type": "llama", "num_nextn_predict_layers": 1}"#,
            0,
        ),
    ] {
        let config = Config::new(Document::parse(config.as_bytes()).unwrap()).unwrap();
        assert_eq!(super::layers::predicting_layers(&config.text()), layers);
    }
}

#[test]
fn a_config_that_cannot_be_expanded_is_not_fine() {
    for (config, says) in [
        (
            r#"{"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "num_local_experts": 1000000000}"#,
            "more than",
        ),
        (r#"{"intermediate_size": null}"#, "no usable value"),
    ] {
        let got = Repo::new(&format!("//- config.json +\n{config}")).run(super::RULE.id);
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains(says),
            "{got}"
        );
    }
}

#[test]
fn several_dtypes_are_a_note() {
    let of = |norm: &str, head: &str| {
        run(&format!("//- model.safetensors\n{LAYER}{QUERY}{HEAD}")
            .replace(
                "model.norm.weight BF16",
                &format!("model.norm.weight {norm}"),
            )
            .replace("lm_head.weight BF16", &format!("lm_head.weight {head}")))
    };
    // A norm of 16 among 4 656 is kept wide on purpose.
    assert_eq!(of("F32", "BF16"), PASS);
    let head = of("BF16", "F32");
    assert!(
        head.starts_with(PASS) && head.contains("3632 in BF16, 1024 in F32"),
        "{head}"
    );
    let wide = of("F64", "BF16");
    assert!(
        wide.starts_with(PASS) && wide.contains("16 in F64"),
        "{wide}"
    );
}

#[test]
fn a_head_beside_bare_names_is_refused() {
    let bare = format!("{LAYER}{QUERY}").replace("model.", "");
    for tied in [true, false] {
        let text = format!(
            "//- config.json +\n{{\"tie_word_embeddings\": {tied}}}\n//- model.safetensors\n{bare}{HEAD}"
        );
        let got = run(&text);
        assert!(
            got.contains("fail\n  tensor `lm_head.weight` of the head stands beside names")
                && got.contains("fix: store every tensor under its name in the class"),
            "{got}"
        );
        assert_eq!(run(&format!("policy: together-2026-07\n{text}")), PASS);
    }
    let tied = "//- config.json +\n{\"tie_word_embeddings\": true}\n";
    assert_eq!(run(&format!("{tied}//- model.safetensors\n{bare}")), PASS);
}

#[test]
fn a_head_does_not_stand_for_the_embedding_it_is_tied_to() {
    let tied = "//- config.json +\n{\"tie_word_embeddings\": true}\n";
    let embedding = "model.embed_tokens.weight BF16 [64, 16]\n";
    assert!(LAYER.contains(embedding));
    let headed = LAYER.replace(embedding, HEAD);
    let weights = format!("//- model.safetensors\n{headed}{QUERY}");
    let got = run(&format!("{tied}{weights}"));
    assert!(
        got.contains("fail\n  tensor `model.embed_tokens.weight` is missing, and only `lm_head.weight` is there"),
        "{got}"
    );
    let later = run(&format!("policy: together-2026-07\n{tied}{weights}"));
    assert_eq!(later, PASS);
}

#[test]
fn a_head_may_be_missing_only_where_it_is_tied() {
    let headless = format!("//- model.safetensors\n{LAYER}{QUERY}");
    let got = run(&headless);
    assert!(
        got.contains("fail\n  tensor `lm_head.weight` is missing"),
        "{got}"
    );
    assert_eq!(
        run(&format!(
            "//- config.json +\n{{\"tie_word_embeddings\": true}}\n{headless}"
        )),
        PASS
    );
}

#[test]
fn what_the_index_does_not_name_is_loaded_by_release_5_only() {
    let names = format!("{LAYER}{HEAD}")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, _)| format!("\"{name}\": \"1.safetensors\""))
        .collect::<Vec<_>>()
        .join(", ");
    let repo = format!(
        "//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"metadata\": {{}}, \"weight_map\": {{{names}}}}}\n//- 1.safetensors\n{LAYER}{HEAD}{QUERY}"
    );
    let now = run(&repo);
    assert!(
        now.starts_with("upload, fine-tune: fail\n")
            && now.contains("`model.layers.0.self_attn.q_proj.weight` is missing"),
        "{now}"
    );
    let later = run(&format!("policy: together-2026-07\n{repo}"));
    assert!(
        later.starts_with("upload, fine-tune: unknown\n")
            && later.contains("transformers 5 loads such tensors"),
        "{later}"
    );
}

#[test]
fn names_without_the_prefix_of_the_base_model_match() {
    let bare = format!("{LAYER}{QUERY}").replace("model.", "");
    let got = run(&format!(
        "//- config.json +\n{{\"tie_word_embeddings\": true}}\n//- model.safetensors\n{bare}"
    ));
    assert_eq!(got, PASS);
}

#[test]
fn packed_weights_are_what_they_pack() {
    let gptq =
        "//- config.json +\n{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}}\n";
    let packed = "model.layers.0.self_attn.q_proj.qweight I32 [2, 16]\n\
        model.layers.0.self_attn.q_proj.qzeros I32 [1, 2]\n\
        model.layers.0.self_attn.q_proj.scales F16 [1, 16]\n\
        model.layers.0.self_attn.q_proj.g_idx I32 [16]\n";
    assert_eq!(
        run(&format!(
            "{gptq}//- model.safetensors\n{LAYER}{HEAD}{packed}"
        )),
        PASS
    );
    let unnamed = run(&format!("//- model.safetensors\n{LAYER}{HEAD}{packed}"));
    assert!(
        unnamed.contains("`model.layers.0.self_attn.q_proj.weight` is missing"),
        "{unnamed}"
    );
}

#[test]
fn packed_weights_without_a_method_have_the_wrong_shape() {
    let packed = "model.layers.0.self_attn.q_proj.weight U8 [128, 1]\n";
    let weights = format!("//- model.safetensors\n{LAYER}{HEAD}{packed}");
    let unnamed = run(&weights);
    assert!(
        unnamed.starts_with("upload, fine-tune: fail\n")
            && unnamed.contains("has shape [128, 1], config.json asks for [16, 16]"),
        "{unnamed}"
    );
    let state = "model.layers.0.self_attn.q_proj.weight.absmax F32 [4]\nmodel.layers.0.self_attn.q_proj.weight.quant_state.bitsandbytes__nf4 U8 [9]\n";
    let named = run(&format!(
        "//- config.json +\n{{\"quantization_config\": {{\"load_in_4bit\": true}}}}\n{weights}{state}"
    ));
    assert_eq!(named, PASS);
}

#[test]
fn a_method_and_nothing_packed_is_undecided() {
    let of = |section: &str, query: &str| {
        run(&format!(
            "//- config.json +\n{{\"quantization_config\": {section}}}\n//- model.safetensors\n{LAYER}{HEAD}{query}"
        ))
    };
    for method in ["gptq", "awq", "bitsandbytes", "fp8", "hqq", "mxfp4", "aqlm"] {
        let got = of(&format!("{{\"quant_method\": \"{method}\"}}"), QUERY);
        assert!(
            got.starts_with("upload, fine-tune: unknown\n")
                && got.contains(&format!("says `{method}`, and no tensor is packed")),
            "{method}: {got}"
        );
    }
    let cache_only = r#"{"quant_method": "compressed-tensors", "config_groups": {}}"#;
    assert_eq!(of(cache_only, QUERY), PASS);
    let incomplete = of(r#"{"quant_method": "gptq"}"#, "");
    assert!(incomplete.contains(": fail\n"), "{incomplete}");
}

#[test]
fn modules_that_are_stored_otherwise_than_the_config_lists_them_are_undecided() {
    let packed_as = |name: &str| format!("{name} F8_E4M3 [16, 16]\n{name}_scale_inv F32 [1, 1]\n");
    let key = "model.layers.0.self_attn.k_proj.weight";
    let layer = LAYER.replace(&format!("{key} BF16 [16, 16]\n"), &packed_as(key));
    let second: Vec<String> = layer
        .lines()
        .filter(|line| line.contains("layers.0."))
        .map(|line| line.replace("layers.0.", "layers.1."))
        .collect();
    let second = second.join("\n");
    let first_query = packed_as("model.layers.0.self_attn.q_proj.weight");
    let of = |section: &str, query: &str| {
        run(&format!(
            "//- config.json +\n{{\"num_hidden_layers\": 2, \"quantization_config\": {section}}}\n//- model.safetensors\n{HEAD}{layer}{first_query}{second}\n{query}"
        ))
    };
    let query = "model.layers.1.self_attn.q_proj.weight";
    let (plain, packed) = (format!("{query} BF16 [16, 16]\n"), packed_as(query));
    let all = r#"{"quant_method": "fp8"}"#;
    let some =
        r#"{"quant_method": "fp8", "modules_to_not_convert": ["model.layers.1.self_attn.q_proj"]}"#;
    assert_eq!(of(all, &packed), PASS);
    assert_eq!(of(some, &plain), PASS);
    for (section, query, says) in [
        (all, plain, "is plain where other layers have it packed"),
        (some, packed, "is packed, and config.json lists"),
    ] {
        let got = of(section, &query);
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains(says),
            "{got}"
        );
    }
}

/// One layer of 64 inputs and 16 outputs in the words of GPTQ or AWQ.
#[test]
fn containers_that_the_config_does_not_describe_are_undecided() {
    let gptq = |bits: u64, groups: u64| {
        let module = "model.layers.0.self_attn.q_proj";
        format!(
            "{module}.qweight I32 [{}, 16]\n{module}.qzeros I32 [{groups}, 2]\n{module}.scales F16 [{groups}, 16]\n{module}.g_idx I32 [16]\n",
            16 * bits / 32
        )
    };
    let of = |section: &str, tensors: &str| {
        run(&format!(
            "//- config.json +\n{{\"quantization_config\": {section}}}\n//- model.safetensors\n{LAYER}{HEAD}{tensors}"
        ))
    };
    let said = |bits: &str, group: i64| {
        format!(r#"{{"quant_method": "gptq"{bits}, "group_size": {group}}}"#)
    };
    for (section, tensors) in [
        (said(r#", "bits": 4"#, 8), gptq(4, 2)),
        (said(r#", "bits": 8"#, -1), gptq(8, 1)),
        (said(r#", "bits": 2"#, 16), gptq(2, 1)),
    ] {
        assert_eq!(of(&section, &tensors), PASS, "{section}");
    }
    for (section, tensors, says) in [
        (
            said(r#", "bits": 8"#, 8),
            gptq(4, 2),
            "not how config.json says",
        ),
        (
            said(r#", "bits": 4"#, -1),
            gptq(4, 2),
            "not how config.json says",
        ),
        (said("", 8), gptq(4, 2), "does not say in how many `bits`"),
        (
            r#"{"quant_method": "awq", "bits": 4, "group_size": 8}"#.to_owned(),
            gptq(4, 2),
            "packed as GPTQ does it",
        ),
    ] {
        let got = of(&section, &tensors);
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains(says),
            "{section}: {got}"
        );
    }
    let section = r#"{"quant_method": "gptq", "bits": 4, "group_size": 8}"#;
    for end in ["qzeros I32 [2, 2]", "scales F16 [2, 16]"] {
        let without = gptq(4, 2).replace(&format!("model.layers.0.self_attn.q_proj.{end}\n"), "");
        let got = of(section, &without);
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains("beside it"),
            "{end}: {got}"
        );
    }
    let fp8 = "model.layers.0.self_attn.q_proj.weight F8_E4M3 [16, 16]\n";
    let section = r#"{"quant_method": "fp8"}"#;
    let scale = "model.layers.0.self_attn.q_proj.weight_scale_inv F32 [1, 1]\n";
    assert_eq!(of(section, &format!("{fp8}{scale}")), PASS);
    let bare = of(section, fp8);
    assert!(
        bare.contains("has no `model.layers.0.self_attn.q_proj.weight_scale_inv` beside it"),
        "{bare}"
    );
    let of_engines = scale.replace("_scale_inv F32 [1, 1]", "_scale F32 []");
    let got = of(section, &format!("{fp8}{of_engines}"));
    assert!(
        got.starts_with("upload, fine-tune: unknown\n")
            && got.contains(
                "transformers looks for `model.layers.0.self_attn.q_proj.weight_scale_inv`"
            ),
        "{got}"
    );
    let state = "model.layers.0.self_attn.q_proj.weight U8 [128, 1]\nmodel.layers.0.self_attn.q_proj.weight.absmax F32 [4]\nmodel.layers.0.self_attn.q_proj.weight.quant_state.bitsandbytes__nf4 U8 [9]\n";
    let eight = of(
        r#"{"quant_method": "bitsandbytes", "load_in_8bit": true}"#,
        state,
    );
    assert!(
        eight.contains("belongs to weights of 4 bits, and config.json says 8"),
        "{eight}"
    );
}

#[test]
fn the_config_of_another_size() {
    let got = run("//- config.json +\n{\"num_hidden_layers\": 4, \"hidden_size\": 32}");
    assert!(
        got.contains("has shape [64, 16], config.json asks for [64, 32]"),
        "{got}"
    );
    assert!(got.contains("more\n"), "{got}");
}

#[test]
fn what_a_wrapper_put_into_the_names_is_explained() {
    for (name, says, fix) in [
        (
            "module.lm_head",
            "`module.`: saved from the wrapper of `DataParallel`",
            "strip `module.`",
        ),
        (
            "_orig_mod.lm_head",
            "`_orig_mod.`: saved from the wrapper of `torch.compile`",
            "strip `_orig_mod.`",
        ),
        (
            "_fsdp_wrapped_module.lm_head",
            "wrapper of FSDP",
            "strip `_fsdp_wrapped_module.`",
        ),
        (
            "model._fsdp_wrapped_module.layers.0.mlp.up_proj",
            "wrapper of FSDP",
            "strip",
        ),
        (
            "base_model.model.lm_head",
            "`base_model.model.`: saved from PEFT's wrapper",
            "merge_and_unload()",
        ),
        (
            "model.base_model.model.lm_head",
            "saved from PEFT's wrapper",
            "merge_and_unload()",
        ),
        (
            "model.layers.0.self_attn.q_proj.base_layer",
            "`base_layer.`: an adapter",
            "merge_and_unload()",
        ),
        (
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default",
            "`lora_A.`: an adapter",
            "merge_and_unload()",
        ),
    ] {
        let got = run(&format!(
            "//- model.safetensors\n{name}.weight BF16 [64, 16]\n"
        ));
        assert!(
            got.starts_with("upload, fine-tune: fail\n  names of tensors")
                && got.contains(says)
                && got
                    .lines()
                    .last()
                    .is_some_and(|line| line.starts_with("  fix: ") && line.contains(fix)),
            "{name}: {got}"
        );
    }
}

#[test]
fn another_prefix_is_named_too() {
    let got = run("//- model.safetensors\nacme.net.lm_head.weight BF16 [64, 16]\n");
    assert!(got.contains("fix: strip `acme.net.` from"), "{got}");
}

#[test]
fn an_adapter_beside_whole_weights_would_be_lost() {
    let of = |name: &str| {
        run(&format!(
            "//- model.safetensors\n{LAYER}{QUERY}{HEAD}{name} BF16 [4, 16]\n"
        ))
    };
    let adapter = of("model.layers.0.self_attn.q_proj.lora_A.default.weight");
    assert!(
        adapter.starts_with("upload, fine-tune: fail\n  names of tensors hold `lora_A.`"),
        "{adapter}"
    );
    // A second copy under a wrapper's name takes nothing away.
    let copy = of("module.model.norm.weight");
    assert!(copy.starts_with(PASS), "{copy}");
}

#[test]
fn other_tasks_are_judged_elsewhere() {
    let reward =
        run("//- config.json +\n{\"architectures\": [\"LlamaForSequenceClassification\"]}");
    assert!(
        reward.starts_with("upload: skip\n") && reward.contains("fine-tune: skip\n"),
        "{reward}"
    );
}

#[test]
fn what_cannot_be_compared() {
    let unread = run("//- model.safetensors pointer 100");
    assert!(
        unread.starts_with("upload, fine-tune: unknown\n"),
        "{unread}"
    );
    for (text, says) in [
        (
            "//- model.safetensors raw 4\n{}",
            "see shard-missing, shard-corrupt",
        ),
        (
            "//- model.safetensors removed\n//- pytorch_model.bin listed 10",
            "no safetensors headers",
        ),
        ("//- config.json removed", "see config-invalid"),
    ] {
        let got = run(text);
        assert!(
            got.starts_with("upload, fine-tune: skip\n") && got.contains(says),
            "{text}: {got}"
        );
    }
}
