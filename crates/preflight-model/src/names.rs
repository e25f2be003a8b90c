//! Names of tensors: parts between dots. Tens of thousands of them are looked at several times each, and a search
//! for text within text, or for a character, is set up anew for every part.

/// The parts of a name, from the first: `model`, `layers`, `0`, `mlp` and so on.
pub(crate) fn parts(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let from = rest?;
        let dot = from.bytes().position(|byte| byte == b'.');
        rest = dot.map(|dot| &from[dot + 1..]);
        Some(dot.map_or(from, |dot| &from[..dot]))
    })
}

/// All before the last dot, and the part after it; none without a dot.
pub(crate) fn split_last(name: &str) -> Option<(&str, &str)> {
    let dot = name.bytes().rposition(|byte| byte == b'.')?;
    Some((&name[..dot], &name[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_those_of_a_split() {
        for name in [
            "",
            ".",
            "a",
            "a.",
            ".a",
            "model.layers.0.mlp",
            "é.ü..ß",
            "...",
        ] {
            let wanted: Vec<&str> = name.split('.').collect();
            assert_eq!(parts(name).collect::<Vec<_>>(), wanted, "{name}");
            assert_eq!(split_last(name), name.rsplit_once('.'), "{name}");
        }
    }
}
