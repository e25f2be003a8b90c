//! `adapter_config.json` of a PEFT adapter.

use crate::json::{Cursor, Document};

/// What an adapter says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// `peft_type`, for example `LORA`.
    pub peft_type: Option<String>,
    /// `task_type`, for example `CAUSAL_LM`.
    pub task_type: Option<String>,
    /// `r`.
    pub rank: Option<u64>,
    /// `lora_alpha`.
    pub alpha: Option<f64>,
    /// `target_modules`, sorted; a pattern counts as one.
    pub target_modules: Vec<String>,
    /// `base_model_name_or_path`.
    pub base_model: Option<String>,
}

impl Adapter {
    /// Reads the file; `None` where it is not PEFT's (other programs use the name too).
    pub fn read(document: &Document) -> Option<Self> {
        let root = document.root();
        let text = |key: &str| root.get(key)?.as_str().map(str::to_owned);
        let (peft_type, base_model) = (text("peft_type"), text("base_model_name_or_path"));
        if peft_type.is_none() && base_model.is_none() {
            return None;
        }
        let modules = root.get("target_modules");
        let mut target_modules: Vec<String> = modules
            .iter()
            .flat_map(Cursor::elements)
            .filter_map(|module| module.as_str().map(str::to_owned))
            .collect();
        target_modules.extend(modules.and_then(|one| one.as_str().map(str::to_owned)));
        target_modules.sort();
        Some(Self {
            peft_type,
            task_type: text("task_type"),
            rank: root.get("r").and_then(|rank| rank.as_u64()),
            alpha: root.get("lora_alpha").and_then(|alpha| alpha.as_f64()),
            target_modules,
            base_model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lora_adapter_and_a_stranger() {
        let lora = br#"{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["v_proj", "q_proj"], "base_model_name_or_path": "org/base"}"#;
        let lora = Adapter::read(&Document::parse(lora).unwrap()).unwrap();
        assert_eq!(lora.target_modules, ["q_proj", "v_proj"]);
        assert_eq!((lora.rank, lora.alpha), (Some(8), Some(16.0)));
        let other = Document::parse(br#"{"adapter": "wifi"}"#).unwrap();
        assert_eq!(Adapter::read(&other), None);
    }
}
