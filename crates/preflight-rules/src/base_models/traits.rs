//! How two structures compare: what differs without harm, and what would break the job.

use std::cmp::Ordering;

use crate::structure::{Mixer, Structure};

/// One thing that two structures have in common or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trait {
    name: &'static str,
    theirs: String,
    ours: String,
}

/// What is known of both structures, compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traits {
    same: Vec<&'static str>,
    differs: Vec<Trait>,
}

impl Traits {
    /// Compares a base's structure with the checkpoint's.
    pub(super) fn compare(base: &Structure, ours: &Structure) -> Self {
        let mut traits = Self::default();
        let words = |text: &Option<String>| text.clone();
        let number = |count: Option<u64>| count.map(|count| count.to_string());
        let yes = |tied: bool| if tied { "yes" } else { "no" }.to_owned();
        traits.add(
            "attention",
            base.attention().map(String::from),
            ours.attention().map(String::from),
        );
        traits.add("head size", number(base.head_dim), number(ours.head_dim));
        traits.add(
            "vocabulary",
            number(base.vocabulary),
            number(ours.vocabulary),
        );
        traits.add("tokenizer", words(&base.tokenizer), words(&ours.tokenizer));
        traits.add("tied embeddings", base.tied.map(yes), ours.tied.map(yes));
        traits.add("rope", words(&base.rope), words(&ours.rope));
        if base.experts != Some(0) || ours.experts != Some(0) {
            traits.add("experts", experts(base), experts(ours));
        }
        traits
    }

    fn add(&mut self, name: &'static str, theirs: Option<String>, ours: Option<String>) {
        let (Some(theirs), Some(ours)) = (theirs, ours) else {
            return;
        };
        if theirs == ours {
            self.same.push(name);
        } else {
            self.differs.push(Trait { name, theirs, ours });
        }
    }

    /// Traits that agree, and traits that are known of both.
    pub(super) fn score(&self) -> (usize, usize) {
        (self.same.len(), self.same.len() + self.differs.len())
    }

    /// The one that agrees in the larger part first; one of which nothing is known last.
    pub(super) fn closer(&self, other: &Self) -> Ordering {
        let ((same, compared), (others_same, others_compared)) = (self.score(), other.score());
        match (compared, others_compared) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Greater,
            (_, 0) => Ordering::Less,
            _ => (others_same * compared).cmp(&(same * others_compared)),
        }
    }

    /// What is said about them; none where nothing is known of both.
    pub(super) fn text(&self) -> Option<String> {
        if self.differs.is_empty() {
            let same = list(self.same.iter().map(ToString::to_string).collect())?;
            return Some(format!("same {same}"));
        }
        let of = |it: &Trait| format!("{} ({}, the checkpoint's {})", it.name, it.theirs, it.ours);
        let differs = list(self.differs.iter().map(of).collect())?;
        Some(format!("differs in {differs}, which is no obstacle"))
    }
}

/// `128, 8 a token`, or `none`.
fn experts(structure: &Structure) -> Option<String> {
    let count = structure.experts?;
    if count == 0 {
        return Some("none".into());
    }
    let each = structure.experts_per_token;
    Some(each.map_or_else(
        || count.to_string(),
        |each| format!("{count} with {each} a token"),
    ))
}

/// Why the layers of one are of another kind than those of the other; none where they are not, or where
/// that is not known. The settings of a template name the parts to train: with layers of another kind
/// they name nothing, or miss most of the model.
pub(super) fn other_layers(base: &Structure, ours: &Structure) -> Option<String> {
    let kinds = |mixers: &[Mixer]| {
        list(
            mixers
                .iter()
                .map(|mixer| mixer.as_str().to_owned())
                .collect(),
        )
        .unwrap_or_default()
    };
    if let (Some(theirs), Some(ours)) = (&base.mixers, &ours.mixers)
        && theirs != ours
    {
        return Some(format!(
            "its layers are {}, the checkpoint's are {}",
            kinds(theirs),
            kinds(ours)
        ));
    }
    match (base.experts?, ours.experts?) {
        (0, 1..) => Some("its layers are dense, the checkpoint's have experts".into()),
        (1.., 0) => Some("its layers have experts, the checkpoint's are dense".into()),
        _ => None,
    }
}

/// `a, b and c`.
fn list(mut items: Vec<String>) -> Option<String> {
    let last = items.pop()?;
    Some(if items.is_empty() {
        last
    } else {
        format!("{} and {last}", items.join(", "))
    })
}
