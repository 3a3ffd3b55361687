//! Recordings in the words of records: whether a call may be recorded, whether it is, and what came of it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What a persona says of its calls (SPEC U2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingRule {
    #[default]
    On,
    Off,
    /// Not before somebody starts it, because the person agreed.
    Consent,
}

/// Of a call that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    Recording,
    /// It would be recorded, but cannot be written: the disk is full, or fails.
    Interrupted,
    Paused,
    Off,
}

impl RecordingState {
    /// As it stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Interrupted => "interrupted",
            Self::Paused => "paused",
            Self::Off => "off",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordingMade {
    /// Where the engine that made it has it.
    pub filename: String,
    /// When what is heard first was said.
    pub start_time: Timestamp,
    pub duration_seconds: f64,
    pub bytes: u64,
}
