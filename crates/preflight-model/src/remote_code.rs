//! Whether `trust_remote_code=False` would refuse the model, step by step.
//!
//! The rule, for config, model and tokenizer alike: code is needed where the repository offers it for
//! this auto class and transformers has no class of its own. `.py` files play no part, except
//! `custom_generate/generate.py`.
//! Source: `resolve_trust_remote_code`,
//! <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/dynamic_module_utils.py>,
//! and what transformers 4.55.4 did with odd repositories (`docs/how-it-decides.md`).

use crate::checkpoint::Checkpoint;
use crate::fact::Fact;
use crate::json::{Cursor, Place};
use crate::release::{self, Release};

/// One step of loading that needs the repository's own code.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// `AutoConfig`, `AutoModel`, `AutoModelForCausalLM`, `AutoTokenizer`, `generate`, or
    /// [`SENTENCE_TRANSFORMERS`].
    pub step: &'static str,
    /// The code it would run: `modeling_x.XForCausalLM`, with `org/name--` before it where it lies in
    /// another repository.
    pub code: String,
    /// File that offers it.
    pub path: &'static str,
    /// Where in the file.
    pub place: Option<Place>,
}

/// What a load would need.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RemoteCode {
    /// The steps that need code; none is good.
    pub needs: Vec<Need>,
    /// Files that might need some and could not be read.
    pub unread: Vec<String>,
}

impl RemoteCode {
    /// Whether code is needed; `None` where that is not known.
    pub fn required(&self) -> Option<bool> {
        if !self.needs.is_empty() {
            Some(true)
        } else if self.unread.is_empty() {
            Some(false)
        } else {
            None
        }
    }
}

/// The file that runs whenever a model of the Hub is loaded for generation.
const CUSTOM_GENERATE: &str = "custom_generate/generate.py";

/// Step of a load as an embedding model with sentence-transformers, which imports the classes that
/// `modules.json` names.
/// Source: `_load_module_class_from_ref` in
/// <https://github.com/huggingface/sentence-transformers/blob/v5.1.0/sentence_transformers/SentenceTransformer.py>
pub const SENTENCE_TRANSFORMERS: &str = "SentenceTransformer";

/// Decides every step for a release; `model_class` is the auto class that loads the weights.
pub fn remote_code(checkpoint: &Checkpoint<'_>, release: Release, embedding: bool) -> RemoteCode {
    let mut found = RemoteCode::default();
    match &checkpoint.config {
        Fact::Known(_) => config_and_model(checkpoint, release, embedding, &mut found),
        Fact::Unavailable(why) => found.unread.push(why.clone()),
        Fact::Absent | Fact::Malformed(_) => {}
    }
    tokenizer(checkpoint, release, &mut found);
    if let Some(files) = checkpoint.sentence_transformers.known() {
        let modules = files.custom_modules.iter();
        found.needs.extend(modules.map(|(class, place)| Need {
            step: SENTENCE_TRANSFORMERS,
            code: class.clone(),
            path: "modules.json",
            place: Some(place.clone()),
        }));
    }
    if checkpoint.has_file(CUSTOM_GENERATE) == Some(true) {
        found.needs.push(Need {
            step: "generate",
            code: CUSTOM_GENERATE.into(),
            path: CUSTOM_GENERATE,
            place: None,
        });
    }
    found
}

fn config_and_model(
    checkpoint: &Checkpoint<'_>,
    release: Release,
    embedding: bool,
    found: &mut RemoteCode,
) {
    let Some(config) = checkpoint.config.known() else {
        return;
    };
    let Some(map) = config.root().get("auto_map") else {
        return;
    };
    // A config without a model type is native to nothing.
    let model_type = config.model_type().unwrap_or("");
    let native = release::knows_model_type(release, model_type);
    let model_class = if embedding {
        "AutoModel"
    } else {
        "AutoModelForCausalLM"
    };
    let native_model = if embedding {
        release::tasks(release, model_type).any(|(task, _)| task == "base")
    } else {
        release::causal_lm_class(release, model_type).is_some()
    };
    let offered_config = !native;
    if offered_config {
        // Without code for the config the load ends there, with or without trust.
        let Some(code) = offered(&map, "AutoConfig") else {
            return;
        };
        found.needs.push(need("AutoConfig", code, "config.json"));
    }
    if (!native || !native_model)
        && let Some(code) = offered(&map, model_class)
    {
        found.needs.push(need(model_class, code, "config.json"));
    }
}

fn tokenizer(checkpoint: &Checkpoint<'_>, release: Release, found: &mut RemoteCode) {
    let document = match &checkpoint.tokenizer_config {
        Fact::Known(document) => Some(document),
        Fact::Unavailable(why) => {
            found.unread.push(why.clone());
            return;
        }
        Fact::Absent | Fact::Malformed(_) => None,
    };
    let root = document.map(|document| document.root());
    let own_class = root
        .as_ref()
        .and_then(|root| root.get_set("tokenizer_class")?.as_str());
    let own_map = root.as_ref().and_then(|root| root.get_set("auto_map"));
    let mut code = own_map
        .as_ref()
        .and_then(tokenizer_code)
        .map(|code| (code, "tokenizer_config.json"));
    let mut class = own_class;
    let mut native_row = false;
    // Only without a class of its own does the tokenizer ask config.json.
    if let Some(config) = checkpoint.config.known().filter(|_| own_class.is_none()) {
        let root = config.root();
        class = root
            .get_set("tokenizer_class")
            .and_then(|class| class.as_str());
        if let Some(in_config) = root.get_set("auto_map").as_ref().and_then(tokenizer_code) {
            code = Some((in_config, "config.json"));
        }
        native_row = config
            .model_type()
            .is_some_and(|model_type| release::tokenizer_for(release, model_type));
    }
    let local =
        native_row || class.is_some_and(|class| release::tokenizer_class_known(release, class));
    if let Some((code, path)) = code.filter(|_| !local) {
        found.needs.push(need("AutoTokenizer", code, path));
    }
}

fn need(step: &'static str, code: (String, Place), path: &'static str) -> Need {
    Need {
        step,
        code: code.0,
        path,
        place: Some(code.1),
    }
}

/// What `auto_map` offers for an auto class: a name, or a list of which the loader asks before it looks
/// at the names. A list or a string in place of the map is ignored, as the loader ignores it.
fn offered(map: &Cursor<'_>, auto_class: &str) -> Option<(String, Place)> {
    let entry = map.get_set(auto_class)?;
    let name = match entry.as_str() {
        Some(name) => name.to_owned(),
        None => entry
            .elements()
            .find_map(|name| name.as_str().map(str::to_owned))?,
    };
    Some((name, entry.place()))
}

/// `auto_map` of a tokenizer: an object with `AutoTokenizer`, or itself the pair of a slow and a fast
/// class.
fn tokenizer_code(map: &Cursor<'_>) -> Option<(String, Place)> {
    let entry = if map.is_array() {
        map.clone()
    } else {
        map.get_set("AutoTokenizer")?
    };
    let names: Vec<&str> = match entry.as_str() {
        Some(one) => vec![one],
        None => entry.elements().filter_map(|name| name.as_str()).collect(),
    };
    Some(((*names.first()?).to_owned(), entry.place()))
}
