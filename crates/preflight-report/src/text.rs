//! Wrapping by display width. What a reader may want to copy is never broken.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stays in one piece besides words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Words only: for text that quotes a repository.
    Words,
    /// Also what stands between backticks: for text that quotes commands.
    Quoted,
}

/// Columns that `text` takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` in lines of at most `width` columns; at least one line. A path, an address or a kept
/// command that is wider has a line of its own, unbroken; any other long word is broken.
pub(crate) fn wrap(text: &str, width: usize, keep: Keep) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![];
    let mut line = String::new();
    for unit in units(text, keep) {
        let gap = usize::from(!line.is_empty());
        if columns(&line) + gap + columns(unit) <= width {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(unit);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if columns(unit) <= width || unit.contains(['/', ' ']) {
            line.push_str(unit);
        } else {
            let mut pieces = broken(unit, width);
            line = pieces.pop().unwrap_or_default();
            lines.append(&mut pieces);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The words of a text, or its words and quotations.
fn units(text: &str, keep: Keep) -> Vec<&str> {
    let mut units = vec![];
    let mut start = 0;
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '`' if keep == Keep::Quoted => is_quoted = !is_quoted,
            ' ' if !is_quoted => {
                units.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if is_quoted {
        // The last backtick opens nothing.
        units.extend(text[start..].split(' '));
    } else {
        units.push(&text[start..]);
    }
    units.retain(|unit| !unit.is_empty());
    units
}

/// A word cut into pieces of at most `width` columns.
fn broken(word: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![];
    let mut piece = String::new();
    for c in word.chars() {
        let is_mark = c.width() == Some(0);
        piece.push(c);
        if columns(&piece) > width && !is_mark && piece.chars().count() > 1 {
            piece.pop();
            pieces.push(std::mem::replace(&mut piece, c.to_string()));
        }
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped() {
        assert_eq!(wrap("one two  three", 7, Keep::Words), ["one two", "three"]);
        assert_eq!(wrap("", 7, Keep::Words), [""]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(wrap("日本語日本語", 6, Keep::Words), ["日本語", "日本語"]);
        assert_eq!(wrap("🤗🤗🤗", 4, Keep::Words), ["🤗🤗", "🤗"]);
    }

    #[test]
    fn a_long_word_is_broken_and_a_path_is_not() {
        assert_eq!(
            wrap("a bbbbbbb c", 4, Keep::Words),
            ["a", "bbbb", "bbb", "c"]
        );
        assert_eq!(
            wrap("see models/long-name here", 6, Keep::Words),
            ["see", "models/long-name", "here"]
        );
    }

    #[test]
    fn a_quoted_command_stays_whole_where_asked() {
        let text = "run `git lfs pull` first";
        assert_eq!(
            wrap(text, 10, Keep::Quoted),
            ["run", "`git lfs pull`", "first"]
        );
        assert_eq!(
            wrap(text, 10, Keep::Words),
            ["run `git", "lfs pull`", "first"]
        );
        assert_eq!(
            wrap("a lone ` opens nothing", 8, Keep::Quoted),
            ["a lone `", "opens", "nothing"]
        );
    }

    #[test]
    fn a_mark_stays_with_its_letter() {
        assert_eq!(
            wrap("e\u{301}e\u{301}e\u{301}", 2, Keep::Words),
            ["e\u{301}e\u{301}", "e\u{301}"]
        );
    }
}
