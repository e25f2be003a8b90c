//! `config.json` as its class reads it: flat or nested, under any of its spellings, with the class's
//! defaults for what it leaves out.

use std::sync::LazyLock;

use crate::defaults::{ClassDefaults, class_defaults};
use crate::json::{Cursor, Document};

/// A config.json that is an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    document: Document,
}

/// Where composite configs keep the part that describes the language model, in the order of the
/// loader (`PretrainedConfig.get_text_config`).
/// Source: <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/configuration_utils.py>
const TEXT_SECTIONS: [&str; 4] = ["text_config", "text_encoder", "decoder", "generator"];

/// Composite model types whose class fills a missing `text_config` with defaults and ignores sizes that
/// stand beside it: a flat config of a text model under such a type builds another model than it says.
/// Source: `Gemma3Config.__init__` and the like,
/// <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/models/gemma3/configuration_gemma3.py>
const TEXT_BY_DEFAULT: [&str; 4] = ["gemma3", "gemma3n", "llama4", "llava"];

/// Composite model types that look the class of a part up by the `model_type` that it names: those
/// that do so for the text alone, for text and images, for text and sound.
/// Source: `CONFIG_MAPPING[text_config["model_type"]]` in the configurations of
/// <https://github.com/huggingface/transformers/tree/v4.55.4/src/transformers/models>
const LOOKS_UP_PARTS: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "blip-2",
            "fuyu",
            "got_ocr2",
            "granite_speech",
            "idefics2",
            "idefics3",
            "instructblip",
            "instructblipvideo",
            "internvl",
            "janus",
            "perception_lm",
            "smolvlm",
        ],
    ),
    (
        "vision_config",
        &[
            "aya_vision",
            "cohere2_vision",
            "deepseek_vl",
            "deepseek_vl_hybrid",
            "llava",
            "llava_next",
            "llava_next_video",
            "llava_onevision",
            "mistral3",
            "paligemma",
            "shieldgemma2",
            "video_llava",
            "vipllava",
        ],
    ),
    ("audio_config", &["qwen2_audio", "voxtral"]),
];

/// Names in `architectures` that are read; real configs have one, seldom two.
const ARCHITECTURES_MAX: usize = 100;

static EMPTY: LazyLock<Document> =
    LazyLock::new(|| Document::parse(b"{}").expect("an empty object is JSON"));

impl Config {
    /// Wraps a parsed file; `None` where it is not an object.
    pub fn new(document: Document) -> Option<Self> {
        document.root().is_object().then_some(Self { document })
    }

    /// The parsed file.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The outermost object.
    pub fn root(&self) -> Cursor<'_> {
        self.document.root()
    }

    /// `model_type`, where it is a string.
    pub fn model_type(&self) -> Option<&str> {
        self.root().get("model_type")?.as_str()
    }

    /// The names in `architectures`; a single string counts as one.
    pub fn architectures(&self) -> Vec<&str> {
        let Some(architectures) = self.root().get("architectures") else {
            return Vec::new();
        };
        match architectures.as_str() {
            Some(one) => vec![one],
            None => architectures
                .elements()
                .filter_map(|name| name.as_str())
                .take(ARCHITECTURES_MAX)
                .collect(),
        }
    }

    /// The whole config.
    pub fn whole(&self) -> Section<'_> {
        Section {
            defaults: self.model_type().and_then(class_defaults),
            model_type: self.model_type(),
            cursor: self.root(),
        }
    }

    /// The nested config under `key`, where there is one. The class around it fixes that of
    /// the part, unless it looks it up by the type that the part names.
    pub fn part(&self, key: &str) -> Option<Section<'_>> {
        let cursor = self.root().get(key).filter(Cursor::is_object)?;
        let outer = self.model_type().and_then(class_defaults);
        let implied = outer.and_then(|outer| Some(outer.sub_configs.get(key)?.as_str()));
        let named = cursor.get("model_type").and_then(|name| name.as_str());
        let model_type = if self.keys_looked_up().any(|looked_up| looked_up == key) {
            named.or(implied)
        } else {
            implied.or(named)
        };
        Some(Section {
            defaults: model_type.and_then(class_defaults),
            model_type,
            cursor,
        })
    }

    /// The `model_type` of each part that the class around it looks up by that name, with the part's key.
    pub fn parts_looked_up(&self) -> impl Iterator<Item = (&'static str, Cursor<'_>)> {
        self.keys_looked_up().filter_map(|key| {
            let part = self.root().get(key)?;
            Some((key, part.get("model_type")?))
        })
    }

    fn keys_looked_up(&self) -> impl Iterator<Item = &'static str> {
        let named = self.model_type().unwrap_or_default();
        let row = LOOKS_UP_PARTS
            .into_iter()
            .find(|(_, types)| types.contains(&named));
        row.into_iter()
            .flat_map(|(other, _)| ["text_config", other])
    }

    /// The part that describes the language model: a nested config, or the whole.
    pub fn text(&self) -> Section<'_> {
        if let Some(part) = TEXT_SECTIONS.iter().find_map(|key| self.part(key)) {
            return part;
        }
        let outer = self.model_type().and_then(class_defaults);
        let by_default = self
            .model_type()
            .is_some_and(|name| TEXT_BY_DEFAULT.contains(&name));
        let default_type = outer.and_then(|outer| outer.sub_configs.get("text_config"));
        if let Some(model_type) = default_type.filter(|_| by_default) {
            return Section {
                defaults: class_defaults(model_type),
                model_type: Some(model_type),
                cursor: EMPTY.root(),
            };
        }
        self.whole()
    }
}

/// One config object read as its class reads it.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    cursor: Cursor<'a>,
    model_type: Option<&'a str>,
    defaults: Option<&'static ClassDefaults>,
}

impl<'a> Section<'a> {
    /// The model type of this section, given or implied by the config around it.
    pub fn model_type(&self) -> Option<&'a str> {
        self.model_type
    }

    /// The class's defaults, where the class is in the table.
    pub fn class(&self) -> Option<&'static ClassDefaults> {
        self.defaults
    }

    /// The object itself.
    pub fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    /// What the file itself says under `key` or the class's own name for it. `null` is given too.
    pub fn given(&self, key: &str) -> Option<Cursor<'a>> {
        self.cursor
            .get(key)
            .or_else(|| self.cursor.get(self.stored_name(key)?))
    }

    /// A whole number: given, or the class's default. `None` also where it is given as `null` or its
    /// default depends on other settings.
    pub fn u64(&self, key: &str) -> Option<u64> {
        match self.given(key) {
            Some(given) => given.as_u64(),
            None => self.default(key)?.as_u64(),
        }
    }

    /// A number.
    pub fn f64(&self, key: &str) -> Option<f64> {
        match self.given(key) {
            Some(given) => given.as_f64(),
            None => self.default(key)?.as_f64(),
        }
    }

    /// A switch.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.given(key) {
            Some(given) => given.as_bool(),
            None => self.default(key)?.as_bool(),
        }
    }

    /// A word.
    pub fn str(&self, key: &str) -> Option<&'a str> {
        match self.given(key) {
            Some(given) => given.as_str(),
            None => self.default(key)?.as_str(),
        }
    }

    /// The first of several spellings that has a whole number.
    pub fn first_u64(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| self.u64(key))
    }

    /// Whether the class has this setting, under this name or its own.
    pub fn reads(&self, key: &str) -> bool {
        let name = self.stored_name(key).unwrap_or(key);
        self.defaults
            .is_some_and(|class| class.defaults.contains_key(name))
    }

    /// Whether the class has a fixed default for it, other than none.
    pub fn has_default(&self, key: &str) -> bool {
        self.default(key).is_some_and(|default| !default.is_null())
    }

    fn stored_name(&self, key: &str) -> Option<&'static str> {
        self.defaults?.attribute_map.get(key).map(String::as_str)
    }

    fn default(&self, key: &str) -> Option<&'static serde_json::Value> {
        let class = self.defaults?;
        let name = self.stored_name(key).unwrap_or(key);
        if class.derived.iter().any(|derived| derived == name) {
            return None;
        }
        class.defaults.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::new(Document::parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn one_setting_under_any_of_its_names() {
        let gpt2 = config(r#"{"model_type": "gpt2", "n_embd": 1600, "num_hidden_layers": 48}"#);
        let text = gpt2.text();
        assert_eq!(text.u64("hidden_size"), Some(1600));
        assert_eq!(text.u64("num_hidden_layers"), Some(48));
        assert_eq!(
            text.u64("num_attention_heads"),
            Some(12),
            "the class's default"
        );
    }

    #[test]
    fn a_nested_config_is_read_with_its_own_class() {
        let gemma = config(r#"{"model_type": "gemma3", "text_config": {"hidden_size": 2560}}"#);
        let text = gemma.text();
        assert_eq!(text.model_type(), Some("gemma3_text"));
        assert_eq!(text.u64("hidden_size"), Some(2560));
        assert_eq!(text.u64("head_dim"), Some(256), "the class's default");
    }

    /// Measured: 4.55.4 refuses `got_ocr2` with a text type it does not know, and builds the text config
    /// of `emu3` and `gemma3` whatever type that names.
    #[test]
    fn which_class_of_a_part_is_looked_up_by_its_name() {
        let with = |model_type: &str| {
            config(&format!(
                r#"{{"model_type": "{model_type}", "text_config": {{"model_type": "qwen3_next"}}, "vision_config": {{"model_type": "acme"}}}}"#
            ))
        };
        let keys =
            |config: Config| -> Vec<_> { config.parts_looked_up().map(|(key, _)| key).collect() };
        assert_eq!(keys(with("got_ocr2")), ["text_config"]);
        assert_eq!(keys(with("llava")), ["text_config", "vision_config"]);
        assert_eq!(keys(with("emu3")), [""; 0]);
        assert_eq!(with("gemma3").text().model_type(), Some("gemma3_text"));
        assert_eq!(with("emu3").text().model_type(), Some("emu3_text_model"));
        assert_eq!(with("llava").text().model_type(), Some("qwen3_next"));
    }

    #[test]
    fn sizes_beside_a_missing_text_config_are_ignored_as_the_class_does() {
        let flat = config(r#"{"model_type": "gemma3", "hidden_size": 1152}"#);
        assert_eq!(flat.text().model_type(), Some("gemma3_text"));
        assert_eq!(
            flat.text().u64("hidden_size"),
            Some(2304),
            "the class's default"
        );
    }

    #[test]
    fn null_is_given_and_has_no_value() {
        let llama = config(r#"{"model_type": "llama", "num_key_value_heads": null}"#);
        assert!(llama.text().given("num_key_value_heads").is_some());
        assert_eq!(llama.text().u64("num_key_value_heads"), None);
    }
}
