//! The jitter buffer: packets come when the network likes, frames of 20 ms go out on the caller's clock.
//!
//! Audio lies decoded in a ring by its time stamp, one sample a tick. So packets of any length, reordered, overlapping
//! or of another codec than their neighbours, find their place by themselves, and a frame is simply the next 160 ticks;
//! what is missing in it is seen sample by sample. A cursor marks the tick that goes out next. How far it lies behind the quickest
//! packets is the depth; it is kept near the target that `delay` measures by telling the path to repeat a frame
//! (nothing is taken) or to merge two, in silence where possible. Differences of clocks show as a depth that wanders
//! off and are mended the same way; the pacing itself never changes.
//!
//! Time stamps that do not fit the clock by half a second, twice in a row, mean a new time line (a transfer, hold
//! music): the ring is emptied and starts again there.

mod delay;
mod sequence;

#[cfg(test)]
mod tests;

use std::time::Instant;

use delay::{DelayEstimator, TICKS_PER_MS, Ticks};
use sequence::SequenceLog;

use super::codec::FRAME_SAMPLES;

/// 20 ms of samples; `None` where nothing has arrived.
pub type JitterFrame = [Option<i16>; FRAME_SAMPLES];

/// RFC 3551: a receiver takes packets of up to 200 ms.
pub const MAX_PACKET_SAMPLES: usize = 1_600;

/// What to do at this step to come nearer to the wanted depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// Take one frame.
    None,
    /// Take none: let the past last 20 ms longer.
    Stretch,
    /// Take two and blend them into one.
    Shrink,
}

/// One packet's place in its stream.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    pub sequence: u16,
    pub timestamp: u32,
    pub samples: &'a [i16],
    pub arrival: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterCounters {
    pub received: u64,
    pub lost: u64,
    /// Came after their time had passed.
    pub late: u64,
    pub duplicated: u64,
    /// Times the stream began anew after a jump.
    pub resynchronised: u64,
    pub stretched: u64,
    pub shrunk: u64,
}

/// The buffer of one call.
pub struct JitterBuffer {
    ring: Box<[Option<i16>; RING_TICKS]>,
    line: Option<TimeLine>,
    /// A packet off the line; a second one whose time stamp agrees with its moves the line there.
    suspect: Option<Suspect>,
    delay: DelayEstimator,
    sequences: SequenceLog,
    counters: JitterCounters,
}

/// How time stamps, our ticks and the ring belong together.
#[derive(Debug, Clone, Copy)]
struct TimeLine {
    origin: Instant,
    /// Extended time stamp of the newest audio, the reference for the next packet's.
    newest: Ticks,
    /// The next tick that goes out.
    cursor: Ticks,
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    sequence: u16,
    timestamp: u32,
}

impl Suspect {
    fn is_confirmed_by(self, other: Self) -> bool {
        let apart = Ticks::from(other.timestamp.wrapping_sub(self.timestamp) as i32);
        other.sequence != self.sequence && apart.abs() <= OFF_THE_LINE
    }
}

const FRAME: Ticks = FRAME_SAMPLES as Ticks;
/// One second: the deepest target, what may be ahead of the clock, and a packet.
const RING_TICKS: usize = 8_192;
/// Until the jitter is known.
const FIRST_DEPTH: Ticks = 40 * TICKS_PER_MS;
/// Clocks waver by a little: so much less than wanted is borne. The target is rounded up by more.
const TOLERABLE_LACK: Ticks = 4 * TICKS_PER_MS;
/// From here on a whole frame can be left out without wanting it back: adjustments do not chase each other, and nobody
/// is heard a frame later than need be.
const SLACK: Ticks = FRAME - TOLERABLE_LACK / 2;
/// Beyond this the excess is merged away even within speech.
const TOLERABLE_EXCESS: Ticks = 160 * TICKS_PER_MS;
/// Beyond this (the session itself had stalled) merging would take too long: the cursor jumps.
const HOPELESS_EXCESS: Ticks = 400 * TICKS_PER_MS;
const OFF_THE_LINE: Ticks = 500 * TICKS_PER_MS;

impl Default for JitterBuffer {
    fn default() -> Self {
        Self {
            ring: Box::new([None; RING_TICKS]),
            line: None,
            suspect: None,
            delay: DelayEstimator::default(),
            sequences: SequenceLog::default(),
            counters: JitterCounters::default(),
        }
    }
}

impl JitterBuffer {
    /// Puts a packet's audio in its place; what is late, double or off the time line is counted and dropped.
    pub fn insert(&mut self, packet: Arrived<'_>) {
        let is_new = self.sequences.note(packet.sequence);
        // A stream that begins anew may begin at a number that was just seen: its time stamps tell.
        if !is_new && self.is_on_the_line(packet.timestamp, packet.arrival) {
            return;
        }
        let samples = packet.samples.get(..MAX_PACKET_SAMPLES).unwrap_or(packet.samples);
        let Some(start) = self.place(&packet) else { return };
        let Some(line) = &mut self.line else { return };
        let end = start + samples.len() as Ticks;
        line.newest = line.newest.max(start);
        let line = *line;
        let arrival = line.ticks(packet.arrival);
        self.delay.note(arrival, arrival - line.start_of_frame_with(start));
        if end <= line.cursor || end - line.cursor > RING_TICKS as Ticks {
            self.counters.late += 1;
            return;
        }
        for (tick, &sample) in (start..).zip(samples).filter(|(tick, _)| *tick >= line.cursor) {
            self.ring[slot(tick)] = Some(sample);
        }
    }

    /// A packet of the stream that carries no audio: its number is not missing.
    pub fn note_other(&mut self, sequence: u16) {
        self.sequences.note(sequence);
    }

    /// Call at each step before [`Self::take`]. `quiet` says that the last frame that went out was silence.
    pub fn adjust(&mut self, now: Instant, quiet: bool) -> Adjustment {
        let Some((line, depth)) = self.line.zip(self.depth(now)) else { return Adjustment::None };
        let excess = depth - self.delay.target();
        let missing = self.ring[slot(line.cursor)].is_none();
        if excess > HOPELESS_EXCESS {
            self.skip(excess / FRAME * FRAME);
            return Adjustment::None;
        }
        if excess < -TOLERABLE_LACK && (quiet || missing) {
            self.counters.stretched += 1;
            return Adjustment::Stretch;
        }
        let may_shrink = quiet && self.delay.is_known();
        if excess > TOLERABLE_EXCESS || excess > SLACK && may_shrink {
            self.counters.shrunk += 1;
            return Adjustment::Shrink;
        }
        Adjustment::None
    }

    /// The next 20 ms; moves the cursor on.
    pub fn take(&mut self) -> JitterFrame {
        let mut frame = [None; FRAME_SAMPLES];
        if let Some(line) = &mut self.line {
            for (tick, sample) in (line.cursor..).zip(&mut frame) {
                *sample = self.ring[slot(tick)].take();
            }
            line.cursor += FRAME;
        }
        frame
    }

    pub fn counters(&self) -> JitterCounters {
        JitterCounters {
            received: self.sequences.received,
            lost: self.sequences.lost(),
            duplicated: self.sequences.duplicated,
            ..self.counters
        }
    }

    /// RFC 3550's interarrival jitter.
    pub fn jitter_ms(&self) -> f32 {
        self.delay.jitter_ms()
    }

    pub fn target_ms(&self) -> u32 {
        (self.delay.target() / TICKS_PER_MS) as u32
    }

    /// How long the quickest packets wait at present.
    pub fn depth_ms(&self, now: Instant) -> u32 {
        u32::try_from(self.depth(now).unwrap_or(0) / TICKS_PER_MS).unwrap_or(0)
    }

    fn depth(&self, now: Instant) -> Option<Ticks> {
        let line = self.line.as_ref()?;
        Some(line.ticks(now) - self.delay.quickest()? - line.cursor)
    }

    /// The extended time stamp, once the packet is believed.
    fn place(&mut self, packet: &Arrived<'_>) -> Option<Ticks> {
        let &Arrived { sequence, timestamp, arrival, .. } = packet;
        let Some(line) = self.line else {
            return Some(self.begin(timestamp, arrival));
        };
        if self.is_on_the_line(timestamp, arrival) {
            self.suspect = None;
            return Some(line.extend(timestamp));
        }
        let newcomer = Suspect { sequence, timestamp };
        if self.suspect.is_some_and(|suspect| suspect.is_confirmed_by(newcomer)) {
            self.counters.resynchronised += 1;
            self.sequences.begin_run(sequence);
            return Some(self.begin(timestamp, arrival));
        }
        self.suspect = Some(newcomer);
        None
    }

    /// Whether a packet comes about when its time stamp lets it be expected.
    fn is_on_the_line(&self, timestamp: u32, arrival: Instant) -> bool {
        self.line.is_some_and(|line| {
            let expected = line.ticks(arrival) - self.delay.quickest().unwrap_or(0);
            (line.extend(timestamp) - expected).abs() <= OFF_THE_LINE
        })
    }

    fn begin(&mut self, timestamp: u32, arrival: Instant) -> Ticks {
        let start = Ticks::from(timestamp);
        self.ring.fill(None);
        self.suspect = None;
        self.delay.restart();
        self.line = Some(TimeLine { origin: arrival, newest: start, cursor: start - FIRST_DEPTH });
        start
    }

    fn skip(&mut self, ticks: Ticks) {
        if let Some(line) = &mut self.line {
            let passed = line.cursor..line.cursor + ticks.min(RING_TICKS as Ticks);
            passed.for_each(|tick| self.ring[slot(tick)] = None);
            line.cursor += ticks;
        }
    }
}

impl TimeLine {
    fn ticks(&self, at: Instant) -> Ticks {
        let since = at.saturating_duration_since(self.origin);
        Ticks::try_from(since.as_micros() * TICKS_PER_MS as u128 / 1_000).unwrap_or(Ticks::MAX / 4)
    }

    fn extend(&self, timestamp: u32) -> Ticks {
        self.newest + Ticks::from(timestamp.wrapping_sub(self.newest as u32) as i32)
    }

    /// Where the frame begins that will first need audio at `start`: packets of 10 or 30 ms lie across frames, and
    /// must be there when the frame's first tick goes out.
    fn start_of_frame_with(&self, start: Ticks) -> Ticks {
        self.cursor + (start - self.cursor).div_euclid(FRAME) * FRAME
    }
}

fn slot(tick: Ticks) -> usize {
    tick.rem_euclid(RING_TICKS as Ticks) as usize
}
