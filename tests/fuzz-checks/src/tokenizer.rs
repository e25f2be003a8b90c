use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, File, Snapshot};
use preflight_rules::report::Verdict;
use serde_json::Value;

use crate::config::origin;
use crate::json::lies_in;
use crate::snapshot::judge;

const CONFIG: &[u8] = br#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}"#;

/// A `tokenizer.json` beside a config and no weights: what is read is JSON with a model, a defect has a place in
/// the text, and what its start shows to be refused is refused as a whole.
pub fn tokenizer(text: &[u8]) {
    let snapshot = with_tokenizer(text, Content::Whole(text.to_vec()));
    let (checkpoint, report) = judge(&snapshot);
    match &checkpoint.tokenizer_file {
        Fact::Known(file) => {
            let theirs: Value = serde_json::from_slice(text).expect("the library reads JSON only");
            assert!(theirs["model"].is_object());
            let listed = theirs["added_tokens"].as_array().map_or(0, Vec::len);
            // Of two lists the library takes the later, and we tell the tokens of both.
            assert!(file.added.len() >= listed);
        }
        Fact::Malformed(defect) => {
            if let Some(place) = &defect.place {
                lies_in(place, text);
            }
        }
        Fact::Absent => panic!("a file that is there"),
        Fact::Unavailable(_) => {}
    }
    for (target, verdict) in &report.verdicts {
        assert_ne!(*verdict, Verdict::Pass, "{target:?} without weights");
    }
    let start = with_tokenizer(text, Content::Prefix(text[..text.len() / 2].to_vec()));
    let start = Checkpoint::read(&start).tokenizer_file;
    assert!(
        !matches!(start, Fact::Malformed(_)) || checkpoint.tokenizer_file.known().is_none(),
        "the start is refused, and the whole is not: {start:?}"
    );
}

fn with_tokenizer(text: &[u8], content: Content) -> Snapshot {
    let file = |path: &str, size: usize, content: Content| File {
        path: path.into(),
        size: Some(size as u64),
        sha256: None,
        content,
    };
    Snapshot {
        origin: origin(),
        access: Access::Open,
        observed_at: None,
        container: Fact::Absent,
        files: Fact::Known(vec![
            file("config.json", CONFIG.len(), Content::Whole(CONFIG.to_vec())),
            file("tokenizer.json", text.len(), content),
        ]),
        base: Fact::Absent,
    }
}
