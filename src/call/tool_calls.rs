//! The model's calls of tools: the machine's own are carried out here, the others elsewhere. Each gets its one answer,
//! and stands in the record with it.

use std::time::Instant;

use serde_json::{Value, json};

use crate::domain::Outcome;

use super::io::{MediaCommand, Note, Output, ToolCall, ToolDone, VoiceCommand};
use super::lifecycle::Phase;
use super::{CallMachine, Finish};

/// A menu wants a few keys, an account number a few more.
const KEYS_AT_ONCE_MAX: usize = 32;

impl CallMachine {
    pub(super) fn on_tool_call(&mut self, call: ToolCall, now: Instant) {
        self.emit(Output::Note(Note::ToolCalled { name: call.name.clone() }));
        if let Some(result) = self.answer_of_before(&call) {
            return self.answer_tool(call, result);
        }
        let result = match call.name.as_str() {
            "end_call" => self.end_call(now),
            "send_dtmf" => self.press(&call.args),
            _ => {
                self.running_tools.push(call.clone());
                return self.emit(Output::Tool(call));
            }
        };
        self.answer_tool(call, result);
    }

    pub(super) fn on_tool_done(&mut self, id: &str, result: Result<Value, String>) {
        if let Some(call) = self.take_running(id) {
            self.answer_tool(call, result);
        }
    }

    /// The model waits for them no more; the session has told it what it must know.
    pub(super) fn on_tools_cancelled(&mut self, ids: &[String]) {
        for call in ids.iter().filter_map(|id| self.take_running(id)).collect::<Vec<_>>() {
            self.note_tool(call, Err("the model took it back, or it did not finish in time".to_owned()));
        }
    }

    pub(super) fn note_unfinished_tools(&mut self) {
        for call in std::mem::take(&mut self.running_tools) {
            self.note_tool(call, Err("the call ended before the answer came".to_owned()));
        }
    }

    pub(super) fn note_tool(&mut self, call: ToolCall, result: Result<Value, String>) {
        self.emit(Output::Note(Note::ToolDone(ToolDone { call, result })));
    }

    fn answer_of_before(&self, call: &ToolCall) -> Option<Result<Value, String>> {
        let is_same = |done: &&ToolDone| done.call.name == call.name && done.call.args == call.args;
        self.answered_before.iter().find(is_same).map(|done| done.result.clone())
    }

    fn take_running(&mut self, id: &str) -> Option<ToolCall> {
        let place = self.running_tools.iter().position(|call| call.id == id)?;
        Some(self.running_tools.swap_remove(place))
    }

    fn answer_tool(&mut self, call: ToolCall, result: Result<Value, String>) {
        let ToolCall { id, name, .. } = call.clone();
        self.memory.remember_tool(ToolDone { call: call.clone(), result: result.clone() });
        self.durable_change = true;
        self.note_tool(call, result.clone());
        self.emit(Output::Voice(VoiceCommand::AnswerTool { id, name, result }));
    }

    fn end_call(&mut self, now: Instant) -> Result<Value, String> {
        if self.lifecycle.phase != Phase::Talking {
            return Err("the call is not connected".to_owned());
        }
        self.talk.say_farewell(Finish::new(Outcome::Completed, "the model ended the call"), false, now);
        self.durable_change = true;
        Ok(json!({ "output": "The call ends when you have said goodbye." }))
    }

    fn press(&mut self, args: &Value) -> Result<Value, String> {
        let keys = args.get("digits").and_then(Value::as_str).unwrap_or_default();
        let is_key = |key: char| key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D');
        if keys.is_empty() || keys.len() > KEYS_AT_ONCE_MAX || !keys.chars().all(is_key) {
            return Err(format!("digits must be 1 to {KEYS_AT_ONCE_MAX} of 0-9, *, # and A-D"));
        }
        self.emit(Output::Media(MediaCommand::Press(keys.to_owned())));
        Ok(json!({ "output": "The keys are being pressed." }))
    }
}
