//! What each release of transformers knows: model types, the classes its Auto classes build for
//! them, tokenizer classes and quantisation methods.
//!
//! Data: `data/transformers.json`, made by `tools/transformers_tables.py` from the published packages.
//! Each minor release was read at its newest patch, so the answers are for "4.55", not "4.55.2".

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

/// A minor release of transformers, for example 4.55: all of its patches, taken at the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    major: u16,
    minor: u16,
}

impl Release {
    /// Reads `4.55`, and what a `transformers_version` holds: `4.55.2`, `4.56.0.dev0`. The patch is
    /// dropped. `None` where there are no two leading numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let major = number(parts.next()?)?;
        let minor = number(parts.next()?)?;
        Some(Self { major, minor })
    }

    /// The first number, for example 4.
    pub fn major(self) -> u16 {
        self.major
    }

    /// The second number, for example 55.
    pub fn minor(self) -> u16 {
        self.minor
    }

    /// The oldest release in the table; what it knows may be older than it.
    pub fn oldest() -> Self {
        TABLE.releases[0]
    }

    /// The newest release in the table; of later ones nothing more is known than of it.
    pub fn newest() -> Self {
        TABLE.releases[TABLE.releases.len() - 1]
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Digits alone: Rust would also take `+4`.
fn number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// The first release that knows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The first release of the table that knows it.
    pub release: Release,
    /// It is the oldest of the table, so an older one may know it too.
    pub or_earlier: bool,
}

impl Since {
    fn new(release: Release) -> Self {
        Self {
            release,
            or_earlier: release == Release::oldest(),
        }
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.release)?;
        f.write_str(if self.or_earlier { " or earlier" } else { "" })
    }
}

/// One place where a model class stands in a mapping of transformers' Auto classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassUse {
    /// For example `LlamaForSequenceClassification`.
    pub class: &'static str,
    /// For example `sequence_classification`; `base` for the model without a head.
    pub task: &'static str,
    /// For example `llama`.
    pub model_type: &'static str,
    known: Span,
}

impl ClassUse {
    /// Whether a release has it.
    pub fn is_known_in(&self, release: Release) -> bool {
        self.known.contains(release)
    }

    /// The first release that has it.
    pub fn since(&self) -> Since {
        self.known.since()
    }
}

/// Whether `AutoConfig` of this release knows a model type. Case matters.
pub fn knows_model_type(release: Release, model_type: &str) -> bool {
    model_type_span(model_type).is_some_and(|known| known.contains(release))
}

/// The first release that knows a model type; `None` where none does.
pub fn model_type_since(model_type: &str) -> Option<Since> {
    Some(model_type_span(model_type)?.since())
}

/// The last release that knows a model type which a later one has dropped.
pub fn model_type_until(model_type: &str) -> Option<Release> {
    model_type_span(model_type)?.until()
}

/// Whether a class takes images too, and so is built from the whole of a config with several parts.
pub fn is_multimodal(class: &str) -> bool {
    let classes = classes_named(class);
    classes
        .iter()
        .any(|class| class.task == "image_text_to_text")
}

/// The class that `AutoModelForCausalLM` builds for a model type.
pub fn causal_lm_class(release: Release, model_type: &str) -> Option<&'static str> {
    tasks(release, model_type)
        .find(|(task, _)| *task == "causal_lm")
        .map(|(_, class)| class)
}

/// The first release whose `AutoModelForCausalLM` takes a model type: often later than the type itself.
pub fn causal_lm_since(model_type: &str) -> Option<Since> {
    let classes = TABLE.model_types.get(model_type)?.tasks.get("causal_lm")?;
    let first = classes.values().map(|known| known.since().release).min()?;
    Some(Since::new(first))
}

/// Every task that a release has a class for, given a model type, with that class. A task occurs more
/// than once where several classes serve it.
pub fn tasks(
    release: Release,
    model_type: &str,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let row = TABLE.model_types.get(model_type);
    row.into_iter()
        .flat_map(|row| &row.tasks)
        .flat_map(|(task, classes)| {
            classes
                .iter()
                .map(move |(class, known)| (task, class, known))
        })
        .filter(move |(.., known)| known.contains(release))
        .map(|(task, class, _)| (*task, *class))
}

/// Where a class name stands in the mappings, in any release, by model type. Some published files
/// spell it in another case (`MPTForCausalLM`), which is found where no class has the exact name.
pub fn classes_named(name: &str) -> Vec<ClassUse> {
    let Some(uses) = CLASSES.get(&name.to_ascii_lowercase()) else {
        return Vec::new();
    };
    let exact = uses.iter().filter(|found| found.class == name);
    let exact: Vec<ClassUse> = exact.copied().collect();
    if exact.is_empty() {
        return uses.clone();
    }
    exact
}

/// Whether `AutoTokenizer` of this release finds the class that a `tokenizer_class` names. Release 4
/// looks for the name and for the name with `Fast` behind it; release 5 also takes a `Fast` away.
/// Source: `tokenizer_class_from_name` and its callers in
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/auto/tokenization_auto.py>
pub fn tokenizer_class_known(release: Release, class: &str) -> bool {
    let has = |name: &str| {
        let known = TABLE.tokenizer_classes.get(name);
        known.is_some_and(|known| known.contains(release))
    };
    has(class)
        || has(&format!("{class}Fast"))
        || (release.major >= 5 && class.strip_suffix("Fast").is_some_and(has))
}

/// The first release for which [`tokenizer_class_known`] holds.
pub fn tokenizer_class_since(class: &str) -> Option<Since> {
    let mut releases = TABLE.releases.iter().copied();
    releases
        .find(|release| tokenizer_class_known(*release, class))
        .map(Since::new)
}

/// Whether a release loads its generic tokenizer where it does not find the class that is named;
/// release 4 ends with an error. Source: the last lines of `AutoTokenizer.from_pretrained` in
/// <https://github.com/huggingface/transformers/blob/v5.0.0/src/transformers/models/auto/tokenization_auto.py>
pub fn unknown_tokenizer_class_is_replaced(release: Release) -> bool {
    release.major >= 5
}

/// Whether `AutoTokenizer` of this release has a tokenizer of its own for a model type, which it takes
/// where no file names a class.
pub fn tokenizer_for(release: Release, model_type: &str) -> bool {
    let row = TABLE.model_types.get(model_type);
    row.is_some_and(|row| row.tokenizers.values().any(|known| known.contains(release)))
}

/// The class of [`tokenizer_for`], where it depends on nothing else: with `mistral-common` installed some
/// model types have that package's.
pub fn tokenizer_class_for(release: Release, model_type: &str) -> Option<&'static str> {
    let row = TABLE.model_types.get(model_type)?;
    let known = row.tokenizers.iter();
    let mut names = known.filter_map(|(name, known)| known.contains(release).then_some(*name));
    // In order: `LlamaTokenizer` comes before `LlamaTokenizerFast`.
    let first = names.next()?;
    names
        .all(|name| name.strip_suffix("Fast") == Some(first))
        .then_some(first)
}

/// Whether a release knows a `quant_method`. Case matters: `GPTQ` is unknown. `bitsandbytes` counts as
/// known where its two forms are; the loader itself also wants `load_in_4bit` or `load_in_8bit`.
pub fn quant_method_known(release: Release, method: &str) -> bool {
    quant_method_span(method).is_some_and(|known| known.contains(release))
}

/// The first release that knows a `quant_method`.
pub fn quant_method_since(method: &str) -> Option<Since> {
    Some(quant_method_span(method)?.since())
}

/// Switches that change what a model type computes, with the release that first reads them: an earlier one computes
/// as if they were off, without a word. Embeddings of `EmbeddingGemma` are then those of a model that sees only what
/// stands before.
/// Source: `configuration_gemma3.py` of the published packages 4.56.2, which lacks it, and 4.57.0.
const SWITCHES: [(&str, &str, Release); 1] = [(
    "gemma3_text",
    "use_bidirectional_attention",
    Release {
        major: 4,
        minor: 57,
    },
)];

/// Switches of a model type that `release` does not read yet, with the release that first does.
pub fn later_switches(
    release: Release,
    model_type: &str,
) -> impl Iterator<Item = (&'static str, Release)> {
    let of_type = SWITCHES
        .iter()
        .filter(move |(name, _, since)| *name == model_type && *since > release);
    of_type.map(|(_, key, since)| (*key, *since))
}

/// The model type that a misspelt one was probably meant to be; `None` for a known one.
pub fn nearest_model_type(name: &str) -> Option<&'static str> {
    nearest(name, TABLE.model_types.keys().copied())
}

/// The quantisation method that a misspelt one was probably meant to be; `None` for a known one.
pub fn nearest_quant_method(name: &str) -> Option<&'static str> {
    let methods = TABLE.quant_methods.keys().copied();
    nearest(name, methods.chain(["bitsandbytes"]))
}

/// No name in the tables is longer, and the work grows with the square of the length.
const NAME_CHARACTERS_MAX: usize = 64;

/// The same name but for case and separators, else one with a slip or two in its letters. Other digits
/// make another name: `llama5` is no slip for `llama4`.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return None;
    }
    let wanted = plain(name);
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let wanted_digits = digits(&wanted);
    let slips_max = (wanted.len() / 4).min(2);
    let (slips, _, nearest) = known
        .map(|candidate| (plain(candidate), candidate))
        .filter(|(plain, _)| digits(plain) == wanted_digits)
        .map(|(plain, candidate)| {
            let slips = strsim::osa_distance(&plain, &wanted);
            (slips, strsim::osa_distance(candidate, name), candidate)
        })
        .min()?;
    (slips <= slips_max && nearest != name).then_some(nearest)
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

fn model_type_span(model_type: &str) -> Option<Span> {
    Some(TABLE.model_types.get(model_type)?.known)
}

fn quant_method_span(method: &str) -> Option<Span> {
    let method = match method {
        "bitsandbytes" => "bitsandbytes_4bit",
        other => other,
    };
    TABLE.quant_methods.get(method).copied()
}

/// Where each class stands, by its name in lower case.
static CLASSES: LazyLock<HashMap<String, Vec<ClassUse>>> = LazyLock::new(|| {
    let mut found: HashMap<String, Vec<ClassUse>> = HashMap::new();
    for (model_type, row) in &TABLE.model_types {
        for (task, classes) in &row.tasks {
            for (class, known) in classes {
                found
                    .entry(class.to_ascii_lowercase())
                    .or_default()
                    .push(ClassUse {
                        class,
                        task,
                        model_type,
                        known: *known,
                    });
            }
        }
    }
    found
});

type Names<T> = BTreeMap<&'static str, T>;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Table {
    /// Oldest first.
    #[serde(deserialize_with = "releases")]
    releases: Vec<Release>,
    model_types: Names<ModelType>,
    tokenizer_classes: Names<Span>,
    quant_methods: Names<Span>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct ModelType {
    known: Span,
    /// Task, class, releases.
    #[serde(default)]
    tasks: Names<Names<Span>>,
    #[serde(default)]
    tokenizers: Names<Span>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/transformers.json"))
        .expect("data/transformers.json is generated and tested")
});

fn releases<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Release>, D::Error> {
    let versions = Vec::<&str>::deserialize(deserializer)?;
    let releases = versions.into_iter().map(Release::parse).collect();
    Option::filter(releases, |releases: &Vec<_>| !releases.is_empty())
        .ok_or_else(|| serde::de::Error::custom("a release is not two numbers"))
}

/// Releases that know something, as the table writes them: `4.28` (and all later ones), `4.33-5.5`, or
/// several of these with commas between. Read when asked for, since few of thousands ever are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Span(&'static str);

impl Span {
    /// First and last release of each part; no last where it lasts.
    fn parts(self) -> impl Iterator<Item = (Release, Option<Release>)> {
        self.0
            .split(',')
            .filter_map(|part| match part.split_once('-') {
                Some((first, last)) => Some((Release::parse(first)?, Some(Release::parse(last)?))),
                None => Some((Release::parse(part)?, None)),
            })
    }

    fn contains(self, release: Release) -> bool {
        self.parts()
            .any(|(first, last)| first <= release && last.is_none_or(|last| release <= last))
    }

    fn since(self) -> Since {
        let first = self.parts().map(|(first, _)| first).next();
        Since::new(first.unwrap_or_else(Release::newest))
    }

    fn until(self) -> Option<Release> {
        self.parts().last()?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        Release::parse(text).unwrap()
    }

    fn since(text: Option<Since>) -> String {
        text.unwrap().to_string()
    }

    #[test]
    fn a_release_is_two_numbers() {
        assert!(release("4.9") < release("4.55") && release("4.55") < release("5.0"));
        assert_eq!(release("4.56.0.dev0"), release("4.56"));
        assert_eq!(release("5.10").major(), 5);
        assert_eq!(release("4.55.4").to_string(), "4.55");
        for text in ["", "4", "4.", "v4.55", "4.x", "+4.55", "4.-5", "4.99999"] {
            assert_eq!(Release::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_entry_of_the_table_can_be_read() {
        let table = &*TABLE;
        assert!(table.releases.is_sorted());
        let of_types = table.model_types.values().flat_map(|row| {
            let classes = row.tasks.values().flat_map(BTreeMap::values);
            classes.chain(row.tokenizers.values()).chain([&row.known])
        });
        let others = table.tokenizer_classes.values();
        for span in of_types.chain(others).chain(table.quant_methods.values()) {
            let parts: Vec<_> = span.parts().collect();
            assert_eq!(parts.len(), span.0.split(',').count(), "{span:?}");
            let ends = parts.iter().flat_map(|(first, last)| [Some(*first), *last]);
            let ends: Vec<_> = ends.flatten().collect();
            assert!(ends.is_sorted(), "{span:?}");
            assert!(
                ends.iter().all(|end| table.releases.contains(end)),
                "{span:?}"
            );
        }
    }

    /// Counted in the imported library for 4.55.4, and in the wheel for 5.10.4.
    #[test]
    fn as_many_as_the_packages_have() {
        let counts = |text| {
            let ceiling = release(text);
            let types = TABLE.model_types.keys();
            let types: Vec<_> = types
                .filter(|name| knows_model_type(ceiling, name))
                .collect();
            let causal = types
                .iter()
                .filter(|name| causal_lm_class(ceiling, name).is_some());
            let methods = TABLE.quant_methods.values();
            let methods = methods.filter(|known| known.contains(ceiling));
            (types.len(), causal.count(), methods.count())
        };
        assert_eq!(counts("4.55"), (385, 128, 20));
        assert_eq!(counts("5.10"), (648, 163, 23));
    }

    #[test]
    fn model_types_come_and_go() {
        let ceiling = release("4.55");
        assert!(knows_model_type(ceiling, "llama"));
        assert!(!knows_model_type(ceiling, "Llama"), "case matters");
        assert!(
            knows_model_type(ceiling, "gpt_oss") && !knows_model_type(release("4.54"), "gpt_oss")
        );
        assert!(!knows_model_type(ceiling, "qwen3_next"));
        assert_eq!(since(model_type_since("gpt_oss")), "4.55");
        assert_eq!(since(model_type_since("qwen3_next")), "4.57");
        assert_eq!(since(model_type_since("gpt2")), "4.20 or earlier");
        assert_eq!(model_type_since("chatglm"), None);
        assert!(knows_model_type(ceiling, "code_llama"));
        assert!(!knows_model_type(release("5.10"), "code_llama"));
        assert_eq!(model_type_until("code_llama"), Some(release("5.5")));
        assert_eq!(model_type_until("llama"), None);
    }

    #[test]
    fn a_model_type_may_have_no_causal_class_or_get_it_late() {
        let ceiling = release("4.55");
        let class = |model_type| causal_lm_class(ceiling, model_type);
        assert_eq!(class("mpt"), Some("MptForCausalLM"));
        assert_eq!(class("bert"), Some("BertLMHeadModel"));
        assert_eq!(class("gemma3"), Some("Gemma3ForConditionalGeneration"));
        assert_eq!(class("t5"), None);
        assert_eq!(class("qwen3_next"), None, "too new");
        assert_eq!(since(model_type_since("whisper")), "4.23");
        assert_eq!(since(causal_lm_since("whisper")), "4.35");
        assert_eq!(causal_lm_since("t5"), None);
    }

    #[test]
    fn classes_of_a_task_and_tasks_of_a_class() {
        let t5: Vec<_> = tasks(release("4.55"), "t5").collect();
        assert!(t5.contains(&("seq2seq_lm", "T5ForConditionalGeneration")));
        assert!(t5.contains(&("text_encoding", "T5EncoderModel")));
        let old: Vec<_> = tasks(release("4.30"), "t5").map(|(task, _)| task).collect();
        assert!(!old.contains(&"token_classification"), "came in 4.38");

        let uses = classes_named("LlamaForSequenceClassification");
        assert!(
            uses.iter()
                .all(|class| class.task == "sequence_classification")
        );
        let llama = uses
            .iter()
            .find(|class| class.model_type == "llama")
            .unwrap();
        assert!(llama.is_known_in(release("4.55")) && !llama.is_known_in(release("4.27")));
        assert_eq!(llama.since().to_string(), "4.28");
        assert!(classes_named("ChatGLMModel").is_empty());
    }

    #[test]
    fn a_class_in_another_case_is_found() {
        let uses = classes_named("MPTForCausalLM");
        assert!(uses.iter().all(|class| class.class == "MptForCausalLM"));
        assert!(
            uses.iter()
                .any(|class| class.model_type == "mpt" && class.task == "causal_lm")
        );
    }

    #[test]
    fn tokenizer_classes_as_the_loader_finds_them() {
        let (four, five) = (release("4.55"), release("5.10"));
        let both = [
            "LlamaTokenizer",
            "LlamaTokenizerFast",
            "PreTrainedTokenizerFast",
            "PreTrainedTokenizer",
            "CohereTokenizer", // only with `Fast` in 4.55
        ];
        for class in both {
            assert!(tokenizer_class_known(four, class), "{class}");
            assert!(tokenizer_class_known(five, class), "{class}");
        }
        for class in ["TokenizersBackend", "MistralCommonBackend"] {
            assert!(!tokenizer_class_known(four, class), "{class}");
            assert!(tokenizer_class_known(five, class), "{class}");
            assert_eq!(since(tokenizer_class_since(class)), "5.0");
        }
        assert!(!tokenizer_class_known(five, "ChatGLMTokenizer"));
        assert!(!tokenizer_class_known(four, ""));
        assert_eq!(tokenizer_class_since("ChatGLMTokenizer"), None);
        assert_eq!(since(tokenizer_class_since("LlamaTokenizer")), "4.28");
        assert!(!unknown_tokenizer_class_is_replaced(four));
        assert!(unknown_tokenizer_class_is_replaced(five));
    }

    #[test]
    fn which_model_types_bring_a_tokenizer() {
        assert!(tokenizer_for(release("4.55"), "llama"));
        assert!(!tokenizer_for(release("4.27"), "llama"));
        assert!(!tokenizer_for(release("4.55"), "chatglm"));
        assert!(
            !tokenizer_for(release("4.55"), "vit"),
            "known, but without text"
        );
    }

    #[test]
    fn quantisation_methods_by_their_exact_name() {
        let ceiling = release("4.55");
        for method in ["gptq", "mxfp4", "bitsandbytes", "compressed-tensors", "fp8"] {
            assert!(quant_method_known(ceiling, method), "{method}");
        }
        for method in ["GPTQ", "modelopt", "exl2", "nvfp4", ""] {
            assert!(!quant_method_known(ceiling, method), "{method}");
        }
        assert_eq!(since(quant_method_since("bitsandbytes")), "4.32");
        assert_eq!(since(quant_method_since("nvfp4")), "5.16");
        assert_eq!(quant_method_since("exl2"), None);
    }

    #[test]
    fn a_slip_is_recognised_and_a_new_name_is_not() {
        assert_eq!(nearest_model_type("Llama"), Some("llama"));
        assert_eq!(nearest_model_type("gpt-oss"), Some("gpt_oss"));
        assert_eq!(nearest_model_type("mistrall"), Some("mistral"));
        assert_eq!(nearest_model_type("qwen3moe"), Some("qwen3_moe"));
        for name in [
            "llama",
            "llama5",
            "internlm2",
            "x",
            "",
            "a-model-of-our-own",
        ] {
            assert_eq!(nearest_model_type(name), None, "{name}");
        }
        assert_eq!(nearest_model_type(&"llama".repeat(1000)), None);
        assert_eq!(nearest_quant_method("GPTQ"), Some("gptq"));
        assert_eq!(
            nearest_quant_method("compressed_tensors"),
            Some("compressed-tensors")
        );
        assert_eq!(nearest_quant_method("exl2"), None);
    }
}
