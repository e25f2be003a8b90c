//! Which repositories load, and which need code of their own.

use preflight_model::checkpoint::Checkpoint;
use preflight_model::context::context_length;
use preflight_model::fact::Fact;
use preflight_model::facts::Facts;
use preflight_model::release;
use preflight_model::task::CausalLm;
use preflight_model::tokenizer::Class;
use serde_json::Value;

use super::corpus;
use super::data::{self, Shared};
use super::suite::Suite;

/// Errors of `from_pretrained` that say that the measuring machine lacked a library or a GPU, not that
/// the repository is wrong.
const OF_THE_MACHINE: [&str; 4] = [
    "ImportError",
    "PackageNotFoundError",
    "NotImplementedError",
    "RuntimeError",
];

/// 115 odd repositories, and what transformers did with each.
pub(crate) fn load_probes(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("load probes");
    for probe in shared.lines("data/load-probes.jsonl")? {
        let id = data::name(&probe, "id")?;
        let files = probe["files"].as_object().into_iter().flatten();
        let files = files.map(|(path, content)| {
            let text = content
                .as_str()
                .map_or_else(|| content.to_string(), str::to_owned);
            (path.clone(), text.into_bytes())
        });
        let snapshot = data::repository_of(files);
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, data::release()?);
        match probe.get("tokenizer") {
            Some(answer) => compare_tokenizer(&mut suite, id, answer, &facts),
            None => compare_model(&mut suite, id, &probe, &facts),
        }
    }
    Ok(suite)
}

fn compare_tokenizer(suite: &mut Suite, id: &str, answer: &Value, facts: &Facts<'_>) {
    let need = needs(facts, |step| step == "AutoTokenizer");
    suite.compare(
        format!("{id} (tokenizer, remote code)"),
        need,
        answer["remote_code"] == Value::Bool(true),
    );
    suite.compare(
        format!("{id} (tokenizer loads)"),
        tokenizer_loads(facts) && !need,
        answer.get("ok").is_some(),
    );
}

fn compare_model(suite: &mut Suite, id: &str, probe: &Value, facts: &Facts<'_>) {
    let steps = ["auto_config", "from_config", "from_pretrained"].map(|step| &probe[step]);
    let remote = steps
        .iter()
        .any(|step| step["remote_code"] == Value::Bool(true));
    // `trust_remote_code=True` was given in one probe, which shows that code is there.
    let generates = id.starts_with("custom_generate");
    suite.compare(
        format!("{id} (remote code)"),
        needs(facts, |step| step != "AutoTokenizer"),
        remote || generates,
    );
    let loads = steps.iter().all(|step| {
        let says = step["says"].as_str().unwrap_or("");
        step["error"].as_str().is_none_or(|error| {
            OF_THE_MACHINE.contains(&error) || says.contains("requires torchao to be installed")
        })
    });
    suite.compare(
        format!("{id} (loads)"),
        model_loads(facts),
        loads && !remote,
    );
}

/// Whether the loader gets as far as weights: the head that `architectures` names plays no part.
fn model_loads(facts: &Facts<'_>) -> bool {
    let checkpoint = facts.checkpoint;
    let Some(config) = checkpoint.config.known() else {
        return false;
    };
    let knows = |model_type: &str| release::knows_model_type(facts.release, model_type);
    let parts_are_known = ["text_config", "vision_config"].iter().all(|key| {
        let part = config.root().get(key);
        let named = part.and_then(|part| part.get("model_type")?.as_str().map(str::to_owned));
        named.is_none_or(|name| knows(&name))
    });
    checkpoint.config_defects.is_empty()
        && builds_a_causal_lm(facts)
        && config.model_type().is_some_and(knows)
        && parts_are_known
        && !needs_for_model(facts)
}

/// Whether `AutoModelForCausalLM` builds something, whatever the checkpoint was saved as.
fn builds_a_causal_lm(facts: &Facts<'_>) -> bool {
    match &facts.causal_lm {
        Some(CausalLm::Yes { .. } | CausalLm::Unclear(_)) => true,
        Some(CausalLm::No { key, .. }) => *key == "architectures",
        Some(CausalLm::NotNative) | None => false,
    }
}

fn needs(facts: &Facts<'_>, of: impl Fn(&str) -> bool) -> bool {
    facts.remote_code.needs.iter().any(|need| of(need.step))
}

fn needs_for_model(facts: &Facts<'_>) -> bool {
    needs(facts, |step| !matches!(step, "AutoTokenizer" | "generate"))
}

fn tokenizer_loads(facts: &Facts<'_>) -> bool {
    let known = match &facts.tokenizer.class {
        Class::Known(_) | Class::ByModelType => true,
        Class::Nowhere | Class::Later(..) | Class::Foreign(_) | Class::Unread(_) => false,
    };
    let misread = facts
        .misread
        .iter()
        .any(|defect| defect.path == "tokenizer_config.json");
    let malformed = matches!(facts.checkpoint.tokenizer_config, Fact::Malformed(_));
    known && facts.tokenizer.vocabulary.known().is_some() && !misread && !malformed
}

/// The real folders with a config.json.
pub(crate) fn corpus_by_the_oracle(shared: &Shared) -> Result<Suite, String> {
    let mut suite = Suite::new("corpus, by the oracle");
    for row in shared.lines("data/oracle-corpus.jsonl")? {
        let id = data::name(&row, "id")?;
        let snapshot = corpus::folder(&shared.path("corpus").join(id))?;
        let checkpoint = Checkpoint::read(&snapshot);
        let facts = Facts::derive(&checkpoint, data::release()?);
        compare_with_oracle(&mut suite, id, &row, &facts);
        if let Some(length) = row["context"].get("length") {
            let config = checkpoint.config.known();
            suite.compare(
                format!("{id} (context)"),
                config.and_then(|config| context_length(&config.text())),
                length.as_u64(),
            );
        }
        if let Some(answer) = row.get("tokenizer") {
            suite.compare(
                format!("{id} (tokenizer, remote code)"),
                needs(&facts, |step| step == "AutoTokenizer"),
                answer["needs_remote_code"] == Value::Bool(true),
            );
        }
    }
    Ok(suite)
}

/// Compares the verdict on the model's class.
pub(crate) fn compare_with_oracle(suite: &mut Suite, id: &str, row: &Value, facts: &Facts<'_>) {
    let verdict = row["causal_lm"]["verdict"].as_str().unwrap_or("");
    suite.compare(
        format!("{id} (remote code)"),
        needs_for_model(facts),
        verdict == "needs_remote_code",
    );
    if row["auto_config"]["ok"] == Value::Bool(true) || verdict == "native" {
        suite.compare(
            format!("{id} (causal LM)"),
            builds_a_causal_lm(facts),
            verdict == "native",
        );
    }
}
