//! A recording in the making: both directions of a call as numbered frames of 20 ms, gathered into blocks of a second.
//!
//! On the call's path a frame is only copied, in the form in which the leg has it: the caller's samples as they were heard
//! (concealment included), the model's G.711 as it was played; a side that is silent costs nothing. The blocks are appended
//! to a file of the call ([`mod@file`] tells its format), from which the Opus file is made later, apart from every call.
//!
//! A frame's number is the step of the route's clock, so its place is known whatever was lost before it: a rebuilt
//! session goes on where its predecessor fell, what is missing is silence, and so is what was said in a pause.

mod block;
mod checksum;
pub mod file;

pub use block::{Heard, RecordingBlock};

use super::codec::{Codec, FRAME_SAMPLES};
use crate::domain::Timestamp;
use block::{CALLER_PCM_BYTES, FRAME_BYTES_MAX};

/// A block is a second.
pub const FRAMES_PER_BLOCK: u64 = 50;

/// Gathers frames; give each finished block to the writer.
#[derive(Default)]
pub struct Spool {
    block: Option<RecordingBlock>,
    /// Frames before this were given away.
    next_frame: u64,
    late_frames: u64,
}

impl Spool {
    /// Puts a frame in its place; gives back the block that is complete because of it. The time is asked for once a block.
    pub fn push(
        &mut self,
        frame: u64,
        caller: &[i16; FRAME_SAMPLES],
        played: (Codec, &[u8; FRAME_SAMPLES]),
        now: impl FnOnce() -> Timestamp,
    ) -> Option<RecordingBlock> {
        if frame < self.next_frame {
            self.late_frames += 1;
            return None;
        }
        let first_frame = frame - frame % FRAMES_PER_BLOCK;
        let is_next = self.block.as_ref().is_some_and(|open| open.second() != first_frame);
        let complete = if is_next { self.finish() } else { None };
        self.next_frame = first_frame;
        self.block.get_or_insert_with(|| RecordingBlock::begun(frame, now())).add(frame, caller, played);
        complete
    }

    /// What was gathered so far: the call is over, or the recording pauses.
    pub fn finish(&mut self) -> Option<RecordingBlock> {
        self.block.take()
    }

    /// Frames that came after their block had been given away.
    pub fn late_frames(&self) -> u64 {
        self.late_frames
    }
}

/// What a block takes at most.
pub const BLOCK_BYTES_MAX: usize = FRAMES_PER_BLOCK as usize * FRAME_BYTES_MAX;
const _: () = assert!(CALLER_PCM_BYTES == 2 * FRAME_SAMPLES);

#[cfg(test)]
mod tests;
