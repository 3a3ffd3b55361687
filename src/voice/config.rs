//! What a session is told at its start: the persona, the tools, how it begins, and how long it waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::transcript::TranscriptItem;

/// Everything the model is told about itself.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// With or without the wire's `models/` before it.
    pub model: String,
    pub voice: Option<String>,
    /// Native-audio models choose the language themselves; this is told them in the instruction.
    pub language: Option<String>,
    pub instruction: String,
    /// The model speaks first, in this sense, when the call is answered.
    pub greeting: Option<String>,
    pub tools: Vec<ToolDeclaration>,
    pub turn_taking: TurnTaking,
}

impl SessionConfig {
    pub fn new(model: impl Into<String>, instruction: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            voice: None,
            language: None,
            instruction: instruction.into(),
            greeting: None,
            tools: Vec::new(),
            turn_taking: TurnTaking::default(),
        }
    }

    /// The model's id without `models/`.
    pub fn model_id(&self) -> &str {
        self.model.strip_prefix("models/").unwrap_or(&self.model)
    }
}

/// One function the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDeclaration {
    pub name: String,
    pub description: String,
    /// JSON schema of the arguments, `None` for a call without any.
    pub parameters: Option<Value>,
    /// The model waits silently for the answer, where it can.
    pub blocking: bool,
    /// Nothing is to be said about the answer, where the model cannot be made to wait.
    pub silent_result: bool,
    pub timeout: Duration,
}

/// How the server's own voice detection cuts the caller's turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnTaking {
    pub start_sensitivity: Sensitivity,
    pub end_sensitivity: Sensitivity,
    pub prefix_padding_ms: u32,
    pub silence_ms: u32,
}

impl Default for TurnTaking {
    fn default() -> Self {
        Self {
            start_sensitivity: Sensitivity::High,
            end_sensitivity: Sensitivity::High,
            prefix_padding_ms: 100,
            silence_ms: 600,
        }
    }
}

/// There is no middle: the server refuses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    High,
    Low,
}

/// How a session begins. Only a fresh one greets.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    Fresh,
    Resume {
        handle: String,
    },
    /// A new session of the model that continues an old conversation.
    Seeded {
        history: Vec<TranscriptItem>,
    },
}

/// What lets the server restore a session; good for the model it came from only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeHandle {
    pub handle: String,
    pub model: String,
}

/// Whoever has the handle and the key can go on with the conversation, so it is not printed.
impl std::fmt::Debug for ResumeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResumeHandle").field("model", &self.model).finish_non_exhaustive()
    }
}

/// How long a session waits for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP, TLS and the websocket's upgrade.
    pub connect: Duration,
    /// From `setup` to `setupComplete`: some refused settings are never answered at all.
    pub setup: Duration,
    /// How long the old socket may take to close before the new one is opened.
    pub close: Duration,
    /// How long in all a caller waits for a lost connection to come back.
    pub outage_budget: Duration,
    /// A connection that has lived this long, and finished a turn, is healthy again.
    pub stable: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            setup: Duration::from_secs(10),
            close: Duration::from_secs(1),
            outage_budget: Duration::from_secs(12),
            stable: Duration::from_secs(10),
        }
    }
}
