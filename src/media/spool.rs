//! A recording in the making: both directions of a call as numbered frames of 20 ms, gathered into blocks of a second.
//!
//! The number is the step of the route's clock, so a frame's place in the file is known whatever was lost before it: a
//! rebuilt session goes on where its predecessor fell, and what is missing is silence. Whole missing blocks are never
//! made; their place is left to the file (a hole of zeros is silence). The spool owns no file.

use super::codec::FRAME_SAMPLES;

/// Gathers frames; give each finished block to the writer.
#[derive(Default)]
pub struct Spool {
    block: Option<OpenBlock>,
    /// Frames before this were given away.
    next_frame: u64,
    late_frames: u64,
}

/// Up to a second of stereo: caller left, model right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingBlock {
    pub first_frame: u64,
    /// Left and right sample after one another; only a call's last block is shorter than a second.
    pub samples: Vec<i16>,
}

struct OpenBlock {
    number: u64,
    samples: Vec<i16>,
}

pub const FRAMES_PER_BLOCK: u64 = 50;
const STEREO_FRAME_SAMPLES: usize = 2 * FRAME_SAMPLES;
const BLOCK_SAMPLES: usize = FRAMES_PER_BLOCK as usize * STEREO_FRAME_SAMPLES;

impl RecordingBlock {
    /// Where its first sample stands behind the header of a 16-bit stereo file.
    pub fn byte_offset(&self) -> u64 {
        self.first_frame * (STEREO_FRAME_SAMPLES * size_of::<i16>()) as u64
    }
}

impl Spool {
    /// Puts a frame in its place; gives back the block that is complete because of it.
    pub fn push(
        &mut self,
        frame: u64,
        caller: &[i16; FRAME_SAMPLES],
        model: &[i16; FRAME_SAMPLES],
    ) -> Option<RecordingBlock> {
        if frame < self.next_frame {
            self.late_frames += 1;
            return None;
        }
        let number = frame / FRAMES_PER_BLOCK;
        let complete =
            if self.block.as_ref().is_some_and(|open| open.number < number) { self.close() } else { None };
        self.next_frame = number * FRAMES_PER_BLOCK;
        let open = self.block.get_or_insert_with(|| OpenBlock::new(number));
        open.write((frame % FRAMES_PER_BLOCK) as usize, caller, model);
        complete.map(RecordingBlock::whole)
    }

    /// The call is over: what was gathered, up to its last frame.
    pub fn finish(&mut self) -> Option<RecordingBlock> {
        self.close()
    }

    /// Frames that came after their block had been given away.
    pub fn late_frames(&self) -> u64 {
        self.late_frames
    }

    fn close(&mut self) -> Option<RecordingBlock> {
        let open = self.block.take()?;
        self.next_frame = (open.number + 1) * FRAMES_PER_BLOCK;
        Some(RecordingBlock { first_frame: open.number * FRAMES_PER_BLOCK, samples: open.samples })
    }
}

impl RecordingBlock {
    fn whole(mut self) -> Self {
        self.samples.resize(BLOCK_SAMPLES, 0);
        self
    }
}

impl OpenBlock {
    fn new(number: u64) -> Self {
        Self { number, samples: Vec::with_capacity(BLOCK_SAMPLES) }
    }

    fn write(&mut self, place: usize, caller: &[i16; FRAME_SAMPLES], model: &[i16; FRAME_SAMPLES]) {
        let range = place * STEREO_FRAME_SAMPLES..(place + 1) * STEREO_FRAME_SAMPLES;
        if self.samples.len() < range.end {
            self.samples.resize(range.end, 0);
        }
        let (pairs, _) = self.samples[range].as_chunks_mut::<2>();
        for (pair, (&left, &right)) in pairs.iter_mut().zip(caller.iter().zip(model)) {
            *pair = [left, right];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(spool: &mut Spool, frame: u64) -> Option<RecordingBlock> {
        spool.push(frame, &[frame as i16 + 1; 160], &[-1 - frame as i16; 160])
    }

    /// What the left channel holds in a frame of the block.
    fn left(block: &RecordingBlock, place: usize) -> i16 {
        block.samples[place * STEREO_FRAME_SAMPLES]
    }

    #[test]
    fn a_second_of_frames_is_one_block_with_the_caller_left_and_the_model_right() {
        let mut spool = Spool::default();
        assert!((0..50).all(|frame| push(&mut spool, frame).is_none()));
        let block = push(&mut spool, 50).unwrap();
        assert_eq!((block.first_frame, block.samples.len()), (0, 16_000));
        assert_eq!(block.samples[..2], [1, -1]);
        assert_eq!(block.samples[15_998..], [50, -50]);
        assert_eq!(push(&mut spool, 100).unwrap().byte_offset(), 50 * 640);
    }

    #[test]
    fn frames_that_are_missing_are_silence() {
        let mut spool = Spool::default();
        assert!([0, 3, 49].into_iter().all(|frame| push(&mut spool, frame).is_none()));
        let block = push(&mut spool, 61).unwrap();
        assert_eq!([0, 1, 2, 3, 4, 48, 49].map(|place| left(&block, place)), [1, 0, 0, 4, 0, 0, 50]);
        let rest = spool.finish().unwrap();
        assert_eq!((rest.first_frame, left(&rest, 10), left(&rest, 11)), (50, 0, 62));
    }

    #[test]
    fn a_long_gap_costs_no_memory_and_keeps_every_place() {
        let mut spool = Spool::default();
        push(&mut spool, 0);
        assert_eq!(push(&mut spool, 1_000_007).unwrap().samples.len(), 16_000);
        assert_eq!(spool.finish().unwrap().first_frame, 1_000_000);
    }

    #[test]
    fn the_last_block_ends_with_the_call() {
        let mut spool = Spool::default();
        (0..7).for_each(|frame| assert!(push(&mut spool, frame).is_none()));
        assert_eq!(spool.finish().unwrap().samples.len(), 7 * 320);
        assert_eq!(spool.finish(), None);
        assert_eq!(Spool::default().finish(), None);
    }

    #[test]
    fn a_frame_out_of_order_finds_its_place_and_one_too_late_is_counted() {
        let mut spool = Spool::default();
        assert!([1, 0].into_iter().all(|frame| push(&mut spool, frame).is_none()));
        let block = push(&mut spool, 50).unwrap();
        assert_eq!([left(&block, 0), left(&block, 1)], [1, 2]);
        assert_eq!(push(&mut spool, 49), None);
        assert_eq!(spool.late_frames(), 1);
        assert_eq!(spool.finish().unwrap().samples.len(), 320);
    }
}
