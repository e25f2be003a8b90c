//! The whole pure pipeline.

use std::collections::BTreeMap;

use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::Fact;
use preflight_model::header::Header;
use preflight_model::snapshot::{Access, Content, File, Snapshot};
use preflight_model::wanted;
use preflight_report::table::TableOptions;
use preflight_rules::case::Options;
use preflight_rules::evaluate;
use preflight_rules::policy::Policy;
use preflight_rules::report::{
    CatalogUsed, Cost, Level, ModelReport, Outcome, Report, Target, Verdict,
};

use crate::config::origin;

/// Most files of one input: what matters is what they say, not how many there are.
const FILES_MAX: usize = 16;

/// A repository as text: each file is a line `//- PATH`, then what it holds. A path that ends with
/// `.safetensors` holds the text of its header; a number after it is the size of the whole file, by default
/// what the header describes. A file that no check reads is only listed.
///
/// No repository passes without a config that is an object and weights that were read; reports are whole
/// and safe to print.
pub fn snapshot(text: &[u8]) {
    whole(&repository(text));
}

/// All that is asserted of a snapshot, however it came about. Yields the verdict in words.
pub fn whole(snapshot: &Snapshot) -> String {
    let (checkpoint, report) = judge(snapshot);
    let passes = report
        .verdicts
        .iter()
        .any(|(_, verdict)| *verdict == Verdict::Pass);
    if passes {
        assert!(
            checkpoint.config.known().is_some(),
            "a pass without a config"
        );
        let weights = checkpoint
            .weights
            .known()
            .expect("a pass without a listing");
        assert!(weights.missing.is_empty(), "a pass with missing shards");
        assert!(!weights.shards.is_empty(), "a pass without weights");
        for shard in &weights.shards {
            let header = shard.header.known().expect("a pass without a header");
            assert!(header.defects.is_empty(), "a pass with a broken header");
        }
    }
    let message = report.message.clone();
    is_safe_to_print(report);
    message
}

/// The checkpoint and its report under the default policy, which tells what the others say too.
pub(crate) fn judge(snapshot: &Snapshot) -> (Checkpoint<'_>, ModelReport) {
    let checkpoint = Checkpoint::read(snapshot);
    let report = evaluate(
        &checkpoint,
        &Target::ALL,
        &Policy::shipped()[0],
        &Options::default(),
        Cost::default(),
    );
    follows_from_its_rows(&report);
    (checkpoint, report)
}

/// A pass looked at everything that decides.
fn follows_from_its_rows(report: &ModelReport) {
    for (target, verdict) in &report.verdicts {
        let of_target = || {
            let rows = report.rules.iter();
            rows.filter(|row| row.targets.contains(target) && row.level == Level::Error)
        };
        let failed = of_target().any(|row| row.outcome == Outcome::Fail);
        let unknown = of_target().any(|row| row.outcome == Outcome::Unknown);
        assert_eq!(failed, *verdict == Verdict::Fail, "{target:?}");
        assert_eq!(
            !failed && unknown,
            *verdict == Verdict::Undecided,
            "{target:?}"
        );
    }
    for row in &report.rules {
        let says_why = row.outcome == Outcome::Pass || !row.findings.is_empty();
        assert!(says_why, "{} does not say why", row.id);
    }
    let passes = |(_, verdict): &(Target, Verdict)| *verdict == Verdict::Pass;
    assert_eq!(report.is_check_passed, report.verdicts.iter().all(passes));
}

pub(crate) fn is_safe_to_print(report: ModelReport) {
    let policy = &Policy::shipped()[0];
    let report = Report {
        tool_version: "0",
        policy: (policy.id.clone(), policy.as_of.clone()),
        catalog: CatalogUsed {
            as_of: "2025-01-01".into(),
            origin: "built-in".into(),
            is_stale: None,
            is_future: None,
            hardware: None,
        },
        is_check_passed: report.is_check_passed,
        message: report.message.clone(),
        models: vec![report],
    };
    let mut json = Vec::new();
    preflight_report::json::write(&report, &mut json).expect("writing to memory");
    no_controls(&json);
    let json: serde_json::Value = serde_json::from_slice(&json).expect("a JSON report is JSON");
    assert_eq!(json["models"][0]["model"]["id"], "acme/fuzzed");
    let mut table = Vec::new();
    let options = TableOptions {
        width: 80,
        unicode: true,
        colour: false,
        // Both forms are reached, and each input has always the same.
        verbose: report.message.len().is_multiple_of(2),
    };
    preflight_report::table::write(&report, options, &mut table).expect("writing to memory");
    no_controls(&table);
}

fn no_controls(text: &[u8]) {
    let text = std::str::from_utf8(text).expect("a report is text");
    let control = text.chars().find(|&c| c.is_control() && c != '\n');
    assert_eq!(
        control, None,
        "nothing of a repository reaches a terminal unescaped"
    );
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    assert_eq!(text.chars().find(|&c| hidden(c)), None);
}

pub(crate) fn repository(text: &[u8]) -> Snapshot {
    of_files(files(text))
}

/// A repository and, of the files under `base/`, its base.
pub(crate) fn with_base(text: &[u8]) -> Snapshot {
    let (mut own, mut base) = (BTreeMap::new(), BTreeMap::new());
    for (path, file) in files(text) {
        match path.strip_prefix("base/") {
            Some(path) => {
                let path = path.to_owned();
                base.insert(path.clone(), File { path, ..file });
            }
            None => {
                own.insert(path, file);
            }
        }
    }
    let base = if base.is_empty() {
        Fact::Absent
    } else {
        Fact::Known(Box::new(of_files(base)))
    };
    Snapshot {
        base,
        ..of_files(own)
    }
}

fn files(text: &[u8]) -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    for piece in pieces(text).take(FILES_MAX) {
        let line_end = piece
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(piece.len());
        let (head, body) = piece.split_at(line_end);
        let Ok(head) = std::str::from_utf8(head) else {
            continue;
        };
        let (path, size) = head.split_once(' ').unwrap_or((head, ""));
        let body = body.get(1..).unwrap_or_default();
        let file = file(path, size.trim().parse().ok(), body);
        files.insert(path.to_owned(), file);
    }
    files
}

fn of_files(files: BTreeMap<String, File>) -> Snapshot {
    Snapshot {
        origin: origin(),
        access: Access::Open,
        observed_at: None,
        container: Fact::Absent,
        files: Fact::Known(files.into_values().collect()),
        base: Fact::Absent,
    }
}

/// What stands after each `//- ` at the start of a line.
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MARK: &[u8] = b"//- ";
    let mut starts: Vec<usize> = text
        .windows(MARK.len())
        .enumerate()
        .filter(|(at, window)| *window == MARK && (*at == 0 || text[at - 1] == b'\n'))
        .map(|(at, _)| at)
        .collect();
    starts.push(text.len());
    let pairs: Vec<(usize, usize)> = starts.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs
        .into_iter()
        .map(move |(start, end)| text[start + MARK.len()..end].trim_ascii_end())
}

fn file(path: &str, size: Option<u64>, body: &[u8]) -> File {
    let own = path.strip_prefix("base/").unwrap_or(path);
    let (size, content) = if wanted::has_wanted_header(own) {
        let mut start = (body.len() as u64).to_le_bytes().to_vec();
        start.extend_from_slice(body);
        let described = Header::parse(&start, None).map(|header| header.described_bytes);
        (size.or(described.ok()), Content::Prefix(start))
    } else if wanted::is_wanted(own) || own == wanted::TOKENIZER && !body.is_empty() {
        (Some(body.len() as u64), Content::Whole(body.to_vec()))
    } else {
        (size.or(Some(1000)), Content::Listed)
    };
    File {
        path: path.into(),
        size,
        sha256: None,
        content,
    }
}
