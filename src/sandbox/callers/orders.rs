//! What the callers are told and what they tell. All moments are microseconds of the machine's monotonic clock
//! ([`crate::clock::machine_time`]), so that other processes can compare them with their own.

use serde::{Deserialize, Serialize};

use crate::sandbox::histogram::Histogram;
use crate::sandbox::model::Tones;
use crate::sandbox::signature::Signature;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// So many more calls, evenly spaced. Answered by [`News::Dialled`] when each is answered or refused.
    Dial { calls: usize, per_second: f64 },
    /// So many calls that are hung up as soon as they are answered. Answered by [`News::Dialled`] at the end of the last.
    Touch { calls: usize, per_second: f64 },
    /// What is measured begins here …
    Begin,
    /// … and is told here, by [`News::Measured`].
    End,
    /// Every call ends. Answered by [`News::Gone`].
    HangUp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum News {
    Ready,
    Dialled { answered: usize, refused: Vec<Lost> },
    Measured(Box<Report>),
    Gone,
}

/// A call that ended and was not meant to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    pub caller: u16,
    pub reason: String,
}

/// What the callers sent and heard from [`Order::Begin`] to [`Order::End`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Calls that are up at the end.
    pub calls: usize,
    /// Since they were answered, and so before [`Order::Begin`] too; and calls that nobody ended and whose audio did.
    pub lost: Vec<Lost>,
    pub begun_us: u64,
    pub ended_us: u64,
    pub packets_sent: u64,
    /// Packets the kernel would not take.
    pub packets_unsent: u64,
    pub packets_heard: u64,
    /// Gaps in the sequence numbers of what was heard.
    pub packets_missing: u64,
    pub packets_reordered: u64,
    /// Frames of 20 ms by which the time stamps jumped without a gap in the numbers: never sent.
    pub frames_skipped: u64,
    /// Frames that were due, one each 20 ms that a call was up, and that no gap accounts for: nothing came at all.
    pub frames_absent: u64,
    /// Time between two packets of one call.
    pub spacing: Histogram,
    /// How late the generator's own clock woke.
    pub lateness: Histogram,
    /// Packets that carried a caller's voice, and packets that carried the model's.
    pub voiced_sent: u64,
    pub voiced_heard: u64,
    pub bursts: Vec<Burst>,
    /// Those that still sound at the end too.
    pub spans: Vec<VoiceSpan>,
    /// Whose voices they heard.
    pub voices: Vec<Voice>,
    /// Of every call that is up, whenever it was dialled.
    pub set_ups: Vec<SetUp>,
}

/// A caller began to speak.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    pub signature: Signature,
    /// When its first packet was sent.
    pub at_us: u64,
    /// Whether the model was speaking.
    pub barges_in: bool,
}

/// The model was heard from the first voiced packet to the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VoiceSpan {
    pub caller: u16,
    pub from_us: u64,
    pub to_us: u64,
}

/// What a caller heard the model say, so many times when it listened for its marker.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Voice {
    pub caller: u16,
    pub tones: Tones,
    pub times: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SetUp {
    pub caller: u16,
    pub invited_us: u64,
    pub answered_us: u64,
    /// The first voiced packet.
    pub first_voice_us: Option<u64>,
    /// The last voiced packet until [`Order::End`], or before [`Order::Begin`].
    pub last_voice_us: Option<u64>,
}
