use std::collections::{HashMap, HashSet};

use preflight_model::checkpoint::Checkpoint;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::header::Header;
use preflight_model::index::Index;
use preflight_model::wanted::INDEX;
use preflight_model::weights::Weights;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "index-mismatch",
    summary: "the weight index and the shards disagree",
    fix: "write index and shards anew with `save_pretrained`, or restore the index that belongs to these shards",
    docs: include_str!("index_mismatch.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let weights = checkpoint.weights.get()?;
    match &weights.index {
        Fact::Known(index) => compare(index, weights, checkpoint, facts.release.major()),
        Fact::Absent => Err(Gap::DoesNotApply(
            "the loader uses no index for this model".into(),
        )),
        Fact::Malformed(defect) => Ok(Findings::problem(Finding::from(defect))),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why.clone())),
    }
}

fn compare(
    index: &Index<'_>,
    weights: &Weights<'_>,
    checkpoint: &Checkpoint<'_>,
    major: u16,
) -> Outcome {
    let mut findings = Findings::none();
    // `get_checkpoint_shard_files` takes `index["metadata"]` and writes into it.
    // Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/utils/hub.py>
    if !index.has_metadata {
        findings.push(Finding::in_file(
            INDEX,
            "the index has no `metadata` object, without which the loader stops (an empty one will do)",
        ));
    }
    if index.is_empty() {
        findings.push(Finding::in_file(
            INDEX,
            "the index assigns no tensor to any shard",
        ));
    }
    let mut bytes = 0_u64;
    let mut unread = None;
    for shard in &weights.shards {
        match &shard.header {
            Fact::Known(header) => {
                let of_shard = header.tensors().map(|tensor| tensor.bytes);
                bytes = of_shard.fold(bytes, u64::saturating_add);
            }
            Fact::Unavailable(why) => unread = Some(why.clone()),
            Fact::Absent | Fact::Malformed(_) => {}
        }
    }
    let needs = Needs::of(checkpoint);
    let mut needless = Vec::new();
    // A shard that was not read may have it.
    for (tensor, path) in weights.unfilled().filter(|_| unread.is_none()) {
        if needs.tensor(tensor) {
            findings.push(Finding::in_file(
                INDEX,
                format!("tensor `{tensor}` is assigned to `{path}`, which does not have it, and no other shard has it"),
            ));
        } else {
            needless.push(tensor);
        }
    }
    if let Some(first) = needless.first() {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!(
                "tensors that no shard has and that the model does without: {}, for example `{first}`; the loader passes over them",
                needless.len()
            ),
        ));
    }
    let places = Places::of_strays(weights);
    for (tensor, number) in weights.strays() {
        let last = &weights.shards[number].path;
        findings = of_stray(findings, tensor, last, &places, major);
    }
    let unnamed = weights.unnamed().count();
    if unnamed > 0 {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("tensors that the index does not name: {unnamed}; transformers {}, and they are not counted",
                if major < 5 { "4 does not load them" } else { "5 loads them all the same" }),
        ));
    }
    for tensor in &index.listed_twice {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("tensor `{tensor}` is listed twice; the later assignment counts"),
        ));
    }
    if let Some(total) = index
        .total_size
        .filter(|&total| total != bytes && unread.is_none() && weights.is_complete())
    {
        findings = findings.with_note(Finding::in_file(
            INDEX,
            format!("`total_size` is {total}, the tensors have {bytes} bytes; no loader uses it"),
        ));
    }
    match unread {
        Some(why) if findings.problems.is_empty() => Err(Gap::Unavailable(why)),
        _ => Ok(findings),
    }
}

/// Which of the tensors that no shard has the model cannot do without. The loader takes names from the
/// shards, not from the index: what its class does not have, ties to another or computes anew is not missed.
/// Source: `load_shard_file`,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>
enum Needs<'a> {
    /// Not told: the class is not described, or the weights are packed.
    NotTold,
    /// The modules whose tensors the class has and the checkpoint lacks, under the class's names.
    /// With them, every end of their names: a checkpoint's names may lack a prefix.
    Modules(HashSet<&'a str>, HashSet<&'a str>),
}

impl<'a> Needs<'a> {
    fn of(checkpoint: &'a Checkpoint<'_>) -> Self {
        match checkpoint.comparison.known() {
            Some(comparison) if checkpoint.quantization.is_none() => {
                let modules: HashSet<_> = comparison.missing.iter().map(|it| module(it)).collect();
                let ends = modules.iter().flat_map(|it| ends(it)).collect();
                Self::Modules(modules, ends)
            }
            _ => Self::NotTold,
        }
    }

    fn tensor(&self, name: &str) -> bool {
        let Self::Modules(modules, all_ends) = self else {
            return true;
        };
        let module = module(name);
        all_ends.contains(module) || ends(module).any(|end| modules.contains(end))
    }
}

/// Most prefixes that are taken away: names of classes have no more parts.
const PREFIXES_MAX: usize = 16;

/// The name, and what is left of it without its first parts.
fn ends(name: &str) -> impl Iterator<Item = &str> {
    let shorter = name.match_indices('.').map(|(at, _)| &name[at + 1..]);
    std::iter::once(name).chain(shorter.take(PREFIXES_MAX))
}

/// The module that a tensor lies in.
fn module(tensor: &str) -> &str {
    tensor.rsplit_once('.').map_or(tensor, |(module, _)| module)
}

/// In which shards each stray tensor lies, in their order, with its shape there.
struct Places<'a>(HashMap<&'a str, Vec<(&'a str, &'a [u64])>>);

impl<'a> Places<'a> {
    fn of_strays(weights: &'a Weights<'_>) -> Self {
        let mut places: HashMap<_, Vec<_>> = weights
            .strays()
            .map(|(name, _)| (name, Vec::new()))
            .collect();
        if places.is_empty() {
            return Self(places);
        }
        for shard in &weights.shards {
            for tensor in shard.header.known().into_iter().flat_map(Header::tensors) {
                let Some(found) = places.get_mut(tensor.name) else {
                    continue;
                };
                // Twice in one header is told by another rule.
                if found.last().is_none_or(|(path, _)| *path != shard.path) {
                    found.push((&shard.path, tensor.shape));
                }
            }
        }
        Self(places)
    }
}

/// A tensor that lies in another shard than the index says, or in several. The loader opens all shards and
/// takes from each what the index names at all, so the last one counts. Release 4 copies every one of them
/// into the model, so each must have the right shape there. Run with transformers 4.55.4 and 5.23.0.
fn of_stray(
    findings: Findings,
    tensor: &str,
    last: &str,
    places: &Places<'_>,
    major: u16,
) -> Findings {
    let message = match places.0.get(tensor).map_or(&[][..], Vec::as_slice) {
        [(only, _)] => format!(
            "tensor `{tensor}` lies in `{only}`, not where the index says; the loader finds it there"
        ),
        [(first, shape), rest @ ..] => {
            let differs = rest.iter().find(|(_, other)| other != shape);
            if let Some((path, other)) = differs.filter(|_| major < 5) {
                let mut findings = findings;
                findings.push(Finding::in_file(
                    INDEX,
                    format!("tensor `{tensor}` has shape {shape:?} in `{first}` and {other:?} in `{path}`: the loader reads both and stops at the one that does not fit"),
                ));
                return findings;
            }
            let count = rest.len() + 1;
            format!(
                "tensor `{tensor}` lies in {count} shards; the loader takes the last, that of `{last}`, and it counts once"
            )
        }
        [] => return findings,
    };
    findings.with_note(Finding::in_file(INDEX, message))
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(text: &str) -> String {
        Repo::new(text).run(super::RULE.id)
    }

    /// One shard that holds `a.weight`, under this index.
    fn index(text: &str) -> String {
        run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json{text}\n//- 1.safetensors\na.weight BF16 [2]\n"
        ))
    }

    #[test]
    fn an_index_that_agrees() {
        let got = index(
            "\n{\"metadata\": {\"total_size\": 4}, \"weight_map\": {\"a.weight\": \"1.safetensors\"}}",
        );
        assert_eq!(got, "upload, fine-tune: pass\n");
    }

    #[test]
    fn an_index_that_is_none() {
        for (text, says) in [
            ("\n[]", "an index is an object"),
            ("\n{}", "needs a `weight_map`"),
            (
                "\n{\"metadata\": {}, \"weight_map\": {}}",
                "assigns no tensor to any shard",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"/etc/passwd\"}}",
                "leads out of the repository",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"..%2f..%2fetc%2fpasswd\"}}",
                "percent signs",
            ),
            (
                "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": 1}}",
                "a string was expected",
            ),
        ] {
            let got = index(text);
            assert!(
                got.starts_with("upload, fine-tune: fail\n") && got.contains(says),
                "{text}: {got}"
            );
        }
    }

    #[test]
    fn what_was_not_read_is_unknown_unless_the_rest_decides() {
        assert!(index(" unavailable timed out").starts_with("upload, fine-tune: unknown\n"));
        let other = "//- 2.safetensors unavailable timed out";
        let sound = run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"metadata\": {{}}, \"weight_map\": {{\"a.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n//- 1.safetensors\na.weight BF16 [2]\n{other}"
        ));
        assert!(sound.starts_with("upload, fine-tune: unknown\n"), "{sound}");
        let broken = run(&format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n{{\"weight_map\": {{\"x.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n//- 1.safetensors\na.weight BF16 [2]\n{other}"
        ));
        assert!(
            broken.contains("fail\n  model.safetensors.index.json: the index has no `metadata`")
                && !broken.contains("x.weight"),
            "the other shard may have x.weight: {broken}"
        );
    }

    #[test]
    fn the_single_file_comes_first() {
        let got = run("//- model.safetensors.index.json\n[]");
        assert_eq!(
            got,
            "upload, fine-tune: skip\n  the loader uses no index for this model\n"
        );
    }

    #[test]
    fn an_absent_shard_is_told_by_another_rule() {
        let got = index(
            "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"1.safetensors\", \"b.weight\": \"9.safetensors\"}}",
        );
        assert_eq!(got, "upload, fine-tune: pass\n");
    }

    /// `model.norm.weight` in shards 1 and 2 as described, assigned to shard 1.
    fn norm(first: &str, second: &str) -> String {
        run(&text(first, second))
    }

    fn text(first: &str, second: &str) -> String {
        format!(
            "//- model.safetensors removed\n//- model.safetensors.index.json\n\
             {{\"metadata\": {{}}, \"weight_map\": {{\"model.norm.weight\": \"1.safetensors\", \"a.weight\": \"1.safetensors\", \"b.weight\": \"2.safetensors\"}}}}\n\
             //- 1.safetensors\na.weight BF16 [2]\n{first}\n//- 2.safetensors\nb.weight BF16 [2]\n{second}\n"
        )
    }

    #[test]
    fn a_tensor_in_another_shard_or_in_several() {
        let tensor = "model.norm.weight BF16 [16]";
        let moved = norm("", tensor);
        assert!(
            moved.contains("pass\n  note: ") && moved.contains("lies in `2.safetensors`"),
            "{moved}"
        );
        let twice = norm(tensor, tensor);
        assert!(
            twice.contains("pass\n  note: ") && twice.contains("the last, that of `2.safetensors`"),
            "{twice}"
        );
        let differs = norm(tensor, "model.norm.weight BF16 [8]");
        assert!(
            differs.contains("fail\n")
                && differs.contains("shape [16] in `1.safetensors` and [8] in"),
            "{differs}"
        );
        assert!(norm("", "").contains("fail\n"), "{}", norm("", ""));
        // Release 5 reads the last one only.
        let later = format!(
            "policy: together-2026-07\n{}",
            text("model.norm.weight BF16 [8]", tensor)
        );
        assert!(run(&later).contains("pass\n  note: "), "{}", run(&later));
    }

    #[test]
    fn many_findings_are_counted_not_listed() {
        let map: Vec<_> = (0..25)
            .map(|n| format!("\"t{n}\": \"1.safetensors\""))
            .collect();
        let text = format!(
            "\n{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}",
            map.join(", ")
        );
        // A class that is not described may have them all.
        let got = index(&format!(
            "{text}\n//- config.json +\n{{\"model_type\": \"acme\", \"architectures\": [\"AcmeForCausalLM\"]}}"
        ));
        assert!(
            got.contains("fail\n") && got.contains("and 5 more\n"),
            "{got}"
        );
        let llama = index(&text);
        assert!(
            llama.contains("pass\n  note: ")
                && llama.contains("does without: 25, for example `t0`"),
            "{llama}"
        );
    }

    #[test]
    fn a_tensor_that_no_shard_has_is_missed_only_by_a_class_that_has_it() {
        let of = |config: &str, name: &str| {
            run(&format!(
                "//- config.json +\n{config}\n//- model.safetensors removed\n//- model.safetensors.index.json\n\
                 {{\"metadata\": {{}}, \"weight_map\": {{\"model.embed_tokens.weight\": \"1.safetensors\", \"{name}\": \"1.safetensors\"}}}}\n\
                 //- 1.safetensors\nmodel.embed_tokens.weight BF16 [64, 16]\n"
            ))
        };
        let tied = "{\"tie_word_embeddings\": true}";
        for (config, name) in [
            (tied, "lm_head.weight"),
            ("{}", "model.layers.0.self_attn.rotary_emb.inv_freq"),
            ("{}", "model.other.weight"),
        ] {
            let got = of(config, name);
            assert!(
                got.contains("pass\n  note: ") && got.contains(name),
                "{got}"
            );
        }
        for name in ["lm_head.weight", "model.norm.weight", "norm.weight"] {
            let got = of("{}", name);
            assert!(got.contains("fail\n") && got.contains(name), "{got}");
        }
    }

    #[test]
    fn a_tensor_listed_twice_is_a_note() {
        let got = index(
            "\n{\"metadata\": {}, \"weight_map\": {\"a.weight\": \"9.safetensors\", \"a.weight\": \"1.safetensors\"}}",
        );
        assert!(
            got.contains("pass\n") && got.contains("`a.weight` is listed twice"),
            "{got}"
        );
    }
}
