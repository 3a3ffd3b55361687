//! The tool calls of a session: placed, answered, cancelled.

use serde_json::{Value, json};

use super::message::ToolResponse;
use super::report::ToolCallReport;

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedCall {
    pub(super) name: String,
    pub(super) args: Value,
    pub(super) blocking: bool,
}

#[derive(Debug, Default)]
pub(super) struct Calls {
    placed: Vec<ToolCallReport>,
}

/// A session that calls more often than this calls no more.
const MAX_CALLS: usize = 256;

/// The call after whose answer nothing more is said.
pub(super) const END_CALL: &str = "end_call";

/// Longer answers are reported by their length alone.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Nobody asked.
    Unknown,
    /// The call was cancelled before; the race is harmless and the client's to lose.
    Late,
    Taken {
        blocking: bool,
        failed: bool,
        ends_call: bool,
    },
}

impl Calls {
    /// The `toolCall` message for these calls; `None` when the session's calls are used up.
    pub(super) fn place(&mut self, calls: Vec<PlannedCall>) -> Option<Value> {
        let mut functions = Vec::new();
        for call in calls.into_iter().take(MAX_CALLS.saturating_sub(self.placed.len())) {
            let id = format!("call-{}", self.placed.len() + 1);
            functions.push(json!({"id": id, "name": call.name, "args": call.args}));
            let report = ToolCallReport {
                id,
                name: call.name,
                blocking: call.blocking,
                answer: None,
                cancelled: false,
            };
            self.placed.push(report);
        }
        (!functions.is_empty()).then(|| json!({"toolCall": {"functionCalls": functions}}))
    }

    pub(super) fn answer(&mut self, given: &ToolResponse) -> Answer {
        let Some(call) = self.placed.iter_mut().find(|call| call.id == given.id) else {
            return Answer::Unknown;
        };
        if call.cancelled || call.answer.is_some() {
            return Answer::Late;
        }
        if !given.more_follow {
            call.answer = Some(excerpt(&given.response));
        }
        let failed = given.response.get("error").is_some();
        Answer::Taken { blocking: call.blocking, failed, ends_call: call.name == END_CALL }
    }

    fn pending(&self) -> impl Iterator<Item = &ToolCallReport> {
        self.placed.iter().filter(|call| call.answer.is_none() && !call.cancelled)
    }

    pub(super) fn is_any_pending(&self) -> bool {
        self.pending().next().is_some()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.pending().any(|call| call.blocking)
    }

    /// Drops what is pending and gives the ids to report; calls that do not block may outlive an interruption.
    pub(super) fn cancel(&mut self, only_blocking: bool) -> Vec<String> {
        let pending = self.placed.iter_mut().filter(|call| call.answer.is_none() && !call.cancelled);
        let dropped = pending.filter(|call| call.blocking || !only_blocking);
        dropped
            .map(|call| {
                call.cancelled = true;
                call.id.clone()
            })
            .collect()
    }

    pub(super) fn reports(&self) -> Vec<ToolCallReport> {
        self.placed.clone()
    }
}

fn excerpt(answer: &Value) -> Value {
    let length = answer.to_string().len();
    if length <= MAX_ANSWER_BYTES { answer.clone() } else { json!({"bytes": length}) }
}
