//! What a call's record says of its finished recording.

use super::Timestamp;

#[derive(Debug, Clone, PartialEq)]
pub struct RecordingMade {
    /// Where the engine that made it has it.
    pub filename: String,
    /// When what is heard first was said.
    pub start_time: Timestamp,
    pub duration_seconds: f64,
    pub bytes: u64,
}
