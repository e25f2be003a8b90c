//! How a checkpoint's tensor names become those of the class, as `from_pretrained` renames them.
//!
//! Source: `_get_key_renaming_mapping`, `_fix_state_dict_key_on_load` and `_load_pretrained_model` in
//! <https://github.com/huggingface/transformers/blob/v4.55.4/src/transformers/modeling_utils.py>.

use std::borrow::Cow;

use super::Expected;

/// How the names of one checkpoint become those of the class.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    prefix: &'static str,
    change: Change,
    renames: &'static [(&'static str, &'static str)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Keep,
    /// A bare model is loaded into a class with a head.
    Add,
    /// A model with a head is loaded into the bare class: what is not under the prefix is left out.
    Strip,
}

impl Naming {
    /// Looks at all names of the checkpoint, because one name under the prefix decides for all.
    pub fn new<'n>(expected: &Expected, mut names: impl Iterator<Item = &'n str>) -> Self {
        let prefix = expected.prefix;
        let is_under = |name: &str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        let change = if prefix.is_empty() {
            Change::Keep
        } else {
            let class_has = expected.tensors.keys().any(|name| is_under(name));
            match (names.any(|name| name.starts_with(prefix)), class_has) {
                (false, true) => Change::Add,
                (true, false) => Change::Strip,
                _ => Change::Keep,
            }
        };
        Self {
            prefix,
            change,
            renames: expected.renames,
        }
    }

    /// Whether the names are taken for those of a bare model, which has no head.
    pub(super) fn adds_prefix(&self) -> bool {
        self.change == Change::Add
    }

    /// The class's name for a tensor of the checkpoint; `None` where the loader leaves it out.
    pub fn resolve<'n>(&self, name: &'n str) -> Option<Cow<'n, str>> {
        let name = self.renamed(name);
        match self.change {
            Change::Keep => Some(name),
            Change::Add => Some(Cow::Owned(format!("{}.{name}", self.prefix))),
            Change::Strip => {
                let bare = name.strip_prefix(self.prefix)?.strip_prefix('.')?;
                Some(Cow::Owned(bare.to_owned()))
            }
        }
    }

    fn renamed<'n>(&self, name: &'n str) -> Cow<'n, str> {
        for (old, new) in [
            ("LayerNorm.gamma", "LayerNorm.weight"),
            ("LayerNorm.beta", "LayerNorm.bias"),
        ] {
            if let Some(before) = name.strip_suffix(old) {
                return Cow::Owned(format!("{before}{new}"));
            }
        }
        // Where an old beginning is also the beginning of new names (`model.` became
        // `model.language_model.`), the patterns of the classes except the new names.
        if self.renames.iter().any(|(_, new)| name.starts_with(new)) {
            return Cow::Borrowed(name);
        }
        let renamed = self
            .renames
            .iter()
            .find_map(|(old, new)| Some(format!("{new}{}", name.strip_prefix(old)?)));
        renamed.map_or(Cow::Borrowed(name), Cow::Owned)
    }
}
