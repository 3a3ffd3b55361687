//! What the server says on a live connection, and what we say to it other than audio.

use std::time::Instant;

use serde_json::Value;

use super::connection::Link;
use super::{TurnEnd, VoiceEvent, VoiceSession};
use crate::voice::tools::{Answer, Call, Incoming};
use crate::voice::transcript::{Fragment, Heard, QUIET_BEFORE_CLOSE, Speaker, cut};
use crate::voice::wire::client;
use crate::voice::wire::server::{ServerContent, ServerMessage, ToolCall, Transcription};

/// Where the model's turn stands.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The model has begun to speak and its turn is not complete.
    pub(super) open: bool,
    started: Option<Instant>,
    pub(super) interrupted: bool,
    /// The model has been spoken to and has not begun to answer.
    pub(super) awaited: bool,
    /// It says itself that it is still at work between two utterances.
    busy: bool,
    /// A lost connection took an answer with it.
    pub(super) owed: bool,
    pub(super) ever_heard: bool,
}

impl Turn {
    /// What a new connection takes over from the one that was lost.
    pub(super) fn after_loss(&self) -> Self {
        let owed = self.owed || self.awaited || (self.open && !self.interrupted);
        Self { owed, ever_heard: self.ever_heard, ..Self::default() }
    }
}

const MAX_CALLS_PER_MESSAGE: usize = 64;
const MAX_UNSAID: usize = 8;
const MAX_TURN_REASON_BYTES: usize = 64;

impl VoiceSession {
    /// Every member counts, in the order the reference gives for members that share a message.
    pub(super) fn message(&mut self, epoch: u32, mut message: ServerMessage, now: Instant) {
        if !self.listens_to(epoch) {
            return;
        }
        self.garbage_in_a_row = 0;
        if message.setup_complete.is_some() {
            self.setup_complete(now);
        }
        if self.uplink_open() {
            self.live_message(&mut message, now);
        }
        if let Some(error) = message.error {
            self.server_error(error, now);
        }
    }

    fn live_message(&mut self, message: &mut ServerMessage, now: Instant) {
        let content = message.server_content.take().unwrap_or_default();
        self.words(&content, message.audio_started, now);
        self.note_status(content.interaction_status.as_deref().or(message.interaction_status.as_deref()));
        if let Some(calls) = message.tool_call.take() {
            self.tool_calls(calls, now);
        }
        self.turn_marks(&content, message.heard);
        if let Some(cancelled) = message.tool_call_cancellation.take() {
            self.cancel_tools(&cancelled.ids);
        }
        if let Some(report) = &message.usage_metadata {
            self.usage.add(report);
            self.event(VoiceEvent::Usage(self.usage));
        }
        if let Some(update) = message.session_resumption_update.take() {
            self.new_handle(update);
        }
        if let Some(warning) = &message.go_away {
            self.go_away(warning, now);
        }
    }

    fn words(&mut self, content: &ServerContent, audio_started: bool, now: Instant) {
        if let Some(heard) = &content.input_transcription {
            self.caller_said(heard, now);
        }
        if audio_started {
            self.turn_starts(now);
        }
        if let Some(said) = &content.output_transcription {
            self.model_said(said, now);
        }
    }

    fn caller_said(&mut self, heard: &Transcription, now: Instant) {
        let text = heard.text.as_deref().unwrap_or_default();
        if let Some(fragment) = self.transcript.hear(Speaker::Caller, text, now) {
            // Late words belong to the question that is already being answered.
            self.turn.awaited |= !self.turn.open || self.turn.interrupted;
            self.said(Speaker::Caller, Some(fragment));
        }
        if heard.finished || self.transcript.is_full(Speaker::Caller) {
            self.close_item(Speaker::Caller, false);
        }
    }

    fn model_said(&mut self, said: &Transcription, now: Instant) {
        let text = said.text.as_deref().unwrap_or_default();
        if text.is_empty() || (self.turn.open && self.turn.interrupted) {
            // What was made up after the interruption was never heard.
            return;
        }
        self.turn_starts(now);
        let fragment = self.transcript.hear(Speaker::Model, text, now);
        self.said(Speaker::Model, fragment);
        if said.finished || self.transcript.is_full(Speaker::Model) {
            // The question before the answer to it.
            self.close_item(Speaker::Caller, false);
            self.close_item(Speaker::Model, false);
        }
    }

    fn turn_starts(&mut self, now: Instant) {
        if self.turn.open && !self.turn.interrupted {
            return;
        }
        if self.turn.open {
            // The interrupted turn was never reported complete.
            self.event(VoiceEvent::TurnEnded { reason: TurnEnd::Interrupted });
        }
        let busy = self.turn.busy;
        self.turn = Turn { open: true, started: Some(now), ever_heard: true, busy, ..Turn::default() };
        self.event(VoiceEvent::TurnStarted);
    }

    fn turn_marks(&mut self, content: &ServerContent, heard: Option<Heard>) {
        if content.waiting_for_input {
            self.turn.awaited = false;
        }
        if content.generation_complete {
            self.event(VoiceEvent::GenerationComplete);
        }
        if content.interrupted {
            self.turn.interrupted = true;
            self.close_question();
            self.cut_model(heard);
            self.event(VoiceEvent::Interrupted);
        }
        if content.turn_complete {
            self.turn_completes(content.turn_complete_reason.as_deref());
        }
    }

    fn turn_completes(&mut self, reason: Option<&str>) {
        let reason = self.turn_end(reason);
        if self.turn.open && !self.turn.interrupted {
            self.close_item(Speaker::Caller, false);
            self.close_item(Speaker::Model, false);
        }
        if self.turn.open {
            self.tools.turn_completed();
            if let Link::Live(live) = &mut self.link {
                live.turns += 1;
            }
        }
        self.turn.open = false;
        self.turn.interrupted = false;
        self.event(VoiceEvent::TurnEnded { reason });
    }

    fn turn_end(&self, reason: Option<&str>) -> TurnEnd {
        match reason {
            Some(reason) if !reason.ends_with("UNSPECIFIED") => {
                TurnEnd::Rejected(cut(reason, MAX_TURN_REASON_BYTES).to_owned())
            }
            _ if self.turn.interrupted => TurnEnd::Interrupted,
            _ if self.turn.open => TurnEnd::Complete,
            _ => TurnEnd::Empty,
        }
    }

    fn note_status(&mut self, status: Option<&str>) {
        if let Some(status) = status {
            self.turn.busy = status == "IN_PROGRESS";
        }
    }

    /// Nobody speaks and nobody waits for an answer.
    pub(super) fn is_quiet(&self) -> bool {
        !self.turn.open && !self.turn.busy && !self.turn.awaited && self.tools.is_idle()
    }

    // Words

    fn said(&mut self, speaker: Speaker, fragment: Option<Fragment>) {
        if let Some(fragment) = fragment {
            self.event(match speaker {
                Speaker::Caller => VoiceEvent::CallerSaid(fragment),
                Speaker::Model => VoiceEvent::ModelSaid(fragment),
            });
        }
    }

    fn close_item(&mut self, speaker: Speaker, interrupted: bool) {
        let fragment = self.transcript.close(speaker, interrupted);
        self.said(speaker, fragment);
    }

    /// What the caller had said before the model began to answer; words that came since are what cuts the answer off.
    fn close_question(&mut self) {
        let began = self.transcript.began_at(Speaker::Caller);
        if self.turn.started.is_some_and(|answered| began.is_some_and(|began| began < answered)) {
            self.close_item(Speaker::Caller, false);
        }
    }

    /// What the caller did not hear was not said.
    fn cut_model(&mut self, heard: Option<Heard>) {
        let fragment = match heard {
            Some(heard) => self.transcript.close_where_cut(heard),
            None => self.transcript.close(Speaker::Model, true),
        };
        self.said(Speaker::Model, fragment);
    }

    /// The connection ends: what is open will get no further words.
    pub(super) fn close_transcript(&mut self, heard: Option<Heard>) {
        self.close_item(Speaker::Caller, false);
        self.cut_model(heard);
    }

    /// While the model answers, the caller's words are complete once none came for a while. They may be transcribed
    /// late, so that the while begins with the answer at the earliest.
    pub(super) fn caller_quiet_at(&self) -> Option<Instant> {
        let answering = self.turn.open && !self.turn.interrupted;
        let started = self.turn.started.filter(|_| answering)?;
        Some(self.transcript.quiet_at(Speaker::Caller)?.max(started + QUIET_BEFORE_CLOSE))
    }

    pub(super) fn close_quiet_caller(&mut self, now: Instant) {
        if self.caller_quiet_at().is_some_and(|at| at <= now) {
            self.close_item(Speaker::Caller, false);
        }
    }

    // Tools

    fn tool_calls(&mut self, calls: ToolCall, now: Instant) {
        self.turn.awaited = false;
        for call in calls.function_calls.into_iter().take(MAX_CALLS_PER_MESSAGE) {
            match self.tools.incoming(call, now) {
                Incoming::Run(Call { id, name, args }) => self.event(VoiceEvent::ToolCall { id, name, args }),
                Incoming::Answer(answer) => self.answer_tool(&answer),
                Incoming::Refuse { call: Call { id, name, args }, answer, why } => {
                    self.answer_tool(&answer);
                    self.event(VoiceEvent::ToolRefused { id, name, args, why: why.to_owned() });
                }
                Incoming::AlreadyRunning => {}
            }
        }
    }

    pub(super) fn tool_finished(&mut self, id: &str, result: Result<Value, String>) {
        if let Some(answer) = self.tools.finish(id, result) {
            self.answer_tool(&answer);
        }
    }

    fn cancel_tools(&mut self, ids: &[String]) {
        let ids = self.tools.cancel(ids);
        if !ids.is_empty() {
            self.event(VoiceEvent::ToolCancelled { ids });
        }
    }

    pub(super) fn expire_tools(&mut self, now: Instant) {
        for (id, answer) in self.tools.expire(now) {
            self.event(VoiceEvent::ToolCancelled { ids: vec![id] });
            self.answer_tool(&answer);
        }
    }

    fn answer_tool(&mut self, answer: &Answer) {
        if answer.lost_with_connection || !self.uplink_open() {
            let text = format!("(The tool {} has answered: {}. Carry on.)", answer.name, answer.response);
            self.say_or_keep(text);
            return;
        }
        let silent = answer.silent && !self.traits.can_block();
        let response =
            client::tool_response(answer.wire_id.as_deref(), &answer.name, &answer.response, silent);
        self.turn.awaited |= !answer.silent;
        self.send(response);
    }

    // What we say

    pub(super) fn call_answered(&mut self) {
        self.answered = true;
        self.greet_if_due();
    }

    /// Once per call: a session that continues one, or whose model was already heard, never greets.
    pub(super) fn greet_if_due(&mut self) {
        let due = self.answered && self.begun_fresh && !self.turn.ever_heard && !self.turn.awaited;
        if let Some(greeting) = self.config.greeting.as_deref().filter(|_| due && self.uplink_open()) {
            let request = format!("(The call is connected. Speak first, now, as follows: {greeting})");
            self.request_speech(&request);
        }
    }

    pub(super) fn caller_text(&mut self, text: String) {
        if self.uplink_open() {
            self.turn.awaited = true;
            self.send(client::typed_input(&text));
        } else {
            self.keep_unsaid(text);
        }
    }

    pub(super) fn audio_paused(&mut self) {
        if self.uplink_open() {
            self.send(client::AUDIO_STREAM_END.to_owned());
        }
    }

    pub(super) fn request_speech(&mut self, text: &str) {
        self.turn.awaited = true;
        let request = client::speech_request(text, self.traits);
        self.send(request);
    }

    pub(super) fn say_unsaid(&mut self) {
        for text in std::mem::take(&mut self.unsaid) {
            self.caller_text(text);
        }
    }

    fn say_or_keep(&mut self, text: String) {
        if self.uplink_open() { self.request_speech(&text) } else { self.keep_unsaid(text) }
    }

    fn keep_unsaid(&mut self, text: String) {
        if self.unsaid.len() == MAX_UNSAID {
            self.unsaid.pop_front();
        }
        self.unsaid.push_back(text);
    }
}
