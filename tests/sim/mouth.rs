//! What a phone sends: its caller's signal, silence or comfort noise, in a stream whose numbers may jump.

use clearline::domain::Entropy;
use clearline::media::codec::FRAME_SAMPLES;
use clearline::media::rtp::RtpHeader;

use crate::plan::Plan;
use crate::signals::Voice;

const COMFORT_NOISE_TYPE: u8 = 13;
const COMFORT_NOISE: [u8; 1] = [40];
/// Noise is sent so rarely, in frames.
const BETWEEN_NOISES: u32 = 10;

pub(crate) struct Mouth {
    header: RtpHeader,
    payload_type: u8,
    speech: Vec<u8>,
    silence: Vec<u8>,
    sends_noise: bool,
    quiet_frames: u32,
}

impl Mouth {
    pub(crate) fn new(voice: Voice, plan: &Plan, ssrc: u32, entropy: &mut Entropy) -> Self {
        let payload_type = plan.codec.static_payload_type().unwrap_or_default();
        let (sequence, timestamp) = (entropy.next_u16(), entropy.next_u32());
        Self {
            header: RtpHeader { ssrc, sequence, timestamp, payload_type, marker: false },
            payload_type,
            speech: voice.encoded(plan.codec),
            silence: vec![plan.codec.silence(); FRAME_SAMPLES],
            sends_noise: plan.comfort_noise,
            quiet_frames: 0,
        }
    }

    /// Of the packet that was sent last.
    pub(crate) fn header(&self) -> RtpHeader {
        self.header
    }

    pub(crate) fn begin_anew(&mut self, ssrc: u32, entropy: &mut Entropy) {
        self.header.ssrc = ssrc;
        self.header.sequence = entropy.next_u16();
        self.header.timestamp = entropy.next_u32();
    }

    /// To a number that it has just used, at another time.
    pub(crate) fn step_back(&mut self, steps: u16, entropy: &mut Entropy) {
        self.header.sequence = self.header.sequence.wrapping_sub(steps);
        self.header.timestamp = entropy.next_u32();
    }

    /// Sabotage: from now on another caller's voice is heard.
    pub(crate) fn speak_as(&mut self, voice: Voice, plan: &Plan) {
        self.speech = voice.encoded(plan.codec);
    }

    /// One packet; `None` in a pause of one that sends comfort noise.
    pub(crate) fn say(&mut self, is_speaking: bool) -> Option<Vec<u8>> {
        self.header.timestamp = self.header.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        self.quiet_frames = if is_speaking { 0 } else { self.quiet_frames + 1 };
        let is_noise = self.sends_noise && !is_speaking;
        if is_noise && !self.quiet_frames.is_multiple_of(BETWEEN_NOISES) {
            return None;
        }
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.payload_type = if is_noise { COMFORT_NOISE_TYPE } else { self.payload_type };
        let payload = match (is_speaking, is_noise) {
            (true, _) => self.speech.as_slice(),
            (false, true) => &COMFORT_NOISE,
            (false, false) => &self.silence,
        };
        let mut packet = Vec::with_capacity(RtpHeader::BYTES + payload.len());
        self.header.write(payload, &mut packet);
        Some(packet)
    }
}
