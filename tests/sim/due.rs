//! What each side was due to hear, whatever the engine made of it.

use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(20);

/// The model's speech as it would be played by one who loses no time: each frame of it after the one before, from when
/// it came, unless it is taken back.
#[derive(Debug, Default)]
pub(crate) struct Due {
    waiting: usize,
    at: Vec<Instant>,
}

impl Due {
    pub(crate) fn say(&mut self, frames: usize) {
        self.waiting += frames;
    }

    /// The caller spoke over it, or nobody is left to play it.
    pub(crate) fn take_back(&mut self) {
        self.waiting = 0;
    }

    pub(crate) fn step(&mut self, now: Instant) {
        if self.waiting > 0 {
            self.waiting -= 1;
            self.at.push(now);
        }
    }

    pub(crate) fn at(&self) -> &[Instant] {
        &self.at
    }
}

/// Times, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<(Instant, Instant)>);

impl Spans {
    /// To be called every frame of a span.
    pub(crate) fn extend(&mut self, now: Instant) {
        match self.0.last_mut() {
            Some((_, until)) if *until >= now => *until = now + FRAME,
            _ => self.0.push((now, now + FRAME)),
        }
    }

    /// One of them holds all of this.
    pub(crate) fn hold(&self, (from, to): (Instant, Instant)) -> bool {
        self.0.iter().any(|(since, until)| *since <= from && to <= *until)
    }
}

#[test]
fn speech_is_due_frame_by_frame_until_it_is_taken_back() {
    let begin = clearline::clock::now();
    let at = |frame: u32| begin + frame * FRAME;
    let mut due = Due::default();
    due.say(3);
    (0..2).for_each(|frame| due.step(at(frame)));
    due.take_back();
    (2..5).for_each(|frame| due.step(at(frame)));
    due.say(1);
    (5..8).for_each(|frame| due.step(at(frame)));
    assert_eq!(due.at(), [at(0), at(1), at(5)]);
}

#[test]
fn a_span_ends_where_a_frame_is_left_out() {
    let begin = clearline::clock::now();
    let at = |frame: u32| begin + frame * FRAME;
    let mut spans = Spans::default();
    [0, 1, 2, 5, 6].into_iter().for_each(|frame| spans.extend(at(frame)));
    assert!(spans.hold((at(0), at(3))) && spans.hold((at(5), at(7))));
    assert!(!spans.hold((at(2), at(5))) && !spans.hold((at(6), at(8))));
}
