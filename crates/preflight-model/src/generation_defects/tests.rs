//! Every text of the tables was the `generation_config.json` of a two-layer Llama that transformers
//! 4.55.4 was asked to load.

use super::*;

/// What loaded.
const LOADS: [&str; 151] = [
    r#"{"from_dict": 1, "save_pretrained": null, "get_generation_mode": "x"}"#,
    r#"{"_from_model_config": true, "to_dict": 1}"#,
    r#"{"_from_model_config": "x", "validate": 1}"#,
    "{}",
    "",
    r#"{"a":1,}"#,
    r#"{"max_new_tokens": 5"#,
    "\u{feff}{}",
    r#"{"max_new_tokens": NaN}"#,
    r#"{"max_new_tokens":0,"max_new_tokens":5}"#,
    r#"{"max_new_tokens": 1}"#,
    r#"{"max_new_tokens": null}"#,
    r#"{"max_new_tokens": true}"#,
    r#"{"max_new_tokens": 0.5}"#,
    r#"{"cache_implementation": "static"}"#,
    r#"{"cache_implementation": "dynamic"}"#,
    r#"{"cache_implementation": "offloaded"}"#,
    r#"{"cache_implementation": "offloaded_static"}"#,
    r#"{"cache_implementation": "sliding_window"}"#,
    r#"{"cache_implementation": "hybrid"}"#,
    r#"{"cache_implementation": "hybrid_chunked"}"#,
    r#"{"cache_implementation": "offloaded_hybrid"}"#,
    r#"{"cache_implementation": "offloaded_hybrid_chunked"}"#,
    r#"{"cache_implementation": "quantized"}"#,
    r#"{"cache_implementation": null}"#,
    r#"{"cache_config": {}}"#,
    r#"{"cache_config": {"backend": "quanto"}}"#,
    r#"{"early_stopping": true}"#,
    r#"{"early_stopping": false}"#,
    r#"{"early_stopping": "never"}"#,
    r#"{"early_stopping": 0}"#,
    r#"{"early_stopping": 1}"#,
    r#"{"early_stopping": 1.0}"#,
    r#"{"early_stopping": 0.0}"#,
    r#"{"num_return_sequences": 1}"#,
    r#"{"num_return_sequences": true}"#,
    r#"{"num_return_sequences": 1.0}"#,
    r#"{"num_beams": 0}"#,
    r#"{"num_beams": 2}"#,
    r#"{"num_beams": null}"#,
    r#"{"num_beams": "2"}"#,
    r#"{"num_beams": true}"#,
    r#"{"num_beams": 1.0}"#,
    r#"{"num_beams": 1.5}"#,
    r#"{"num_beams": []}"#,
    r#"{"pad_token_id": -1}"#,
    r#"{"pad_token_id": null}"#,
    r#"{"pad_token_id": 1.5}"#,
    r#"{"pad_token_id": true}"#,
    r#"{"eos_token_id": "x"}"#,
    r#"{"eos_token_id": []}"#,
    r#"{"eos_token_id": [1, "x"]}"#,
    r#"{"eos_token_id": -1}"#,
    r#"{"eos_token_id": {}}"#,
    r#"{"bos_token_id": "x"}"#,
    r#"{"bos_token_id": []}"#,
    r#"{"compile_config": null}"#,
    r#"{"watermarking_config": {}}"#,
    r#"{"watermarking_config": null}"#,
    r#"{"watermarking_config": {"greenlist_ratio": 0.25}}"#,
    r#"{"watermarking_config": {"bias": "x"}}"#,
    r#"{"watermarking_config": {"hashing_key": "x"}}"#,
    r#"{"temperature": "x"}"#,
    r#"{"temperature": null}"#,
    r#"{"temperature": 0}"#,
    r#"{"temperature": -1}"#,
    r#"{"temperature": 0.6}"#,
    r#"{"temperature": []}"#,
    r#"{"top_p": "x"}"#,
    r#"{"top_p": 5}"#,
    r#"{"top_p": null}"#,
    r#"{"top_k": "x"}"#,
    r#"{"top_k": 0}"#,
    r#"{"top_k": -1}"#,
    r#"{"top_k": 2.5}"#,
    r#"{"min_p": "x"}"#,
    r#"{"do_sample": "x"}"#,
    r#"{"do_sample": null}"#,
    r#"{"do_sample": 1}"#,
    r#"{"do_sample": 0}"#,
    r#"{"typical_p": "x"}"#,
    r#"{"length_penalty": "x"}"#,
    r#"{"num_beam_groups": "x"}"#,
    r#"{"num_beam_groups": 2}"#,
    r#"{"num_beam_groups": 0}"#,
    r#"{"num_beam_groups": -1}"#,
    r#"{"diversity_penalty": "x"}"#,
    r#"{"diversity_penalty": 1.0}"#,
    r#"{"dola_layers": "x"}"#,
    r#"{"dola_layers": "low"}"#,
    r#"{"dola_layers": [1]}"#,
    r#"{"repetition_penalty": "x"}"#,
    r#"{"return_dict_in_generate": true}"#,
    r#"{"return_dict_in_generate": "x"}"#,
    r#"{"output_scores": true}"#,
    r#"{"inputs": 1}"#,
    r#"{"generation_config": 1}"#,
    r#"{"custom_generate": null}"#,
    r#"{"custom_generate": "x"}"#,
    r#"{"kwargs": 1}"#,
    r#"{"constraints": [1]}"#,
    r#"{"constraints": null}"#,
    r#"{"force_words_ids": [1]}"#,
    r#"{"max_length": "x"}"#,
    r#"{"max_length": 0}"#,
    r#"{"max_length": null}"#,
    r#"{"transformers_version": 5}"#,
    r#"{"transformers_version": null}"#,
    r#"{"_from_model_config": true}"#,
    r#"{"_from_model_config": "x"}"#,
    r#"{"dtype": "bfloat16"}"#,
    r#"{"dtype": "x"}"#,
    r#"{"torch_dtype": "bfloat16"}"#,
    r#"{"torch_dtype": "x"}"#,
    r#"{"return_unused_kwargs": true}"#,
    r#"{"return_unused_kwargs": false}"#,
    r#"{"user_agent": {}}"#,
    r#"{"config_dict": 1}"#,
    r#"{"_commit_hash": 5}"#,
    r#"{"use_cache": false}"#,
    r#"{"use_cache": "x"}"#,
    r#"{"penalty_alpha": "x"}"#,
    r#"{"penalty_alpha": 0.6}"#,
    r#"{"extra_output_flags": []}"#,
    r#"{"__init__": 1}"#,
    r#"{"base_model_prefix": 1}"#,
    r#"{"cls": 1}"#,
    r#"{"__hash__": 1}"#,
    r#"{"is_assistant": 1}"#,
    r#"{"thinking_budget": 1}"#,
    r#"{"do_sample": true, "num_return_sequences": 2}"#,
    r#"{"do_sample": true, "num_return_sequences": 2, "num_beams": 1}"#,
    r#"{"num_beams": 2, "num_return_sequences": 2}"#,
    r#"{"num_beams": 4, "num_return_sequences": 4}"#,
    r#"{"do_sample": null, "num_return_sequences": 2}"#,
    r#"{"do_sample": 0, "num_return_sequences": 2}"#,
    r#"{"do_sample": "x", "num_return_sequences": 2}"#,
    r#"{"do_sample": 1, "num_return_sequences": 2}"#,
    r#"{"num_beams": 0, "num_return_sequences": 1}"#,
    r#"{"num_beams": 2.5, "num_return_sequences": 2}"#,
    r#"{"num_beams": 2, "num_return_sequences": 1}"#,
    r#"{"num_beams": 2, "num_return_sequences": true}"#,
    r#"{"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}"#,
    r#"{"num_beams": 4, "constraints": [1]}"#,
    r#"{"num_beams": 2, "diversity_penalty": "x"}"#,
    r#"{"pad_token_id": -1, "do_sample": true}"#,
    r#"{"temperature": 0.6, "top_p": 0.9}"#,
    r#"{"num_beams": 2, "penalty_alpha": 0.6}"#,
    r#"{"top_k": "x", "penalty_alpha": 0.6}"#,
    r#"{"num_beams": 2, "dola_layers": "low"}"#,
    r#"{"num_beams": "x"}"#,
];

/// What ended in an error.
const STOPS: [&str; 101] = [
    r#"{"__class__": null}"#,
    r#"{"dict_torch_dtype_to_str": 1}"#,
    r#"{"to_dict": null}"#,
    r#"{"to_diff_dict": {}}"#,
    r#"{"to_json_string": "x"}"#,
    r#"{"update": []}"#,
    r#"{"_from_model_config": null, "validate": 1}"#,
    "[]",
    "null",
    r#""x""#,
    "5",
    "true",
    "[1]",
    r#"[["max_new_tokens",0]]"#,
    r#"{"max_new_tokens": 0}"#,
    r#"{"max_new_tokens": -1}"#,
    r#"{"max_new_tokens": "5"}"#,
    r#"{"max_new_tokens": ""}"#,
    r#"{"max_new_tokens": false}"#,
    r#"{"max_new_tokens": -0.5}"#,
    r#"{"max_new_tokens": []}"#,
    r#"{"max_new_tokens": {}}"#,
    r#"{"cache_implementation": "x"}"#,
    r#"{"cache_implementation": ""}"#,
    r#"{"cache_implementation": "dynamic_full"}"#,
    r#"{"cache_implementation": "mamba"}"#,
    r#"{"cache_implementation": "Dynamic"}"#,
    r#"{"cache_implementation": 5}"#,
    r#"{"cache_implementation": []}"#,
    r#"{"cache_implementation": {}}"#,
    r#"{"cache_implementation": false}"#,
    r#"{"cache_config": "x"}"#,
    r#"{"cache_config": []}"#,
    r#"{"cache_config": 5}"#,
    r#"{"cache_config": false}"#,
    r#"{"cache_config": ""}"#,
    r#"{"early_stopping": "x"}"#,
    r#"{"early_stopping": null}"#,
    r#"{"early_stopping": 2}"#,
    r#"{"early_stopping": -1}"#,
    r#"{"early_stopping": []}"#,
    r#"{"early_stopping": {}}"#,
    r#"{"early_stopping": ""}"#,
    r#"{"early_stopping": "Never"}"#,
    r#"{"early_stopping": "true"}"#,
    r#"{"num_return_sequences": 2}"#,
    r#"{"num_return_sequences": 0}"#,
    r#"{"num_return_sequences": -1}"#,
    r#"{"num_return_sequences": null}"#,
    r#"{"num_return_sequences": "2"}"#,
    r#"{"num_return_sequences": 2.0}"#,
    r#"{"num_return_sequences": []}"#,
    r#"{"num_return_sequences": {}}"#,
    r#"{"pad_token_id": "0"}"#,
    r#"{"pad_token_id": [0]}"#,
    r#"{"pad_token_id": []}"#,
    r#"{"pad_token_id": {}}"#,
    r#"{"compile_config": {}}"#,
    r#"{"compile_config": "x"}"#,
    r#"{"compile_config": {"mode": "default"}}"#,
    r#"{"compile_config": []}"#,
    r#"{"watermarking_config": {"greenlist_ratio": 2}}"#,
    r#"{"watermarking_config": {"seeding_scheme": "x"}}"#,
    r#"{"watermarking_config": {"context_width": 0}}"#,
    r#"{"watermarking_config": {"foo": 1}}"#,
    r#"{"watermarking_config": "x"}"#,
    r#"{"watermarking_config": []}"#,
    r#"{"watermarking_config": 5}"#,
    r#"{"watermarking_config": {"greenlist_ratio": "x"}}"#,
    r#"{"watermarking_config": {"ngram_len": 5, "keys": [1]}}"#,
    r#"{"logits_processor": null}"#,
    r#"{"logits_processor": []}"#,
    r#"{"logits_processor": "x"}"#,
    r#"{"stopping_criteria": []}"#,
    r#"{"streamer": null}"#,
    r#"{"assistant_model": null}"#,
    r#"{"synced_gpus": true}"#,
    r#"{"prefix_allowed_tokens_fn": 1}"#,
    r#"{"use_model_defaults": true}"#,
    r#"{"negative_prompt_ids": 1}"#,
    r#"{"num_beams": 2, "num_return_sequences": 3}"#,
    r#"{"num_beams": 2, "num_return_sequences": 3, "do_sample": true}"#,
    r#"{"num_beams": true, "num_return_sequences": 2}"#,
    r#"{"num_beams": 1.0, "num_return_sequences": 2}"#,
    r#"{"num_beams": null, "num_return_sequences": 2}"#,
    r#"{"num_beams": "1", "num_return_sequences": 2}"#,
    r#"{"num_beams": 1, "num_return_sequences": 2}"#,
    r#"{"num_beams": 0, "num_return_sequences": 2}"#,
    r#"{"num_beams": 1.5, "num_return_sequences": 2}"#,
    r#"{"num_beams": 2, "num_return_sequences": null}"#,
    r#"{"num_beams": 2, "num_return_sequences": "x"}"#,
    r#"{"num_beams": 2, "early_stopping": "x"}"#,
    r#"{"num_beams": 2, "num_beam_groups": 2}"#,
    r#"{"num_beams": 2, "num_beam_groups": 3}"#,
    r#"{"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.0}"#,
    r#"{"num_beams": 4, "num_beam_groups": "x"}"#,
    r#"{"num_beams": 4, "num_beam_groups": null}"#,
    r#"{"num_beams": 4, "num_beam_groups": 2, "do_sample": true}"#,
    r#"{"num_beams": 4, "constraints": [1], "do_sample": true}"#,
    r#"{"num_beams": 4, "force_words_ids": [[1]], "num_beam_groups": 2}"#,
    r#"{"_from_model_config": true, "max_new_tokens": 0}"#,
];

fn found(text: &str, release: &str) -> Vec<Defect> {
    find(&parse(text.as_bytes()), Release::parse(release).unwrap())
}

#[test]
fn what_loads_is_no_defect() {
    for text in LOADS {
        assert_eq!(found(text, "4.55"), [], "{text}");
    }
}

#[test]
fn what_ends_the_load_is_one_defect() {
    for text in STOPS {
        let defects = found(text, "4.55");
        assert_eq!(defects.len(), 1, "{text}: {defects:?}");
    }
}

#[test]
fn what_is_too_deep_for_us_is_not_read() {
    let text = format!("{}{}", "[".repeat(600), "]".repeat(600));
    assert!(parse(text.as_bytes()).is_unread());
    assert_eq!(parse(b"{"), Fact::Absent);
}

#[test]
fn a_defect_names_its_key_and_place() {
    let defects = found("{\n  \"max_new_tokens\": 0\n}", "4.55");
    let [defect] = defects.as_slice() else {
        panic!("{defects:?}");
    };
    let place = defect.place.as_ref().unwrap();
    assert_eq!(
        (&*defect.path, place.line, &*place.pointer, &*defect.message),
        (
            PATH,
            2,
            "/max_new_tokens",
            "`max_new_tokens` must be a number above 0, it is `0`"
        )
    );
}

/// As the code of release 5.10.4 reads; it was not run.
#[test]
fn release_5_takes_more() {
    for text in [
        r#"{"early_stopping": null, "num_return_sequences": null}"#,
        r#"{"num_return_sequences": 0}"#,
        r#"{"num_return_sequences": 2, "num_beams": 2}"#,
        r#"{"num_return_sequences": 2, "do_sample": true}"#,
        r#"{"cache_implementation": "dynamic_full"}"#,
        r#"{"cache_config": 5, "use_model_defaults": true}"#,
        r#"{"num_beams": 2, "num_beam_groups": 2}"#,
    ] {
        assert_eq!(found(text, "5.10"), [], "{text}");
    }
    for text in [
        "[]",
        r#"{"max_new_tokens": 0}"#,
        r#"{"early_stopping": "x"}"#,
        r#"{"cache_implementation": "x"}"#,
        r#"{"num_return_sequences": 2}"#,
        r#"{"num_return_sequences": 2, "do_sample": null, "num_beams": null}"#,
        r#"{"num_return_sequences": 3, "num_beams": 2}"#,
        r#"{"num_return_sequences": "2"}"#,
        r#"{"streamer": null}"#,
    ] {
        assert_eq!(found(text, "5.10").len(), 1, "{text}");
    }
}

/// Run with `GenerationConfig.from_model_config` of transformers 4.55.4: `gemma3` is built from the whole config and its
/// top is refused; what the text part says is taken over unread. Of `llama4` only the text part is built.
#[test]
fn settings_at_the_top_of_a_config_with_parts() {
    for (text, expected) in [
        (
            r#"{"model_type": "gemma3", "max_new_tokens": 0, "text_config": {}}"#,
            1,
        ),
        (
            r#"{"model_type": "gemma3", "text_config": {"max_new_tokens": 0}}"#,
            0,
        ),
        (
            r#"{"model_type": "llama4", "max_new_tokens": 0, "text_config": {}}"#,
            0,
        ),
    ] {
        let config = Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap();
        let release = Release::parse("4.55").unwrap();
        assert_eq!(in_config(&config, release).len(), expected, "{text}");
    }
}
