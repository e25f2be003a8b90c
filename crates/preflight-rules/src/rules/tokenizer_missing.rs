use preflight_model::checkpoint::Checkpoint;
use preflight_model::config::Config;
use preflight_model::fact::{Defect, Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::tokenizer::Class;
use preflight_model::tokenizer_numbers::NumberedToken;
use preflight_model::wanted::TOKENIZER;

use crate::case::Case;
use crate::report::{Finding, Target};
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "tokenizer-missing",
    summary: "the repository has no tokenizer that the loader can use",
    fix: "save the tokenizer into the repository: `AutoTokenizer.from_pretrained(base).save_pretrained(folder)`",
    docs: include_str!("tokenizer_missing.md"),
    category: Category::Tokenizer,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    if let Fact::Malformed(defect) = &checkpoint.tokenizer_config {
        return Ok(Findings::problem(Finding::from(defect)));
    }
    if let Some(finding) = unreadable_config(checkpoint) {
        return Ok(Findings::problem(finding));
    }
    if !checkpoint.tokenizer_defects.is_empty() {
        return Ok(checkpoint
            .tokenizer_defects
            .iter()
            .map(Finding::from)
            .collect());
    }
    match &facts.tokenizer.vocabulary {
        Fact::Known(_) => {}
        Fact::Unavailable(why) => return Err(Gap::Unavailable(why.clone())),
        Fact::Malformed(defect) => return Ok(Findings::problem(Finding::from(defect))),
        Fact::Absent => {
            return Ok(Findings::problem(Finding::new(
                "the repository has no vocabulary (tokenizer.json, tokenizer.model, vocab.json, …)",
            )));
        }
    }
    let offers_code = facts
        .remote_code
        .needs
        .iter()
        .any(|need| need.step == "AutoTokenizer");
    if let Fact::Unavailable(why) = &checkpoint.tokenizer_file {
        return Err(Gap::Unavailable(why.clone()));
    }
    if let Some(why) = &checkpoint.tokenizer_unread {
        return Err(Gap::Unavailable(why.clone()));
    }
    if !offers_code && let Some(finding) = unreadable_vocabulary(checkpoint) {
        return Ok(Findings::problem(finding));
    }
    if !offers_code && !facts.tokenizer.refused.is_empty() {
        let refused = facts.tokenizer.refused.iter();
        return Ok(refused.map(Finding::from).collect());
    }
    let is_generic_fallback = release::unknown_tokenizer_class_is_replaced(facts.release);
    match &facts.tokenizer.class {
        Class::Unread(why) => Err(Gap::Unavailable(why.clone())),
        Class::Foreign(class) if is_generic_fallback && !offers_code => {
            let message = format!(
                "no transformers release has `{class}`; the loader takes its generic tokenizer"
            );
            Ok(Findings::none().with_note(at_class(checkpoint, message)))
        }
        Class::Foreign(class) if !offers_code => {
            let message =
                format!("`tokenizer_class` is `{class}`, which no transformers release has");
            Ok(Findings::problem(at_class(checkpoint, message)))
        }
        Class::Nowhere if !is_generic_fallback && !offers_code => Ok(nowhere(facts)),
        _ => Ok(beyond_the_embedding(
            checkpoint,
            &facts.tokenizer.numbered,
            case.target,
        )),
    }
}

/// What the `tokenizers` library refuses in tokenizer.json.
fn unreadable_vocabulary(checkpoint: &Checkpoint<'_>) -> Option<Finding> {
    match &checkpoint.tokenizer_file {
        Fact::Malformed(defect) => Some(Finding::from(defect)),
        Fact::Known(file) if !file.has_added_tokens => {
            let config = checkpoint.tokenizer_config.known();
            let is_elsewhere =
                config.is_some_and(|config| config.root().get("added_tokens_decoder").is_some());
            (!is_elsewhere).then(|| {
                Finding::in_file(
                    TOKENIZER,
                    "tokenizer.json has no `added_tokens`, and tokenizer_config.json no `added_tokens_decoder`",
                )
            })
        }
        _ => None,
    }
}

/// Tokens with a number beyond the rows of the embedding. A stray one (Molmo 7B has an image token that
/// its own embedding does not hold) does no harm until a text holds it; the ones of every batch end the training.
fn beyond_the_embedding(
    checkpoint: &Checkpoint<'_>,
    numbered: &[NumberedToken],
    target: Target,
) -> Findings {
    let rows = checkpoint
        .config
        .known()
        .and_then(|config| config.text().u64("vocab_size"));
    let Some(rows) = rows else {
        return Findings::none();
    };
    let mut findings = Findings::none();
    for NumberedToken { name, number, path } in numbered {
        if *number < rows {
            continue;
        }
        let message = format!(
            "`{name}` is token {number}, and the embedding has {rows} rows (`vocab_size`): resize the embedding or take another token"
        );
        let finding = Finding::in_file(*path, message);
        if target == Target::FineTune {
            findings.push(finding);
        } else {
            findings = findings.with_note(finding);
        }
    }
    let file = checkpoint.tokenizer_file.known();
    let largest = file.and_then(|file| file.largest).filter(|&it| it >= rows);
    match largest.filter(|_| findings.problems.is_empty() && findings.notes.is_empty()) {
        Some(largest) => findings.with_note(Finding::in_file(
            TOKENIZER,
            format!("the tokenizer has tokens up to {largest}, and the embedding has {rows} rows (`vocab_size`)"),
        )),
        None => findings,
    }
}

/// What Python's JSON reader or the loader refuses in `tokenizer_config.json`.
fn unreadable_config(checkpoint: &Checkpoint<'_>) -> Option<Finding> {
    let path = "tokenizer_config.json";
    let document = checkpoint.tokenizer_config.known()?;
    if let Some((_, place)) = document.tolerated().next() {
        let message = "tokenizer_config.json has a byte order mark or a comma before a closing bracket, which Python's JSON reader refuses";
        return Some(Finding::from(&Defect::at(path, place, message)));
    }
    let root = document.root();
    // `null` too ends with an AttributeError, even beside a class that transformers has (run).
    if let Some(map) = root
        .get("auto_map")
        .filter(|map| !map.is_object() && !map.is_array())
    {
        let message = format!(
            "`auto_map` must be an object, it is {}: remove the key",
            map.describe()
        );
        return Some(Finding::at(path, &map, message));
    }
    let class = root
        .get_set("tokenizer_class")
        .filter(|class| class.as_str().is_none())?;
    let message = format!(
        "`tokenizer_class` must be a string, it is {}",
        class.describe()
    );
    Some(Finding::at(path, &class, message))
}

fn at_class(checkpoint: &Checkpoint<'_>, message: String) -> Finding {
    let root = checkpoint
        .tokenizer_config
        .known()
        .map(|document| document.root());
    match root.and_then(|root| root.get("tokenizer_class")) {
        Some(key) => Finding::at("tokenizer_config.json", &key, message),
        None => Finding::in_file("config.json", message),
    }
}

/// No file names a class. A config that does not load at all is told by other rules.
fn nowhere(facts: &Facts<'_>) -> Findings {
    let model_type = facts.checkpoint.config.known().and_then(Config::model_type);
    match model_type.filter(|name| release::knows_model_type(facts.release, name)) {
        Some(model_type) => Findings::problem(Finding::new(format!(
            "no file names a `tokenizer_class`, and transformers {} has no tokenizer for model type `{model_type}`",
            facts.release
        ))),
        None => Findings::none(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    const PASS: &str = "upload, fine-tune: pass\n";

    #[test]
    fn the_vocabulary_must_suit_the_class() {
        for (files, class, says) in [
            (
                "//- tokenizer.model listed 9",
                "PreTrainedTokenizerFast",
                "reads `tokenizer.json`",
            ),
            (
                "//- vocab.json listed 9",
                "GPT2Tokenizer",
                "reads `merges.txt`",
            ),
            (
                "//- tokenizer.model listed 9",
                "Qwen2Tokenizer",
                "reads `vocab.json`",
            ),
            (
                "//- vocab.json listed 9\n//- merges.txt listed 9",
                "LlamaTokenizer",
                "reads `tokenizer.model`",
            ),
            (
                "//- tokenizer.json listed 0",
                "LlamaTokenizer",
                "`tokenizer.json` is empty",
            ),
            ("//- tokenizer.model listed 9", "LlamaTokenizerFast", "pass"),
            ("//- tokenizer.json listed 9", "GPT2Tokenizer", "pass"),
        ] {
            let repo = format!(
                "//- tokenizer.json removed\n{files}\n//- tokenizer_config.json +\n{{\"tokenizer_class\": \"{class}\"}}"
            );
            let got = Repo::new(&repo).run(super::RULE.id);
            assert!(got.contains(says), "{class}: {got}");
        }
    }

    #[test]
    fn what_the_loader_refuses_in_its_config() {
        let of = |text: &str| {
            Repo::new(&format!("//- tokenizer_config.json\n{text}")).run(super::RULE.id)
        };
        assert!(of("\u{feff}{}").contains("byte order mark"));
        assert!(of(r#"{"tokenizer_class": ["x"]}"#).contains("must be a string, it is a list"));
        let map = of(r#"{"tokenizer_class": "LlamaTokenizer", "auto_map": null}"#);
        assert!(
            map.contains("fail\n") && map.contains("`auto_map` must be an object"),
            "{map}"
        );
    }

    const FILE: &str = r#"//- tokenizer.json
{"version": "1.0", "added_tokens": [{"id": 64, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
"#;

    #[test]
    fn a_tokenizer_file_that_the_library_refuses() {
        for (text, says) in [
            ("{}", "it has no `model`"),
            ("<!DOCTYPE html>", "holds a web page"),
            (
                r#"{"model": {"type": "WordLevel", "unk_token": "a", "vocab": {}}}"#,
                "no `added_tokens`",
            ),
            (
                r#"{"added_tokens": [], "model": {"type": "Foo", "vocab": {}}}"#,
                "tokenizer.json:1:",
            ),
            (
                r#"{"added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "z"]]}}"#,
                "tokenizer.json:1:77: tokenizer.json cannot be read: the merge of `a` and `z` needs the token `z`",
            ),
            (
                r#"{"added_tokens": [], "pre_tokenizer": {"type": "Foo"}, "model": {"type": "BPE", "vocab": {}, "merges": []}}"#,
                "knows no kind `Foo`",
            ),
        ] {
            let got = run(&format!("//- tokenizer.json\n{text}\n"));
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{text}: {got}"
            );
        }
        let elsewhere = run(
            "//- tokenizer.json\n{\"model\": {\"vocab\": {}, \"merges\": []}}\n//- tokenizer_config.json +\n{\"added_tokens_decoder\": {}}",
        );
        assert_eq!(elsewhere, PASS);
        let own_code = run(
            "//- tokenizer.json\n{}\n//- tokenizer_config.json\n{\"tokenizer_class\": \"AcmeTokenizer\", \"auto_map\": {\"AutoTokenizer\": [\"a.AcmeTokenizer\", null]}}",
        );
        assert_eq!(own_code, PASS);
    }

    #[test]
    fn a_tokenizer_file_that_could_not_be_read_is_not_fine() {
        let got = run("//- tokenizer.json unreadable timed out");
        assert!(
            got.starts_with("upload, fine-tune: unknown\n") && got.contains("timed out"),
            "{got}"
        );
    }

    #[test]
    fn a_vocabulary_that_was_not_fetched() {
        for path in ["tokenizer.json", "tokenizer.model"] {
            let got = run(&format!(
                "//- tokenizer.json removed\n//- tokenizer_config.json\n{{}}\n//- {path} pointer 500000"
            ));
            assert!(
                got.starts_with("upload, fine-tune: unknown\n") && got.contains("git lfs pull"),
                "{path}: {got}"
            );
        }
    }

    #[test]
    fn what_stands_in_the_place_of_a_vocabulary() {
        let of = |path: &str, text: &str| {
            run(&format!(
                "//- tokenizer.json removed\n//- tokenizer_config.json\n{{}}\n//- {path}\n{text}\n"
            ))
        };
        for (path, text, says) in [
            (
                "tokenizer.model",
                "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 499723",
                "`tokenizer.model` holds a git-lfs pointer",
            ),
            ("tokenizer.model", "<!DOCTYPE html>", "holds a web page"),
            ("tokenizer.model", "{}", "text and no tokenizer model"),
            ("spiece.model", "<Error>", "text and no tokenizer model"),
            ("vocab.txt", "<html>", "holds a web page"),
            ("vocab.json", "[]", "no JSON object"),
        ] {
            let got = of(path, text);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{path}: {got}"
            );
        }
        for (path, text) in [
            ("tokenizer.model", "\n\u{e}\n\u{5}<unk>"),
            ("tokenizer.model", "IQ== 0\nIg== 1"),
            ("vocab.txt", "<unk>\n<s>"),
            ("vocab.json", " {\"a\": 0}"),
        ] {
            assert_eq!(of(path, text), PASS, "{path}");
        }
        // What the class reads beside the file that was found first.
        let merges = run(
            "//- tokenizer.json removed\n//- tokenizer_config.json +\n{\"tokenizer_class\": \"GPT2Tokenizer\"}\n//- vocab.json\n{}\n//- merges.txt\n<html>\n",
        );
        assert!(merges.contains("`merges.txt` holds a web page"), "{merges}");
    }

    #[test]
    fn a_token_beyond_the_embedding() {
        let stray = run(FILE);
        assert!(
            stray.starts_with(
                "upload, fine-tune: pass\n  note: tokenizer.json: the tokenizer has tokens up to 64"
            ),
            "{stray}"
        );
        let pad = format!("{FILE}//- tokenizer_config.json +\n{{\"pad_token\": \"[PAD]\"}}");
        let got = run(&pad);
        assert!(
            got.starts_with("upload: pass\n  note: ")
                && got
                    .contains("fine-tune: fail\n  tokenizer_config.json: `pad_token` is token 64"),
            "{got}"
        );
        let in_config = run(
            "//- tokenizer_config.json +\n{\"eos_token\": {\"__type\": \"AddedToken\", \"content\": \"<e>\"}, \"added_tokens_decoder\": {\"70\": {\"content\": \"<e>\"}}}",
        );
        assert!(in_config.contains("`eos_token` is token 70"), "{in_config}");
    }

    #[test]
    fn a_token_beyond_the_embedding_by_the_older_files() {
        let fails = |repo: &str, says: &str| {
            let got = run(repo);
            assert!(
                got.starts_with("upload: pass\n  note: ")
                    && got.contains("\nfine-tune: fail\n")
                    && got.contains(says),
                "{repo}: {got}"
            );
        };
        let map = "//- special_tokens_map.json\n{\"pad_token\": \"[PAD]\"}\n";
        let says = "special_tokens_map.json: `pad_token` is token 64";
        fails(&format!("{FILE}{map}"), says);
        // What the map says goes before: `a` is in the vocabulary.
        let config = "//- tokenizer_config.json +\n{\"pad_token\": \"[PAD]\"}\n";
        let within = "//- special_tokens_map.json\n{\"pad_token\": \"a\"}\n";
        let got = run(&format!("{FILE}{config}{within}"));
        assert!(got.starts_with("upload, fine-tune: pass\n"), "{got}");

        let model = "//- tokenizer.json removed\n//- tokenizer.model listed 9\n//- tokenizer_config.json\n{\"tokenizer_class\": \"LlamaTokenizer\"}\n";
        let added = |text: &str| format!("{model}{map}//- added_tokens.json\n{text}\n");
        fails(&added("{\"[PAD]\": 64}"), says);
        for text in [
            "{\"[PAD]\": 63}",
            "{\"a\": 64}",
            "{\"a\": 60, \"[PAD]\": 64}",
        ] {
            assert_eq!(run(&added(text)), PASS, "{text}");
        }
    }

    #[test]
    fn a_token_that_the_loader_appends() {
        let of = |tokens: u64, config: &str| {
            let vocabulary: Vec<_> = (0..tokens).map(|it| format!("\"t{it}\": {it}")).collect();
            let vocabulary = vocabulary.join(", ");
            run(&format!(
                "//- tokenizer.json\n{{\"added_tokens\": [], \"model\": {{\"type\": \"BPE\", \"vocab\": {{{vocabulary}}}, \"merges\": []}}}}\n//- tokenizer_config.json\n{config}\n//- tokenizer.model listed 9\n"
            ))
        };
        let new = r#"{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}"#;
        let got = of(64, new);
        assert!(
            got.starts_with("upload: pass\n")
                && got
                    .contains("fine-tune: fail\n  tokenizer_config.json: `pad_token` is token 64"),
            "{got}"
        );
        assert_eq!(of(63, new), PASS);
        for config in [
            r#"{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "t5"}"#,
            r#"{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": ""}"#,
            r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
            // This one converts tokenizer.model.
            r#"{"tokenizer_class": "LlamaTokenizer", "pad_token": "[PAD]", "add_prefix_space": true}"#,
            // And this one has no fast form.
            r#"{"tokenizer_class": "ByT5Tokenizer", "pad_token": "[PAD]"}"#,
        ] {
            assert_eq!(of(64, config), PASS, "{config}");
        }
    }

    #[test]
    fn a_token_of_another_kind() {
        let got = run("//- tokenizer_config.json +\n{\"pad_token\": 0}");
        assert!(
            got.starts_with("upload, fine-tune: fail\n")
                && got.contains("`pad_token` must be a text"),
            "{got}"
        );
        let map = run("//- special_tokens_map.json\n{\"a\": }");
        assert!(
            map.contains("special_tokens_map.json is not valid JSON"),
            "{map}"
        );
    }

    #[test]
    fn a_token_that_is_added_and_null() {
        let of = |class: &str, settings: &str| {
            run(&format!(
                "//- tokenizer_config.json\n{{\"tokenizer_class\": \"{class}\", {settings}}}\n"
            ))
        };
        let null = r#""bos_token": null"#;
        for (class, settings) in [
            ("LlamaTokenizer", null),
            ("CodeLlamaTokenizerFast", null),
            ("GemmaTokenizer", null),
            ("CohereTokenizer", null),
            (
                "LlamaTokenizer",
                r#""bos_token": null, "add_bos_token": "false""#,
            ),
            (
                "GPTNeoXTokenizer",
                r#""bos_token": null, "add_bos_token": true"#,
            ),
            (
                "GPTNeoXTokenizer",
                r#""eos_token": null, "add_eos_token": 1"#,
            ),
            (
                "GemmaTokenizer",
                r#""eos_token": null, "add_eos_token": true"#,
            ),
        ] {
            let got = of(class, settings);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains("is `null`, and"),
                "{class} {settings}: {got}"
            );
        }
        for (class, settings) in [
            (
                "LlamaTokenizer",
                r#""bos_token": null, "add_bos_token": false"#,
            ),
            (
                "LlamaTokenizer",
                r#""bos_token": null, "add_bos_token": null"#,
            ),
            (
                "LlamaTokenizer",
                r#""bos_token": null, "extra_special_tokens": {"bos_token": "a"}"#,
            ),
            ("LlamaTokenizer", r#""eos_token": null"#),
            ("LlamaTokenizer", r#""add_bos_token": true"#),
            ("LlamaTokenizer", r#""bos_token": """#),
            ("GPTNeoXTokenizer", null),
            ("Qwen2Tokenizer", null),
        ] {
            assert_eq!(of(class, settings), PASS, "{class} {settings}");
        }
        // The class of the model type, without a `tokenizer_class`.
        let config = "//- tokenizer_config.json\n{\"bos_token\": null}\n";
        let got = run(config);
        assert!(
            got.contains("tokenizer_config.json:1:2: `bos_token` is `null`"),
            "{got}"
        );
        let release_5 = run(&format!("policy: together-2026-07\n{config}"));
        assert_eq!(release_5, PASS);
        // What the older file says goes before.
        let map = "//- special_tokens_map.json\n{\"bos_token\": \"<s>\"}\n";
        assert_eq!(run(&format!("{config}{map}")), PASS);
        let map = "//- special_tokens_map.json\n{\"bos_token\": null}\n";
        let got = run(&format!("//- tokenizer_config.json removed\n{map}"));
        assert!(
            got.contains("special_tokens_map.json:1:2: `bos_token` is `null`"),
            "{got}"
        );
        let decoder = "//- tokenizer_config.json\n{\"added_tokens_decoder\": {}}\n";
        assert_eq!(run(&format!("{decoder}{map}")), PASS);
    }

    #[test]
    fn a_setting_that_needs_the_older_files() {
        let of = |class: &str, setting: &str, files: &[&str]| {
            let files = files.iter().map(|path| format!("//- {path} listed 9\n"));
            run(&format!(
                "//- tokenizer_config.json\n{{\"tokenizer_class\": \"{class}\", {setting}}}\n{}",
                files.collect::<String>()
            ))
        };
        let prefix = r#""add_prefix_space": false"#;
        let slow = r#""from_slow": true"#;
        let no_file = r#""tokenizer_file": null"#;
        let gpt2: &[&str] = &["vocab.json", "merges.txt"];
        for (class, setting, files) in [
            ("LlamaTokenizer", prefix, gpt2),
            ("LlamaTokenizerFast", r#""add_prefix_space": true"#, &[]),
            ("T5Tokenizer", prefix, &["tokenizer.model"]),
            ("MT5Tokenizer", prefix, &[]),
            ("LlamaTokenizer", slow, &[]),
            ("GemmaTokenizer", no_file, &[]),
            ("Qwen2Tokenizer", no_file, &["vocab.json"]),
            ("BertTokenizer", slow, &[]),
            ("PreTrainedTokenizerFast", slow, &["tokenizer.model"]),
            ("CohereTokenizer", no_file, &[]),
        ] {
            let got = of(class, setting, files);
            assert!(
                got.starts_with("upload, fine-tune: fail\n")
                    && got.contains("leaves tokenizer.json alone"),
                "{class} {setting}: {got}"
            );
        }
        for (class, setting, files) in [
            ("LlamaTokenizer", prefix, &["tokenizer.model"][..]),
            ("LlamaTokenizer", no_file, &["tokenizer.model"]),
            ("LlamaTokenizer", r#""add_prefix_space": null"#, &[]),
            ("LlamaTokenizer", r#""from_slow": false"#, &[]),
            ("T5Tokenizer", prefix, &["spiece.model"]),
            ("CodeLlamaTokenizer", prefix, &[]),
            ("GemmaTokenizer", prefix, &[]),
            ("GPT2Tokenizer", prefix, &[]),
            ("PreTrainedTokenizerFast", prefix, &[]),
            ("PreTrainedTokenizerFast", no_file, &["tokenizer.model"]),
            ("Qwen2Tokenizer", no_file, gpt2),
            ("BertTokenizer", slow, &["vocab.txt"]),
            ("XLMRobertaTokenizer", slow, &[]),
        ] {
            let got = of(class, setting, files);
            assert_eq!(got, PASS, "{class} {setting} {files:?}");
        }
        // Without a tokenizer.json the key says nothing.
        let model = "//- tokenizer.json removed\n//- tokenizer.model listed 9\n//- tokenizer_config.json\n{\"tokenizer_file\": null}\n";
        assert_eq!(run(model), PASS);
        let by_type = run("//- tokenizer_config.json\n{\"add_prefix_space\": true}\n");
        assert!(by_type.contains("reads `tokenizer.model`"), "{by_type}");
    }

    #[test]
    fn the_older_files_of_added_tokens() {
        for (path, text, says) in [
            (
                "added_tokens.json",
                "{",
                "added_tokens.json is not valid JSON",
            ),
            ("added_tokens.json", "[]", "must hold an object"),
            (
                "added_tokens.json",
                "{\"<y>\": \"60\"}",
                "it is the string `60`",
            ),
            ("added_tokens.json", "{\"<y>\": null}", "it is `null`"),
            ("added_tokens.json", "{\"<y>\": 60,}", "a comma before"),
            ("special_tokens_map.json", "<html>", "not valid JSON"),
        ] {
            let file = format!("//- {path}\n{text}\n");
            let got = run(&file);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{text}: {got}"
            );
            // With the tokens in tokenizer_config.json the loader opens neither.
            let config = "//- tokenizer_config.json +\n{\"added_tokens_decoder\": {}}\n";
            assert_eq!(run(&format!("{config}{file}")), PASS, "{text}");
        }
        for text in [
            "{\"<y>\": 60, \"<z>\": 1.5}",
            "{\"<y>\": -1}",
            "{\"<y>\": true}",
            "{}",
        ] {
            assert_eq!(
                run(&format!("//- added_tokens.json\n{text}\n")),
                PASS,
                "{text}"
            );
        }
    }

    #[test]
    fn an_older_file_that_could_not_be_read_is_not_fine() {
        for path in ["added_tokens.json", "special_tokens_map.json"] {
            let unread = format!("//- {path} unreadable timed out\n");
            let got = run(&unread);
            assert!(
                got.starts_with("upload, fine-tune: unknown\n") && got.contains("timed out"),
                "{path}: {got}"
            );
            let config = "//- tokenizer_config.json +\n{\"added_tokens_decoder\": {}}\n";
            assert_eq!(run(&format!("{config}{unread}")), PASS, "{path}");
            // What an offline cache lacks is most likely not there.
            assert_eq!(
                run(&format!("//- {path} unavailable never downloaded\n")),
                PASS
            );
        }
    }

    #[test]
    fn any_vocabulary_at_the_root() {
        let without = "//- tokenizer.json removed\n//- tokenizer_config.json\n{}\n";
        for path in [
            "tokenizer.model",
            "vocab.json",
            "vocab.txt",
            "spiece.model",
            "acme.tiktoken",
        ] {
            assert_eq!(
                run(&format!("{without}//- {path} listed 10\n")),
                PASS,
                "{path}"
            );
        }
        for path in [
            "original/tokenizer.model",
            "onnx/acme.tiktoken",
            "tokenizer.json.bak",
            "merges.txt",
        ] {
            let got = run(&format!("{without}//- {path} listed 10\n"));
            assert!(got.contains("no vocabulary"), "{path}: {got}");
        }
    }

    #[test]
    fn a_config_that_cannot_be_read() {
        let broken = run("//- tokenizer_config.json\n{\"a\": }");
        assert!(
            broken.contains(
                "fail\n  tokenizer_config.json:1:7: tokenizer_config.json is not valid JSON"
            ),
            "{broken}"
        );
        let list = run("//- tokenizer_config.json\n[]");
        assert!(list.contains("must hold an object"), "{list}");
        assert!(
            run("//- tokenizer_config.json unavailable timed out")
                .starts_with("upload, fine-tune: unknown\n")
        );
        assert!(run("unreachable: no route\n").starts_with("upload, fine-tune: unknown\n"));
    }

    #[test]
    fn a_class_of_the_repository_is_another_matter() {
        let got = run(
            "//- tokenizer_config.json\n{\"tokenizer_class\": \"AcmeTokenizer\", \"auto_map\": {\"AutoTokenizer\": [\"a.AcmeTokenizer\", null]}}",
        );
        assert_eq!(got, PASS);
    }

    #[test]
    fn release_5_replaces_a_class_it_does_not_find() {
        let got = run(
            "policy: together-2026-07\n//- tokenizer_config.json +\n{\"tokenizer_class\": \"AcmeTokenizer\"}",
        );
        assert!(
            got.starts_with("upload, fine-tune: pass\n  note: ")
                && got.contains("generic tokenizer"),
            "{got}"
        );
    }

    #[test]
    fn a_type_without_a_tokenizer_needs_a_class() {
        let bamba = "//- config.json +\n{\"model_type\": \"bamba\"}\n";
        assert_eq!(run(bamba), PASS, "tokenizer_config.json names one");
        let got = run(&format!("{bamba}//- tokenizer_config.json removed"));
        assert!(
            got.contains("has no tokenizer for model type `bamba`"),
            "{got}"
        );
        let in_config = "//- config.json +\n{\"model_type\": \"bamba\", \"tokenizer_class\": \"PreTrainedTokenizerFast\"}\n";
        assert_eq!(
            run(&format!("{in_config}//- tokenizer_config.json removed")),
            PASS
        );
    }
}
