//! From frames to packets to pages.

use std::io::Write;
use std::time::Duration;

use opus_pure::{
    Application, MAX_PACKET_BYTES, OggOpusWriter, OpusEncoder, OpusHead, OpusTags, RateControl, Signal,
};

use super::{CALL_TAG, DATE_TAG, OpusFileError, START_TAG, TITLE_TAG};
use crate::media::codec::{FRAME_MS, FRAME_SAMPLES, LEG_RATE_HZ};
use crate::media::spool::Heard;
use crate::media::spool::file::SpoolHead;

/// Of both sides together: speech of the telephone's bandwidth is as good as it was heard.
const BITS_PER_SECOND: i32 = 32_000;
/// More costs a core twice as much and cannot be told apart on a telephone's speech.
const COMPLEXITY: i32 = 1;
/// The longest that Opus codes as one.
const FRAMES_PER_PACKET: usize = 3;
const SIDES: usize = 2;
const PACKET_SAMPLES: usize = FRAMES_PER_PACKET * FRAME_SAMPLES;
/// Positions in such a file are always counted at 48 kHz.
const TICKS_PER_SAMPLE: u64 = 48_000 / LEG_RATE_HZ as u64;
/// A gap that no call can have: its number is damaged in a way that no checksum found.
const LONGEST_FRAMES: u64 = 7 * 24 * 3_600 * 50;

/// A recording that is being written. Without [`OpusFile::finish`] it has no end.
pub struct OpusFile<W: Write> {
    encoder: OpusEncoder,
    ogg: OggOpusWriter<W>,
    pre_skip: u64,
    first_frame: u64,
    /// How many frames were written, silent ones included.
    frames: u64,
    /// Left and right after one another, up to a packet.
    waiting: Vec<i16>,
    packet: Vec<u8>,
}

impl<W: Write> OpusFile<W> {
    pub fn begin(sink: W, about: &SpoolHead) -> Result<Self, OpusFileError> {
        let mut encoder = OpusEncoder::new(LEG_RATE_HZ as i32, SIDES, Application::Voip)?;
        encoder.bitrate_bps = BITS_PER_SECOND;
        encoder.complexity = COMPLEXITY;
        encoder.rate_control = RateControl::Vbr;
        encoder.signal_type = Some(Signal::Voice);
        let head = OpusHead::for_encoder(&encoder, LEG_RATE_HZ);
        let pre_skip = u64::from(head.pre_skip);
        let ogg = OggOpusWriter::with_tags(sink, head, tags(about)?)?;
        Ok(Self {
            encoder,
            ogg,
            pre_skip,
            first_frame: about.first_frame,
            frames: 0,
            waiting: Vec::with_capacity(SIDES * PACKET_SAMPLES),
            packet: vec![0; MAX_PACKET_BYTES],
        })
    }

    /// Frames come in rising order; one that comes again, or cannot be one of this call, is passed over.
    pub fn add(&mut self, frame: &Heard) -> Result<(), OpusFileError> {
        let next = self.first_frame + self.frames;
        if frame.number < next || frame.number - self.first_frame > LONGEST_FRAMES {
            return Ok(());
        }
        for _ in next..frame.number {
            self.push(&[0; FRAME_SAMPLES], &[0; FRAME_SAMPLES])?;
        }
        self.push(&frame.caller, &frame.model)
    }

    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.frames * u64::from(FRAME_MS))
    }

    /// Writes what the encoder still holds, and the end.
    pub fn finish(mut self) -> Result<W, OpusFileError> {
        let end = self.pre_skip + self.frames * FRAME_SAMPLES as u64 * TICKS_PER_SAMPLE;
        while self.position() < end {
            self.waiting.resize(SIDES * PACKET_SAMPLES, 0);
            self.write_packet(end)?;
        }
        Ok(self.ogg.finish()?)
    }

    fn push(
        &mut self,
        caller: &[i16; FRAME_SAMPLES],
        model: &[i16; FRAME_SAMPLES],
    ) -> Result<(), OpusFileError> {
        self.waiting.extend(caller.iter().zip(model).flat_map(|(&left, &right)| [left, right]));
        self.frames += 1;
        if self.waiting.len() == SIDES * PACKET_SAMPLES { self.write_packet(u64::MAX) } else { Ok(()) }
    }

    /// Nothing is to be heard behind `end`.
    fn write_packet(&mut self, end: u64) -> Result<(), OpusFileError> {
        let bytes = self.encoder.encode_s16(&self.waiting, PACKET_SAMPLES, &mut self.packet)?;
        self.waiting.clear();
        let whole = PACKET_SAMPLES as u64 * TICKS_PER_SAMPLE;
        let audible = whole.min(end.saturating_sub(self.position()));
        let audible = u32::try_from(audible).unwrap_or(u32::MAX);
        Ok(self.ogg.write_packet_with_duration(&self.packet[..bytes], audible)?)
    }

    fn position(&self) -> u64 {
        self.ogg.granule().unsigned_abs()
    }
}

fn tags(about: &SpoolHead) -> Result<OpusTags, OpusFileError> {
    let (call, start) = (about.call.as_str(), about.started.to_string());
    let mut tags = OpusTags::new();
    tags.push(TITLE_TAG, &format!("Call {call}"))?;
    tags.push(DATE_TAG, start.split('T').next().unwrap_or_default())?;
    tags.push(CALL_TAG, call)?;
    tags.push(START_TAG, &start)?;
    Ok(tags)
}
