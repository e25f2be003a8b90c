//! What the library does was measured with tokenizers 0.21.4, for these and some 7,000 more variants.

use super::*;

const SOUND: &str = r#"{"version": "1.0", "truncation": null, "added_tokens": [{"id": 5, "content": "<s>", "single_word": false,
    "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 7}, "merges": []}}"#;

fn parse(text: &[u8]) -> TokenizerFile {
    match whole(text) {
        Fact::Known(found) => found,
        other => panic!("it is {other:?}"),
    }
}

fn refused(text: &[u8]) -> String {
    match whole(text) {
        Fact::Malformed(defect) => defect.message,
        other => panic!("it is {other:?}"),
    }
}

#[test]
fn a_sound_file_and_its_largest_token() {
    let found = parse(SOUND.as_bytes());
    assert_eq!(found.largest, Some(7));
    assert_eq!(found.added, [("<s>".to_owned(), 5)]);
    let unigram = br#"{"added_tokens": [], "model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["b", -1]]}}"#;
    assert_eq!(parse(unigram).largest, Some(1));
    assert_eq!(
        parse(br#"{"model": {"vocab": {"a": 0}, "merges": []}}"#).largest,
        Some(0)
    );
}

#[test]
fn what_the_library_refuses() {
    for (from, to, says) in [
        (
            "\"merges\": []}}",
            "\"merges\": []}",
            "before its last bracket",
        ),
        (
            "{\"version\"",
            "<!DOCTYPE html><html>{\"version\"",
            "a web page",
        ),
        ("{\"version\"", "\u{feff}{\"version\"", "byte order mark"),
        ("\"merges\": []}}", "\"merges\": []}}x", "something follows"),
        ("\"BPE\"", "\"Foo\"", "`Foo` is no kind of tokenizer"),
        ("\"BPE\"", "\"Unigram\"", "another form"),
        (", \"merges\": []", "", "no `merges`"),
        ("\"vocab\"", "\"vocabulary\"", "no `vocab`"),
        (
            "\"model\"",
            "\"modell\"",
            "`modell` is no part of a tokenizer",
        ),
        ("\"1.0\"", "\"2.0\"", "its version is `2.0`"),
        ("\"b\": 7", "\"b\": -1", "32 bits"),
        ("\"b\": 7", "\"b\": 4294967296", "32 bits"),
        ("\"b\": 7", "\"b\": 1.5", "32 bits"),
        (
            "\"special\": true",
            "\"other\": true",
            "one of its five switches",
        ),
        (
            "\"normalizer\": null",
            "\"normalizer\": []",
            "`normalizer` must be",
        ),
    ] {
        let text = SOUND.replacen(from, to, 1);
        let message = refused(text.as_bytes());
        assert!(message.contains(says), "{says}: {message}");
    }
    for (text, says) in [
        ("{}", "no `model`"),
        (" ", "is empty"),
        ("[]", "an object was expected"),
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
    ] {
        assert!(refused(text.as_bytes()).contains(says), "{text}");
    }
    assert!(refused(b"{\"a\xe9\": 1}").contains("UTF-8"));
    let deep = format!("{{\"decoder\": {}", "{\"a\": ".repeat(200));
    assert!(refused(deep.as_bytes()).contains("deeper than 127"));
}

#[test]
fn the_start_alone_shows_only_what_is_no_object() {
    for text in ["{", "{\n  \"version\": \"1.0\"", " {\"model\": {"] {
        assert_eq!(start(text.as_bytes()), None, "{text}");
    }
    for text in ["<html>", "[]", "{}", "", "\u{feff}{\"", "\u{1f}\u{8b}"] {
        assert!(start(text.as_bytes()).is_some(), "{text}");
    }
}

/// The file with another model, or with one more part.
fn with_model(model: &str) -> String {
    format!(r#"{{"version": "1.0", "added_tokens": [], "model": {model}}}"#)
}

fn with_part(key: &str, part: &str) -> String {
    SOUND.replacen(
        "\"normalizer\": null",
        &format!("\"normalizer\": null, \"{key}\": {part}"),
        1,
    )
}

#[test]
fn models_that_load() {
    for model in [
        r#"{"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": null, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}"#,
        r##"{"merges": ["#version: 0.2", "a b"], "vocab": {"a": 0, "b": 1, "ab": 2}, "type": "BPE", "dropout": 0.5}"##,
        r###"{"type": "BPE", "merges": [["a", "##b"]], "continuing_subword_prefix": "##", "vocab": {"a": 0, "##b": 1, "ab": 2}}"###,
        r#"{"type": "BPE", "vocab": {}, "merges": [["a", "z"]], "vocab": {"a": 0, "z": 1, "az": 2}}"#,
        r#"{"type": "Unigram", "unk_id": 1, "vocab": [["<unk>", 0.0], ["a", -1]], "byte_fallback": false}"#,
        r#"{"type": "Unigram", "unk_id": null, "vocab": []}"#,
        r#"{"type": "WordLevel", "unk_token": "<unk>", "vocab": {}, "merges": 5}"#,
        r###"{"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"a": 0}}"###,
    ] {
        parse(with_model(model).as_bytes());
    }
}

#[test]
fn models_that_the_library_refuses() {
    for (model, says) in [
        (
            r#"{"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}"#,
            "the merge of `a` and `b` needs the token `ab`",
        ),
        (
            r#"{"type": "BPE", "merges": ["a b", "a z"], "vocab": {"a": 0, "b": 1, "ab": 2}}"#,
            "needs the token `z`",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0, "z": 1, "az": 2}, "merges": [["a", "z"]], "vocab": {}}"#,
            "needs the token `a`",
        ),
        (
            r#"{"vocab": {"a": 0}, "merges": [["a", "z"]]}"#,
            "needs the token `z`",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}"#,
            "the merge `a` is not two tokens",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0, "aa": 1}, "merges": [["a", "a"], "a a"]}"#,
            "texts, or lists of two texts",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "a", "a"]]}"#,
            "a list of two texts",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0}, "merges": [null]}"#,
            "a merge must be a text",
        ),
        (
            r#"{"type": "BPE", "vocab": {"a": 0}, "merges": null}"#,
            "`merges` of its `model` must be a list",
        ),
        (
            r###"{"type": "BPE", "continuing_subword_prefix": "##", "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}"###,
            "leaves nothing of it after the prefix `##`",
        ),
        (
            r#"{"type": "BPE", "dropout": 2, "vocab": {}, "merges": []}"#,
            "`dropout` must be a number from 0 to 1",
        ),
        (
            r#"{"type": "Unigram", "unk_id": 2, "vocab": [["<unk>", 0.0], ["a", -1]]}"#,
            "`unk_id` is 2, and its `vocab` has 2 tokens",
        ),
        (
            r#"{"type": "Unigram", "unk_id": 0, "vocab": []}"#,
            "`unk_id` is 0, and its `vocab` has 0 tokens",
        ),
        (
            r#"{"type": "Unigram", "vocab": [["a"]]}"#,
            "a token and its score",
        ),
        (
            r#"{"type": "Unigram", "vocab": [["a", 0, 1]]}"#,
            "a token and its score",
        ),
        (r#"{"type": "Unigram", "vocab": [["a", NaN]]}"#, "no `NaN`"),
        (
            r#"{"type": "WordLevel", "vocab": {}}"#,
            "it lacks `unk_token`",
        ),
        (
            r#"{"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": null, "max_input_chars_per_word": 1, "vocab": {}}"#,
            "`continuing_subword_prefix` must be a text",
        ),
        (r#"{"vocab": {"a": 0}}"#, "has no `type` and suits none"),
    ] {
        let message = refused(with_model(model).as_bytes());
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[test]
fn parts_that_load() {
    for (key, part) in [
        (
            "pre_tokenizer",
            r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "unknown": 1}"#,
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false, "prepend_scheme": "never"}"#,
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated", "invert": false}, {"type": "Digits", "individual_digits": true}]}"#,
        ),
        (
            "decoder",
            r#"{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}"#,
        ),
        // Some kinds are told by their settings.
        ("decoder", r#"{"type": "Foo", "suffix": "</w>"}"#),
        (
            "post_processor",
            r#"{"type": "Foo", "sep": ["</s>", 2], "cls": ["<s>", 0]}"#,
        ),
        (
            "post_processor",
            r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}"#,
        ),
        (
            "truncation",
            r#"{"max_length": 512, "strategy": "LongestFirst", "stride": 0}"#,
        ),
        (
            "padding",
            r#"{"strategy": {"Fixed": 8}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"}"#,
        ),
        ("decoder", "null"),
    ] {
        parse(with_part(key, part).as_bytes());
    }
}

#[test]
fn parts_that_the_library_refuses() {
    for (key, part, says) in [
        (
            "pre_tokenizer",
            r#"{"type": "Foo"}"#,
            "`pre_tokenizer`: the tokenizers library knows no kind `Foo`",
        ),
        (
            "pre_tokenizer",
            r#"{"replacement": "x"}"#,
            "it has no `type`",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "ByteLevel", "add_prefix_space": false}"#,
            "it lacks `trim_offsets`",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Metaspace", "replacement": "__"}"#,
            "`replacement` must be a text of one character",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Metaspace", "replacement": "_", "add_prefix_space": false}"#,
            "`prepend_scheme` is `always`, not `never`",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Sequence", "pretokenizers": [{"type": "Foo"}]}]}"#,
            "no kind `Foo`",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Sequence", "pretokenizers": ["Whitespace"]}"#,
            "a part must be an object",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Split", "pattern": {"Foo": "a"}, "behavior": "Isolated", "invert": false}"#,
            "`pattern` must be an object with `String` or `Regex`",
        ),
        (
            "pre_tokenizer",
            r#"{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Kept", "invert": false}"#,
            "`behavior` must be one of `Removed`",
        ),
        (
            "decoder",
            r#"{"type": "WhitespaceSplit"}"#,
            "no kind `WhitespaceSplit`",
        ),
        (
            "decoder",
            r#"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"#,
            "`start` must be a whole number",
        ),
        ("post_processor", r#"{"type": "Foo"}"#, "no kind `Foo`"),
        (
            "post_processor",
            r#"{"type": "BertProcessing", "sep": ["</s>"], "cls": ["<s>", 0]}"#,
            "`sep` must be a token and its number",
        ),
        (
            "post_processor",
            r#"{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "C", "type_id": 0}}], "pair": [], "special_tokens": {}}"#,
            "`single` must be a list of",
        ),
        (
            "post_processor",
            r#"{"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {"a": {"id": "a", "ids": [-1], "tokens": ["a"]}}}"#,
            "`special_tokens` must be",
        ),
        (
            "truncation",
            r#"{"max_length": 512, "strategy": "longest_first", "stride": 0}"#,
            "`strategy` must be one of `LongestFirst`",
        ),
        (
            "padding",
            r#"{"strategy": "BatchLongest"}"#,
            "`padding`: it lacks `direction`",
        ),
    ] {
        let message = refused(with_part(key, part).as_bytes());
        assert!(message.contains(says), "{says}: {message}");
    }
}

#[test]
fn the_start_shows_what_the_library_refuses_and_no_more() {
    let foo = with_part("pre_tokenizer", r#"{"type": "Foo"}"#);
    let end = foo.find("\"Foo\"}").unwrap() + "\"Foo\"}".len();
    assert!(
        start(&foo.as_bytes()[..end])
            .is_some_and(|defect| defect.message.contains("no kind `Foo`"))
    );
    assert_eq!(start(&foo.as_bytes()[..end - 1]), None);
    let sound = with_part(
        "decoder",
        r#"{"type": "Strip", "content": "▁", "start": 1, "stop": 0}"#,
    );
    for cut in 1..sound.len() {
        assert_eq!(start(&sound.as_bytes()[..cut]), None, "{cut}");
    }
}
