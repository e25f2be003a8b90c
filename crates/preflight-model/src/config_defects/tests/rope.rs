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
