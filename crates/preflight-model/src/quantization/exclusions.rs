//! Modules that a quantisation leaves as they are, as the config lists them.

use crate::json::{Cursor, Value};

/// Keys of such lists, each of another tool.
const KEYS: [&str; 7] = [
    "modules_to_not_convert",
    "llm_int8_skip_modules",
    "ignored_layers",
    "ignore",
    "skip_modules",
    "exclude_modules",
    "linear_weights_not_to_quantize",
];

/// Keys under which single modules have settings of their own, which may be none.
const OF_SINGLE_MODULES: [&str; 5] = [
    "dynamic",
    "extra_config",
    ALONE,
    "layer_quant_config",
    "quantized_layers",
];

/// The key of GPTQ's list of what alone is quantised.
const ALONE: &str = "modules_in_block_to_quantize";

/// What `quantization_config` says of modules that are not quantised.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exclusions {
    /// Names of modules, or parts of names, as written.
    pub names: Vec<String>,
    /// Whether more than names decides: patterns, kinds of modules, settings of single ones. What is not
    /// among the names may then be left out all the same.
    pub is_open: bool,
    /// Ends of names of all that is quantised (GPTQ); empty where nothing says so.
    pub all_else_than: Vec<String>,
}

/// The exclusions of a section.
pub(super) fn read(section: &Cursor<'_>) -> Exclusions {
    let mut exclusions = Exclusions::default();
    for list in KEYS.iter().filter_map(|key| section.get_set(key)) {
        exclusions.is_open |= !list.is_array();
        for entry in list.elements() {
            match entry.as_str() {
                Some(name) if is_name(name) => exclusions.names.push(name.to_owned()),
                _ => exclusions.is_open = true,
            }
        }
    }
    let is_filled = |value: Cursor<'_>| match value.value() {
        Value::Array(_) => value.elements().next().is_some(),
        Value::Object(_) => value.members().next().is_some(),
        _ => true,
    };
    let settings = OF_SINGLE_MODULES
        .iter()
        .filter_map(|key| section.get_set(key));
    exclusions.is_open |= settings.into_iter().any(is_filled) || targets_some(section);
    exclusions.all_else_than = section
        .get(ALONE)
        .map_or_else(Vec::new, |list| alone(&list));
    exclusions
}

/// The entries of a list, or of a list of lists; none where one is no text.
fn alone(list: &Cursor<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for entry in list.elements() {
        if entry.is_array() {
            names.extend(
                entry
                    .elements()
                    .map(|name| name.as_str().map(str::to_owned)),
            );
        } else {
            names.push(entry.as_str().map(str::to_owned));
        }
    }
    names.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// A name, or one with `*` in it; no pattern of another language and no kind of module (`Linear`).
fn is_name(entry: &str) -> bool {
    let is_kind = !entry.contains('.') && entry.starts_with(|first: char| first.is_uppercase());
    let is_pattern =
        entry.starts_with("re:") || entry.contains(['^', '$', '|', '\\', '(', '[', '?']);
    !entry.is_empty() && !is_kind && !is_pattern
}

/// Whether a group of compressed-tensors is for less than all linear layers.
fn targets_some(section: &Cursor<'_>) -> bool {
    let groups = section.get("config_groups");
    let is_all = |group: &Cursor<'_>| {
        let targets = group.get("targets");
        let names = targets.iter().flat_map(Cursor::elements);
        let mut names = names.map(|name| name.as_str() == Some("Linear")).peekable();
        names.peek().is_some() && names.all(|is_linear| is_linear)
    };
    let groups = groups.iter().flat_map(Cursor::members);
    groups.into_iter().any(|(_, group)| !is_all(&group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn lists_and_what_else_decides() {
        for (text, names, is_open) in [
            ("{}", &[][..], false),
            (
                r#"{"modules_to_not_convert": null, "dynamic": {}}"#,
                &[],
                false,
            ),
            (
                r#"{"ignore": ["lm_head", "model.layers.0*"]}"#,
                &["lm_head", "model.layers.0*"],
                false,
            ),
            (
                r#"{"ignored_layers": ["a.b"], "modules_to_not_convert": ["c"]}"#,
                &["c", "a.b"],
                false,
            ),
            (r#"{"llm_int8_skip_modules": ["a", 7]}"#, &["a"], true),
            (r#"{"modules_to_not_convert": "lm_head"}"#, &[], true),
            (
                r#"{"ignore": ["lm_head", "re:.*gate$"]}"#,
                &["lm_head"],
                true,
            ),
            (r#"{"ignore": ["LlamaAttention"]}"#, &[], true),
            (r#"{"dynamic": {"-:.*gate": {}}}"#, &[], true),
            (
                r#"{"modules_in_block_to_quantize": [["q_proj"]]}"#,
                &[],
                true,
            ),
            (
                r#"{"config_groups": {"a": {"targets": ["Linear"]}}}"#,
                &[],
                false,
            ),
            (
                r#"{"config_groups": {"a": {"targets": ["Linear"]}, "b": {"targets": ["model.layers.1.mlp"]}}}"#,
                &[],
                true,
            ),
            (r#"{"config_groups": {"a": {"targets": []}}}"#, &[], true),
        ] {
            let document = Document::parse(text.as_bytes()).unwrap();
            let found = read(&document.root());
            assert_eq!(
                (&*found.names, found.is_open),
                (
                    &names.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                    is_open
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn what_alone_is_quantised() {
        for (list, names) in [
            (r#"[["a", "b"], ["c"]]"#, &["a", "b", "c"][..]),
            (r#"["a"]"#, &["a"]),
            (r#"[["a"], [7]]"#, &[]),
            ("null", &[]),
            ("[]", &[]),
        ] {
            let document = Document::parse(format!(r#"{{"{ALONE}": {list}}}"#).as_bytes()).unwrap();
            assert_eq!(read(&document.root()).all_else_than, names, "{list}");
        }
    }
}
