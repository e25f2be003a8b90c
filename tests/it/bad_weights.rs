//! Weight files and indexes that are not as they should be.

use serde_json::{Value, json};

use crate::program::{check, report, rules_of};
use crate::repo::{CONFIG, INDEX, Repo, SHARDS, Tensor, WEIGHTS, header, tensors};

/// Fails for both targets with this rule, and says so in these words.
#[track_caller]
fn fails(repo: &Repo, rule: &str, says: &str) {
    check([repo.path()]).says(1, says);
    let report = report([repo.path()]);
    for target in ["upload", "fine-tune"] {
        let failed = rules_of(&report["models"][0], target, "fail");
        assert!(failed.contains(&rule), "{rule} is not among {failed:?}");
    }
}

#[test]
fn lengths_that_no_header_has() {
    let repo = Repo::sound();
    for (length, says) in [
        (
            1 << 63,
            "the first 8 bytes announce a header of 9223372036854775808 bytes, more than the 100000000 that safetensors reads",
        ),
        (u64::MAX, "announce a header of 18446744073709551615 bytes"),
        (100_000_001, "announce a header of 100000001 bytes"),
        (
            90_000_000,
            "the file has 5000 bytes, its header alone needs 90000008",
        ),
        (0, "the header is not valid"),
    ] {
        repo.sparse(WEIGHTS, &u64::to_le_bytes(length), 5000);
        fails(&repo, "shard-corrupt", says);
        let bytes = report([repo.path()])["models"][0]["cost"]["bytes"]
            .as_u64()
            .unwrap();
        assert!(bytes < 100_000, "{bytes} bytes read");
    }
}

#[test]
fn files_without_a_header() {
    let repo = Repo::sound();
    for (content, says) in [
        (&b""[..], "the file has 0 bytes, its header alone needs 8"),
        (b"abc", "the file has 3 bytes, its header alone needs 8"),
        (b"PK\x03\x04 this is a zip file", "announce a header of"),
    ] {
        repo.write(WEIGHTS, content);
        fails(&repo, "shard-corrupt", says);
    }
}

/// A header with one tensor that is described by `tensor`, over 100 bytes of data.
fn with_tensor(tensor: &Value) -> Repo {
    let repo = Repo::sound();
    repo.raw_weights(WEIGHTS, &json!({"w": tensor}).to_string(), 100);
    repo
}

#[test]
fn tensors_that_cannot_be() {
    for (tensor, says) in [
        (
            json!({"dtype": "F128", "shape": [1], "data_offsets": [0, 100]}),
            "tensor `w` has the unknown dtype `F128`",
        ),
        (
            json!({"dtype": "U8", "shape": [u64::MAX, u64::MAX], "data_offsets": [0, 100]}),
            "tensor `w` has a shape whose size overflows: [18446744073709551615, 18446744073709551615]",
        ),
        (
            json!({"dtype": "F64", "shape": [1_u64 << 61], "data_offsets": [0, 100]}),
            "tensor `w` has a shape whose size overflows",
        ),
        (
            json!({"dtype": "U8", "shape": [100], "data_offsets": [100, 0]}),
            "tensor `w` ends at 0, before it starts at 100",
        ),
        (
            json!({"dtype": "U8", "shape": [50], "data_offsets": [0, 100]}),
            "tensor `w` of U8 [50] needs 50 bytes, its offsets give it 100",
        ),
        (
            json!({"dtype": "U8", "shape": [1_u64 << 60], "data_offsets": [0, 1_u64 << 60]}),
            "the file has 197 bytes, its header describes 1152921504606847073: it was cut short",
        ),
        (
            json!({"dtype": "U8", "shape": [100], "data_offsets": [-1, 99]}),
            "a whole number from 0 to 2^64 - 1 was expected",
        ),
        (
            json!({"dtype": "U8", "shape": [100.5], "data_offsets": [0, 100]}),
            "a whole number from 0 to 2^64 - 1 was expected",
        ),
        (
            json!({"dtype": "U8", "shape": [1e300], "data_offsets": [0, 100]}),
            "a whole number from 0 to 2^64 - 1 was expected",
        ),
        (
            json!({"dtype": "U8", "shape": [100]}),
            "tensor `w` lacks `dtype`, `shape` or `data_offsets`",
        ),
        (json!([]), "the header is not valid"),
    ] {
        fails(&with_tensor(&tensor), "shard-corrupt", says);
    }
}

#[test]
fn tensors_that_overlap_or_leave_holes() {
    let two = |first: [u64; 2], second: [u64; 2]| {
        let tensor = |[start, end]: [u64; 2]| json!({"dtype": "U8", "shape": [end - start], "data_offsets": [start, end]});
        let repo = Repo::sound();
        repo.raw_weights(
            WEIGHTS,
            &json!({"a": tensor(first), "b": tensor(second)}).to_string(),
            100,
        );
        repo
    };
    fails(
        &two([0, 60], [40, 100]),
        "shard-corrupt",
        "tensor `b` starts at byte 40 of the data and overlaps the tensor before it, which ends at 60",
    );
    fails(
        &two([0, 40], [60, 100]),
        "shard-corrupt",
        "tensor `b` starts at byte 60",
    );
    fails(
        &two([0, 40], [40, 90]),
        "shard-corrupt",
        "its header describes only",
    );
}

#[test]
fn a_tensor_that_stands_twice() {
    let repo = Repo::sound();
    let tensor = r#"{"dtype":"U8","shape":[100],"data_offsets":[0,100]}"#;
    repo.raw_weights(WEIGHTS, &format!(r#"{{"w":{tensor},"w":{tensor}}}"#), 100);
    fails(
        &repo,
        "shard-corrupt",
        "tensor `w` stands twice in the header",
    );
}

#[test]
fn a_file_cut_short_or_too_long() {
    let repo = Repo::sharded();
    let size = repo.size(SHARDS[1]);
    repo.set_len(SHARDS[1], size - 1000);
    fails(&repo, "shard-corrupt", SHARDS[1]);
    repo.set_len(SHARDS[1], size + 1000);
    fails(&repo, "shard-corrupt", SHARDS[1]);
    repo.set_len(SHARDS[1], 100);
    fails(
        &repo,
        "shard-corrupt",
        "the file has 100 bytes, its header alone needs",
    );
    repo.set_len(SHARDS[1], 0);
    fails(
        &repo,
        "shard-corrupt",
        "the file has 0 bytes, its header alone needs 8",
    );
}

#[test]
fn a_shard_that_is_named_and_not_there() {
    let repo = Repo::sharded();
    repo.remove(SHARDS[0]);
    fails(
        &repo,
        "shard-missing",
        &format!("`{}` is named but not in the repository", SHARDS[0]),
    );
    // Its parameters are not counted as if they were none.
    assert_eq!(
        report([repo.path()])["models"][0]["facts"]["parameters"]["total"],
        Value::Null
    );
}

#[test]
fn an_index_never_leads_out_of_the_repository() {
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/../../x",
        "..%2f..%2fetc/passwd",
        "",
    ] {
        let repo = Repo::sharded();
        repo.edit(INDEX, |index| {
            index["weight_map"]["lm_head.weight"] = json!(name);
        });
        fails(&repo, "index-mismatch", &format!("the shard name `{name}`"));
    }
}

#[test]
fn indexes_that_cannot_be_read_as_one() {
    for (content, says) in [
        ("[]", "an index is an object"),
        ("{}", "an index needs a `weight_map`"),
        (
            r#"{"metadata": {}, "weight_map": []}"#,
            "an object was expected",
        ),
        (
            r#"{"metadata": {}, "weight_map": {"a": 1}}"#,
            "a string was expected",
        ),
        (
            r#"{"metadata": {}, "weight_map": {}}"#,
            "the index assigns no tensor to any shard",
        ),
        (
            "",
            "the text ends where a JSON value was expected at model.safetensors.index.json:1:1",
        ),
        (
            r#"{"metadata": {}, "weight_map": {"a": "b""#,
            "the text ends",
        ),
    ] {
        let repo = Repo::sharded();
        repo.write(INDEX, content);
        fails(&repo, "index-mismatch", says);
    }
}

#[test]
fn index_and_headers_that_disagree() {
    let repo = Repo::sharded();
    repo.edit(INDEX, |index| {
        index["weight_map"]["model.layers.2.input_layernorm.weight"] = json!(SHARDS[0]);
    });
    let says = format!(
        "tensor `model.layers.2.input_layernorm.weight` is assigned to `{}`, which does not have it",
        SHARDS[0]
    );
    // A class that does not have it does without.
    assert_eq!(check([repo.path()]).code, 0);
    repo.edit(CONFIG, |config| config["num_hidden_layers"] = json!(3));
    check([repo.path()]).says(1, &says);
}

#[test]
fn weights_of_another_model() {
    let repo = Repo::sound();
    let mut some = tensors();
    let lost = some.pop().unwrap();
    repo.weights(WEIGHTS, &some);
    fails(
        &repo,
        "weights-config-mismatch",
        &format!("tensor `{}` is missing", lost.name),
    );

    some.push(Tensor::new(lost.name, "BF16", &[65]));
    repo.weights(WEIGHTS, &some);
    fails(
        &repo,
        "weights-config-mismatch",
        "has shape [65], config.json asks for [64]",
    );
}

/// What no loader minds must not fail: other metadata, an unused tensor, an empty one.
#[test]
fn odd_but_sound_headers_pass() {
    let repo = Repo::sound();
    let mut more = tensors();
    more.push(Tensor::new("empty", "BF16", &[0]));
    more.push(Tensor::new("scalar", "F32", &[]));
    let mut header = header(&more);
    header["__metadata__"]["made by"] = json!("a test");
    let data = (crate::repo::PARAMETERS * 2) + 4;
    repo.raw_weights(WEIGHTS, &header.to_string(), data);
    check([repo.path()]).says(0, "PASS fine-tune");
    repo.raw_weights(WEIGHTS, &format!("{header}       "), data);
    check([repo.path()]).says(0, "PASS fine-tune");
}
