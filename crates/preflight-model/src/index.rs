//! The weight index: which shard holds which tensor.

use foldhash::{HashMap, HashMapExt as _};
use std::borrow::Cow;

use crate::header::NAME_BYTES_MAX;
use crate::json::{Error, Kind, Number, Reader};

/// Most shards that an index may name; the largest checkpoints have a few hundred.
pub const SHARDS_MAX: usize = 10_000;
/// Most tensors that an index may name: seven times those of the largest checkpoints in circulation.
pub const TENSORS_MAX: usize = 1_000_000;
/// Bytes of all shard names, and of all tensor names that are written with escapes: those are copied.
const COPIED_BYTES_MAX: usize = 8 << 20;
/// Longest path that common systems open.
const PATH_BYTES_MAX: usize = 4096;
/// Tensors listed twice that are kept; one is enough to say so.
const LISTED_TWICE_MAX: usize = 20;

/// A parsed `model.safetensors.index.json`. Names are borrowed from its text, so that 50 MB of index do
/// not cost as much memory again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Index<'a> {
    entries: Vec<Entry<'a>>,
    shards: Vec<String>,
    /// Whether there is a `metadata` object, which the loader reads without asking.
    pub has_metadata: bool,
    /// `metadata.total_size`: bytes of all tensors.
    pub total_size: Option<u64>,
    /// Tensors that the file lists more than once; the last assignment counts.
    pub listed_twice: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry<'a> {
    name: Cow<'a, str>,
    shard: u32,
}

impl<'a> Index<'a> {
    /// Parses the text of the file.
    pub fn parse(text: &'a [u8]) -> Result<Self, Error> {
        let mut index = Self::default();
        index.read(text)?;
        Ok(index)
    }

    /// Shard names, sorted.
    pub fn shards(&self) -> &[String] {
        &self.shards
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it assigns nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tensors with the shard they are assigned to, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|entry| (&*entry.name, self.shards[entry.shard as usize].as_str()))
    }

    /// Tensors with the number of their shard in [`Self::shards`], sorted by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, usize)> {
        let entries = self.entries.iter();
        entries.map(|entry| (&*entry.name, entry.shard as usize))
    }

    /// Whether the tensor at a place of [`Self::tensors`] is assigned to the shard of this number.
    pub(crate) fn is_assigned(&self, at: usize, number: usize) -> bool {
        let entry = self.entries.get(at);
        entry.is_some_and(|entry| entry.shard as usize == number)
    }

    /// The tensor at a place of [`Self::tensors`], with its shard.
    pub(crate) fn assignment(&self, at: usize) -> Option<(&str, &str)> {
        let entry = self.entries.get(at)?;
        Some((&entry.name, &self.shards[entry.shard as usize]))
    }

    /// The shard that `tensor` is assigned to.
    pub fn shard_of(&self, tensor: &str) -> Option<&str> {
        let at = self.position(tensor)?;
        Some(&self.shards[self.entries[at].shard as usize])
    }

    /// The place of `tensor` in [`Self::tensors`].
    pub(crate) fn position(&self, tensor: &str) -> Option<usize> {
        let entries = &self.entries;
        entries
            .binary_search_by(|entry| (*entry.name).cmp(tensor))
            .ok()
    }

    fn read(&mut self, text: &'a [u8]) -> Result<(), Error> {
        let mut reader = Reader::new(text)?;
        if reader.kind()? != Kind::Object {
            return reader.error("an index is an object");
        }
        let mut map_seen = false;
        // Of two members of one name the later counts, as in Python.
        reader.object(|reader, key, _| match &*key {
            "weight_map" => {
                map_seen = true;
                self.entries.clear();
                self.shards.clear();
                self.read_map(reader)
            }
            "metadata" => {
                self.has_metadata = reader.kind()? == Kind::Object;
                self.total_size = None;
                if self.has_metadata {
                    self.read_metadata(reader)
                } else {
                    reader.skip()
                }
            }
            _ => reader.skip(),
        })?;
        let end = reader.offset();
        if let Some(mistake) = reader.finish()?.first() {
            return Err(Error {
                message: format!("not JSON that Python reads: {mistake}"),
                at: 0,
                is_bound: false,
            });
        }
        if !map_seen {
            return Err(Error {
                message: "an index needs a `weight_map`".into(),
                at: end,
                is_bound: false,
            });
        }
        self.sort();
        Ok(())
    }

    fn read_metadata(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        reader.object(|reader, key, _| {
            if key != "total_size" {
                return reader.skip();
            }
            self.total_size = None;
            if reader.kind()? != Kind::Number {
                return reader.skip();
            }
            self.total_size = match reader.number()? {
                Number::Int(size) => u64::try_from(size).ok(),
                Number::BigInt(size) => size.parse().ok(),
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "some tools write 1.4e10; the cast saturates"
                )]
                Number::Float(size) => (size >= 0.0).then_some(size as u64),
            };
            Ok(())
        })
    }

    fn read_map(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        // The shard of the line before is nearly always the shard of this line.
        let mut last = 0;
        let mut numbers = HashMap::new();
        let mut copied_bytes = 0;
        reader.object(|reader, tensor, _| {
            let at = reader.offset();
            let shard = reader.string()?;
            if self.shards.get(last).is_none_or(|known| *known != *shard) {
                last = if let Some(&number) = numbers.get(&*shard) {
                    number
                } else {
                    if let Some(why) = unsafe_path(&shard) {
                        return Err(Error {
                            message: format!("the shard name `{}` {why}", shorten(&shard)),
                            at,
                            is_bound: false,
                        });
                    }
                    if self.shards.len() == SHARDS_MAX {
                        return reader.beyond(format!("more than {SHARDS_MAX} shards"));
                    }
                    let number = self.shards.len();
                    copied_bytes += shard.len();
                    self.shards.push(shard.clone().into_owned());
                    numbers.insert(shard, number);
                    number
                };
            }
            if tensor.len() > NAME_BYTES_MAX {
                return reader.beyond(format!("a name of more than {NAME_BYTES_MAX} bytes"));
            }
            if let Cow::Owned(name) = &tensor {
                copied_bytes += name.capacity();
            }
            if copied_bytes > COPIED_BYTES_MAX {
                return reader.beyond(format!(
                    "more than {COPIED_BYTES_MAX} bytes of shard names and escaped tensor names"
                ));
            }
            if self.entries.len() == TENSORS_MAX {
                return reader.beyond(format!("more than {TENSORS_MAX} tensors"));
            }
            self.entries.push(Entry {
                name: tensor,
                shard: u32::try_from(last).unwrap_or(u32::MAX),
            });
            Ok(())
        })
    }

    fn sort(&mut self) {
        let mut order: Vec<u32> = (0..).take(self.shards.len()).collect();
        order.sort_by(|&a, &b| self.shards[a as usize].cmp(&self.shards[b as usize]));
        let mut rank = vec![0; order.len()];
        for (new, &old) in (0_u32..).zip(&order) {
            rank[old as usize] = new;
        }
        self.shards.sort();
        for entry in &mut self.entries {
            entry.shard = rank[entry.shard as usize];
        }
        // Stable, so of equal names the last stays last.
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let twice = &mut self.listed_twice;
        self.entries.dedup_by(|later, kept| {
            let is_same = later.name == kept.name;
            if is_same {
                kept.shard = later.shard;
                if twice.len() < LISTED_TWICE_MAX {
                    twice.push(shorten(&kept.name));
                }
            }
            is_same
        });
    }
}

/// Why a shard name must not be opened.
fn unsafe_path(name: &str) -> Option<&'static str> {
    if name.len() > PATH_BYTES_MAX {
        Some("is longer than a path can be")
    } else if name.contains(['\\', '\0']) || name.chars().any(char::is_control) {
        Some("has characters that no file of a repository has")
    } else if name.to_ascii_lowercase().contains("%2e") || name.to_ascii_lowercase().contains("%2f")
    {
        Some("hides a path in percent signs")
    } else if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        Some("leads out of the repository")
    } else if name.split('/').any(|part| part.is_empty() || part == ".") {
        Some("has an empty part or `.`, which we do not read: write the plain name of the file")
    } else {
        None
    }
}

fn shorten(name: &str) -> String {
    name.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Index<'_>, Error> {
        Index::parse(text.as_bytes())
    }

    #[test]
    fn shards_and_tensors_are_sorted_and_the_last_assignment_counts() {
        let index = parse(
            r#"{"metadata": {"total_size": 7}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}"#,
        )
        .unwrap();
        assert_eq!(index.shards(), ["1.safetensors", "2.safetensors"]);
        let tensors: Vec<_> = index.tensors().collect();
        assert_eq!(
            tensors,
            [
                ("a", "1.safetensors"),
                ("b", "1.safetensors"),
                ("c", "2.safetensors")
            ]
        );
        assert_eq!(index.shard_of("c"), Some("2.safetensors"));
        assert_eq!(index.shard_of("d"), None);
        assert_eq!(index.listed_twice, ["b"]);
        assert_eq!(index.total_size, Some(7));
    }

    #[test]
    fn what_is_no_index() {
        for (text, says) in [
            ("[]", "an index is an object"),
            ("{}", "needs a `weight_map`"),
            (r#"{"weight_map": 1}"#, "an object was expected"),
            (r#"{"weight_map": {"a": 1}}"#, "a string was expected"),
            (
                r#"{"weight_map": {"a": "../../etc/passwd"}}"#,
                "leads out of the repository",
            ),
            (
                r#"{"weight_map": {"a": "/etc/passwd"}}"#,
                "leads out of the repository",
            ),
            (r#"{"weight_map": {"a": "..%2Fx"}}"#, "percent signs"),
            (r#"{"weight_map": {"a": "a\\b"}}"#, "characters"),
            (r#"{"weight_map": {"a": ""}}"#, "has an empty part"),
            (
                r#"{"weight_map": {"a": "./b"}}"#,
                "has an empty part or `.`",
            ),
            (
                "\u{feff}{\"weight_map\": {}}",
                "not JSON that Python reads: it starts with a byte order mark",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(says), "{text}: {error}");
            assert!(!error.is_bound, "{text}");
        }
    }
}
