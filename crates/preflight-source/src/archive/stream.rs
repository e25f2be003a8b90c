//! A compressed tar archive: read once from its start, since it cannot be read anywhere else. What a
//! check needs is kept on the way.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::stream::StreamExt as _;
use preflight_model::header::{LENGTH_PREFIX_BYTES, header_end};
use preflight_model::wanted;

use super::hop::{cut_off, is_wanted};
use super::members::{Kind, MEMBERS_MAX, Member, Trouble};
use super::reader::Reader;
use super::tar::{BLOCK, Block, Step, Walker, padded};

/// Most bytes of all files together that are kept.
const KEPT_BYTES_MAX: u64 = wanted::HEADERS_BYTES_MAX;
/// An archive that inflates to more than this, and to more than [`RATIO_MAX`] times its bytes, is a bomb:
/// weights shrink by a third at best.
const INFLATED_BYTES_FREE: u64 = 1 << 30;
const RATIO_MAX: u64 = 100;

/// Bytes that are still read behind the end mark of the tar archive: its padding, of 10 kB at most where
/// genuine programs write it, and the checksum of the compressed data, which must be right.
const AFTER_END_BYTES_MAX: u64 = 1 << 20;

/// The members, each with what was kept of it.
pub(super) async fn list(
    reader: &Reader,
    size: Option<u64>,
) -> Result<Vec<Member<Bytes>>, Trouble> {
    let mut decoder = MultiGzDecoder::new(Unpacker::default());
    let mut received = 0_u64;
    let mut stream = reader.stream(size);
    let mut ended_at = None;
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        received += piece.len() as u64;
        if ended_at.is_some_and(|at| received - at > AFTER_END_BYTES_MAX) {
            return Ok(std::mem::take(decoder.get_mut()).members());
        }
        // In small steps: a bomb must not go off between two looks.
        for bytes in piece.chunks(4 << 10) {
            let written = decoder.write_all(bytes);
            let unpacker = decoder.get_mut();
            if let Some(trouble) = unpacker.trouble.take() {
                return Err(trouble);
            }
            if unpacker.is_done && ended_at.is_none() {
                ended_at = Some(received);
            }
            written.map_err(|_| not_gzip())?;
            if unpacker.inflated > INFLATED_BYTES_FREE.max(received.saturating_mul(RATIO_MAX)) {
                return Err(Trouble::unread(format!(
                    "it inflates to more than {RATIO_MAX} times its size"
                )));
            }
        }
        reader.may_read(1)?;
    }
    drop(stream);
    let finished = decoder.try_finish();
    let unpacker = std::mem::take(decoder.get_mut());
    // What came out with the last bytes says more than that nothing more does.
    if unpacker.trouble.is_none() {
        let what = if unpacker.is_done {
            "its compressed data is not whole, or something that is none of it follows"
        } else {
            "it ends in the middle of its compressed data: it is not whole"
        };
        finished.map_err(|_| Trouble::broken(what))?;
    }
    unpacker.finish()
}

fn not_gzip() -> Trouble {
    Trouble::broken("its compressed data is damaged")
}

/// Takes the bytes of a tar archive, however they are cut.
#[derive(Debug, Default)]
struct Unpacker {
    walker: Walker,
    state: State,
    members: Vec<Member<Bytes>>,
    kept: u64,
    inflated: u64,
    is_done: bool,
    trouble: Option<Trouble>,
}

/// What the next bytes are.
#[derive(Debug)]
enum State {
    /// A header, as far as it is here.
    Header(Vec<u8>),
    /// A description of the next member, and how many bytes it has in all.
    Description(Vec<u8>, u64),
    /// Data of a member: bytes to come, padding included, and what is kept of it.
    Data(u64, Option<Keeping>),
    /// Padding.
    Skip(u64),
}

impl Default for State {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

/// The first bytes of a file.
#[derive(Debug)]
struct Keeping {
    bytes: Vec<u8>,
    wanted: u64,
    size: u64,
    is_weights: bool,
}

impl Unpacker {
    /// Takes some of `bytes`, at least one, and says how many.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        match &mut self.state {
            State::Header(block) => {
                let taken = fill(block, BLOCK, bytes);
                if block.len() as u64 == BLOCK {
                    let block = std::mem::take(block);
                    self.header(&block)?;
                }
                Ok(taken)
            }
            State::Description(text, length) => {
                let taken = fill(text, *length, bytes);
                if text.len() as u64 == *length {
                    let padding = padded(*length).unwrap_or(*length) - *length;
                    self.walker.describe(text)?;
                    self.state = skip(padding);
                }
                Ok(taken)
            }
            State::Data(left, keeping) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                if let Some(keeping) = keeping {
                    keeping.take(&bytes[..taken], &mut self.kept);
                }
                *left -= taken as u64;
                if *left == 0 {
                    if let (Some(keeping), Some(member)) = (keeping.take(), self.members.last_mut())
                    {
                        member.place = keeping.bytes.into();
                    }
                    self.state = State::default();
                }
                Ok(taken)
            }
            State::Skip(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::default();
                }
                Ok(taken)
            }
        }
    }

    fn header(&mut self, block: &[u8]) -> Result<(), Trouble> {
        let block: &Block = block.first_chunk().ok_or_else(cut_off)?;
        let too_long = || Trouble::broken("a member is longer than anything can be");
        let step = self.walker.header(block).map_err(|trouble| {
            if self.inflated < BLOCK {
                Trouble::broken("there is no tar archive in its compressed data")
            } else {
                trouble
            }
        })?;
        self.state = match step {
            Step::End => {
                self.is_done = true;
                State::default()
            }
            Step::Describes(0) => {
                self.walker.describe(&[])?;
                State::default()
            }
            Step::Describes(length) => State::Description(Vec::new(), length),
            Step::Nothing(length) => skip(padded(length).ok_or_else(too_long)?),
            Step::Member(member, length) => {
                if self.members.len() == MEMBERS_MAX {
                    return Err(Trouble::too_many());
                }
                let keeping = Keeping::of(&member);
                self.members.push(member.at(Bytes::new()));
                match padded(length).ok_or_else(too_long)? {
                    0 => State::default(),
                    left => State::Data(left, keeping),
                }
            }
        };
        Ok(())
    }

    fn members(self) -> Vec<Member<Bytes>> {
        self.members
    }

    /// At the end of the data, where there was no end mark.
    fn finish(mut self) -> Result<Vec<Member<Bytes>>, Trouble> {
        match self.trouble.take() {
            Some(trouble) => Err(trouble),
            None if self.is_done => Ok(self.members),
            None if self.inflated == 0 => Err(Trouble::broken(
                "there is no tar archive in its compressed data",
            )),
            None => match self.state {
                State::Header(block) if block.is_empty() => Ok(self.members),
                _ => Err(cut_off()),
            },
        }
    }
}

impl Write for Unpacker {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_done || bytes.is_empty() {
            return Ok(bytes.len());
        }
        match self.take(bytes) {
            Ok(taken) => {
                self.inflated += taken as u64;
                Ok(taken)
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn skip(length: u64) -> State {
    match length {
        0 => State::default(),
        left => State::Skip(left),
    }
}

/// Appends up to `length` bytes in all, and says how many were taken.
fn fill(to: &mut Vec<u8>, length: u64, bytes: &[u8]) -> usize {
    let room = usize::try_from(length).unwrap_or(usize::MAX) - to.len();
    let taken = room.min(bytes.len());
    to.extend_from_slice(&bytes[..taken]);
    taken
}

impl Keeping {
    /// What to keep of a member: small files whole, of weights the header.
    fn of(member: &Member<()>) -> Option<Self> {
        let name = member.name.rsplit('/').next().unwrap_or(&member.name);
        let is_vocabulary = wanted::VOCABULARIES.contains(&name);
        let is_tokenizer = name == wanted::TOKENIZER || is_vocabulary;
        if member.kind != Kind::File || !(is_wanted(name) || is_tokenizer) {
            return None;
        }
        let is_weights = wanted::has_wanted_header(name);
        let wanted = match name {
            _ if is_weights => LENGTH_PREFIX_BYTES.min(member.size),
            _ if is_vocabulary => wanted::VOCABULARY_START_BYTES.min(member.size),
            wanted::TOKENIZER if member.size > wanted::TOKENIZER_BYTES_MAX => {
                wanted::TOKENIZER_START_BYTES
            }
            wanted::TOKENIZER => member.size,
            name if member.size <= wanted::bytes_max(name) => member.size,
            _ => 0,
        };
        Some(Self {
            bytes: Vec::new(),
            wanted,
            size: member.size,
            is_weights,
        })
    }

    fn take(&mut self, mut bytes: &[u8], kept: &mut u64) {
        while !bytes.is_empty() && (self.bytes.len() as u64) < self.wanted {
            let taken = fill(&mut self.bytes, self.wanted, bytes);
            bytes = &bytes[taken..];
            *kept += taken as u64;
            if let (true, Some(prefix)) = (self.is_weights, self.bytes.first_chunk())
                && self.bytes.len() as u64 == LENGTH_PREFIX_BYTES
                && let Ok(end) = header_end(*prefix, Some(self.size))
            {
                self.wanted = end;
            }
            if *kept > KEPT_BYTES_MAX {
                // What is not kept cannot be read later, and says so.
                self.wanted = 0;
                self.bytes = Vec::new();
            }
        }
    }
}
