//! Caller to model: packets in, one frame of PCM each 20 ms out.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use crate::media::codec::{Codec, FRAME_SAMPLES, LEG_RATE_HZ};
use crate::media::conceal::Concealer;
use crate::media::dtmf::DtmfReceiver;
use crate::media::jitter::{Adjustment, Arrived, JitterBuffer, JitterFrame, MAX_PACKET_SAMPLES};
use crate::media::level::rms;
use crate::media::resample::Resampler;
use crate::media::rtp::RtpPacket;
use crate::media::sdp::Negotiated;

/// What the model hears.
pub const MODEL_RATE_HZ: u32 = 16_000;

/// Hears one caller.
pub struct CallerPath {
    jitter: JitterBuffer,
    concealer: Concealer,
    upsampler: Resampler,
    dtmf: DtmfReceiver,
    keys: VecDeque<char>,
    loudness: Loudness,
    decoded: Box<[i16; MAX_PACKET_SAMPLES]>,
    made_up_samples: u64,
}

/// One packet that the route accepted.
#[derive(Debug, Clone, Copy)]
pub struct CallerPacket<'a> {
    pub sequence: u16,
    pub timestamp: u32,
    pub payload: Payload<'a>,
    pub arrival: Instant,
}

/// What a packet carries; each names its own codec, because a far end may change it from one packet to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    Audio(Codec, &'a [u8]),
    /// RFC 3389: its noise is not for us, it says that there is silence.
    ComfortNoise,
    DtmfEvent(&'a [u8]),
}

/// 20 ms of the caller, for the recording and for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerFrame {
    pub pcm_8k: [i16; FRAME_SAMPLES],
    pub pcm_16k: [i16; 2 * FRAME_SAMPLES],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepReport {
    pub source: FrameOrigin,
    /// A key the caller pressed, as one of `0`–`9`, `*`, `#`, `A`–`D`.
    pub dtmf: Option<char>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameOrigin {
    /// At least a part of the frame is what the caller sent.
    Received,
    Concealed,
    Silence,
}

/// How well the caller is heard, since the call began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    pub received: u64,
    pub lost: u64,
    pub late: u64,
    pub duplicated: u64,
    pub resynchronised: u64,
    pub concealed_ms: u64,
    pub jitter_ms: f32,
    pub jitter_target_ms: u32,
}

/// More keys than a person presses in one step; a flood of events beyond it is no dialling.
const MAX_KEYS_WAITING: usize = 32;
/// What stands for a comfort noise packet: 20 ms.
const COMFORT_NOISE: [i16; FRAME_SAMPLES] = [0; FRAME_SAMPLES];

impl<'a> CallerPacket<'a> {
    /// `None` when the payload type was not agreed on.
    pub fn new(packet: &RtpPacket<'a>, negotiated: &Negotiated, arrival: Instant) -> Option<Self> {
        let payload = Payload::of(packet, negotiated)?;
        Some(Self { sequence: packet.sequence, timestamp: packet.timestamp, payload, arrival })
    }

    fn arrived<'s>(&self, samples: &'s [i16]) -> Arrived<'s> {
        Arrived { sequence: self.sequence, timestamp: self.timestamp, samples, arrival: self.arrival }
    }
}

impl<'a> Payload<'a> {
    /// RFC 3551: many gateways send comfort noise in pauses without having said so.
    const COMFORT_NOISE_TYPE: u8 = 13;

    fn of(packet: &RtpPacket<'a>, negotiated: &Negotiated) -> Option<Self> {
        let number = packet.payload_type;
        if let Some(codec) = negotiated.codec_of(number) {
            return Some(Self::Audio(codec, packet.payload));
        }
        let dtmf = [negotiated.dtmf_receive_payload_type, negotiated.dtmf_payload_type];
        if dtmf.contains(&Some(number)) {
            return Some(Self::DtmfEvent(packet.payload));
        }
        (number == Self::COMFORT_NOISE_TYPE).then_some(Self::ComfortNoise)
    }
}

impl CallerFrame {
    pub const SILENT: Self = Self { pcm_8k: [0; FRAME_SAMPLES], pcm_16k: [0; 2 * FRAME_SAMPLES] };
}

impl Default for CallerPath {
    fn default() -> Self {
        let upsampler =
            Resampler::new(LEG_RATE_HZ, MODEL_RATE_HZ).expect("8 to 16 kHz is a ratio of one to two");
        Self {
            jitter: JitterBuffer::default(),
            concealer: Concealer::default(),
            upsampler,
            dtmf: DtmfReceiver::default(),
            keys: VecDeque::with_capacity(MAX_KEYS_WAITING),
            loudness: Loudness::default(),
            decoded: Box::new([0; MAX_PACKET_SAMPLES]),
            made_up_samples: 0,
        }
    }
}

impl CallerPath {
    pub fn receive(&mut self, packet: CallerPacket<'_>) {
        match packet.payload {
            Payload::Audio(codec, codes) => {
                codec.decode_into(codes, self.decoded.as_mut_slice());
                let samples = &self.decoded[..codes.len().min(MAX_PACKET_SAMPLES)];
                self.jitter.insert(packet.arrived(samples));
            }
            Payload::ComfortNoise => self.jitter.insert(packet.arrived(&COMFORT_NOISE)),
            Payload::DtmfEvent(event) => {
                self.jitter.note_other(packet.sequence);
                let key = self.dtmf.receive(packet.timestamp, event);
                self.keys.extend(key.filter(|_| self.keys.len() < MAX_KEYS_WAITING));
            }
        }
    }

    /// Exactly one frame; call it every 20 ms, after the packets that came until `now`.
    pub fn step(&mut self, now: Instant, out: &mut CallerFrame) -> StepReport {
        let source = match self.jitter.adjust(now, self.loudness.is_quiet()) {
            Adjustment::None => self.play(&mut out.pcm_8k),
            Adjustment::Stretch => self.conceal(&mut out.pcm_8k),
            Adjustment::Shrink => self.play_two_as_one(&mut out.pcm_8k),
        };
        self.loudness.note(&out.pcm_8k);
        let mut wide = out.pcm_16k.iter_mut();
        self.upsampler.process(&out.pcm_8k, |sample| {
            if let Some(slot) = wide.next() {
                *slot = sample;
            }
        });
        StepReport { source, dtmf: self.keys.pop_front() }
    }

    pub fn quality(&self) -> Quality {
        let counters = self.jitter.counters();
        Quality {
            received: counters.received,
            lost: counters.lost,
            late: counters.late,
            duplicated: counters.duplicated,
            resynchronised: counters.resynchronised,
            concealed_ms: self.made_up_samples * 1_000 / u64::from(LEG_RATE_HZ),
            jitter_ms: self.jitter.jitter_ms(),
            jitter_target_ms: self.jitter.target_ms(),
        }
    }

    /// How long packets wait in the jitter buffer at present.
    pub fn jitter_depth_ms(&self, now: Instant) -> u32 {
        self.jitter.depth_ms(now)
    }

    fn play(&mut self, pcm: &mut [i16; FRAME_SAMPLES]) -> FrameOrigin {
        let frame = self.jitter.take();
        let mut source = FrameOrigin::Silence;
        for run in runs(&frame) {
            let piece = &mut pcm[run.clone()];
            if frame[run.start].is_none() {
                if self.conceal(piece) == FrameOrigin::Concealed && source == FrameOrigin::Silence {
                    source = FrameOrigin::Concealed;
                }
                continue;
            }
            for (sample, received) in piece.iter_mut().zip(&frame[run]) {
                *sample = received.unwrap_or(0);
            }
            self.concealer.received(piece);
            source = FrameOrigin::Received;
        }
        source
    }

    fn conceal(&mut self, piece: &mut [i16]) -> FrameOrigin {
        if !self.concealer.missing(piece) {
            return FrameOrigin::Silence;
        }
        self.made_up_samples += piece.len() as u64;
        FrameOrigin::Concealed
    }

    /// Fades from one frame to the next within the time of one, so that nothing jumps where 20 ms are left out.
    fn play_two_as_one(&mut self, pcm: &mut [i16; FRAME_SAMPLES]) -> FrameOrigin {
        let mut second = [0; FRAME_SAMPLES];
        let first_source = self.play(pcm);
        let second_source = self.play(&mut second);
        for (n, (sample, later)) in pcm.iter_mut().zip(second).enumerate() {
            let n = n as i32;
            let whole = FRAME_SAMPLES as i32;
            *sample = ((i32::from(*sample) * (whole - n) + i32::from(later) * n) / whole) as i16;
        }
        if second_source == FrameOrigin::Silence { first_source } else { second_source }
    }
}

/// The stretches of a frame that are wholly there or wholly missing.
fn runs(frame: &JitterFrame) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    frame.chunk_by(|a, b| a.is_some() == b.is_some()).map(move |run| {
        let range = start..start + run.len();
        start = range.end;
        range
    })
}

/// Tells pauses from speech well enough to choose where 20 ms may be left out or doubled.
#[derive(Default)]
struct Loudness {
    recent: f32,
    now: f32,
}

impl Loudness {
    /// −50 dB of full scale: nobody speaks that softly.
    const FLOOR: f32 = 100.0;
    /// A pause in a noisy place lies 24 dB below the speech around it.
    const BELOW_SPEECH: f32 = 1.0 / 16.0;
    /// Half as loud after seven seconds.
    const FORGET: f32 = 0.998;

    fn note(&mut self, pcm: &[i16]) {
        self.now = rms(pcm);
        self.recent = (self.recent * Self::FORGET).max(self.now);
    }

    fn is_quiet(&self) -> bool {
        self.now <= Self::FLOOR.max(self.recent * Self::BELOW_SPEECH)
    }
}
