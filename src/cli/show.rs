//! What happens in the engine, as lines for a person.

use crate::actors::events::{CallEvent, EngineEvent};
use crate::domain::{CallId, Direction};
use crate::voice::Speaker;

/// `None` for what would only be noise.
pub(super) fn describe(event: &EngineEvent) -> Option<String> {
    match event {
        EngineEvent::Registration { gateway, state } => Some(format!("gateway {gateway}: {state:?}")),
        EngineEvent::Call { call, event, .. } => Some(format!("{}  {}", short(call), describe_call(event)?)),
    }
}

/// The end of an id tells calls apart; its beginning is the time.
pub(super) fn short(call: &CallId) -> &str {
    let id = call.as_str();
    id.get(id.len().saturating_sub(6)..).unwrap_or(id)
}

pub(super) fn describe_call(event: &CallEvent) -> Option<String> {
    Some(match event {
        CallEvent::Started { direction: Direction::Inbound, number, owner, key_hint } => {
            format!("call from {number} for {owner}, key {key_hint}")
        }
        CallEvent::Started { direction: Direction::Outbound, number, owner, key_hint } => {
            format!("call to {number} by {owner}, key {key_hint}")
        }
        CallEvent::Ringing => "rings".into(),
        CallEvent::Answered => "answered".into(),
        CallEvent::GreetingPlayed => "greeting played".into(),
        CallEvent::Said(item) => format!("{}: {}", speaker_name(item.speaker), item.text),
        CallEvent::Digit(digit) => format!("the caller pressed {digit}"),
        CallEvent::ToolCalled { name } => format!("the model calls {name}"),
        CallEvent::Interrupted => "the caller interrupts; the model's voice stops".into(),
        CallEvent::Held(true) => "on hold".into(),
        CallEvent::Held(false) => "back from hold".into(),
        CallEvent::RecordingChanged(state) => format!("recording: {}", state.as_str()),
        CallEvent::ModelReconnecting => "the model's connection was lost; it is being resumed".into(),
        CallEvent::Rebuilding { attempt } => {
            format!("the call's actor crashed; it is rebuilt (time {attempt}), dialog and audio stream go on")
        }
        CallEvent::Ended { finish, .. } => format!("ended: {} ({})", finish.outcome, finish.reason),
    })
}

pub(super) fn speaker_name(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Caller => "person",
        Speaker::Model => "model",
    }
}
