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
