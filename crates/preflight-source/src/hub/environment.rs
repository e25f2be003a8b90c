//! The variables that all tools of the Hub's ecosystem share.
//!
//! Source: <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>

use std::path::PathBuf;

/// Looks up a variable; one that is not set, empty or not Unicode is `None`.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of the process.
pub(crate) fn process(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the ecosystem takes for "yes".
/// Source: `ENV_VARS_TRUE_VALUES` of
/// <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/constants.py>
pub(crate) fn is_true(value: Option<&str>) -> bool {
    let value = value.unwrap_or_default().to_ascii_uppercase();
    matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
}

/// The folder for the caches of all programs of a user: `XDG_CACHE_HOME`, or `.cache` in the home.
fn caches(environment: Environment<'_>) -> Option<PathBuf> {
    match environment("XDG_CACHE_HOME") {
        Some(caches) => Some(expand(&caches, environment)),
        None => user_home(environment).map(|home| home.join(".cache")),
    }
}

/// The same in the environment of the process.
pub(crate) fn caches_of_process() -> Option<PathBuf> {
    caches(&process)
}

/// The Hub's home: `HF_HOME`, or `huggingface` in the user's cache.
pub(crate) fn home(environment: Environment<'_>) -> Option<PathBuf> {
    if let Some(home) = environment("HF_HOME") {
        return Some(expand(&home, environment));
    }
    caches(environment).map(|caches| caches.join("huggingface"))
}

/// The Hub's cache of files.
pub(crate) fn cache(environment: Environment<'_>) -> Option<PathBuf> {
    let named = environment("HF_HUB_CACHE").or_else(|| environment("HUGGINGFACE_HUB_CACHE"));
    match named {
        Some(cache) => Some(expand(&cache, environment)),
        None => home(environment).map(|home| home.join("hub")),
    }
}

fn user_home(environment: Environment<'_>) -> Option<PathBuf> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    environment(name).map(PathBuf::from)
}

/// A leading `~` as the shell has it: a variable set in a file was never expanded.
pub(super) fn expand(path: &str, environment: Environment<'_>) -> PathBuf {
    match (path.strip_prefix("~/"), user_home(environment)) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_others_have_it() {
        let of = |variables: &[(&str, &str)]| {
            let environment = |name: &str| {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            cache(&environment).map(|path| path.display().to_string())
        };
        let user = if cfg!(windows) {
            ("USERPROFILE", "/u")
        } else {
            ("HOME", "/u")
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[user]).unwrap(), "/u/.cache/huggingface/hub");
        assert_eq!(
            of(&[user, ("XDG_CACHE_HOME", "/x")]).unwrap(),
            "/x/huggingface/hub"
        );
        assert_eq!(
            of(&[user, ("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")]).unwrap(),
            "/h/hub"
        );
        assert_eq!(
            of(&[user, ("HF_HUB_CACHE", "~/c"), ("HF_HOME", "/h")]).unwrap(),
            "/u/c"
        );
    }

    #[test]
    fn yes_has_four_spellings() {
        assert!(
            ["1", "on", "Yes", "TRUE"]
                .iter()
                .all(|value| is_true(Some(value)))
        );
        assert!(
            ![None, Some("0"), Some(""), Some("false")]
                .into_iter()
                .any(is_true)
        );
    }
}
