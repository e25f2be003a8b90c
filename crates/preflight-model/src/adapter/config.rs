//! `adapter_config.json`, and what in it PEFT refuses.

use super::ADAPTER_CONFIG;
use super::address::without_secrets;
use super::selection::Selection;
use crate::fact::Defect;
use crate::json::{Cursor, Document, Number, Tolerated, Value};

/// Method types that PEFT 0.21.2 knows; others are a `KeyError`.
/// Source: <https://github.com/huggingface/peft/blob/v0.21.2/src/peft/utils/peft_types.py>
const PEFT_TYPES: [&str; 45] = [
    "ADALORA",
    "ADAMSS",
    "ADAPTION_PROMPT",
    "BEFT",
    "BOFT",
    "C3A",
    "CARTRIDGE",
    "CPT",
    "DEFT",
    "DELORA",
    "FOURIERFT",
    "FROD",
    "GLORA",
    "GRALORA",
    "HIRA",
    "HRA",
    "IA3",
    "LILY",
    "LN_TUNING",
    "LOHA",
    "LOKR",
    "LORA",
    "MISS",
    "MULTITASK_PROMPT_TUNING",
    "OFT",
    "OSF",
    "PEANUT",
    "POLY",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
    "PSOFT",
    "PVERA",
    "P_TUNING",
    "RANDLORA",
    "ROAD",
    "SHADOW",
    "SHIRA",
    "SUPERTUNING",
    "TINYLORA",
    "TRAINABLE_TOKENS",
    "UNILORA",
    "VBLORA",
    "VERA",
    "WAVEFT",
    "XLORA",
];
/// Task types that PEFT knows; others are a `ValueError`.
const TASK_TYPES: [&str; 6] = [
    "CAUSAL_LM",
    "FEATURE_EXTRACTION",
    "QUESTION_ANS",
    "SEQ_2_SEQ_LM",
    "SEQ_CLS",
    "TOKEN_CLS",
];
/// What PEFT takes for `r` and `lora_alpha` where the file leaves them out.
const RANK_DEFAULT: u64 = 8;
const ALPHA_DEFAULT: f64 = 8.0;

/// Names in `target_modules` that are shown: more than one for each module of a large mixture of experts.
const TARGET_MODULES_MAX: usize = 10_000;

/// What an adapter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    document: Document,
    /// `peft_type`, for example `LORA`.
    pub peft_type: Option<String>,
    /// `task_type`, for example `CAUSAL_LM`.
    pub task_type: Option<String>,
    /// `r`, or PEFT's default where a LoRA adapter leaves it out.
    pub rank: Option<u64>,
    /// `lora_alpha`, or PEFT's default where a LoRA adapter leaves it out.
    pub alpha: Option<f64>,
    /// `target_modules`, sorted; a pattern counts as one.
    pub target_modules: Vec<String>,
    /// `base_model_name_or_path`, without the secrets of an address; none where it is null or empty.
    pub base_model: Option<String>,
    /// `revision`: of the base.
    pub revision: Option<String>,
    /// What PEFT refuses, with its place.
    pub defects: Vec<Defect>,
    pub(super) selection: Selection,
}

impl Adapter {
    /// Reads the file; `None` where it is not PEFT's (other programs use the name too).
    pub fn read(document: Document) -> Option<Self> {
        let root = document.root();
        let text = |key: &str| root.get(key)?.as_str().map(str::to_owned);
        if !["peft_type", "base_model_name_or_path"]
            .iter()
            .any(|key| root.get(key).is_some())
        {
            return None;
        }
        let filled = |key: &str| text(key).filter(|name| !name.trim().is_empty());
        let peft_type = text("peft_type");
        let is_lora = peft_type.as_deref() == Some("LORA");
        let modules = root.get("target_modules");
        let mut target_modules: Vec<String> = modules
            .iter()
            .flat_map(Cursor::elements)
            .filter_map(|module| module.as_str().map(str::to_owned))
            .take(TARGET_MODULES_MAX)
            .collect();
        target_modules.extend(modules.and_then(|one| one.as_str().map(str::to_owned)));
        target_modules.sort();
        let rank = match root.get("r") {
            Some(given) => given.as_u64(),
            None => is_lora.then_some(RANK_DEFAULT),
        };
        let alpha = match root.get("lora_alpha") {
            Some(given) => given.as_f64(),
            None => is_lora.then_some(ALPHA_DEFAULT),
        };
        let mut adapter = Self {
            task_type: text("task_type"),
            rank,
            alpha,
            target_modules,
            base_model: filled("base_model_name_or_path").map(|name| without_secrets(&name)),
            revision: filled("revision"),
            defects: defects(&document),
            selection: Selection::read(&root),
            peft_type,
            document: Document::parse(b"{}").ok()?,
        };
        adapter.document = document;
        Some(adapter)
    }

    /// The file's outermost object.
    pub fn root(&self) -> Cursor<'_> {
        self.document.root()
    }

    /// Whether it is plain LoRA or one of its variants: the only method whose tensors are compared.
    pub fn is_lora(&self) -> bool {
        self.peft_type.as_deref() == Some("LORA")
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.root().get(key).and_then(|flag| flag.as_bool()) == Some(true)
    }
}

fn defects(document: &Document) -> Vec<Defect> {
    let root = document.root();
    let mut found: Vec<Defect> = document
        .tolerated()
        .map(|(mistake, place)| {
            let message = match mistake {
                Tolerated::ByteOrderMark => {
                    "the file starts with a byte order mark, which Python's parser refuses"
                }
                Tolerated::TrailingComma(_) => {
                    "a comma stands before a closing bracket, which is not JSON"
                }
            };
            Defect::at(ADAPTER_CONFIG, place, message)
        })
        .collect();
    let mut wrong = |cursor: &Cursor<'_>, message: String| {
        found.push(Defect::at(ADAPTER_CONFIG, cursor.place(), message));
    };
    match root.get("peft_type") {
        None => wrong(&root, "`peft_type` is missing, which PEFT requires".into()),
        Some(given)
            if !given
                .as_str()
                .is_some_and(|name| PEFT_TYPES.contains(&name)) =>
        {
            wrong(
                &given,
                format!(
                    "`peft_type` is {}, which PEFT does not know",
                    given.describe()
                ),
            );
        }
        Some(_) => {}
    }
    if let Some(given) = root.get_set("task_type")
        && !given
            .as_str()
            .is_some_and(|name| TASK_TYPES.contains(&name))
    {
        wrong(
            &given,
            format!(
                "`task_type` is {}, which PEFT does not know",
                given.describe()
            ),
        );
    }
    if root.get("peft_type").and_then(|name| name.as_str()) == Some("LORA") {
        lora_defects(&root, &mut wrong);
    }
    found
}

/// Each of these was seen to end `PeftModel.from_pretrained` with an error.
fn lora_defects(root: &Cursor<'_>, wrong: &mut impl FnMut(&Cursor<'_>, String)) {
    if let Some(rank) = root.get("r")
        && !matches!(rank.value(), Value::Number(Number::Int(1..)))
    {
        wrong(
            &rank,
            format!("`r` is {}, PEFT needs a positive integer", rank.describe()),
        );
    }
    for key in ["lora_alpha", "lora_dropout"] {
        if let Some(given) = root.get(key)
            && given.as_f64().is_none()
        {
            wrong(
                &given,
                format!("`{key}` is {}, PEFT needs a number", given.describe()),
            );
        }
    }
    for key in ["rank_pattern", "alpha_pattern"] {
        if let Some(given) = root.get(key)
            && !given.is_object()
        {
            wrong(
                &given,
                format!("`{key}` is {}, PEFT needs an object", given.describe()),
            );
        }
    }
    if let Some(bias) = root.get("bias")
        && !bias
            .as_str()
            .is_some_and(|bias| ["none", "all", "lora_only"].contains(&bias))
    {
        wrong(
            &bias,
            format!(
                "`bias` is {}, PEFT takes `none`, `all` or `lora_only`",
                bias.describe()
            ),
        );
    }
    if let Some(targets) = root.get("target_modules")
        && targets.is_array()
        && targets.elements().next().is_none()
        && root.get_set("target_parameters").is_none()
    {
        wrong(
            &targets,
            "`target_modules` is empty, so PEFT adapts nothing".into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Adapter> {
        Adapter::read(Document::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_lora_adapter_and_strangers() {
        let lora = read(
            r#"{"peft_type": "LORA", "r": 4, "target_modules": ["v_proj", "q_proj"], "base_model_name_or_path": "org/base", "revision": "v1"}"#,
        )
        .unwrap();
        assert_eq!(lora.target_modules, ["q_proj", "v_proj"]);
        assert_eq!((lora.rank, lora.alpha), (Some(4), Some(8.0)));
        assert_eq!(lora.revision.as_deref(), Some("v1"));
        assert_eq!(lora.defects, []);
        for stranger in [
            r#"{"adapter": "wifi"}"#,
            r#"{"fine_tune_type": "lora", "lora_parameters": {"rank": 8}, "model": "org/base"}"#,
            r#"{"config": {"original_ln_before": true}, "hidden_size": 768, "model_class": "BertModel"}"#,
        ] {
            assert_eq!(read(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn what_peft_refuses() {
        for (patch, says) in [
            (r#""r": 0"#, "`r` is"),
            (r#""r": null"#, "`r` is"),
            (r#""r": "4""#, "`r` is"),
            (r#""r": 4.0"#, "`r` is"),
            (r#""r": true"#, "`r` is"),
            (r#""lora_alpha": null"#, "`lora_alpha` is"),
            (r#""lora_dropout": null"#, "`lora_dropout` is"),
            (r#""rank_pattern": null"#, "`rank_pattern` is"),
            (r#""bias": "some""#, "`bias` is"),
            (r#""target_modules": []"#, "adapts nothing"),
            (r#""task_type": "CHAT""#, "`task_type` is"),
        ] {
            let text = format!(r#"{{"peft_type": "LORA", {patch}}}"#);
            let found = read(&text).unwrap().defects;
            assert!(
                found.len() == 1 && found[0].message.contains(says),
                "{patch}: {found:?}"
            );
        }
        let lower = read(r#"{"peft_type": "lora"}"#).unwrap();
        assert!(lower.defects[0].message.contains("does not know"));
        let none = read(r#"{"base_model_name_or_path": "a/b"}"#).unwrap();
        assert!(none.defects[0].message.contains("`peft_type` is missing"));
    }
}
