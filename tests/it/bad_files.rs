//! Folders and small files that are not as they should be: one clear message each, and the exit code of DESIGN.md.

use serde_json::json;

use crate::program::{check, report, rules_of};
use crate::repo::{CONFIG, Repo};

#[test]
fn what_is_no_folder() {
    check(["./nowhere"]).complains(2, "error: no such folder: `./nowhere`");
    check(["nowhere"]).complains(2, "error: no such folder: `nowhere`");
    check([""]).complains(2, "error: MODEL is empty");
    check(["/dev/null"]).complains(2, "error: `/dev/null` is a character device, not a folder");
    let repo = Repo::sound();
    let file = repo.file(CONFIG);
    check([&file]).complains(
        2,
        &format!("error: `{}` is a file, not a folder", file.display()),
    );
    let below = file.join("x");
    check([&below]).complains(2, &format!("error: no such folder: `{}`", below.display()));
}

#[test]
fn an_address_that_nothing_is_read_from() {
    check(["ftp://host/x"]).complains(
        2,
        "error: `ftp://` is not an address that models are read from: use `hf://`, `s3://` or `https://`",
    );
}

#[test]
fn an_empty_folder_fails_with_what_is_missing() {
    let repo = Repo::empty();
    let answer = check([repo.path()]);
    answer.says(1, "config-invalid");
    answer.says(1, "the repository has no config.json at its root");
    answer.says(1, "tokenizer-missing");
    answer.says(1, "shard-missing");
}

/// What stands in config.json, and what is said of it.
#[test]
fn configs_that_the_loader_refuses() {
    let utf16 = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for (content, says) in [
        (
            b"[]".to_vec(),
            "config.json must hold an object, it holds a list, at config.json:1:1",
        ),
        (
            b"\"llama\"".to_vec(),
            "config.json must hold an object, it holds the string `llama` at config.json:1:1",
        ),
        (
            b"null".to_vec(),
            "config.json must hold an object, it holds `null`, at config.json:1:1",
        ),
        (
            Vec::new(),
            "config.json is not valid JSON: the text ends where a JSON value was expected at config.json:1:1",
        ),
        (
            b"{\"model_type\": \"lla".to_vec(),
            "config.json is not valid JSON: the string does not end, at config.json:1:16",
        ),
        (
            binary,
            "config.json is not valid JSON: not UTF-8 text, at config.json:2:118",
        ),
        (
            b"{\"model_type\": \"\xff\xfe\"}".to_vec(),
            "config.json is not valid JSON: not UTF-8 text, at config.json:1:17",
        ),
        (
            utf16,
            "config.json is not valid JSON: not UTF-8 text, at config.json:1:1",
        ),
        (
            b"<html>404</html>".to_vec(),
            "config.json is not valid JSON: a JSON value was expected, at config.json:1:1",
        ),
        (
            b"\xef\xbb\xbf{}".to_vec(),
            "config.json starts with a byte order mark, which Python's JSON reader refuses",
        ),
    ] {
        let repo = Repo::sound();
        repo.write(CONFIG, content);
        check([repo.path()]).says(1, says);
        let report = report([repo.path()]);
        for target in ["upload", "fine-tune"] {
            let model = &report["models"][0];
            assert_eq!(
                rules_of(model, target, "fail"),
                ["config-invalid"],
                "one message, not one for each rule"
            );
            assert_eq!(model["verdicts"][target], "fail");
        }
    }
}

#[test]
fn a_config_that_could_not_be_read_decides_nothing() {
    let repo = Repo::sound();
    repo.pointer(CONFIG, 700);
    check([repo.path()])
        .says(3, "`config.json` is a git-lfs pointer: this checkout did not fetch the file (`git lfs pull` does)");

    // Beyond a limit of ours, which the loader does not have.
    repo.write(CONFIG, format!("{{\"a\": {}", "[".repeat(100_000)));
    check([repo.path()]).says(3, "nested deeper than 512 levels");

    repo.sparse(CONFIG, b"{", 300 << 20);
    check([repo.path()]).says(
        3,
        "it has 314572800 bytes, more than the 16777216 that are read",
    );
    let report = report([repo.path()]);
    assert!(
        report["models"][0]["cost"]["bytes"].as_u64().unwrap() < 100_000,
        "not read"
    );
}

#[test]
fn a_tokenizer_config_that_is_no_object_fails_nothing_else() {
    let repo = Repo::sound();
    repo.write("tokenizer_config.json", "[1, 2]");
    let report = report([repo.path()]);
    let model = &report["models"][0];
    assert_eq!(
        rules_of(model, "upload", "fail"),
        ["tokenizer-missing"],
        "{}",
        report["message"]
    );
}

#[test]
fn keys_that_stand_twice_are_told() {
    let repo = Repo::sound();
    let config = std::fs::read_to_string(repo.file(CONFIG)).unwrap();
    repo.write(CONFIG, config.replacen('{', "{\"model_type\": \"t5\",", 1));
    check([repo.path()]).says(
        0,
        "`model_type` stands twice; the loader takes this later one",
    );
}

/// Values that break a load are named with their place; what they break is not told a second time.
#[test]
fn values_that_no_model_has() {
    for (key, value, code, says) in [
        (
            "num_hidden_layers",
            json!("two"),
            1,
            "`num_hidden_layers` must be a whole number above 0 that a tensor can have, it is the string `two`",
        ),
        (
            "model_type",
            json!(7),
            1,
            "`model_type` must name a model type, it is `7`",
        ),
        (
            "model_type",
            json!("llamma"),
            1,
            "no transformers release knows model type `llamma`, so it has no causal-LM class; did you mean `llama`?",
        ),
        (
            "quantization_config",
            json!([]),
            1,
            "`quantization_config` is a list, which the loader cannot read",
        ),
        (
            "torch_dtype",
            json!("bfloat17"),
            1,
            "`torch_dtype` is `bfloat17`, which a model cannot be built in",
        ),
        (
            "num_key_value_heads",
            json!(3),
            1,
            "tensor `model.layers.0.self_attn.k_proj.weight` has shape [32, 64], config.json asks for [48, 64]",
        ),
        ("architectures", json!([1, null]), 0, "PASS fine-tune"),
    ] {
        let repo = Repo::sound();
        repo.edit(CONFIG, |config| config[key] = value.clone());
        check([repo.path()]).says(code, says);
    }
}

/// No arithmetic overflows, and none of them is simply a pass.
#[test]
fn sizes_that_no_model_has() {
    for (key, value) in [
        ("num_hidden_layers", json!(-1)),
        ("num_hidden_layers", json!(0)),
        ("hidden_size", json!(u64::MAX)),
        ("num_attention_heads", json!(0)),
        ("num_attention_heads", json!(i64::MIN)),
        ("vocab_size", json!(1e300)),
    ] {
        let repo = Repo::sound();
        repo.edit(CONFIG, |config| config[key] = value.clone());
        let answer = check([repo.path()]);
        assert!([1, 3].contains(&answer.code), "{key} {value}: {answer:#?}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::repo::{INDEX, WEIGHTS};
    use std::os::unix::fs::PermissionsExt as _;

    /// The program would block for ever if it opened one.
    #[test]
    fn a_named_pipe_is_not_opened() {
        for path in [CONFIG, "tokenizer_config.json", WEIGHTS] {
            let repo = Repo::sound();
            repo.pipe(path);
            check([repo.path()]).says(3, "a named pipe");
        }
        let repo = Repo::sound();
        repo.pipe("recording.json");
        check([repo.path()]).says(0, "(folder)");
        repo.pipe("pipe");
        let pipe = repo.file("pipe");
        check([&pipe]).complains(
            2,
            &format!("error: `{}` is a named pipe, not a folder", pipe.display()),
        );
    }

    #[test]
    fn links_that_lead_nowhere_or_in_circles() {
        for (to, says) in [
            (
                "nowhere",
                "the symbolic link leads to `nowhere`, which is not there",
            ),
            (CONFIG, "too many levels of symbolic links"),
            ("other", "too many levels of symbolic links"),
        ] {
            let repo = Repo::sound();
            repo.link("other", CONFIG);
            repo.link(CONFIG, to);
            check([repo.path()]).says(3, says);
        }
        let repo = Repo::sound();
        repo.link("again", ".");
        repo.link("up", "..");
        repo.link("root", "/");
        check([repo.path()]).says(0, "PASS upload");
        let link = repo.file("self");
        repo.link("self", "self");
        check([&link]).says(3, "too many levels of symbolic links");
    }

    #[test]
    fn a_snapshot_of_the_hub_cache_is_links() {
        let repo = Repo::sound();
        let cache = Repo::empty();
        for path in [CONFIG, WEIGHTS, "tokenizer.json", "tokenizer_config.json"] {
            cache.link(path, repo.file(path));
        }
        check([cache.path()]).says(0, "PASS upload");
    }

    #[test]
    fn what_may_not_be_read_decides_nothing() {
        let repo = Repo::sharded();
        for path in [CONFIG, INDEX, crate::repo::SHARDS[1]] {
            let closed = |mode| {
                std::fs::set_permissions(repo.file(path), std::fs::Permissions::from_mode(mode))
                    .unwrap();
            };
            closed(0o000);
            if std::fs::File::open(repo.file(path)).is_ok() {
                println!("skipped: root may read everything");
                return;
            }
            check([repo.path()]).says(3, "permission denied");
            closed(0o600);
        }
        std::fs::set_permissions(repo.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
        let answer = check([repo.path()]);
        std::fs::set_permissions(repo.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        answer.says(3, "permission denied");
    }

    #[test]
    fn folders_in_the_place_of_files() {
        let repo = Repo::sound();
        for path in [CONFIG, WEIGHTS] {
            repo.remove(path);
            std::fs::create_dir(repo.file(path)).unwrap();
        }
        check([repo.path()]).says(3, "`config.json` is a folder, not a regular file");
    }
}
