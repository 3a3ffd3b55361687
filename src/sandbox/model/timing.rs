//! When what happened in a session, by the machine's clock: what a load test compares with what callers noted.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::sandbox::histogram::Histogram;
use crate::sandbox::signature::Signature;

/// One session's times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionTiming {
    pub session: String,
    /// What it sounds like, by its number; `None`: it has not been set up.
    pub marker: Option<u16>,
    /// How much audio of the caller came.
    pub heard_ms: u64,
    pub said_ms: u64,
    pub notes: Vec<Note>,
    /// How late the stand-in's own chunks of speech were.
    pub lateness: Histogram,
}

impl SessionTiming {
    /// It has lived so long that what happened then is not written down any more.
    pub fn has_stopped_noting_by(&self, at_us: u64) -> bool {
        self.notes.len() >= MAX_NOTES && self.notes.last().is_none_or(|last| last.at_us < at_us)
    }
}

/// One thing that happened, in microseconds of [`clock::machine_time`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Note {
    pub at_us: u64,
    pub what: Happened,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// `setup` came.
    SetupAsked,
    /// `setupComplete` was sent.
    SetupAnswered,
    /// A turn of the model was decided on; its audio follows after the model's own delay.
    TurnBegun,
    /// The message left that brings the turn's audio to [`PREBUFFER_MS`].
    PrebufferSent,
    /// `interrupted` was sent.
    Interrupted,
    /// A caller's signature was recognised; the time is that of its first sample.
    Heard(Signature),
}

/// So much audio a player waits for before it begins a turn.
pub const PREBUFFER_MS: u64 = 60;

/// What a session writes down.
#[derive(Debug, Default)]
pub(super) struct Journal {
    notes: Vec<(Instant, Happened)>,
    lateness: Histogram,
}

/// A session that lives longer than its notes reach is timed no further.
const MAX_NOTES: usize = 8_192;

impl Journal {
    pub(super) fn note(&mut self, what: Happened, at: Instant) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push((at, what));
        }
    }

    pub(super) fn was_late(&mut self, by: Duration) {
        self.lateness.note(by);
    }

    pub(super) fn add_to(&self, timing: &mut SessionTiming) {
        let machine = |at| u64::try_from(clock::machine_time(at).as_micros()).unwrap_or(u64::MAX);
        timing.notes.extend(self.notes.iter().map(|(at, what)| Note { at_us: machine(*at), what: *what }));
        timing.lateness.merge(&self.lateness);
    }
}
