//! A spool file as bytes: a head that says which call this is, then blocks, each with its checksums.
//!
//! It only grows, so a crash can at most cut its end off: what is whole before that is read. A block whose content is
//! damaged costs itself; one whose own head is damaged costs what lies between it and the next head that is sound.

use super::checksum::checksum;
use super::{BLOCK_BYTES_MAX, RecordingBlock};
use crate::domain::{CallId, Timestamp};
use crate::media::codec::{FRAME_SAMPLES, LEG_RATE_HZ};

const MAGIC: [u8; 8] = *b"CLRspool";
const VERSION: u16 = 1;
/// Magic, version, bytes of the call's id, rate, samples of a frame, first frame, its time; then id and checksum.
const HEAD_FIXED_BYTES: usize = 8 + 2 + 2 + 4 + 4 + 8 + 8;
const CALL_ID_BYTES_MAX: usize = 256;

const BLOCK_MARK: [u8; 4] = *b"\xB1sec";
/// Mark, first frame, its time, bytes of content, the content's checksum; then this head's own.
const BLOCK_HEAD_BYTES: usize = 4 + 8 + 8 + 4 + 4 + 4;
const CHECKSUM_BYTES: usize = 4;

/// What stands at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolHead {
    pub call: CallId,
    /// The first frame that was recorded: there the recording begins.
    pub first_frame: u64,
    pub started: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    #[error("this is no spool file of a recording, or its first bytes are damaged")]
    NoSpool,
    #[error(
        "this spool file is of version {0}, which this version of Clearline does not know; start the newer one"
    )]
    Version(u16),
}

/// What was found at the beginning of the bytes behind the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Block {
        block: RecordingBlock,
        bytes: usize,
    },
    /// So many bytes can not be read; go on behind them.
    Damaged {
        bytes: usize,
    },
    /// More must follow, or the file was cut off here.
    Nothing,
}

impl SpoolHead {
    pub fn of(call: &CallId, first: &RecordingBlock) -> Self {
        Self { call: call.clone(), first_frame: first.first_frame, started: first.begun }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let id = self.call.as_str().as_bytes();
        let id = &id[..id.len().min(CALL_ID_BYTES_MAX)];
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((id.len() as u16).to_le_bytes());
        bytes.extend(LEG_RATE_HZ.to_le_bytes());
        bytes.extend((FRAME_SAMPLES as u32).to_le_bytes());
        bytes.extend(self.first_frame.to_le_bytes());
        bytes.extend(self.started.as_millis().to_le_bytes());
        bytes.extend(id);
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    /// The head and its length; `None`: there is not enough of it yet.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, SpoolError> {
        let Some(fixed) = bytes.first_chunk::<HEAD_FIXED_BYTES>() else { return Ok(None) };
        if fixed[..8] != MAGIC {
            return Err(SpoolError::NoSpool);
        }
        let version = u16::from_le_bytes(part(fixed, 8));
        if version != VERSION {
            return Err(SpoolError::Version(version));
        }
        let id_bytes = usize::from(u16::from_le_bytes(part(fixed, 10)));
        if id_bytes > CALL_ID_BYTES_MAX {
            return Err(SpoolError::NoSpool);
        }
        let summed = HEAD_FIXED_BYTES + id_bytes;
        let Some(whole) = bytes.get(..summed + CHECKSUM_BYTES) else { return Ok(None) };
        let id = std::str::from_utf8(&whole[HEAD_FIXED_BYTES..summed]);
        let (rate, samples) = (u32::from_le_bytes(part(fixed, 12)), u32::from_le_bytes(part(fixed, 16)));
        let sound = checksum(&whole[..summed]) == u32::from_le_bytes(part(whole, summed))
            && (rate, samples) == (LEG_RATE_HZ, FRAME_SAMPLES as u32);
        let id = id.ok().filter(|_| sound).ok_or(SpoolError::NoSpool)?;
        let head = Self {
            call: CallId::new(id),
            first_frame: u64::from_le_bytes(part(fixed, 20)),
            started: Timestamp::from_millis(u64::from_le_bytes(part(fixed, 28))),
        };
        Ok(Some((head, whole.len())))
    }
}

/// A block as it is appended, in one write.
pub fn block_bytes(block: &RecordingBlock) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK_HEAD_BYTES + block.frames.len());
    bytes.extend(BLOCK_MARK);
    bytes.extend(block.first_frame.to_le_bytes());
    bytes.extend(block.begun.as_millis().to_le_bytes());
    bytes.extend((block.frames.len() as u32).to_le_bytes());
    bytes.extend(checksum(&block.frames).to_le_bytes());
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes.extend(&block.frames);
    bytes
}

/// The next block. `all`: nothing follows these bytes any more.
pub fn next_block(bytes: &[u8], all: bool) -> Found {
    let Some(head) = bytes.first_chunk::<BLOCK_HEAD_BYTES>() else { return Found::Nothing };
    let next_head =
        || bytes[1..].windows(BLOCK_HEAD_BYTES).position(BlockHead::begins).map(|distance| distance + 1);
    let Some(head) = BlockHead::read(head) else {
        return Found::Damaged { bytes: next_head().unwrap_or(bytes.len() - BLOCK_HEAD_BYTES + 1) };
    };
    let length = BLOCK_HEAD_BYTES + head.content_bytes;
    let Some(content) = bytes.get(BLOCK_HEAD_BYTES..length) else {
        let cut_short = if all { next_head() } else { None };
        return cut_short.map_or(Found::Nothing, |bytes| Found::Damaged { bytes });
    };
    if checksum(content) != head.content_checksum {
        // A write that failed half-way may be followed by a whole block.
        return Found::Damaged { bytes: next_head().map_or(length, |distance| distance.min(length)) };
    }
    let block = RecordingBlock { first_frame: head.first_frame, begun: head.begun, frames: content.to_vec() };
    Found::Block { block, bytes: length }
}

struct BlockHead {
    first_frame: u64,
    begun: Timestamp,
    content_bytes: usize,
    content_checksum: u32,
}

impl BlockHead {
    fn read(head: &[u8; BLOCK_HEAD_BYTES]) -> Option<Self> {
        let summed = BLOCK_HEAD_BYTES - CHECKSUM_BYTES;
        let content_bytes = u32::from_le_bytes(part(head, 20)) as usize;
        let sound = head[..4] == BLOCK_MARK
            && checksum(&head[..summed]) == u32::from_le_bytes(part(head, summed))
            && content_bytes <= CONTENT_BYTES_MAX;
        sound.then(|| Self {
            first_frame: u64::from_le_bytes(part(head, 4)),
            begun: Timestamp::from_millis(u64::from_le_bytes(part(head, 12))),
            content_bytes,
            content_checksum: u32::from_le_bytes(part(head, 24)),
        })
    }

    fn begins(bytes: &[u8]) -> bool {
        bytes.first_chunk().is_some_and(|head| Self::read(head).is_some())
    }
}

/// A frame may have come twice.
const CONTENT_BYTES_MAX: usize = 4 * BLOCK_BYTES_MAX;

/// A field that is known to lie within the bytes.
fn part<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    for (slot, &byte) in field.iter_mut().zip(&bytes[offset..]) {
        *slot = byte;
    }
    field
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
