//! What the model says and does, and what the caller's keys tell it.

use std::time::Instant;

use crate::domain::Outcome;
use crate::voice::{Fragment, Speaker, TranscriptItem, TurnEnd, VoiceEvent};

use super::io::{Input, Note, Output, Prompt, ToolCall, VoiceCommand};
use super::lifecycle::Phase;
use super::signal::Refusal;
use super::{CallMachine, Finish, SignalCommand};

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
            VoiceEvent::TurnEnded { reason: TurnEnd::Complete } => {
                self.answered_before.clear();
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
            VoiceEvent::ToolCall { id, name, args } => self.on_tool_call(ToolCall { id, name, args }, now),
            VoiceEvent::ToolCancelled { ids } => self.on_tools_cancelled(&ids),
            VoiceEvent::ToolRefused { id, name, args, why } => {
                self.note_tool(ToolCall { id, name, args }, Err(why));
            }
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
        if playing && !std::mem::replace(&mut self.was_heard, true) {
            self.emit(Output::Note(Note::FirstAudio));
        }
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
            | Input::ToolDone { .. }
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
