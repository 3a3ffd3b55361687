//! The audio of a far end: packets put together and taken apart by hand.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use clearline::media::codec::Codec;

pub(crate) const FRAME_SAMPLES: usize = 160;
const PCMU: u8 = 0;
pub(crate) const EVENTS: u8 = 101;
const LOUDNESS: f64 = 9_000.0;
/// What counts as voice in a frame.
const VOICED: f64 = 200.0;
const KEYS: &str = "0123456789*#ABCD";
const PACKETS_PER_KEY: u16 = 8;
const END_PACKETS: u16 = 3;

/// One packet as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    /// Where it arrived.
    pub(crate) port: u16,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// `None` for RTCP and for anything else that is no RTP.
    pub(crate) fn read(port: u16, bytes: &[u8]) -> Option<Self> {
        let (head, payload) = bytes.split_at_checked(12)?;
        let payload_type = head[1] & 0x7f;
        let is_rtcp = (72..=76).contains(&payload_type);
        (head[0] == 0x80 && !is_rtcp).then(|| Self {
            port,
            payload_type,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: payload.to_vec(),
        })
    }

    pub(crate) fn samples(&self) -> Vec<i16> {
        if self.payload_type != PCMU {
            return vec![0; FRAME_SAMPLES];
        }
        self.payload.iter().map(|byte| Codec::Pcmu.decode(*byte)).collect()
    }

    pub(crate) fn is_voiced(&self) -> bool {
        let samples = self.samples();
        let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (energy / samples.len().max(1) as f64).sqrt() > VOICED
    }

    pub(crate) fn key(&self) -> Option<char> {
        (self.payload_type == EVENTS).then(|| KEYS.chars().nth(usize::from(*self.payload.first()?)))?
    }
}

/// What a far end sends: a tone, pressed keys, or silence, under one SSRC.
pub(crate) struct Voice {
    pub(crate) ssrc: u32,
    sequence: u16,
    timestamp: u32,
    tones_hz: Vec<f64>,
    tone_frames: usize,
    /// As many frames as it says again, and as it is silent before.
    again: Option<[usize; 2]>,
    pause_frames: usize,
    /// Samples of the tones so far; it goes on from one word to the next.
    position: u64,
    keys: VecDeque<(u8, u16)>,
}

impl Voice {
    pub(crate) fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            sequence: 1,
            timestamp: 160,
            tones_hz: Vec::new(),
            tone_frames: 0,
            again: None,
            pause_frames: 0,
            position: 0,
            keys: VecDeque::new(),
        }
    }

    /// Once, or again after each pause.
    pub(crate) fn say(&mut self, tones_hz: &[f64], ms: usize, pause_ms: Option<usize>) {
        (self.tones_hz, self.tone_frames) = (tones_hz.to_vec(), ms / 20);
        self.again = pause_ms.map(|pause_ms| [ms / 20, pause_ms / 20]);
        self.pause_frames = 0;
    }

    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            let event = KEYS.find(key).expect("a key of a phone") as u8;
            self.keys.extend((0..PACKETS_PER_KEY).map(|step| (event, step)));
        }
    }

    pub(crate) fn next_packet(&mut self) -> Vec<u8> {
        let packet = match self.keys.pop_front() {
            Some((event, step)) => self.key_packet(event, step),
            None => {
                let frame = self.next_frame();
                packet(PCMU, self.sequence, self.timestamp, self.ssrc, &frame)
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        packet
    }

    /// All packets of one key bear the time-stamp at which it went down (RFC 4733).
    fn key_packet(&self, event: u8, step: u16) -> Vec<u8> {
        let began = self.timestamp.wrapping_sub(u32::from(step) * 160);
        let last = PACKETS_PER_KEY - END_PACKETS;
        let duration = (step.min(last) + 1) * 160;
        let end = if step >= last { 0x80 } else { 0 };
        let payload = [&[event, end | 10][..], &duration.to_be_bytes()].concat();
        packet(EVENTS, self.sequence, began, self.ssrc, &payload)
    }

    fn next_frame(&mut self) -> Vec<u8> {
        if self.tone_frames == 0 {
            self.pause_frames += 1;
            if let Some([frames, pause]) = self.again
                && self.pause_frames == pause
            {
                (self.tone_frames, self.pause_frames) = (frames, 0);
            }
            return vec![Codec::Pcmu.silence(); FRAME_SAMPLES];
        }
        self.tone_frames -= 1;
        let first = self.position;
        self.position += FRAME_SAMPLES as u64;
        (first..self.position).map(|position| Codec::Pcmu.encode(self.sample(position))).collect()
    }

    fn sample(&self, position: u64) -> i16 {
        let time = position as f64 / 8_000.0;
        let mixed: f64 = self.tones_hz.iter().map(|hz| (TAU * hz * time).sin()).sum();
        (LOUDNESS * mixed / self.tones_hz.len() as f64) as i16
    }
}

pub(crate) fn packet(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(payload);
    bytes
}
