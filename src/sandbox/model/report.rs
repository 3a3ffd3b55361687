//! What can be known of a session from outside: the proof that tests, the demo and a curious person look at.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::timing::SessionTiming;

#[derive(Debug, Clone, Default, Serialize)]
pub struct SessionReport {
    pub id: String,
    /// The how manyth connection of this server it is, refused ones included.
    pub connection: u64,
    pub key_hint: String,
    /// The first sixteen hexadecimal digits of the key's SHA-256.
    pub key_fingerprint: String,
    pub project: String,
    /// The setup as understood: camelCase throughout.
    pub setup: Value,
    pub marker: Option<u16>,
    pub marker_hz: Vec<f32>,
    pub open: bool,
    /// Whether the setup was answered.
    pub ready: bool,
    pub resumed: bool,
    pub heard_ms: u64,
    /// Steady tones in the caller's speech, and for how long.
    pub heard_tones: Vec<HeardTone>,
    pub said_ms: u64,
    pub caller_turns: u32,
    pub model_turns: u32,
    pub interruptions: u32,
    pub history: Vec<HistoryLine>,
    pub tool_calls: Vec<ToolCallReport>,
    pub messages_in: u64,
    pub messages_out: u64,
    /// What the client should not have sent when it did.
    pub ordering_errors: Vec<String>,
    pub close: Option<CloseReport>,
    /// Shown on its own: `GET /timing`.
    #[serde(skip)]
    pub timing: SessionTiming,
    /// What was kept of the caller, at 16 kHz; over HTTP as a WAV file.
    #[serde(skip)]
    pub audio: Arc<[i16]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeardTone {
    pub hz: f32,
    pub ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryLine {
    /// `user` or `model`.
    pub role: &'static str,
    pub text: String,
}

const USER: &str = "user";
const MODEL: &str = "model";

impl HistoryLine {
    pub(super) fn user(text: impl Into<String>) -> Self {
        Self { role: USER, text: text.into() }
    }

    pub(super) fn model(text: impl Into<String>) -> Self {
        Self { role: MODEL, text: text.into() }
    }

    pub(super) fn is_models(&self) -> bool {
        self.role == MODEL
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolCallReport {
    pub id: String,
    pub name: String,
    pub blocking: bool,
    pub answer: Option<Value>,
    pub cancelled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloseReport {
    pub by_server: bool,
    /// Absent where the connection just ended.
    pub code: Option<u16>,
    pub reason: String,
}
