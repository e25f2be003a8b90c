//! Lines on their way to the terminal. All text passes through here to be escaped and wrapped.

use preflight_rules::report::Verdict;

use super::{TableOptions, word};
use crate::escape;
use crate::text::{Keep, columns, wrap};

/// Most characters of a name. A repository name on the Hub has at most 96 after its organisation
/// (`REPO_ID_REGEX` of
/// <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_validators.py>).
pub(super) const NAME_MAX: usize = 140;
/// Most characters of a message that may quote a repository.
pub(super) const MESSAGE_MAX: usize = 500;
/// Most characters of anything: a command with long names in it, the list of all rules.
const TEXT_MAX: usize = 4_000;
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
        Self {
            options,
            text: String::new(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.options.verbose
    }

    pub(super) fn is_unicode(&self) -> bool {
        self.options.unicode
    }

    /// How many of something are shown: `few`, or all where the user wants to see all.
    pub(super) fn at_most(&self, few: usize) -> usize {
        if self.options.verbose {
            usize::MAX
        } else {
            few
        }
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
        let text = escape::for_terminal(text, TEXT_MAX);
        let room = self.width().saturating_sub(columns(before));
        for (at, line) in wrap(&text, room, keep).iter().enumerate() {
            if at == 0 {
                self.text.push_str(before);
            } else {
                self.indent(columns(before));
            }
            self.text.push_str(line);
            self.end_line();
        }
    }

    /// A line that is never wrapped: a command, a place in a file.
    pub(super) fn whole(&mut self, text: &str) {
        self.text.push_str(&escape::for_terminal(text, TEXT_MAX));
        self.end_line();
    }

    /// A verdict in colour; `between` stands between it and what is said about it.
    pub(super) fn verdict(&mut self, verdict: Verdict, between: &str, about: &str) {
        let word = word(verdict);
        let start = self.text.len();
        self.paragraph(&format!("{word}{between}"), about, Keep::Words);
        if self.options.colour {
            // Bold, which colour-blind readers see too, and green, yellow or red of the terminal's theme.
            let colour = match verdict {
                Verdict::Pass => "\x1b[1;32m",
                Verdict::Undecided => "\x1b[1;33m",
                Verdict::Fail => "\x1b[1;31m",
            };
            self.text
                .replace_range(start..start + word.len(), &format!("{colour}{word}\x1b[0m"));
        }
    }

    /// Lines that are already escaped and laid out.
    pub(super) fn block(&mut self, lines: &str, indent: usize) {
        for line in lines.lines() {
            self.indent(indent);
            self.text.push_str(line);
            self.end_line();
        }
    }

    /// Ends a line without the spaces that a column left empty has put there.
    fn end_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn indent(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }
}
