//! Details of config.json that break a load: what `AutoConfig` or the building of the model refuses.
//!
//! Each was seen to break transformers 4.55.4 with a two-layer model; `docs/how-it-decides.md` says
//! how. A check that holds for some classes only is made for those only: a wrong "broken" is as bad
//! as a wrong "fine".

mod cycles;
mod quantization;
mod rope;
mod tables;
mod values;

use tables::{
    ACTIVATIONS, DTYPES, HEADS_DIVIDE, HEADS_DIVIDE_WITHOUT_EMBEDDING_SIZE, LAYER_TYPES,
    LAYER_TYPES_CHECKED, METHODS, METHODS_OF_THE_WHOLE, PADDING_CHECKED, READ_ONLY,
};
pub(crate) use values::is_python_int;

use crate::config::{Config, Section};
use crate::fact::Defect;
use crate::json::{Cursor, Number, Tolerated, Value};

const PATH: &str = "config.json";

/// Everything about this config.json that the loader would stop at.
pub fn find(config: &Config) -> Vec<Defect> {
    let mut defects = Vec::new();
    mistakes_of_json(config, &mut defects);
    model_type(config, &mut defects);
    top_level(config, &mut defects);
    let (whole, text) = (config.whole(), config.text());
    dtype(&whole, &mut defects);
    values::find(&whole, &mut defects);
    if !text.cursor().place().pointer.is_empty() {
        dtype(&text, &mut defects);
        values::find(&text, &mut defects);
    }
    stray_parts(config, &mut defects);
    hidden_methods(config, &mut defects);
    rope::find(&text, &mut defects);
    layer_types(&text, &mut defects);
    cycles::find(&text, &mut defects);
    pad_token(&text, &mut defects);
    heads(&text, &mut defects);
    experts(&text, &mut defects);
    defects
}

/// Settings of `quantization_config` that transformers 4.55.4 refuses and that the engine vLLM takes or does
/// not read: which of the two decides on the platform is not known.
pub fn disputed(config: &Config) -> Vec<Defect> {
    let section = config.root().get("quantization_config");
    section.map_or_else(Vec::new, |section| {
        quantization::refused(&section).by_transformers
    })
}

fn at(cursor: &Cursor<'_>, message: String) -> Defect {
    Defect::at(PATH, cursor.place(), message)
}

/// Keys that hide a method of the config class.
fn hidden_methods(config: &Config, defects: &mut Vec<Defect>) {
    let (root, text) = (config.root(), config.text());
    let part = (!text.cursor().place().pointer.is_empty()).then(|| text.cursor());
    let of_whole = METHODS.iter().chain(&METHODS_OF_THE_WHOLE);
    let keys = of_whole.filter_map(|name| Some((name, root.get(name)?)));
    let of_part = METHODS
        .iter()
        .filter_map(|name| Some((name, part.as_ref()?.get(name)?)));
    // An object is pickled without a method of this name too.
    let hides = |name: &str, key: &Cursor<'_>| name != "__reduce_ex__" || !key.is_null();
    for (name, key) in keys.chain(of_part).filter(|(name, key)| hides(name, key)) {
        let message = format!(
            "`{name}` is a method of the config class, which the key hides: the loader ends when it calls it; remove it"
        );
        defects.push(at(&key, message));
    }
}

fn mistakes_of_json(config: &Config, defects: &mut Vec<Defect>) {
    for (mistake, place) in config.document().tolerated() {
        let message = match mistake {
            Tolerated::ByteOrderMark => {
                "config.json starts with a byte order mark, which Python's JSON reader refuses"
            }
            Tolerated::TrailingComma(_) => {
                "a comma stands before a closing bracket, which is not JSON"
            }
        };
        defects.push(Defect::at(PATH, place, message));
    }
}

fn model_type(config: &Config, defects: &mut Vec<Defect>) {
    let root = config.root();
    match root.get("model_type") {
        None => defects.push(Defect::of_file(
            PATH,
            "config.json has no `model_type`: the loader would guess it from the repository's name",
        )),
        Some(given) if given.as_str().is_none_or(str::is_empty) => defects.push(at(
            &given,
            format!(
                "`model_type` must name a model type, it is {}",
                given.describe()
            ),
        )),
        Some(_) => {}
    }
}

/// The loader asks whether its class is *in* the map and takes the value for a name. A text or a list
/// without that word does no harm. All run with transformers 4.55.4.
fn auto_map(map: &Cursor<'_>, defects: &mut Vec<Defect>) {
    const CLASSES: [&str; 2] = ["AutoConfig", "AutoModelForCausalLM"];
    let names_a_class = |text: &str| CLASSES.iter().any(|class| text.contains(class));
    let is_readable = map.is_object()
        || map.is_array()
            && !map
                .elements()
                .any(|name| name.as_str().is_some_and(names_a_class))
        || map.as_str().is_some_and(|text| !names_a_class(text));
    if !is_readable {
        defects.push(at(
            map,
            format!(
                "`auto_map` is {}, which the loader cannot read: remove the key",
                map.describe()
            ),
        ));
    }
    let entries = CLASSES.iter().filter_map(|class| map.get(class));
    for entry in entries.filter(|entry| entry.as_str().is_none() && !entry.is_array()) {
        defects.push(at(
            &entry,
            format!(
                "`auto_map` names {} in place of a class, which the loader cannot read: remove the key",
                entry.describe()
            ),
        ));
    }
}

fn top_level(config: &Config, defects: &mut Vec<Defect>) {
    let root = config.root();
    if let Some(map) = root.get("auto_map") {
        auto_map(&map, defects);
    }
    for (types, names) in READ_ONLY {
        let of_type = types.is_empty() || config.model_type().is_some_and(|it| types.contains(&it));
        for name in names.iter().filter(|_| of_type) {
            if let Some(key) = root.get(name) {
                let message =
                    format!("`{name}` is a read-only property of the config class: remove it");
                defects.push(at(&key, message));
            }
        }
    }
    if let Some(section) = root.get("quantization_config") {
        defects.extend(quantization::refused(&section).everywhere);
    }
}

fn dtype(section: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(given) = section.given("torch_dtype") else {
        return;
    };
    let is_whole = matches!(
        given.value(),
        Value::Number(Number::Int(_)) | Value::Bool(_)
    );
    if is_whole || given.is_array() {
        let found = given.describe();
        defects.push(at(
            &given,
            format!("`torch_dtype` must name a dtype of torch, it is {found}"),
        ));
    }
    let Some(name) = given.as_str() else { return };
    if !DTYPES.contains(&name) {
        let meant = name.strip_prefix("torch.").unwrap_or(name);
        let meant = match meant {
            "bf16" => "bfloat16",
            "fp16" => "float16",
            "fp32" => "float32",
            other => other,
        };
        let hint = if DTYPES.contains(&meant) {
            format!(" (did you mean `{meant}`?)")
        } else {
            String::new()
        };
        defects.push(at(
            &given,
            format!("`torch_dtype` is `{name}`, which a model cannot be built in{hint}"),
        ));
    }
}

fn is_one_of(text: &Section<'_>, types: &[&str]) -> bool {
    text.model_type()
        .is_some_and(|model_type| types.contains(&model_type))
}

fn layer_types(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let given = text.given("layer_types").filter(|types| !types.is_null());
    let Some(types) = given.filter(|_| is_one_of(text, &LAYER_TYPES_CHECKED)) else {
        return;
    };
    if !types.is_array() {
        let found = types.describe();
        defects.push(at(
            &types,
            format!("`layer_types` must be a list, it is {found}"),
        ));
        return;
    }
    let unknown = types.elements().find(|kind| {
        !kind
            .as_str()
            .is_some_and(|kind| LAYER_TYPES.contains(&kind))
    });
    if let Some(kind) = unknown {
        defects.push(at(
            &kind,
            format!("`layer_types` has the unknown entry {}", kind.describe()),
        ));
    }
    let (have, want) = (
        types.elements().count() as u64,
        text.u64("num_hidden_layers"),
    );
    if let Some(want) = want.filter(|&want| have < want) {
        defects.push(at(
            &types,
            format!("`layer_types` has {have} entries for {want} layers"),
        ));
    }
}

fn pad_token(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let Some(pad) = text.given("pad_token_id") else {
        return;
    };
    if pad.is_null() || !is_one_of(text, &PADDING_CHECKED) {
        return;
    }
    let vocabulary = text.u64("vocab_size");
    let message = match pad.value() {
        // A negative one counts from the end.
        Value::Number(Number::Int(token)) => {
            let is_beyond = vocabulary.is_some_and(|tokens| {
                let token = if *token < 0 {
                    token.unsigned_abs() - 1
                } else {
                    token.unsigned_abs()
                };
                token >= tokens
            });
            is_beyond.then(|| {
                let tokens = vocabulary.unwrap_or_default();
                format!(
                    "`pad_token_id` is {token}, beyond the last of {tokens} tokens of `vocab_size`"
                )
            })
        }
        Value::Number(_) | Value::Bool(_) => {
            let found = pad.describe();
            Some(format!(
                "`pad_token_id` must be a whole number, it is {found}"
            ))
        }
        _ => None,
    };
    defects.extend(message.map(|message| at(&pad, message)));
}

fn heads(text: &Section<'_>, defects: &mut Vec<Defect>) {
    let must_divide = is_one_of(text, &HEADS_DIVIDE)
        || is_one_of(text, &HEADS_DIVIDE_WITHOUT_EMBEDDING_SIZE)
            && text.given("embedding_size").is_none();
    let sizes = text
        .u64("hidden_size")
        .zip(text.u64("num_attention_heads"))
        .filter(|(_, heads)| *heads > 0 && must_divide);
    if let Some((hidden, heads)) = sizes.filter(|(hidden, heads)| hidden % heads != 0) {
        let place = text
            .given("num_attention_heads")
            .or_else(|| text.given("hidden_size"));
        let place = place.unwrap_or_else(|| text.cursor().clone());
        defects.push(at(
            &place,
            format!("`hidden_size` {hidden} is not divisible by `num_attention_heads` {heads}"),
        ));
    }
}

/// A router cannot choose more experts than there are: `torch.topk` ends the first step.
fn experts(text: &Section<'_>, defects: &mut Vec<Defect>) {
    const COUNTS: [&str; 3] = ["num_local_experts", "num_experts", "n_routed_experts"];
    let mut counts = COUNTS.iter().filter(|key| text.reads(key));
    let Some(all) = counts.find_map(|key| text.u64(key)) else {
        return;
    };
    let Some(given) = text
        .given("num_experts_per_tok")
        .filter(|_| text.reads("num_experts_per_tok"))
    else {
        return;
    };
    if let Some(used) = given.as_u64().filter(|&used| all > 0 && used > all) {
        defects.push(at(
            &given,
            format!("`num_experts_per_tok` is {used}, more than the {all} experts of the config"),
        ));
    }
}

/// Parts that the loader takes for the language model (`get_text_config`) and that a class without
/// parts keeps as a bare object, at which the load ends.
fn stray_parts(config: &Config, defects: &mut Vec<Defect>) {
    let whole = config.whole();
    let Some(class) = whole.class().filter(|class| class.sub_configs.is_empty()) else {
        return;
    };
    let is_causal = class.causal_lm.is_some();
    for key in ["text_config", "decoder", "generator"] {
        let stray = config.root().get_set(key);
        let is_own = class.defaults.contains_key(key);
        if let Some(part) = stray.filter(|_| is_causal && !is_own) {
            let name = &class.config_class;
            defects.push(at(
                &part,
                format!("`{key}` is no part of `{name}`, and the loader takes it for the language model: remove it"),
            ));
        }
    }
}

#[cfg(test)]
mod tests;
