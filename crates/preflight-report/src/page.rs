//! Pages of prose for the terminal, such as a rule's documentation.

use crate::escape;
use crate::text::{Keep, columns, wrap};

/// A page of Markdown as plain text: prose wrapped to `width`, headings underlined, code
/// indented and as it is.
pub fn plain(markdown: &str, width: usize) -> String {
    let mut page = String::new();
    let mut prose = String::new();
    let mut is_code = false;
    for line in markdown.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let starts_block =
            is_fence || line.trim().is_empty() || line.starts_with('#') || item(line).is_some();
        if is_code || starts_block {
            flush(&mut prose, &mut page, width);
        }
        if is_fence {
            is_code = !is_code;
        } else if is_code {
            let code = escape::for_terminal(line, usize::MAX);
            push_line(&mut page, &format!("    {code}"));
        } else if let Some(title) = heading(line) {
            push_line(&mut page, title);
            let rule = if line.starts_with("# ") { "=" } else { "-" };
            push_line(&mut page, &rule.repeat(columns(title)));
        } else if line.trim().is_empty() {
            push_line(&mut page, "");
        } else {
            // Only the first line keeps its indent: it is that of an item.
            let is_first = prose.is_empty();
            prose.push_str(if is_first { "" } else { " " });
            prose.push_str(if is_first { line } else { line.trim() });
        }
    }
    flush(&mut prose, &mut page, width);
    page
}

/// The title of a heading.
fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len()).then(|| title.strip_prefix(' '))?
}

/// The mark of a list item with its indent and the space after it.
fn item(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mark = if text.starts_with("- ") || text.starts_with("* ") {
        2
    } else if digits > 0 && text[digits..].starts_with(". ") {
        digits + 2
    } else {
        return None;
    };
    Some(&line[..line.len() - text.len() + mark])
}

/// Wraps the paragraph so far and starts a new one.
fn flush(prose: &mut String, page: &mut String, width: usize) {
    if prose.is_empty() {
        return;
    }
    let mark = item(prose).unwrap_or("");
    let text = escape::for_terminal(&prose[mark.len()..], usize::MAX);
    let room = width.saturating_sub(columns(mark));
    for (at, line) in wrap(text.trim(), room, Keep::Quoted).iter().enumerate() {
        let before = if at == 0 {
            mark.to_owned()
        } else {
            " ".repeat(columns(mark))
        };
        push_line(page, &format!("{before}{line}"));
    }
    prose.clear();
}

fn push_line(page: &mut String, line: &str) {
    page.push_str(line);
    page.push('\n');
}
