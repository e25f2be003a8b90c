//! Each form of `rope_scaling` here was given to the classes of transformers 4.55.4, and its neighbour too.

use super::messages;

fn of(model_type: &str, scaling: &str) -> String {
    messages(&format!(
        r#"{{"model_type": "{model_type}", "rope_scaling": {scaling}}}"#
    ))
}

#[test]
fn type_counts_before_rope_type_where_the_class_copies_it() {
    let (old_is_known, new_is_known) = (
        r#"{"type": "linear", "rope_type": "su", "factor": 2.0}"#,
        r#"{"type": "su", "rope_type": "linear", "factor": 2.0}"#,
    );
    for copies in ["llama", "qwen2", "gpt_neox", "smollm3"] {
        assert_eq!(of(copies, old_is_known), "", "{copies}");
        assert!(of(copies, new_is_known).contains("unknown `rope_type` `su`"));
    }
    for reads_new_first in ["mistral", "gemma3_text", "granite", "falcon"] {
        assert_eq!(of(reads_new_first, new_is_known), "", "{reads_new_first}");
        assert!(of(reads_new_first, old_is_known).contains("unknown `rope_type` `su`"));
    }
    let mrope = r#"{"type": "mrope", "rope_type": "default", "mrope_section": [16, 24, 24]}"#;
    assert!(of("qwen2", mrope).contains("unknown `rope_type` `mrope`"));
}

#[test]
fn a_null_under_the_name_that_counts_names_no_type() {
    let old_is_null = r#"{"type": null, "rope_type": "linear", "factor": 2.0}"#;
    let new_is_null = r#"{"type": "linear", "rope_type": null, "factor": 2.0}"#;
    assert_eq!(of("llama", new_is_null), "");
    assert_eq!(of("mistral", old_is_null), "");
    assert!(of("llama", old_is_null).contains("names no `rope_type`"));
    assert!(of("mistral", new_is_null).contains("names no `rope_type`"));
}

/// Four heads of 16, of which `part` rotates.
fn of_phi(kind: &str, short: &str, long: &str, part: &str) -> Vec<String> {
    let config = |model_type| {
        format!(
            r#"{{"model_type": "{model_type}", "hidden_size": 66, "num_attention_heads": 4, "partial_rotary_factor": {part},
                "rope_scaling": {{"type": {kind}, "short_factor": {short}, "long_factor": {long}}}}}"#
        )
    };
    ["phi3", "phi4_multimodal"]
        .map(|it| messages(&config(it)))
        .into()
}

#[test]
fn phi_3_wants_a_factor_for_each_pair_of_rotary_dimensions() {
    let eight = "[1, 1.5, true, 1, 1, 1, 1, 1]";
    let (seven, six) = ("[1, 1, 1, 1, 1, 1, 1]", "[1, 1, 1, 1, 1, 1]");
    for kind in [r#""longrope""#, r#""su""#, r#""yarn""#] {
        assert_eq!(of_phi(kind, eight, eight, "1.0"), ["", ""], "{kind}");
    }
    assert_eq!(of_phi(r#""longrope""#, six, six, "0.75"), ["", ""]);
    for (kind, short, long, part, says) in [
        (
            "longrope",
            seven,
            eight,
            "1.0",
            "`short_factor` of `rope_scaling` has 7 factors, this model needs 8",
        ),
        (
            "longrope",
            eight,
            six,
            "1",
            "`long_factor` of `rope_scaling` has 6 factors, this model needs 8",
        ),
        (
            "longrope",
            eight,
            eight,
            "0.75",
            "has 8 factors, this model needs 6",
        ),
        (
            "su",
            r#"["a"]"#,
            eight,
            "1.0",
            "`short_factor` of `rope_scaling` must be a list of numbers",
        ),
        (
            "su",
            eight,
            "null",
            "1.0",
            "`long_factor` of `rope_scaling` must be a list of numbers",
        ),
        (
            "linear",
            eight,
            eight,
            "1.0",
            "must be `longrope` for this class, it is the string `linear`",
        ),
    ] {
        for found in of_phi(&format!("\"{kind}\""), short, long, part) {
            assert!(found.contains(says), "{kind} {short} {long}: {found}");
        }
    }
}

#[test]
fn the_older_form_has_its_own_keys_and_no_others() {
    for (model_type, scaling) in [
        (
            "phi3",
            r#"{"type": "longrope", "rope_type": "longrope", "short_factor": [], "long_factor": []}"#,
        ),
        (
            "phi3",
            r#"{"rope_type": "longrope", "short_factor": [], "long_factor": []}"#,
        ),
        ("phi3", r#""longrope""#),
        ("olmo2", r#"{"rope_type": "linear", "factor": 2.0}"#),
        (
            "olmo",
            r#"{"type": "linear", "factor": 2.0, "rope_type": "linear"}"#,
        ),
        ("olmo", "[]"),
    ] {
        let found = of(model_type, scaling);
        assert!(
            found.contains("must be an object of `type`, "),
            "{scaling}: {found}"
        );
    }
}

#[test]
fn olmo_takes_two_kinds_and_a_factor_written_as_a_float() {
    for model_type in ["olmo", "olmo2"] {
        for fits in [
            r#"{"type": "linear", "factor": 1.5}"#,
            r#"{"type": "dynamic", "factor": 2e0}"#,
            r#"{"type": "dynamic", "factor": Infinity}"#,
        ] {
            assert_eq!(of(model_type, fits), "", "{fits}");
        }
        for (scaling, says) in [
            (
                r#"{"type": "dynamic", "factor": 2}"#,
                "written with a decimal point",
            ),
            (r#"{"type": "linear", "factor": 1.0}"#, "must be above 1"),
            (r#"{"type": "linear", "factor": null}"#, "it is `null`"),
            (
                r#"{"type": "yarn", "factor": 2.0}"#,
                "must be `linear` or `dynamic`",
            ),
            (
                r#"{"type": null, "factor": 2.0}"#,
                "must be `linear` or `dynamic`",
            ),
        ] {
            let found = of(model_type, scaling);
            assert!(found.contains(says), "{scaling}: {found}");
        }
    }
}

#[test]
fn numbers_that_are_divided_by_or_calculated_with() {
    let llama3 = |factor, low, high, length| {
        format!(
            r#"{{"rope_type": "llama3", "factor": {factor}, "low_freq_factor": {low}, "high_freq_factor": {high}, "original_max_position_embeddings": {length}}}"#
        )
    };
    let yarn = |rest| format!(r#"{{"rope_type": "yarn", {rest}}}"#);
    for model_type in ["llama", "qwen3", "gemma2", "bamba"] {
        for fits in [
            llama3("0", "1", "1", "0"),
            yarn(r#""factor": null, "original_max_position_embeddings": 64"#),
            yarn(r#""factor": 0"#),
            r#"{"rope_type": "linear", "factor": 0}"#.into(),
        ] {
            assert_eq!(of(model_type, &fits), "", "{model_type} {fits}");
        }
        for (scaling, says) in [
            (
                llama3("null", "1", "4", "64"),
                "`factor` of `rope_scaling` must be a number",
            ),
            (
                llama3("8", "null", "4", "64"),
                "`low_freq_factor` of `rope_scaling` must be",
            ),
            (
                llama3("8", "1", "null", "64"),
                "`high_freq_factor` of `rope_scaling` must be",
            ),
            (
                llama3("8", "1", "4", "null"),
                "`original_max_position_embeddings` of",
            ),
            (
                llama3("8", "0.0", "4", "64"),
                "`low_freq_factor` of `rope_scaling` is 0",
            ),
            (
                llama3("8", "1", "0", "64"),
                "`high_freq_factor` of `rope_scaling` is 0",
            ),
            (
                yarn(r#""factor": null, "attention_factor": 1.0"#),
                "`factor` of `rope_scaling` must be",
            ),
            (
                yarn(r#""factor": 2.0, "original_max_position_embeddings": null"#),
                "must be a number, it is `null`",
            ),
            (
                yarn(r#""factor": 2.0, "original_max_position_embeddings": 0"#),
                "is 0, and the model divides",
            ),
            (
                r#"{"rope_type": "linear", "factor": null}"#.into(),
                "`factor` of `rope_scaling` must be",
            ),
            (
                r#"{"rope_type": "dynamic", "factor": null}"#.into(),
                "`factor` of `rope_scaling` must be",
            ),
        ] {
            let found = of(model_type, &scaling);
            assert!(found.contains(says), "{model_type} {scaling}: {found}");
        }
    }
    let both = yarn(r#""factor": null, "original_max_position_embeddings": 64"#);
    assert!(of("deepseek_v3", &both).contains("`factor` of `rope_scaling` must be"));
}

#[test]
fn longrope_of_the_common_kind_needs_a_factor_and_a_list_of_the_heads_size() {
    let config = |beside: &str, short: &str, rest: &str| {
        messages(&format!(
            r#"{{"model_type": "llama", "hidden_size": 16, "num_attention_heads": 2{beside},
                "rope_scaling": {{"rope_type": "longrope", "short_factor": {short}, "long_factor": [1]{rest}}}}}"#
        ))
    };
    let (four, factor) = ("[1, 1, 1, 1]", r#", "factor": 4.0"#);
    for (beside, short, rest) in [
        ("", four, factor),
        ("", "[1]", factor),
        ("", four, r#", "attention_factor": 1.0"#),
        (r#", "original_max_position_embeddings": 64"#, four, ""),
        (r#", "head_dim": 6"#, "[1, 1, 1]", factor),
    ] {
        assert_eq!(config(beside, short, rest), "", "{beside} {short} {rest}");
    }
    for (beside, short, rest, says) in [
        ("", four, "", "needs `factor`"),
        ("", four, r#", "factor": null"#, "needs `factor`"),
        (
            "",
            four,
            r#", "original_max_position_embeddings": 64"#,
            "needs `factor`",
        ),
        ("", "[1, 1, 1]", factor, "has 3 factors, this model needs 4"),
        (
            r#", "head_dim": 6"#,
            four,
            factor,
            "has 4 factors, this model needs 3",
        ),
    ] {
        let found = config(beside, short, rest);
        assert!(found.contains(says), "{beside} {short} {rest}: {found}");
    }
}

#[test]
fn some_types_calculate_with_a_head_dim_that_mistral_leaves_out() {
    let config = |model_type: &str, head: &str, kind: &str| {
        messages(&format!(
            r#"{{"model_type": "{model_type}", "hidden_size": 128, "num_attention_heads": 4, {head}
                "rope_scaling": {{"rope_type": "{kind}", "factor": 2.0}}}}"#
        ))
    };
    for kind in ["dynamic", "yarn"] {
        for (model_type, head) in [
            ("mistral", r#""head_dim": 32,"#),
            ("qwen2", ""),
            ("llama", ""),
            ("llama", r#""head_dim": null,"#),
        ] {
            assert_eq!(config(model_type, head, kind), "", "{model_type} {head}");
        }
        for (model_type, head) in [
            ("mistral", ""),
            ("mixtral", r#""head_dim": null,"#),
            ("qwen2", r#""head_dim": null,"#),
        ] {
            let found = config(model_type, head, kind);
            assert!(
                found.contains("calculates with `head_dim`"),
                "{model_type}: {found}"
            );
        }
    }
    assert_eq!(config("mistral", "", "linear"), "");
}
