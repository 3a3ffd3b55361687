//! The parts of the audio path by themselves.

use clearline::clock;
use clearline::media::codec::{Codec, FRAME_SAMPLES};
use clearline::media::conceal::Concealer;
use clearline::media::jitter::{Arrived, JitterBuffer};
use clearline::media::resample::Resampler;
use clearline::media::rtp::RtpPacket;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use crate::calls::{FRAME, Router, tone};

#[divan::bench]
fn parse_rtp(bencher: Bencher<'_, '_>) {
    let packet = Router::with_calls(1).callers[0].1.next_packet().to_vec();
    bencher.bench_local(|| RtpPacket::parse(black_box(&packet)).is_some());
}

/// Finding a packet's call, and the latch's judgement, among many calls. Per packet.
#[divan::bench(args = [1, 150, 1_000])]
fn look_up_route(bencher: Bencher<'_, '_>, calls: u16) {
    let mut router = Router::with_calls(calls);
    bencher.counter(ItemsCount::new(calls)).bench_local(|| router.hear_all());
}

/// One packet in, one frame out.
#[divan::bench]
fn jitter_buffer(bencher: Bencher<'_, '_>) {
    let samples = tone(8_000, FRAME_SAMPLES);
    let mut buffer = JitterBuffer::default();
    let (mut now, mut sequence, mut timestamp) = (clock::now(), 0_u16, 0_u32);
    bencher.bench_local(|| {
        now += FRAME;
        buffer.insert(Arrived { sequence, timestamp, samples: &samples, arrival: now });
        sequence = sequence.wrapping_add(1);
        timestamp = timestamp.wrapping_add(FRAME_SAMPLES as u32);
        black_box(buffer.adjust(now, false));
        buffer.take()
    });
}

/// The first frame of a gap looks for the pitch.
#[divan::bench]
fn conceal_a_lost_frame(bencher: Bencher<'_, '_>) {
    let mut concealer = Concealer::default();
    let mut frame = tone(8_000, FRAME_SAMPLES);
    bencher.bench_local(|| {
        concealer.received(&mut frame);
        concealer.missing(&mut frame)
    });
}

/// 20 ms, up as the caller's voice goes and down as the model's comes.
#[divan::bench(args = [(8_000, 16_000), (24_000, 8_000)])]
fn resample(bencher: Bencher<'_, '_>, (from_hz, to_hz): (u32, u32)) {
    let samples = tone(from_hz, from_hz as usize / 50);
    let mut resampler = Resampler::new(from_hz, to_hz).expect("a usual pair");
    bencher.bench_local(|| resampler.process(black_box(&samples), |sample| _ = black_box(sample)));
}

#[divan::bench(args = Codec::ALL)]
fn encode_g711(bencher: Bencher<'_, '_>, codec: Codec) {
    let samples = tone(8_000, FRAME_SAMPLES);
    let mut codes = Vec::with_capacity(FRAME_SAMPLES);
    bencher.bench_local(|| {
        codes.clear();
        codec.encode_onto(black_box(&samples), &mut codes);
    });
}

#[divan::bench(args = Codec::ALL)]
fn decode_g711(bencher: Bencher<'_, '_>, codec: Codec) {
    let codes = [0x35; FRAME_SAMPLES];
    let mut samples = [0; FRAME_SAMPLES];
    bencher.bench_local(|| codec.decode_into(black_box(&codes), &mut samples));
}
