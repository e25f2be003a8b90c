//! Regular expressions of an `adapter_config.json`, as Python's `re` matches them.

use fancy_regex::{BytesMode, Regex, RegexBuilder};

/// Most bytes of a pattern; those of Unsloth, the longest in circulation, have about 500.
const BYTES_MAX: usize = 8192;
/// Most steps back of one match: a name of a module has about 60 characters.
const BACKTRACK_MAX: usize = 20_000;
/// Most bytes of a compiled pattern.
const COMPILED_MAX: usize = 1 << 20;

/// A pattern that is matched against names of modules. These are attributes of Python classes and in practice ASCII, of
/// which the classes of Unicode and of ASCII say the same; a pattern or a name that is not is left undecided.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    /// None where this program cannot read it, though Python may.
    whole: Option<Regex>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// `re.fullmatch(text, name)`.
    pub(super) fn full(text: &str) -> Self {
        Self::new(text, "", r"\z")
    }

    /// `re.match(r"(.*\.)?(text)$", name)`: how the keys of `rank_pattern` are matched.
    pub(super) fn ending(text: &str) -> Self {
        Self::new(text, r"(?:.*\.)?", r"\z")
    }

    /// `re.match(r"(^|.*\.)text($|\..*)", name)`: how `modules_to_save` keeps LoRA away.
    pub(super) fn segment(text: &str) -> Self {
        Self::new(text, r"(?:|.*\.)", r"(?:\z|\..*)")
    }

    fn new(text: &str, before: &str, after: &str) -> Self {
        let compile = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            builder
                .unicode_mode(false)
                .bytes_mode(BytesMode::Ascii)
                .backtrack_limit(BACKTRACK_MAX)
                .delegate_size_limit(COMPILED_MAX)
                .delegate_dfa_size_limit(COMPILED_MAX);
            builder.build().ok()
        };
        let is_taken = text.len() <= BYTES_MAX && text.is_ascii();
        let whole = Some(text)
            .filter(|_| is_taken)
            .and_then(compile)
            .and_then(|_| compile(&format!(r"\A{before}(?:{text}){after}")));
        Self {
            text: text.to_owned(),
            whole,
        }
    }

    /// Whether it matches; `None` where that cannot be told.
    pub(super) fn matches(&self, name: &str) -> Option<bool> {
        let whole = self.whole.as_ref().filter(|_| name.is_ascii())?;
        whole.is_match(name.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_matches() {
        let layer = "model.layers.0.self_attn.q_proj";
        assert_eq!(Pattern::full(r".*\.(q|v)_proj").matches(layer), Some(true));
        assert_eq!(Pattern::full("q_proj|v_proj").matches(layer), Some(false));
        assert_eq!(
            Pattern::full("(?!.*visual).*q_proj").matches(layer),
            Some(true)
        );
        assert_eq!(Pattern::full("(").matches(layer), None);
        assert_eq!(Pattern::full("a)|(b").matches("a"), None);
        assert_eq!(Pattern::ending("q_proj").matches(layer), Some(true));
        assert_eq!(Pattern::ending("proj").matches(layer), Some(false));
        assert_eq!(Pattern::ending("^model.*q_proj").matches(layer), Some(true));
        assert_eq!(Pattern::segment("self_attn").matches(layer), Some(true));
        assert_eq!(Pattern::segment("attn").matches(layer), Some(false));
    }

    #[test]
    fn classes_and_case() {
        let layer = "model.layers.10.self_attn.q_proj";
        for text in [
            r"\w+\.layers\.\d+\.self_attn\.[qv]_proj",
            r"(?i)MODEL\.LAYERS.*",
            r".*\bq_proj\b",
            r"[^\s]+",
        ] {
            assert_eq!(Pattern::full(text).matches(layer), Some(true), "{text}");
        }
        assert_eq!(Pattern::full(r"\W\D\S.").matches(".a_1"), Some(true));
        assert_eq!(Pattern::full("(?i)é").matches("e"), None);
        assert_eq!(Pattern::full(".*").matches("é"), None);
    }

    /// fancy-regex panics at `\b` without its table of words, which Cargo.toml names.
    #[test]
    fn what_python_refuses_is_never_decided() {
        let layer = "model.layers.0.q_proj";
        for text in [
            r"\p{L}.*",
            r"(?i)\P{Greek}.*",
            r"[[:alpha:]\p{Age:3.0}.]*",
            r"\X*",
            r"(?u:\W)(?-u:\w)\pN",
        ] {
            assert_eq!(Pattern::full(text).matches(layer), None, "{text}");
        }
        for (text, expected) in [
            (r"(?=\b)\bmodel\b(?=\b.*).*", true),
            (r"[\w.]+(?<=\B.)", true),
            (r"(?=\B).*", false),
        ] {
            assert_eq!(Pattern::full(text).matches(layer), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let name = "a".repeat(200);
        assert_eq!(Pattern::full(r"(a*)*\1b").matches(&name), None);
        assert_eq!(Pattern::full(&"x".repeat(BYTES_MAX + 1)).matches("x"), None);
    }
}
