#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::time::Duration;

use super::*;
use crate::domain::Entropy;

const FRAME_TIME: Duration = Duration::from_millis(20);

/// A sender, a network and the caller's clock, on virtual time. Every packet's samples are its number, so that what
/// comes out tells where it came from.
struct Scene {
    buffer: JitterBuffer,
    start: Instant,
    on_the_way: Vec<(Duration, u32)>,
    packet_ticks: u32,
    first_sequence: u16,
    first_timestamp: u32,
    heard: Vec<Heard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Packet(u8),
    Missing,
    Stretched,
    Shrunk(u8, u8),
}

impl Scene {
    fn new() -> Self {
        Self {
            buffer: JitterBuffer::default(),
            start: Instant::now(),
            on_the_way: Vec::new(),
            packet_ticks: 160,
            first_sequence: 0,
            first_timestamp: 0,
            heard: Vec::new(),
        }
    }

    fn numbered_from(sequence: u16, timestamp: u32) -> Self {
        Self { first_sequence: sequence, first_timestamp: timestamp, ..Self::new() }
    }

    fn send(&mut self, number: u32, arrives: Duration) {
        self.on_the_way.push((arrives, number));
    }

    /// Sends `count` packets, each at its time plus what `delay_ms` says; `None` loses it.
    fn send_stream(&mut self, count: u32, mut delay_ms: impl FnMut(u32) -> Option<f64>) {
        for number in 0..count {
            let due_ms = f64::from(number * self.packet_ticks) / 8.0;
            if let Some(delay) = delay_ms(number) {
                self.send(number, Duration::from_secs_f64((due_ms + delay) / 1_000.0));
            }
        }
    }

    /// Runs `steps` frames of the caller's clock. `quiet` is told the step's number.
    fn run(&mut self, steps: u32, quiet: impl Fn(u32) -> bool) {
        self.on_the_way.sort();
        let mut waiting = std::mem::take(&mut self.on_the_way).into_iter().peekable();
        for step in 0..steps {
            let now = FRAME_TIME * step;
            while let Some((arrives, number)) = waiting.next_if(|(arrives, _)| *arrives <= now) {
                self.arrive(number, arrives);
            }
            let heard = self.step(now, quiet(step));
            self.heard.push(heard);
        }
    }

    fn arrive(&mut self, number: u32, at: Duration) {
        self.buffer.insert(Arrived {
            sequence: self.first_sequence.wrapping_add(number as u16),
            timestamp: self.first_timestamp.wrapping_add(number.wrapping_mul(self.packet_ticks)),
            samples: &vec![i16::from(number as u8); self.packet_ticks as usize],
            arrival: self.start + at,
        });
    }

    fn step(&mut self, now: Duration, quiet: bool) -> Heard {
        match self.buffer.adjust(self.start + now, quiet) {
            Adjustment::Stretch => Heard::Stretched,
            Adjustment::None => self.take().map_or(Heard::Missing, Heard::Packet),
            Adjustment::Shrink => {
                let (first, second) = (self.take(), self.take());
                Heard::Shrunk(first.unwrap_or(0), second.unwrap_or(0))
            }
        }
    }

    fn take(&mut self) -> Option<u8> {
        self.buffer.take()[0].map(|sample| sample as u8)
    }

    /// Steps after the first packet was heard in which there was none.
    fn gaps(&self) -> usize {
        let playing = self.heard.iter().skip_while(|heard| !matches!(heard, Heard::Packet(_)));
        playing.filter(|heard| **heard == Heard::Missing).count()
    }

    fn packets_heard(&self) -> Vec<u8> {
        let packets = |heard: &Heard| match *heard {
            Heard::Packet(number) => vec![number],
            Heard::Shrunk(first, second) => vec![first, second],
            Heard::Missing | Heard::Stretched => vec![],
        };
        self.heard.iter().flat_map(packets).collect()
    }
}

fn speech_with_pauses(step: u32) -> bool {
    step % 200 >= 150
}

fn numbers(range: std::ops::Range<u32>) -> Vec<u8> {
    range.map(|n| n as u8).collect()
}

#[test]
fn on_a_perfect_network_audio_is_complete_and_after_a_pause_one_frame_late() {
    let mut scene = Scene::new();
    scene.send_stream(500, |_| Some(0.0));
    scene.run(500, |_| true);
    assert_eq!(scene.heard[..2], [Heard::Missing; 2]);
    assert_eq!(scene.packets_heard(), numbers(0..499));
    assert_eq!(
        scene.buffer.counters(),
        JitterCounters { received: 500, shrunk: 1, ..JitterCounters::default() }
    );
}

#[test]
fn packets_out_of_order_are_heard_in_order() {
    let mut scene = Scene::new();
    scene.send_stream(100, |n| Some(if n % 2 == 0 { 39.0 } else { 10.0 }));
    scene.run(100, |_| false);
    let heard = scene.packets_heard();
    assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "{heard:?}");
    assert!(heard.len() > 90);
}

#[test]
fn duplicates_change_nothing_but_their_counter() {
    let mut scene = Scene::new();
    scene.send_stream(100, |_| Some(0.0));
    scene.send_stream(100, |n| (n % 3 == 0).then_some(30.0));
    scene.run(102, |_| false);
    assert_eq!(scene.packets_heard()[..100], numbers(0..100));
    assert_eq!((scene.buffer.counters().duplicated, scene.buffer.counters().late), (34, 0));
}

#[test]
fn sequence_and_time_stamp_may_wrap_round() {
    let mut scene = Scene::numbered_from(65_500, u32::MAX - 50 * 160 - 3);
    scene.send_stream(200, |_| Some(0.0));
    scene.run(202, |_| false);
    assert_eq!(scene.packets_heard()[..200], numbers(0..200));
    assert_eq!(scene.buffer.counters().lost, 0);
}

#[test]
fn with_two_percent_loss_and_30_ms_of_jitter_only_the_lost_are_missing() {
    for seed in 0..5 {
        let mut entropy = Entropy::from_number(seed);
        let mut scene = Scene::new();
        scene.send_stream(6_000, |_| (entropy.below(100) >= 2).then(|| entropy.below(3_000) as f64 / 100.0));
        scene.run(6_000, speech_with_pauses);
        let counters = scene.buffer.counters();
        assert!((80..160).contains(&counters.lost), "{counters:?}");
        assert!(counters.late < 30, "{counters:?}");
        assert!(scene.gaps() as u64 <= counters.lost + counters.late, "{} gaps, {counters:?}", scene.gaps());
        assert!((25..=60).contains(&scene.buffer.target_ms()), "{} ms", scene.buffer.target_ms());
        assert!(scene.buffer.depth_ms(scene.start + FRAME_TIME * 6_000) <= 90);
    }
}

#[test]
fn a_network_that_gets_worse_is_given_more_time_and_one_that_gets_better_less() {
    let mut entropy = Entropy::from_number(3);
    let mut scene = Scene::new();
    scene.send_stream(4_000, |n| {
        let jitter_ms = if (500..1_500).contains(&n) { 120 } else { 2 };
        Some(entropy.below(jitter_ms) as f64)
    });
    let early = scene.on_the_way.clone();
    scene.run(1_500, speech_with_pauses);
    assert!((100..=130).contains(&scene.buffer.target_ms()), "{} ms", scene.buffer.target_ms());
    let late_when_bad = scene.buffer.counters().late;
    assert!(late_when_bad < 60, "{late_when_bad}");
    let (start, buffer) = (scene.start, scene.buffer);
    let mut better = Scene { start, buffer, ..Scene::new() };
    better.on_the_way = early.into_iter().filter(|(arrives, _)| *arrives > FRAME_TIME * 1_499).collect();
    better.on_the_way.sort();
    let mut waiting = better.on_the_way.clone().into_iter().peekable();
    for step in 1_500..4_000 {
        while let Some((arrives, number)) = waiting.next_if(|(arrives, _)| *arrives <= FRAME_TIME * step) {
            better.arrive(number, arrives);
        }
        better.step(FRAME_TIME * step, speech_with_pauses(step));
    }
    assert_eq!(better.buffer.target_ms(), 20);
    assert!(better.buffer.depth_ms(start + FRAME_TIME * 4_000) <= 70);
}

#[test]
fn clocks_that_differ_by_100_ppm_for_ten_minutes_are_mended_in_silence_alone() {
    for ppm in [-100.0, 100.0] {
        let mut scene = Scene::new();
        scene.send_stream(30_000, |n| Some(5.0 + f64::from(n) * 20.0 * ppm / 1e6));
        scene.run(29_990, speech_with_pauses);
        let counters = scene.buffer.counters();
        assert_eq!((counters.late, counters.lost, scene.gaps()), (0, 0, 0), "{ppm} ppm: {counters:?}");
        assert!((2..=4).contains(&(counters.stretched + counters.shrunk)), "{ppm} ppm: {counters:?}");
        for (step, heard) in scene.heard.iter().enumerate() {
            let mended = matches!(heard, Heard::Stretched | Heard::Shrunk(..));
            assert!(!mended || speech_with_pauses(step as u32), "{ppm} ppm: {heard:?} at {step}");
        }
    }
}

#[test]
fn packets_of_any_usual_length_play_without_gaps() {
    for packet_ms in [10, 20, 30, 40, 60] {
        let mut scene = Scene { packet_ticks: packet_ms * 8, ..Scene::new() };
        scene.send_stream(6_000 / packet_ms, |_| Some(1.0));
        scene.run(295, speech_with_pauses);
        let counters = scene.buffer.counters();
        assert_eq!((counters.late, counters.lost, scene.gaps()), (0, 0, 0), "{packet_ms} ms: {counters:?}");
    }
}

#[test]
fn a_jump_of_the_time_stamp_is_followed_at_its_second_packet() {
    // The last one begins at numbers that have just been seen, as one in a thousand does.
    let seen_before = 0_u16.wrapping_sub(40);
    for (jump, sequence) in
        [(1_000_000_u32, 0), (0x8000_0000, 30_000), (0_u32.wrapping_sub(900_000), seen_before)]
    {
        let mut scene = Scene::new();
        scene.send_stream(50, |_| Some(0.0));
        scene.run(50, |_| false);
        (scene.first_timestamp, scene.first_sequence) = (jump, sequence);
        for number in 50..100 {
            scene.arrive(number, FRAME_TIME * number);
            let heard = scene.step(FRAME_TIME * number, false);
            scene.heard.push(heard);
        }
        assert_eq!(scene.heard[53..], numbers(51..98).into_iter().map(Heard::Packet).collect::<Vec<_>>());
        assert_eq!(scene.buffer.counters().resynchronised, 1);
    }
}

#[test]
fn one_stray_time_stamp_moves_nothing() {
    let mut scene = Scene::new();
    scene.send_stream(100, |_| Some(0.0));
    scene.arrive(0, Duration::ZERO);
    for _doubled in 0..2 {
        let arrival = scene.start;
        let stray = Arrived { sequence: 9_000, timestamp: 77_000_000, samples: &[1; 160], arrival };
        scene.buffer.insert(stray);
    }
    scene.run(100, |_| false);
    assert_eq!(scene.packets_heard(), numbers(0..98));
    assert_eq!(scene.buffer.counters().resynchronised, 0);
}

#[test]
fn a_long_silence_without_packets_is_not_a_jump() {
    let mut scene = Scene::new();
    scene.send_stream(1_000, |n| (!(100..800).contains(&n)).then_some(0.0));
    scene.run(1_000, |_| true);
    assert_eq!(scene.buffer.counters().resynchronised, 0);
    assert_eq!(scene.packets_heard(), [numbers(0..100), numbers(800..999)].concat());
}

#[test]
fn after_the_network_stood_still_for_a_second_the_delay_comes_back_down() {
    let mut scene = Scene::new();
    let standstill = |n: u32| if (200..250).contains(&n) { f64::from(250 - n) * 20.0 } else { 0.0 };
    scene.send_stream(3_000, |n| Some(standstill(n)));
    scene.run(3_000, speech_with_pauses);
    assert!(scene.buffer.depth_ms(scene.start + FRAME_TIME * 3_000) <= 80);
    let heard = scene.packets_heard();
    assert!(heard[heard.len() - 2_000..].windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
}

#[test]
fn after_the_session_itself_stood_still_it_catches_up() {
    let mut scene = Scene::new();
    scene.send_stream(600, |_| Some(0.0));
    for number in 0..600 {
        scene.arrive(number, FRAME_TIME * number);
        if !(100..140).contains(&number) {
            let heard = scene.step(FRAME_TIME * number, false);
            scene.heard.push(heard);
        }
    }
    assert!(scene.buffer.depth_ms(scene.start + FRAME_TIME * 600) < 250);
    assert!(matches!(scene.heard[500..], [.., Heard::Packet(_)]));
}

#[test]
fn hostile_packets_do_no_harm() {
    let mut entropy = Entropy::from_number(9);
    let mut scene = Scene::new();
    for step in 0..20_000_u32 {
        let samples = vec![0x55; entropy.below(2_500) as usize];
        let timestamp = match entropy.below(3) {
            0 => entropy.next_u32(),
            1 => step.wrapping_mul(160),
            _ => u32::MAX - entropy.below(4_000) as u32,
        };
        let arrival = scene.start + Duration::from_millis(entropy.below(500_000));
        scene.buffer.insert(Arrived { sequence: entropy.next_u16(), timestamp, samples: &samples, arrival });
        scene.step(Duration::from_millis(entropy.below(500_000)), entropy.below(2) == 0);
    }
    assert!(scene.buffer.target_ms() <= 200);
}
