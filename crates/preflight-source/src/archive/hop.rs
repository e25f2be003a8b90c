//! Listing a plain tar archive: from header to header, over the data between them.

use std::ops::Range;

use bytes::Bytes;
use preflight_model::wanted;

use super::members::{Kind, MEMBERS_MAX, Member, Trouble};
use super::reader::Reader;
use super::tar::{BLOCK, Block, Step, Walker, padded};

/// Bytes of a remote read: a header, and with it the small files or the start of the weights that follow.
/// A checkpoint of 30 shards costs 1 MB so.
const HOP_BYTES: u64 = 32 << 10;

/// The members, each with the place of its first byte.
pub(super) async fn list(reader: &Reader, size: u64) -> Result<Vec<Member<u64>>, Trouble> {
    let mut hops = Hops {
        reader,
        size,
        window: (0, Bytes::new()),
    };
    let mut walker = Walker::default();
    let mut members = Vec::new();
    let mut at: u64 = 0;
    // A missing end mark is no fault to any program.
    while at < size {
        let Some(after) = at.checked_add(BLOCK).filter(|after| *after <= size) else {
            return Err(cut_off());
        };
        let block = hops.read(at..after).await?;
        let block: &Block = block.first_chunk().ok_or_else(cut_off)?;
        let step = walker.header(block)?;
        at = match step {
            Step::End => break,
            Step::Describes(length) => {
                let data = within(after, length, size)?;
                let bytes = hops.read(data.clone()).await?;
                walker.describe(&bytes)?;
                next(after, length)?
            }
            Step::Nothing(length) => next(after, length)?,
            Step::Member(member, length) => {
                let data = within(after, length, size)?;
                if members.len() == MEMBERS_MAX {
                    return Err(Trouble::too_many());
                }
                if member.kind == Kind::File && is_wanted(&member.name) {
                    hops.keep(data);
                }
                members.push(member.at(after));
                next(after, length)?
            }
        };
    }
    Ok(members)
}

/// Whether a check reads of a file of this name, in whatever folder everything is.
pub(super) fn is_wanted(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    wanted::is_wanted(name)
}

pub(super) fn cut_off() -> Trouble {
    Trouble::broken("it ends in the middle of a member: it is not whole")
}

fn within(start: u64, length: u64, size: u64) -> Result<Range<u64>, Trouble> {
    let end = start.checked_add(length).filter(|end| *end <= size);
    Ok(start..end.ok_or_else(cut_off)?)
}

fn next(start: u64, length: u64) -> Result<u64, Trouble> {
    let end = padded(length).and_then(|length| start.checked_add(length));
    end.ok_or_else(cut_off)
}

impl Member<()> {
    /// The member with the place of its data.
    pub(super) fn at<P>(self, place: P) -> Member<P> {
        Member {
            name: self.name,
            size: self.size,
            kind: self.kind,
            overlaps: self.overlaps,
            place,
        }
    }
}

/// Reads that go forwards.
struct Hops<'a> {
    reader: &'a Reader,
    size: u64,
    /// The last bytes that were read, and where they begin.
    window: (u64, Bytes),
}

impl Hops<'_> {
    async fn read(&mut self, range: Range<u64>) -> Result<Bytes, Trouble> {
        if let Some(bytes) = self.in_window(&range) {
            return Ok(bytes);
        }
        let ahead = if self.reader.is_remote() {
            HOP_BYTES
        } else {
            0
        };
        let end = range
            .end
            .max(range.start.saturating_add(ahead).min(self.size));
        let bytes = self.reader.read(range.start..end).await?;
        self.window = (range.start, bytes);
        self.in_window(&range).ok_or_else(cut_off)
    }

    fn in_window(&self, range: &Range<u64>) -> Option<Bytes> {
        let (at, bytes) = &self.window;
        let from = usize::try_from(range.start.checked_sub(*at)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(*at)?).ok()?;
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    }

    /// Keeps what was read of a file's data.
    fn keep(&self, data: Range<u64>) {
        let (at, bytes) = &self.window;
        let end = data.end.min(at + bytes.len() as u64);
        if self.reader.is_remote()
            && let Some(bytes) = self.in_window(&(data.start..end.max(data.start)))
        {
            // A copy: the rest of the window is not to be kept with it.
            self.reader.keep(data.start, Bytes::copy_from_slice(&bytes));
        }
    }
}
