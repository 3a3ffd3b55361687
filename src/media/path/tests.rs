#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use super::*;
use crate::domain::Entropy;
use crate::media::codec::Codec;
use crate::media::dtmf::DtmfSender;
use crate::media::level::{rms, tone_level};

const FRAME_TIME: Duration = Duration::from_millis(20);
const AMPLITUDE: f32 = 10_000.0;

/// A caller who sends a tone, and the path that hears it, in steps of 20 ms.
struct Call {
    path: CallerPath,
    start: Instant,
    codec: Codec,
    step: u32,
    frame: CallerFrame,
    heard_8k: Vec<i16>,
    heard_16k: Vec<i16>,
    keys: String,
}

impl Call {
    fn new(codec: Codec) -> Self {
        let frame = CallerFrame::SILENT;
        let (heard_8k, heard_16k, keys) = (Vec::new(), Vec::new(), String::new());
        Self {
            path: CallerPath::default(),
            start: Instant::now(),
            codec,
            step: 0,
            frame,
            heard_8k,
            heard_16k,
            keys,
        }
    }

    fn now(&self) -> Instant {
        self.start + FRAME_TIME * self.step
    }

    fn receive(&mut self, number: u32, arrival: Instant, payload: Payload<'_>) {
        let packet = CallerPacket { sequence: number as u16, timestamp: number * 160, payload, arrival };
        self.path.receive(packet);
    }

    fn receive_tone(&mut self, number: u32, arrival: Instant) {
        let codes: Vec<u8> =
            tone(number * 160, 160).iter().map(|&sample| self.codec.encode(sample)).collect();
        self.receive(number, arrival, Payload::Audio(self.codec, &codes));
    }

    fn step(&mut self) -> FrameOrigin {
        let now = self.now();
        let report = self.path.step(now, &mut self.frame);
        self.step += 1;
        self.heard_8k.extend(self.frame.pcm_8k);
        self.heard_16k.extend(self.frame.pcm_16k);
        self.keys.extend(report.dtmf);
        report.source
    }

    fn last_frames(&self, count: usize) -> &[i16] {
        &self.heard_8k[self.heard_8k.len() - count * 160..]
    }
}

fn tone(start: u32, length: u32) -> Vec<i16> {
    (start..start + length).map(|n| (AMPLITUDE * (TAU * n as f32 / 8.0).sin()) as i16).collect()
}

#[test]
fn the_model_hears_the_caller_in_both_laws_two_frames_after_the_packet() {
    for codec in Codec::ALL {
        let mut call = Call::new(codec);
        let sources: Vec<FrameOrigin> = (0..100)
            .map(|number| {
                call.receive_tone(number, call.now());
                call.step()
            })
            .collect();
        assert_eq!(sources[..2], [FrameOrigin::Silence; 2]);
        assert!(sources[2..].iter().all(|source| *source == FrameOrigin::Received));
        for (samples, rate_hz) in [(&call.heard_8k[1_600..], 8_000), (&call.heard_16k[3_200..], 16_000)] {
            let level = tone_level(samples, rate_hz, 1_000.0);
            assert!((level - AMPLITUDE).abs() < 200.0, "{codec:?} at {rate_hz}: {level}");
        }
    }
}

#[test]
fn a_lost_packet_is_concealed_and_counted() {
    let mut call = Call::new(Codec::Pcma);
    let mut concealed = 0;
    for number in 0..200 {
        if number % 50 != 25 {
            call.receive_tone(number, call.now());
        }
        concealed += u32::from(call.step() == FrameOrigin::Concealed);
        if number > 10 {
            assert!(rms(call.last_frames(1)) > 0.6 * AMPLITUDE / 2_f32.sqrt(), "packet {number}");
        }
    }
    let quality = call.path.quality();
    assert_eq!((concealed, quality.lost, quality.concealed_ms), (4, 4, 80));
}

#[test]
fn a_tone_stays_a_tone_under_two_percent_loss_and_30_ms_of_jitter() {
    let mut entropy = Entropy::from_number(11);
    let mut call = Call::new(Codec::Pcmu);
    let arrives = |entropy: &mut Entropy, n: u32| {
        call.start + FRAME_TIME * n + Duration::from_micros(entropy.below(30_000))
    };
    let mut packets: Vec<(Instant, u32)> = (0..3_000).map(|n| (arrives(&mut entropy, n), n)).collect();
    packets.retain(|_| entropy.below(100) >= 2);
    packets.sort();
    let mut packets = packets.into_iter().peekable();
    for _ in 0..3_000 {
        while let Some((arrival, number)) = packets.next_if(|(arrival, _)| *arrival <= call.now()) {
            call.receive_tone(number, arrival);
        }
        call.step();
    }
    let seconds: Vec<f32> =
        call.heard_8k[8_000..].chunks(8_000).map(|second| rms(second) * 2_f32.sqrt() / AMPLITUDE).collect();
    assert!(seconds.iter().all(|level| (0.93..1.03).contains(level)), "{seconds:?}");
    let quality = call.path.quality();
    assert!(quality.concealed_ms < 2_500, "{quality:?}");
    assert!((5.0..20.0).contains(&quality.jitter_ms), "{quality:?}");
}

#[test]
fn comfort_noise_is_heard_as_silence() {
    let mut call = Call::new(Codec::Pcmu);
    (0..50).for_each(|number| {
        call.receive_tone(number, call.now());
        call.step();
    });
    call.receive(50, call.now(), Payload::ComfortNoise);
    (0..50).for_each(|_| {
        call.step();
    });
    assert_eq!(rms(call.last_frames(45)), 0.0);
    assert!(call.path.quality().concealed_ms <= 20, "silence needs no guessing");
    assert_eq!(call.path.quality().lost, 0);
}

#[test]
fn a_caller_who_changes_the_law_in_mid_call_is_understood() {
    let mut call = Call::new(Codec::Pcmu);
    for number in 0..100 {
        call.codec = if number < 50 { Codec::Pcmu } else { Codec::Pcma };
        call.receive_tone(number, call.now());
        call.step();
    }
    let level = tone_level(&call.heard_8k[1_600..], 8_000, 1_000.0);
    assert!((level - AMPLITUDE).abs() < 200.0, "{level}");
    assert!(rms(call.last_frames(90)) < 0.72 * AMPLITUDE);
}

#[test]
fn keys_are_reported_once_each_although_packets_are_lost() {
    let mut entropy = Entropy::from_number(5);
    let mut call = Call::new(Codec::Pcma);
    let mut sender = DtmfSender::default();
    sender.press("0123456789*#ABCD").unwrap();
    let mut event_timestamp = 0;
    for number in 0..200_u32 {
        let arrival = call.now();
        match sender.next_frame() {
            Some(frame) => {
                event_timestamp = if frame.marker { number * 160 } else { event_timestamp };
                let payload = Payload::DtmfEvent(&frame.payload);
                let packet =
                    CallerPacket { sequence: number as u16, timestamp: event_timestamp, payload, arrival };
                (entropy.below(100) >= 30).then(|| call.path.receive(packet));
            }
            None => call.receive_tone(number, arrival),
        }
        call.step();
    }
    assert_eq!(call.keys, "0123456789*#ABCD");
}

#[test]
fn packets_that_grow_and_shrink_in_length_join_without_a_gap() {
    let mut call = Call::new(Codec::Pcma);
    let mut sent = 0;
    let mut sequence = 0;
    for step in 0..300_u32 {
        while sent <= step * 160 {
            let length = [80, 160, 240, 320, 480][(step / 60) as usize];
            let codes: Vec<u8> =
                tone(sent, length).iter().map(|&sample| Codec::Pcma.encode(sample)).collect();
            let payload = Payload::Audio(Codec::Pcma, &codes);
            call.path.receive(CallerPacket { sequence, timestamp: sent, payload, arrival: call.now() });
            sequence += 1;
            sent += length;
        }
        call.step();
    }
    let quality = call.path.quality();
    assert_eq!((quality.lost, quality.late), (0, 0), "{quality:?}");
    assert!(quality.concealed_ms <= 40, "{quality:?}");
}

#[test]
fn a_far_end_that_goes_silent_is_silence_after_60_ms() {
    let mut call = Call::new(Codec::Pcma);
    (0..50).for_each(|number| {
        call.receive_tone(number, call.now());
        call.step();
    });
    (0..20).for_each(|_| {
        call.step();
    });
    assert_eq!(call.step(), FrameOrigin::Silence);
    assert_eq!(call.frame.pcm_8k, [0; 160]);
    assert!(call.path.quality().concealed_ms <= 60);
}

#[test]
fn odd_and_empty_packets_do_no_harm() {
    let mut entropy = Entropy::from_number(6);
    let mut call = Call::new(Codec::Pcmu);
    for number in 0..2_000 {
        let bytes = vec![number as u8; entropy.below(1_500) as usize];
        let payload = match entropy.below(3) {
            0 => Payload::Audio(Codec::Pcmu, &bytes),
            1 => Payload::DtmfEvent(&bytes),
            _ => Payload::Audio(Codec::Pcma, &[]),
        };
        call.receive(entropy.below(70_000) as u32, call.now(), payload);
        call.step();
    }
    assert_eq!(call.heard_8k.len(), 2_000 * 160);
}
