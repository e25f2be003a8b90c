//! Details of `generation_config.json` that end the load of a model.
//!
//! `AutoModelForCausalLM.from_pretrained` reads the file after the weights and passes over what is no
//! JSON, but not over what its checks refuse. Each was seen to end (and what is left out here was seen
//! not to end) the load of a two-layer Llama in transformers 4.55.4; for release 5 the code was read.
//! Source: `GenerationConfig.__init__` and `validate` in
//! <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/generation/configuration_utils.py>
//! and in the same file of 5.10.4: <https://pypi.org/project/transformers/5.10.4/>.

use crate::config::Config;
use crate::fact::{Defect, Fact};
use crate::json::{Cursor, Document, Place};
use crate::release::{self, Release};
use crate::snapshot::Snapshot;
use crate::weights;

const PATH: &str = "generation_config.json";

/// Names of caches that every release takes.
const CACHES: [&str; 10] = [
    "dynamic",
    "hybrid",
    "hybrid_chunked",
    "offloaded",
    "offloaded_hybrid",
    "offloaded_hybrid_chunked",
    "offloaded_static",
    "quantized",
    "sliding_window",
    "static",
];
/// Those that release 5 has added.
const CACHES_OF_5: [&str; 2] = ["dynamic_full", "paged"];

/// Arguments of `generate` that have no place in the file, whatever their value.
const ARGUMENTS: [&str; 8] = [
    "assistant_model",
    "logits_processor",
    "negative_prompt_attention_mask",
    "negative_prompt_ids",
    "prefix_allowed_tokens_fn",
    "stopping_criteria",
    "streamer",
    "synced_gpus",
];
/// One more in release 4.
const ARGUMENT_OF_4: &str = "use_model_defaults";

/// Methods that the loader calls: a key of the name hides the method, whatever its value. Tried with 4.55.4,
/// read in 5.10.4.
const METHODS: [&str; 6] = [
    "__class__",
    "to_dict",
    "to_diff_dict",
    "to_json_string",
    "update",
    "validate",
];
/// One more of each release.
const METHOD_OF_4: &str = "dict_torch_dtype_to_str";
const METHOD_OF_5: &str = "dict_dtype_to_str";

/// Keys of a `watermarking_config`: the arguments of `WatermarkingConfig`.
const WATERMARK_KEYS: [&str; 5] = [
    "bias",
    "context_width",
    "greenlist_ratio",
    "hashing_key",
    "seeding_scheme",
];

/// The file as the loader sees it: absent also where Python's reader finds no JSON in it.
pub(crate) fn read(snapshot: &Snapshot) -> Fact<Document> {
    weights::content(snapshot, PATH).and_then(parse)
}

fn parse(text: &[u8]) -> Fact<Document> {
    match Document::parse(text) {
        Ok(document) if document.tolerated().next().is_some() => Fact::Absent,
        Ok(document) if !document.root().is_object() => {
            let root = document.root();
            let message = format!(
                "{PATH} must hold an object, it holds {}: loading the model stops at it",
                root.describe()
            );
            Fact::Malformed(Defect::at(PATH, root.place(), message))
        }
        Ok(document) => Fact::Known(document),
        // Beyond a bound of ours the loader may still read on; what is no JSON it passes over.
        Err(error) => match Fact::unparsed(PATH, text, "", &error) {
            Fact::Malformed(_) => Fact::Absent,
            unread => unread,
        },
    }
}

/// Settings of generation, and where they stand.
struct Settings<'a> {
    root: Cursor<'a>,
    /// Those of `config.json`, of which the loader takes what is not null.
    is_config: bool,
}

impl<'a> Settings<'a> {
    fn get(&self, key: &str) -> Option<Cursor<'a>> {
        self.root
            .get(key)
            .filter(|given| !self.is_config || !given.is_null())
    }

    fn get_set(&self, key: &str) -> Option<Cursor<'a>> {
        self.root.get_set(key)
    }
}

/// Everything in the file that this release would stop at.
pub(crate) fn find(file: &Fact<Document>, release: Release) -> Vec<Defect> {
    let document = match file {
        Fact::Known(document) => document,
        Fact::Malformed(defect) => return vec![defect.clone()],
        Fact::Absent | Fact::Unavailable(_) => return Vec::new(),
    };
    let is_later = release.major() >= 5;
    let settings = Settings {
        root: document.root(),
        is_config: false,
    };
    let mut found = refused(&settings, is_later);
    found.extend(hidden_method(&settings, is_later));
    found.extend(arguments(&settings, is_later));
    defects(PATH, found)
}

/// The same of the settings of generation in `config.json`: release 4 makes a `GenerationConfig` of them when it builds
/// the model, whether or not there is a file of its own. Each was run with
/// `GenerationConfig.from_model_config` of 4.55.4, which refuses what stands at the top and takes over what its text part
/// says. What release 5 does, and configs of which only the text part is built, is not told.
pub(crate) fn in_config(config: &Config, release: Release) -> Vec<Defect> {
    let has_parts = config.text().cursor().place() != config.root().place();
    let class = config
        .model_type()
        .and_then(|model_type| release::causal_lm_class(release, model_type));
    let is_whole = !has_parts || class.is_some_and(release::is_multimodal);
    if release.major() >= 5 || !is_whole {
        return Vec::new();
    }
    let settings = Settings {
        root: config.root(),
        is_config: true,
    };
    defects("config.json", refused(&settings, false))
}

fn refused(settings: &Settings<'_>, is_later: bool) -> Vec<Found> {
    let mut found = values(settings, is_later);
    found.extend(watermark(settings));
    found.extend(if is_later {
        sequences_of_release_5(settings)
    } else {
        sequences(settings).or_else(|| beam_groups(settings))
    });
    found
}

fn defects(path: &str, found: Vec<Found>) -> Vec<Defect> {
    let found = found.into_iter();
    found
        .map(|(place, message)| Defect::at(path, place, message))
        .collect()
}

type Found = (Place, String);

fn values(root: &Settings<'_>, is_later: bool) -> Vec<Found> {
    let mut found = Vec::new();
    let mut must = |key: &str, fits: &dyn Fn(&Cursor<'_>) -> bool, wants: &str| {
        if let Some(given) = root.get(key).filter(|given| !fits(given)) {
            let message = format!("`{key}` must be {wants}, it is {}", given.describe());
            found.push((given.place(), message));
        }
    };
    must(
        "max_new_tokens",
        // Python's `NaN <= 0` is false, so that loads.
        &|given| {
            given.is_null() || number(given).is_some_and(|value| value > 0.0 || value.is_nan())
        },
        "a number above 0",
    );
    let is_cache = |name: &str| CACHES.contains(&name) || is_later && CACHES_OF_5.contains(&name);
    must(
        "cache_implementation",
        &|given| given.is_null() || given.as_str().is_some_and(is_cache),
        "the name of a cache, such as `dynamic` or `static`",
    );
    must(
        "early_stopping",
        &|given| {
            given.as_str() == Some("never")
                || is_later && given.is_null()
                || is_number(given, 0.0)
                || is_number(given, 1.0)
        },
        "`true`, `false` or `never`",
    );
    must(
        "pad_token_id",
        &|given| given.is_null() || number(given).is_some(),
        "the number of a token",
    );
    must(
        "compile_config",
        &|given| given.is_null(),
        "left out of the file",
    );
    must(
        "cache_config",
        &|given| is_later || given.is_null() || given.is_object(),
        "an object",
    );
    found
}

fn watermark(root: &Settings<'_>) -> Option<Found> {
    let config = root.get_set("watermarking_config")?;
    let of = |key: &str, fits: &dyn Fn(&Cursor<'_>) -> bool, wants: &str| {
        let given = config.get(key).filter(|given| !fits(given))?;
        let found = given.describe();
        let message = format!("`{key}` of `watermarking_config` must be {wants}, it is {found}");
        Some((given.place(), message))
    };
    if !config.is_object() {
        let found = config.describe();
        let message = format!("`watermarking_config` must be an object, it is {found}");
        return Some((config.place(), message));
    }
    let stray = config
        .members()
        .find(|(key, _)| !WATERMARK_KEYS.contains(key));
    if let Some((key, given)) = stray {
        let message = format!("`watermarking_config` takes no key `{key}`");
        return Some((given.place(), message));
    }
    let is_share = |given: &Cursor<'_>| number(given).is_some_and(|it| (0.0..=1.0).contains(&it));
    let is_width = |given: &Cursor<'_>| number(given).is_some_and(|it| it >= 1.0);
    let is_scheme = |given: &Cursor<'_>| matches!(given.as_str(), Some("lefthash" | "selfhash"));
    of("seeding_scheme", &is_scheme, "`lefthash` or `selfhash`")
        .or_else(|| of("greenlist_ratio", &is_share, "a number from 0 to 1"))
        .or_else(|| of("context_width", &is_width, "a number of at least 1"))
}

fn hidden_method(root: &Settings<'_>, is_later: bool) -> Option<Found> {
    if leaves_keys_out(root) {
        return None;
    }
    let own = if is_later { METHOD_OF_5 } else { METHOD_OF_4 };
    let mut keys = METHODS.into_iter().chain([own]);
    let (name, given) = keys.find_map(|name| Some((name, root.get(name)?)))?;
    let message = format!(
        "`{name}` is a method of the class, which the key hides: loading the model stops at it"
    );
    Some((given.place(), message))
}

/// Whether the loader leaves out what is no setting of its own.
fn leaves_keys_out(root: &Settings<'_>) -> bool {
    root.get("_from_model_config")
        .is_some_and(|it| !is_false(&it))
}

fn arguments(root: &Settings<'_>, is_later: bool) -> Option<Found> {
    if leaves_keys_out(root) {
        return None;
    }
    let also = (!is_later).then_some(ARGUMENT_OF_4);
    let (key, given) = ARGUMENTS
        .into_iter()
        .chain(also)
        .find_map(|key| Some((key, root.get(key)?)))?;
    let message = format!("`{key}` is an argument of `generate` and must not stand in the file");
    Some((given.place(), message))
}

/// More sequences than the search yields.
fn sequences(root: &Settings<'_>) -> Option<Found> {
    let given = root.get("num_return_sequences")?;
    if is_number(&given, 1.0) {
        return None;
    }
    let beams = root.get("num_beams");
    if beams.as_ref().is_none_or(|beams| is_number(beams, 1.0)) {
        let is_greedy = root
            .get("do_sample")
            .is_none_or(|sample| sample.as_bool() == Some(false));
        return is_greedy.then(|| greedy(&given));
    }
    too_many(&given, &beams?)
}

fn sequences_of_release_5(root: &Settings<'_>) -> Option<Found> {
    let given = root.get_set("num_return_sequences")?;
    let Some(count) = number(&given) else {
        let message = format!(
            "`num_return_sequences` must be a number, it is {}",
            given.describe()
        );
        return Some((given.place(), message));
    };
    // Also of a number that is none.
    if count.is_nan() || count <= 1.0 {
        return None;
    }
    match root
        .get_set("num_beams")
        .filter(|beams| !is_number(beams, 1.0))
    {
        None => {
            let is_greedy = root.get("do_sample").is_none_or(|sample| is_false(&sample));
            is_greedy.then(|| greedy(&given))
        }
        Some(beams) => too_many(&given, &beams),
    }
}

fn greedy(given: &Cursor<'_>) -> Found {
    let message = format!(
        "`num_return_sequences` is {}, which needs `do_sample: true` or as many `num_beams`",
        given.describe()
    );
    (given.place(), message)
}

fn too_many(given: &Cursor<'_>, beams: &Cursor<'_>) -> Option<Found> {
    let is_refused = match (number(given), number(beams)) {
        (Some(count), Some(beams)) => count > beams,
        // Python compares two texts or two lists with each other.
        (None, None) => false,
        _ => true,
    };
    is_refused.then(|| {
        let message = format!(
            "`num_return_sequences` is {}, `num_beams` {}: it must be a number no larger than that",
            given.describe(),
            beams.describe()
        );
        (given.place(), message)
    })
}

/// What release 4 asks of groups of beams.
fn beam_groups(root: &Settings<'_>) -> Option<Found> {
    let beams = root.get("num_beams").filter(|it| !is_number(it, 1.0))?;
    let groups = root.get("num_beam_groups");
    let groups_set = groups.as_ref().filter(|groups| !is_number(groups, 1.0));
    let penalty = root.get("diversity_penalty");
    let has_penalty = penalty.as_ref().is_some_and(|it| !is_number(it, 0.0));
    let is_sampling = root
        .get("do_sample")
        .filter(|sample| sample.as_bool() == Some(true));
    let is_constrained = ["constraints", "force_words_ids"]
        .into_iter()
        .any(|key| root.get_set(key).is_some());
    if !is_constrained && groups_set.is_none() && !has_penalty {
        return None;
    }
    if let Some(sample) = is_sampling {
        let message = "`do_sample` does not go with groups of beams or with `constraints`";
        return Some((sample.place(), message.into()));
    }
    if is_constrained {
        let groups = groups_set.filter(|groups| !groups.is_null())?;
        let message = "`num_beam_groups` does not go with `constraints` or `force_words_ids`";
        return Some((groups.place(), message.into()));
    }
    let count = groups.as_ref().map_or(Some(1.0), number);
    let divides = number(&beams)
        .zip(count)
        .is_some_and(|(beams, groups)| groups != 0.0 && beams % groups == 0.0);
    if !divides {
        let message = "`num_beams` must be a multiple of `num_beam_groups`";
        return Some((beams.place(), message.into()));
    }
    let groups = groups_set.filter(|_| !has_penalty)?;
    let message = "`num_beam_groups` needs a `diversity_penalty` other than 0";
    Some((groups.place(), message.into()))
}

/// A number as Python's arithmetic takes it: `true` is 1.
fn number(cursor: &Cursor<'_>) -> Option<f64> {
    cursor
        .as_f64()
        .or_else(|| Some(f64::from(u8::from(cursor.as_bool()?))))
}

fn is_number(cursor: &Cursor<'_>, wanted: f64) -> bool {
    number(cursor) == Some(wanted)
}

/// What Python's `not` finds true of, where that is plain.
fn is_false(cursor: &Cursor<'_>) -> bool {
    cursor.is_null() || is_number(cursor, 0.0) || cursor.as_str() == Some("")
}

#[cfg(test)]
mod tests;
