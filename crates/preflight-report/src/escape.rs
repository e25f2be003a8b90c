//! Text from a model repository, made safe to show. A repository may hold names and messages that
//! move the cursor, recolour the screen, reverse the reading direction or are simply endless. And a build log is
//! read by a program: runners of GitHub and Azure carry out what looks like a command in whatever a step
//! prints, `::name` where a line begins with it and `##[name` anywhere
//! (<https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>).

use std::fmt::Write as _;

/// `text` for a terminal: whatever is not plainly visible, or a command to a runner, as `\n`, `\t`, `\r` or
/// `\u{..}`, and no more than `chars_max` characters, followed by `…` where something was cut.
pub fn for_terminal(text: &str, chars_max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(chars_max));
    let mut room = chars_max;
    for (at, c) in text.char_indices() {
        let mut piece = String::new();
        match c {
            ':' | '#' if is_command(&text[at..]) => piece.extend(c.escape_unicode()),
            '\n' => piece.push_str("\\n"),
            '\t' => piece.push_str("\\t"),
            '\r' => piece.push_str("\\r"),
            c if is_deceptive(c) => piece.extend(c.escape_unicode()),
            c => piece.push(c),
        }
        // ASCII where it is more than one character long, so its bytes are its characters.
        let length = if piece.is_ascii() { piece.len() } else { 1 };
        if length > room {
            shown.push('…');
            break;
        }
        room -= length;
        shown.push_str(&piece);
    }
    shown
}

/// Whether a runner would take this for the beginning of a command: `::name`, `##[name` or `##name[`. Lines are
/// wrapped later, so any `::name` may come to begin one.
fn is_command(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix("::") {
        return rest.starts_with(|c: char| c.is_ascii_alphabetic());
    }
    text.strip_prefix("##").is_some_and(|rest| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        rest.starts_with('[')
    })
}

/// A finished JSON text with every deceptive character written as `\uXXXX`. The same JSON to a
/// parser; harmless to a terminal and, as no line of JSON begins with `::`, to a runner. Outside its strings
/// JSON is ASCII, so replacing is enough.
pub(crate) fn in_json(json: String) -> String {
    if next_special(&json).is_none() {
        return json;
    }
    let mut safe = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = next_special(rest) {
        let (plain, from) = rest.split_at(at);
        safe.push_str(plain);
        let mut characters = from.chars();
        let Some(c) = characters.next() else { break };
        rest = characters.as_str();
        if !is_deceptive(c) && !is_command(from) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe.push_str(rest);
    safe
}

/// Where the first byte that is not plain stands. Nearly all of a report is plain, so runs of 64 bytes are looked at
/// as a whole, which the compiler does many bytes at once.
fn next_special(text: &str) -> Option<usize> {
    const RUN: usize = 64;
    let mut runs = text.as_bytes().chunks(RUN).enumerate();
    runs.find_map(|(number, run)| {
        if run.iter().fold(true, |all, &byte| all & is_plain(byte)) {
            return None;
        }
        let within = run.iter().position(|&byte| !is_plain(byte))?;
        Some(number * RUN + within)
    })
}

/// A printable ASCII character with which no command begins, or the end of a line.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n') && byte != b'#'
}

/// Whether a character is a control, or changes how the text around it looks without being seen.
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' // soft hyphen
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers: invisible letters
            | '\u{17b4}' | '\u{17b5}' // invisible Khmer vowels
            | '\u{180b}'..='\u{180f}' // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, direction marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separators, bidi embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidi isolates, deprecated
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotations
            | '\u{1d173}'..='\u{1d17a}' // musical formatting
            | '\u{e0000}'..='\u{e0fff}' // tags and variation selectors: text hidden in text
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_is_shown() {
        assert_eq!(for_terminal("a\x1b[31mred", 100), "a\\u{1b}[31mred");
        assert_eq!(for_terminal("a\nb\tc\rd\0", 100), "a\\nb\\tc\\rd\\u{0}");
        assert_eq!(for_terminal("\u{9b}2J\u{7f}", 100), "\\u{9b}2J\\u{7f}");
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(for_terminal("ab\u{202e}cd", 100), "ab\\u{202e}cd");
        assert_eq!(
            for_terminal("a\u{2066}b\u{2069}", 100),
            "a\\u{2066}b\\u{2069}"
        );
        assert_eq!(
            for_terminal("zero\u{200b}width\u{feff}", 100),
            "zero\\u{200b}width\\u{feff}"
        );
        assert_eq!(for_terminal("tag\u{e0041}", 100), "tag\\u{e0041}");
    }

    #[test]
    fn nothing_is_a_command_to_a_runner() {
        assert_eq!(
            for_terminal("::set-output name=x::1 ##[error]y ##vso[task]z", 100),
            "\\u{3a}:set-output name=x::1 \\u{23}#[error]y \\u{23}#vso[task]z"
        );
        let plain = "http://[::1]:80 a:b ## title # [x] ##: ::";
        assert_eq!(for_terminal(plain, 100), plain);
        assert_eq!(for_terminal(":::a ###[a", 100), ":\\u{3a}:a #\\u{23}#[a");
        let text = "##[error]a ###[b] ## c";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let safe = in_json(json);
        assert!(!safe.contains("##["), "{safe}");
        let parsed: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(parsed, [text]);
        assert_eq!(in_json("\"## a\"".into()), "\"## a\"");
    }

    #[test]
    fn every_language_stays_as_it_is() {
        let text = "Qwen/通义千问 — Ünïcode ❤️ 🤗 हिन्दी עברית";
        assert_eq!(for_terminal(text, 100), text);
    }

    #[test]
    fn nothing_deceptive_comes_through() {
        for c in '\0'..=char::MAX {
            let shown = for_terminal(&c.to_string(), 100);
            assert!(!shown.chars().any(is_deceptive), "{c:?}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_never_inside_an_escape() {
        assert_eq!(for_terminal("abcdef", 6), "abcdef");
        assert_eq!(for_terminal("abcdefg", 6), "abcdef…");
        assert_eq!(for_terminal("ab\x1bcd", 6), "ab…");
        assert_eq!(for_terminal("日本語日本語", 3), "日本語…");
        assert_eq!(
            for_terminal(&"e\u{301}".repeat(1000), 10).chars().count(),
            11
        );
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = "esc \x1b rtl \u{202e} tag \u{e0041} c1 \u{9b} del \u{7f} 日本 \"quoted\"\n";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let safe = in_json(json);
        assert!(!safe.chars().any(|c| c != '\n' && is_deceptive(c)));
        let parsed: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(parsed, [text]);
    }
}
