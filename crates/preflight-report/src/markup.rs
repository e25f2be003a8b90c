//! XML and HTML on their way out, escaped by construction: markup is in the source code of this program
//! (`&'static str`), and whatever comes from elsewhere enters by [`Markup::text`], which escapes it.

use std::fmt::Display;

use crate::escape;

/// Most characters of one text: a command with long names in it.
const TEXT_MAX: usize = 4_000;

/// What has been written so far.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Markup of this program's own.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, for the inside of an element or of an attribute in double quotes.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Self {
        for c in escape::for_terminal(&text.to_string(), TEXT_MAX).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No characters of XML 1.0 (production 2), not even as references.
                '\u{fffe}' | '\u{ffff}' => self.0.extend(c.escape_unicode()),
                c => self.0.push(c),
            }
        }
        self
    }

    /// ` name="value"`.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// All of it.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}
