use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, File, Origin, Snapshot, SourceKind};
use preflight_rules::report::Verdict;

use crate::json::{document, lies_in};
use crate::snapshot::judge;

/// A `config.json` beside a sound tokenizer and no weights: read as JSON is read, understood as far as
/// can be, and never a reason to accept a repository without weights.
pub fn config(text: &[u8]) {
    let parsed = document(text);
    let snapshot = beside_a_tokenizer(text);
    let (checkpoint, report) = judge(&snapshot);
    assert_eq!(
        checkpoint.config.known().is_some(),
        parsed.is_some_and(|document| document.root().is_object())
    );
    if let Fact::Malformed(defect) = &checkpoint.config {
        lies_in(defect.place.as_ref().expect("a parser says where"), text);
    }
    for defect in &checkpoint.config_defects {
        if let Some(place) = &defect.place {
            lies_in(place, text);
        }
    }
    for (target, verdict) in &report.verdicts {
        assert_ne!(*verdict, Verdict::Pass, "{target:?} without weights");
    }
}

fn beside_a_tokenizer(config: &[u8]) -> Snapshot {
    let tokenizer =
        br#"{"chat_template": "{{ messages }}", "tokenizer_class": "PreTrainedTokenizerFast"}"#;
    let file = |path: &str, content: Content| File {
        path: path.into(),
        size: Some(match &content {
            Content::Whole(bytes) => bytes.len() as u64,
            _ => 1000,
        }),
        sha256: None,
        content,
    };
    Snapshot {
        origin: origin(),
        access: Access::Open,
        observed_at: None,
        container: Fact::Absent,
        files: Fact::Known(vec![
            file("config.json", Content::Whole(config.to_vec())),
            file("tokenizer.json", Content::Listed),
            file("tokenizer_config.json", Content::Whole(tokenizer.to_vec())),
        ]),
        base: Fact::Absent,
    }
}

pub(crate) fn origin() -> Origin {
    Origin {
        input: "acme/fuzzed".into(),
        source: SourceKind::Hub,
        stands_for: SourceKind::Hub,
        id: Some("acme/fuzzed".into()),
        revision: None,
        commit: None,
    }
}
