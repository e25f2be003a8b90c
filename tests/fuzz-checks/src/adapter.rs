use preflight_model::checkpoint::Kind;
use preflight_rules::report::Verdict;

use crate::snapshot::{is_safe_to_print, judge, with_base};

/// An adapter and its base as text, in the form of [`crate::snapshot()`]; what stands under `base/` is the base's.
///
/// No adapter passes without a config of PEFT and tensors that were read, and for fine-tuning none without its
/// base; reports are safe to print.
pub fn adapter(text: &[u8]) {
    let snapshot = with_base(text);
    let (checkpoint, report) = judge(&snapshot);
    for (target, verdict) in &report.verdicts {
        if *verdict != Verdict::Pass || checkpoint.kind() != Kind::Adapter {
            continue;
        }
        let adapter = checkpoint.adapter.known();
        assert!(adapter.is_some(), "{target:?} passes without a config");
        let weights = checkpoint.adapter_weights.as_ref();
        let header = weights.and_then(|shard| shard.header.known());
        let header = header.expect("a pass without a header");
        assert!(header.defects.is_empty(), "a pass with a broken header");
        assert!(header.tensors().next().is_some(), "a pass without tensors");
    }
    is_safe_to_print(report);
}
