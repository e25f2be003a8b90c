//! The first bytes of deflated data, and not more.

use flate2::{Decompress, FlushDecompress, Status};

/// What came out.
#[derive(Debug)]
pub(super) struct Inflated {
    /// At most as many as were wanted.
    pub(super) bytes: Vec<u8>,
    /// Whether the data ends with them.
    pub(super) is_ended: bool,
    /// Whether more came out than were wanted, where it was looked for.
    pub(super) is_longer: bool,
}

/// Inflates the start of `packed` to at most `wanted` bytes; one more is tried where they should be all.
/// None where it is no deflated data.
pub(super) fn inflate(packed: &[u8], wanted: usize, should_end: bool) -> Option<Inflated> {
    // Memory follows what really comes out, not what was announced.
    const STEP: usize = 64 << 10;
    let mut decoder = Decompress::new(false);
    let most = wanted + usize::from(should_end);
    let mut bytes = Vec::new();
    let mut buffer = vec![0; STEP.min(most)];
    let mut is_ended = false;
    while bytes.len() < most {
        let read = usize::try_from(decoder.total_in()).ok()?;
        let room = STEP.min(most - bytes.len());
        let piece = buffer.get_mut(..room)?;
        let before = decoder.total_out();
        let status = decoder
            .decompress(packed.get(read..)?, piece, FlushDecompress::None)
            .ok()?;
        let made = usize::try_from(decoder.total_out() - before).ok()?;
        bytes.extend_from_slice(buffer.get(..made)?);
        if status == Status::StreamEnd {
            is_ended = true;
            break;
        }
        let is_used_up = usize::try_from(decoder.total_in()).ok()? == packed.len();
        if made == 0 && (is_used_up || status == Status::BufError) {
            break;
        }
    }
    let is_longer = bytes.len() > wanted;
    bytes.truncate(wanted);
    Some(Inflated {
        bytes,
        is_ended,
        is_longer,
    })
}
