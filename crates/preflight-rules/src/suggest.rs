//! "did you mean": the known name that a mistyped one most likely stands for.

/// Longest text that is compared; nobody mistypes a name that long, and comparing takes the product
/// of both lengths.
const LENGTH_MAX: usize = 200;

/// Share of characters that must agree. Low enough for a missing owner or suffix, high enough that
/// `bert` suggests nothing among language models.
const SIMILARITY_MIN: f64 = 0.55;

/// The name among `known` that is closest to `given`, where one is close. Case does not count, and
/// a name `owner/name` is also compared without its owner. The first of equals wins.
pub fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > LENGTH_MAX {
        return None;
    }
    let given = given.to_lowercase();
    let mut best = None;
    let mut best_similarity = SIMILARITY_MIN;
    for name in known {
        let lower = name.to_lowercase();
        let similarity = strsim::normalized_damerau_levenshtein(&given, &lower).max(
            strsim::normalized_damerau_levenshtein(last_part(&given), last_part(&lower)),
        );
        if similarity > best_similarity {
            best = Some(name);
            best_similarity = similarity;
        }
    }
    best
}

/// `; did you mean …?`, or nothing: the end of a message about an unknown name.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["org/alpha-7b-chat", "org/alpha-13b-chat", "org/beta-70b"];

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        assert_eq!(closest("org/alpah-7b-chat", NAMES), Some(NAMES[0]));
        assert_eq!(closest("ORG/Beta-70B", NAMES), Some(NAMES[2]));
    }

    #[test]
    fn the_owner_may_be_missing_or_wrong() {
        assert_eq!(closest("alpha-13b-chat", NAMES), Some(NAMES[1]));
        assert_eq!(closest("someone-else/beta-70b", NAMES), Some(NAMES[2]));
    }

    #[test]
    fn something_else_altogether_suggests_nothing() {
        assert_eq!(closest("bert-base-uncased", NAMES), None);
        assert_eq!(closest("", NAMES), None);
        assert_eq!(did_you_mean("gpt2", NAMES), "");
    }

    #[test]
    fn a_huge_name_is_not_compared() {
        let huge = format!("org/alpha-7b-chat{}", "x".repeat(LENGTH_MAX));
        assert_eq!(closest(&huge, NAMES), None);
    }
}
