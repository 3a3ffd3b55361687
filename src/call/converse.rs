//! What the model says and does, and what the caller's keys tell it.

use std::time::Instant;

use serde_json::{Value, json};

use crate::domain::Outcome;
use crate::voice::{Fragment, Speaker, TranscriptItem, TurnEnd, VoiceEvent};

use super::io::{Input, MediaCommand, Note, Output, Prompt, VoiceCommand};
use super::lifecycle::Phase;
use super::signal::Refusal;
use super::{CallMachine, Finish, SignalCommand};

/// A menu wants a few keys, an account number a few more.
const KEYS_AT_ONCE_MAX: usize = 32;

impl CallMachine {
    pub(super) fn on_digit(&mut self, digit: char, now: Instant) {
        if self.lifecycle.phase != Phase::Talking {
            return;
        }
        self.with_watch(|watch| watch.speech_heard(now));
        self.emit(Output::Note(Note::Digit(digit)));
        self.emit(Output::Voice(VoiceCommand::TellModel(format!(
            "The caller pressed {digit} on the phone."
        ))));
    }

    pub(super) fn on_voice(&mut self, event: VoiceEvent, now: Instant) {
        match event {
            VoiceEvent::Ready => self.on_model_ready(),
            VoiceEvent::Reconnecting => self.emit(Output::Note(Note::ModelReconnecting)),
            VoiceEvent::Resumed { .. } => self.talk.turn_over(now),
            VoiceEvent::TurnStarted => {
                self.talk.turn_started();
                self.durable_change = true;
                self.with_watch(|watch| watch.speech_heard(now));
            }
            VoiceEvent::TurnEnded { reason: TurnEnd::Lost } => {
                self.talk.turn_lost();
                self.turn_over(now);
            }
            VoiceEvent::GenerationComplete | VoiceEvent::TurnEnded { .. } => self.turn_over(now),
            VoiceEvent::Interrupted => {
                self.talk.interrupted(now);
                self.turn_over(now);
                self.emit(Output::Note(Note::Interrupted));
            }
            VoiceEvent::CallerSaid(words) => self.on_words(Speaker::Caller, words, now),
            VoiceEvent::ModelSaid(words) => self.on_words(Speaker::Model, words, now),
            VoiceEvent::ToolCall { id, name, args } => self.on_tool_call(id, name, &args, now),
            VoiceEvent::ToolCancelled { .. } => {}
            VoiceEvent::Handle(handle) => {
                self.memory.new_handle(handle);
                self.durable_change = true;
            }
            VoiceEvent::Usage(usage) => self.emit(Output::Note(Note::Usage(usage))),
            VoiceEvent::Failed { reason, .. } => self.on_model_failed(reason, now),
        }
    }

    /// An inbound caller hears ringing until the model can talk; then we pick up.
    pub(super) fn on_model_ready(&mut self) {
        if self.lifecycle.phase != Phase::Ringing {
            return;
        }
        let sdp = match self.waiting_answer.take() {
            Some(answer) => answer,
            None => {
                self.offer_open = true;
                self.negotiation.offer()
            }
        };
        self.expect_agreed_media();
        self.lifecycle.phase = Phase::Answering;
        self.durable_change = true;
        self.emit(Output::Signal(SignalCommand::Answer { sdp }));
    }

    pub(super) fn turn_over(&mut self, now: Instant) {
        self.talk.turn_over(now);
        self.durable_change = true;
        self.with_watch(|watch| watch.speech_heard(now));
        self.note_greeting_played();
    }

    pub(super) fn on_playing(&mut self, playing: bool, now: Instant) {
        self.talk.set_playing(playing);
        self.durable_change = true;
        self.with_watch(|watch| watch.set_playing(playing, now));
        self.note_greeting_played();
    }

    pub(super) fn note_greeting_played(&mut self) {
        if self.talk.take_greeting_played() {
            self.emit(Output::Note(Note::GreetingPlayed));
        }
    }

    pub(super) fn on_words(&mut self, speaker: Speaker, words: Fragment, now: Instant) {
        self.with_watch(|watch| watch.speech_heard(now));
        // Words are closed late, when the answer to them may be over: only new ones wait for it.
        if speaker == Speaker::Caller && !words.finished {
            self.durable_change |= self.talk.caller_spoke();
        }
        self.keep_if_finished(speaker, words);
    }

    /// The call is over: the model that is being closed hands over what was just being said.
    pub(super) fn hear_last_words(&mut self, input: Input) {
        match input {
            Input::Voice(VoiceEvent::CallerSaid(words)) => self.keep_if_finished(Speaker::Caller, words),
            Input::Voice(VoiceEvent::ModelSaid(words)) => self.keep_if_finished(Speaker::Model, words),
            Input::Start { .. }
            | Input::Signal(_)
            | Input::Voice(_)
            | Input::PacketHeard
            | Input::Playing(_)
            | Input::HangUp { .. }
            | Input::Timeout => {}
        }
    }

    fn keep_if_finished(&mut self, speaker: Speaker, words: Fragment) {
        if words.finished {
            let Fragment { text, interrupted, .. } = words;
            self.on_item(TranscriptItem { speaker, text, interrupted });
        }
    }

    pub(super) fn on_item(&mut self, item: TranscriptItem) {
        self.memory.remember(item.clone());
        self.durable_change = true;
        self.emit(Output::Note(Note::Item(item)));
    }

    pub(super) fn on_tool_call(&mut self, id: String, name: String, args: &Value, now: Instant) {
        self.emit(Output::Note(Note::ToolCalled { name: name.clone() }));
        let result = match name.as_str() {
            "end_call" => self.end_call(now),
            "send_dtmf" => self.press(args),
            _ => Err(format!("there is no tool named {name}")),
        };
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

    /// Before the answer the caller gets a clear refusal; after it, an apology instead of silence.
    pub(super) fn on_model_failed(&mut self, reason: String, now: Instant) {
        let finish = Finish::new(Outcome::ModelFailed, format!("the voice model failed: {reason}"));
        match self.lifecycle.phase {
            Phase::Ringing => self.refuse(Refusal::ModelUnavailable, finish.outcome, finish.reason, now),
            Phase::Dialing | Phase::Answering => self.hang_up(finish, now),
            // It said goodbye already: whatever of that was generated is still heard.
            Phase::Talking if self.talk.farewell.is_some() => self.turn_over(now),
            Phase::Talking => {
                self.talk.say_farewell(finish, true, now);
                self.turn_over(now);
                self.emit(Output::Say(Prompt::Apology));
            }
            Phase::Ending | Phase::Over => {}
        }
    }
}
