//! Lines on their way to the terminal. All text passes through here to be escaped and wrapped.

use preflight_rules::report::Verdict;

use super::{TableOptions, word};
use crate::escape;
use crate::text::{Keep, columns, wrap};

/// Most characters of a name: enough for every name on the Hub, whose repository names end at 96
/// (<https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_validators.py>)
/// after an organisation of up to 42.
pub(super) const NAME_MAX: usize = 140;
/// Most characters of a line that is not wrapped: a command with a long path in it.
const LINE_MAX: usize = 2_000;
/// Most characters of a message.
const MESSAGE_MAX: usize = 800;
/// Narrower terminals get lines of this width, which they wrap themselves.
const WIDTH_MIN: usize = 30;

/// A name from a repository, cut. It is escaped here so that the cut cannot be undone by escapes.
pub(super) fn short(name: &str, chars_max: usize) -> String {
    escape::for_terminal(name, chars_max)
}

/// The text so far.
pub(super) struct Screen {
    options: TableOptions,
    text: String,
}

impl Screen {
    pub(super) fn new(options: TableOptions) -> Self {
        Self { options, text: String::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.options.verbose
    }

    pub(super) fn width(&self) -> usize {
        usize::from(self.options.width).max(WIDTH_MIN)
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line over a section, after an empty one.
    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.paragraph("", &format!("{text}:"), Keep::Words);
    }

    /// Text that is wrapped, indented by what stands before its first line.
    pub(super) fn paragraph(&mut self, before: &str, text: &str, keep: Keep) {
        let text = escape::for_terminal(text, MESSAGE_MAX);
        let room = self.width().saturating_sub(columns(before));
        for (at, line) in wrap(&text, room, keep).iter().enumerate() {
            if at == 0 {
                self.text.push_str(before);
            } else {
                self.indent(columns(before));
            }
            self.text.push_str(line);
            self.blank();
        }
    }

    /// A line that is never wrapped: a command, a place in a file.
    pub(super) fn whole(&mut self, text: &str) {
        self.text.push_str(&escape::for_terminal(text, LINE_MAX));
        self.blank();
    }

    /// A verdict in colour, padded to `columns_of_word`, and what it is about.
    pub(super) fn verdict(&mut self, verdict: Verdict, columns_of_word: usize, about: &str) {
        let word = word(verdict);
        let start = self.text.len();
        self.paragraph(&format!("{word:columns_of_word$}  "), about, Keep::Words);
        if self.options.colour {
            // Bold, which colour-blind readers see too, and green, yellow or red of the terminal's theme.
            let colour = match verdict {
                Verdict::Pass => "\x1b[1;32m",
                Verdict::Undecided => "\x1b[1;33m",
                Verdict::Fail => "\x1b[1;31m",
            };
            self.text.replace_range(start..start + word.len(), &format!("{colour}{word}\x1b[0m"));
        }
    }

    /// Lines that are already escaped and laid out.
    pub(super) fn block(&mut self, lines: &str, indent: usize) {
        for line in lines.lines() {
            self.indent(indent);
            self.text.push_str(line);
            self.blank();
        }
    }

    fn indent(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }
}
