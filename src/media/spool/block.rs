//! A second of a call as bytes: for each frame its place, the form of either side, and what is not silence.

use super::FRAMES_PER_BLOCK;
use crate::domain::Timestamp;
use crate::media::codec::{Codec, FRAME_SAMPLES};

pub(super) const CALLER_PCM_BYTES: usize = size_of::<[i16; FRAME_SAMPLES]>();
/// Place and forms, then both sides at their longest.
pub(super) const FRAME_BYTES_MAX: usize = 2 + CALLER_PCM_BYTES + FRAME_SAMPLES;

/// Up to a second of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingBlock {
    /// The number of the first frame that was put in; the others are of the same second.
    pub first_frame: u64,
    /// When that frame was heard.
    pub begun: Timestamp,
    pub(super) frames: Vec<u8>,
}

/// One frame as it is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    pub number: u64,
    pub caller: [i16; FRAME_SAMPLES],
    pub model: [i16; FRAME_SAMPLES],
}

/// How one side of a frame is written; each fits into half a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Silent,
    Coded(Codec),
    Pcm,
}

impl Form {
    const ALL: [Self; 4] = [Self::Silent, Self::Coded(Codec::Pcmu), Self::Coded(Codec::Pcma), Self::Pcm];

    fn code(self) -> u8 {
        match self {
            Self::Silent => 0,
            Self::Coded(Codec::Pcmu) => 1,
            Self::Coded(Codec::Pcma) => 2,
            Self::Pcm => 3,
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.code() == code)
    }

    fn bytes(self) -> usize {
        match self {
            Self::Silent => 0,
            Self::Coded(_) => FRAME_SAMPLES,
            Self::Pcm => CALLER_PCM_BYTES,
        }
    }

    fn read(self, bytes: &[u8]) -> [i16; FRAME_SAMPLES] {
        let mut samples = [0; FRAME_SAMPLES];
        match self {
            Self::Silent => {}
            Self::Coded(codec) => codec.decode_into(bytes, &mut samples),
            Self::Pcm => {
                let (pairs, _) = bytes.as_chunks::<2>();
                for (sample, pair) in samples.iter_mut().zip(pairs) {
                    *sample = i16::from_le_bytes(*pair);
                }
            }
        }
        samples
    }
}

impl RecordingBlock {
    pub(super) fn begun(first_frame: u64, begun: Timestamp) -> Self {
        Self { first_frame, begun, frames: Vec::with_capacity(super::BLOCK_BYTES_MAX) }
    }

    /// The number of the first frame of its second, whether that is in it or not.
    pub(super) fn second(&self) -> u64 {
        self.first_frame - self.first_frame % FRAMES_PER_BLOCK
    }

    pub(super) fn add(
        &mut self,
        frame: u64,
        caller: &[i16; FRAME_SAMPLES],
        (codec, played): (Codec, &[u8; FRAME_SAMPLES]),
    ) {
        let heard = if caller.iter().all(|&sample| sample == 0) { Form::Silent } else { Form::Pcm };
        let is_quiet = played.iter().all(|&code| code == codec.silence());
        let said = if is_quiet { Form::Silent } else { Form::Coded(codec) };
        let place = (frame % FRAMES_PER_BLOCK) as u8;
        self.frames.extend([place, heard.code() | said.code() << 4]);
        if heard == Form::Pcm {
            let start = self.frames.len();
            self.frames.resize(start + CALLER_PCM_BYTES, 0);
            let (pairs, _) = self.frames[start..].as_chunks_mut::<2>();
            for (pair, sample) in pairs.iter_mut().zip(caller) {
                *pair = sample.to_le_bytes();
            }
        }
        if said != Form::Silent {
            self.frames.extend_from_slice(played);
        }
    }

    /// Its frames in rising order; of one that was put in twice the later. What no version of ours would have written ends it.
    pub fn heard(&self) -> Vec<Heard> {
        let mut heard = Vec::with_capacity(FRAMES_PER_BLOCK as usize);
        let mut rest = &self.frames[..];
        while let Some((frame, behind)) = self.first_of(rest) {
            heard.push(frame);
            rest = behind;
        }
        heard.reverse();
        heard.sort_by_key(|frame: &Heard| frame.number);
        heard.dedup_by_key(|frame| frame.number);
        heard
    }

    fn first_of<'a>(&self, bytes: &'a [u8]) -> Option<(Heard, &'a [u8])> {
        let (&[place, forms], rest) = bytes.split_first_chunk::<2>()?;
        let (caller, model) = (Form::of_code(forms & 0x0F)?, Form::of_code(forms >> 4)?);
        let (caller_bytes, rest) = rest.split_at_checked(caller.bytes())?;
        let (model_bytes, rest) = rest.split_at_checked(model.bytes())?;
        let number =
            self.second().checked_add(u64::from(place)).filter(|_| u64::from(place) < FRAMES_PER_BLOCK)?;
        Some((Heard { number, caller: caller.read(caller_bytes), model: model.read(model_bytes) }, rest))
    }
}
