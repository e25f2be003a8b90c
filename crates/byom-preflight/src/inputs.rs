//! The models of a run in their order: arguments, and lists that are read line by line as they come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use preflight_source::{Error, ModelRef, masked};

use crate::failure::Failure;

/// Longest line of a list. Presigned URLs have one or two thousand bytes.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Characters that are shown of a line that is no MODEL.
const SHOWN_CHARS_MAX: usize = 200;
/// The argument that means standard input.
const STDIN: &str = "-";

/// One MODEL.
#[derive(Debug)]
pub(crate) struct Named {
    /// Where it was named, for messages; none for an argument.
    place: Option<String>,
    /// As it was written, without secrets.
    given: String,
    /// What it means, or that it means nothing.
    model: Result<ModelRef, Error>,
}

impl Named {
    /// Understands an argument of the command line.
    fn argument(text: &str) -> Self {
        Self {
            place: None,
            given: masked(text),
            model: ModelRef::from_argument(text),
        }
    }

    /// Goes on with how it was written and what it means; yields what to show in its place, and why, where that is
    /// nothing.
    pub(crate) fn resolve<T>(
        self,
        then: impl FnOnce(&str, ModelRef) -> Result<T, Error>,
    ) -> Result<T, (String, String)> {
        let Self {
            place,
            given,
            model,
        } = self;
        model
            .and_then(|model| then(&given, model))
            .map_err(|error| match place {
                Some(place) => (given, format!("{place}: {error}")),
                None => (given, error.to_string()),
            })
    }
}

/// All models of a run. Yields what a list holds as soon as it is there, and keeps nothing.
pub(crate) struct Inputs {
    parts: VecDeque<Part>,
    names: Vec<String>,
    has_named: bool,
}

enum Part {
    Argument(String),
    List(List),
}

impl Inputs {
    /// The arguments in their order, `-` among them, and then the lists in `files`.
    pub(crate) fn new(arguments: &[String], files: &[impl AsRef<Path>]) -> Result<Self, Failure> {
        let mut parts = VecDeque::new();
        let mut is_stdin_named = false;
        let mut stdin = || {
            if std::mem::replace(&mut is_stdin_named, true) {
                return Err(Failure::usage("standard input is named twice"));
            }
            Ok(Part::List(List::new("standard input".into(), io::stdin())))
        };
        for argument in arguments {
            parts.push_back(if argument == STDIN {
                stdin()?
            } else {
                Part::Argument(argument.clone())
            });
        }
        for file in files {
            let file = file.as_ref();
            parts.push_back(if file == Path::new(STDIN) {
                stdin()?
            } else {
                Part::List(List::open(file)?)
            });
        }
        let lists = parts.iter().filter_map(|part| match part {
            Part::List(list) => Some(list.name.clone()),
            Part::Argument(_) => None,
        });
        Ok(Self {
            names: lists.collect(),
            parts,
            has_named: false,
        })
    }

    /// The one MODEL of a run that names it as an argument: what is wrong with it is a mistake in the
    /// command line.
    pub(crate) fn single(&self) -> Option<&str> {
        match self.parts.iter().collect::<Vec<_>>().as_slice() {
            [Part::Argument(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether everything was yielded, as far as that is known without reading on.
    pub(crate) fn is_over(&self) -> bool {
        self.parts.is_empty()
    }

    /// Fails where no model was named at all.
    pub(crate) fn must_have_named(&self) -> Result<(), Failure> {
        if self.has_named {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "the list on {} names no model",
            self.names.join(" and ")
        )))
    }
}

impl Iterator for Inputs {
    type Item = Named;

    fn next(&mut self) -> Option<Named> {
        loop {
            let next = match self.parts.front_mut()? {
                Part::Argument(text) => {
                    let named = Named::argument(text);
                    self.parts.pop_front();
                    Some(named)
                }
                Part::List(list) => list.next(),
            };
            if next.is_some() {
                self.has_named = true;
                return next;
            }
            self.parts.pop_front();
        }
    }
}

/// A list of models, one a line; blank lines and those that begin with `#` name none.
struct List {
    /// "standard input", or the file.
    name: String,
    reader: Box<dyn BufRead + Send>,
    line: u64,
    is_over: bool,
}

/// A line of a list, without its end.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Text(Vec<u8>),
    /// Its start, where it has more than [`LINE_BYTES_MAX`].
    TooLong(Vec<u8>),
}

impl List {
    fn new(name: String, reader: impl io::Read + Send + 'static) -> Self {
        Self {
            name,
            reader: Box::new(BufReader::new(reader)),
            line: 0,
            is_over: false,
        }
    }

    fn open(file: &Path) -> Result<Self, Failure> {
        let name = format!("`{}`", file.display());
        let cannot = |why: String| Failure::usage(format!("cannot read the list {name}: {why}"));
        if file.is_dir() {
            return Err(cannot("it is a folder".into()));
        }
        let opened = File::open(file).map_err(|error| cannot(error.to_string()))?;
        Ok(Self::new(name, opened))
    }

    /// Understands a line; none where it names no model.
    fn named(&self, line: Line) -> Option<Named> {
        let place = Some(format!("line {} of {}", self.line, self.name));
        let wrong = |bytes: &[u8], why: String| {
            let text: String = String::from_utf8_lossy(bytes)
                .chars()
                .take(SHOWN_CHARS_MAX)
                .collect();
            (masked(text.trim()), Err(Error::Usage(why)))
        };
        let (given, model) = match line {
            Line::TooLong(start) => wrong(
                &start,
                format!("it has more than {LINE_BYTES_MAX} bytes, which no MODEL has"),
            ),
            Line::Text(bytes) => match std::str::from_utf8(&bytes) {
                Err(_) => wrong(&bytes, "it is not UTF-8".into()),
                Ok(text) => {
                    // A mark that some editors put at the start of a file.
                    let text = match self.line {
                        1 => text.strip_prefix('\u{feff}').unwrap_or(text),
                        _ => text,
                    };
                    let text = text.trim();
                    if text.is_empty() || text.starts_with('#') {
                        return None;
                    }
                    (masked(text), ModelRef::from_list(text))
                }
            },
        };
        Some(Named {
            place,
            given,
            model,
        })
    }

    /// What cannot be read on is an entry of its own: a list that ends early must not look judged.
    fn broken(&mut self, error: &io::Error) -> Named {
        self.is_over = true;
        let why = format!("the list cannot be read on: {error}");
        Named {
            place: Some(format!("line {} of {}", self.line + 1, self.name)),
            given: self.name.clone(),
            model: Err(Error::Usage(why)),
        }
    }
}

impl Iterator for List {
    type Item = Named;

    fn next(&mut self) -> Option<Named> {
        while !self.is_over {
            match read_line(&mut *self.reader, LINE_BYTES_MAX) {
                Ok(None) => self.is_over = true,
                Ok(Some(line)) => {
                    self.line += 1;
                    if let Some(named) = self.named(line) {
                        return Some(named);
                    }
                }
                Err(error) => return Some(self.broken(&error)),
            }
        }
        None
    }
}

/// The next line, of which at most `bytes_max` are kept; none at the end.
fn read_line(reader: &mut dyn BufRead, bytes_max: usize) -> io::Result<Option<Line>> {
    let mut kept = Vec::new();
    let mut length = 0_usize;
    loop {
        let piece = match reader.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if piece.is_empty() && length == 0 {
            return Ok(None);
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = &piece[..end.unwrap_or(piece.len())];
        let room = bytes_max.saturating_sub(kept.len());
        kept.extend_from_slice(&part[..part.len().min(room)]);
        // The line end counts too, so that an empty line is not taken for the end.
        let used = end.map_or(piece.len(), |end| end + 1);
        length = length.saturating_add(used);
        let is_end = end.is_some() || piece.is_empty();
        let is_cut = length - usize::from(end.is_some()) > bytes_max;
        reader.consume(used);
        if is_end {
            return Ok(Some(if is_cut {
                Line::TooLong(kept)
            } else {
                Line::Text(kept)
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &[u8]) -> Vec<Result<String, (String, String)>> {
        let list = List::new("standard input".into(), io::Cursor::new(text.to_vec()));
        list.map(|named| named.resolve(|_, model| Ok(model.to_string())))
            .collect()
    }

    #[test]
    fn a_line_is_a_model_whatever_its_end() {
        let text =
            b"\xef\xbb\xbforg/one\r\n\n  # a note\n#org/no\n./two  \n\torg/three@v1\norg/one";
        let models: Vec<_> = list(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(models, ["org/one", "./two", "org/three@v1", "org/one"]);
        assert!(list(b"").is_empty() && list(b"\n\n# x").is_empty());
    }

    #[test]
    fn a_line_that_is_no_model_is_told_with_its_place() {
        let (input, why) = list(b"org/one\n\nword\norg/two\n")[1].clone().unwrap_err();
        assert_eq!(input, "word");
        assert!(
            why.starts_with("line 3 of standard input: `word` is neither"),
            "{why}"
        );
        let (input, why) = list(b"a/\xff\n")[0].clone().unwrap_err();
        assert_eq!(
            (input.as_str(), why.as_str()),
            ("a/\u{fffd}", "line 1 of standard input: it is not UTF-8")
        );
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut text = vec![b'x'; LINE_BYTES_MAX + 1];
        text.extend_from_slice(b"\norg/two\n");
        let entries = list(&text);
        let (input, why) = entries[0].clone().unwrap_err();
        assert_eq!(input.chars().count(), SHOWN_CHARS_MAX);
        assert!(why.contains("more than 16384 bytes"), "{why}");
        assert_eq!(entries[1], Ok("org/two".into()));
        // As long as may be, with and without a line end.
        for end in ["\n", ""] {
            let text = format!("./{}{end}", "x".repeat(LINE_BYTES_MAX - 2));
            assert!(list(text.as_bytes())[0].is_ok());
        }
    }

    #[test]
    fn secrets_in_a_line_are_not_shown() {
        let (input, why) = list(b"s3://b/x.zip?X-Amz-Signature=SECRET\n")[0]
            .clone()
            .unwrap_err();
        assert!(
            !input.contains("SECRET") && !why.contains("SECRET"),
            "{input} {why}"
        );
    }

    #[test]
    fn a_list_that_breaks_off_is_told() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let reader = io::Read::chain(io::Cursor::new(b"org/one\norg/".to_vec()), Broken);
        let mut list = List::new("`models`".into(), reader);
        assert!(list.next().unwrap().resolve(|_, _| Ok(())).is_ok());
        let (input, why) = list.next().unwrap().resolve(|_, _| Ok(())).unwrap_err();
        assert_eq!(input, "`models`");
        assert_eq!(
            why,
            "line 2 of `models`: the list cannot be read on: the disk is gone"
        );
        assert!(list.next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn lines_are_what_splitting_gives(text in "[a-c\r\n]{0,40}", most in 1_usize..8, chunk in 1_usize..5) {
            let mut reader = BufReader::with_capacity(chunk, text.as_bytes());
            let mut lines = Vec::new();
            while let Some(line) = read_line(&mut reader, most).unwrap() {
                lines.push(line);
            }
            let expected: Vec<_> = text
                .split_inclusive('\n')
                .map(|line| line.strip_suffix('\n').unwrap_or(line).as_bytes())
                .map(|line| match line.get(..most) {
                    Some(start) if line.len() > most => Line::TooLong(start.into()),
                    _ => Line::Text(line.into()),
                })
                .collect();
            proptest::prop_assert_eq!(lines, expected);
        }
    }
}
