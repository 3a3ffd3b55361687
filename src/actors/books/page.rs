//! One call's record, and what of it is not in the store yet.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::call::{Finish, Note, ToolCall, ToolDone};
use crate::clock;
use crate::domain::{
    CallId, CallQuality, CallRecord, ConversationItem, EventKind, LeadBook, ModelUsage, RecordingMade,
    RecordingState, ToolResult, beginning, storable_up_to,
};
use crate::voice::TranscriptItem;

use super::super::events::{CallEvent, said_by};
use super::promise::Promise;
use super::{DIALOG_PAUSE, SPEECH_PAUSE};

const SOURCE: &str = "gemini-live";
/// Of what a tool was told, and of what it answered.
const TOOL_BYTES_MAX: usize = 8 * 1024;
const TOOL_NAME_BYTES_MAX: usize = 256;

pub(super) struct Page {
    pub(super) record: CallRecord,
    /// See [`crate::store::Calls::save`].
    pub(super) known: Option<u64>,
    /// The furthest event of the call that subscribers are told of.
    pub(super) told: Option<EventKind>,
    pub(super) dirty: bool,
    /// By when what has changed is to be on its way to the store.
    pub(super) due: Option<Instant>,
    /// Since when the store has been asked to take it.
    pub(super) writing: Option<Instant>,
    /// The store could not take it, and is asked again.
    pub(super) is_refused: bool,
    /// The call is over; its recording is being finished, and then the page is closed.
    pub(super) closing: bool,
    pub(super) closed: bool,
    /// The revision that the store was last asked to take.
    pub(super) offered: u64,
    /// The newest revision that the store has taken from us.
    pub(super) taken: u64,
    pub(super) leads: LeadBook,
    /// Who waits until something is safe.
    pub(super) promises: Vec<Promise>,
    /// The newest revision that the journal has; 0 when it has none.
    pub(super) journaled: u64,
    /// That the call ended, until it is told.
    pub(super) last_word: Option<CallEvent>,
}

impl Page {
    pub(super) fn new(mut record: CallRecord) -> Self {
        record.revision += 1;
        Self::holding(record)
    }

    /// What an engine that is gone could not write any more. Nothing is added to it.
    pub(super) fn left_behind(record: CallRecord) -> Self {
        Self { journaled: record.revision, closed: true, ..Self::holding(record) }
    }

    fn holding(record: CallRecord) -> Self {
        Self {
            record,
            known: None,
            told: None,
            dirty: true,
            due: None,
            writing: None,
            is_refused: false,
            offered: 0,
            taken: 0,
            leads: LeadBook::default(),
            promises: Vec::new(),
            closing: false,
            closed: false,
            journaled: 0,
            last_word: None,
        }
    }

    /// Whoever brings it into the store, if this engine is lost, does so later than this engine has written it.
    pub(super) fn for_journal(&self) -> CallRecord {
        let mut record = self.record.clone();
        if let Some(running) = &mut record.running {
            running.last_written = Some(clock::unix_time());
        }
        record
    }

    pub(super) fn is_settled(&self) -> bool {
        !self.dirty && !self.closing && self.writing.is_none()
    }

    pub(super) fn is_late(&self, now: Instant, limit: Duration) -> bool {
        self.writing.is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }

    pub(super) fn changed(&mut self) {
        self.dirty = true;
        self.record.revision += 1;
    }

    /// Enters a note; gives what listeners should hear, and how long the store may wait to hear it.
    pub(super) fn take(&mut self, note: Note) -> (Option<CallEvent>, Duration) {
        match note {
            Note::Ringing => {
                self.record.ringing_time.get_or_insert_with(clock::unix_time);
                self.changed();
                (Some(CallEvent::Ringing), SPEECH_PAUSE)
            }
            Note::Answered => {
                self.record.answered_time = Some(clock::unix_time());
                self.changed();
                (Some(CallEvent::Answered), DIALOG_PAUSE)
            }
            Note::Held(held) => (Some(CallEvent::Held(held)), SPEECH_PAUSE),
            Note::GreetingPlayed => (Some(CallEvent::GreetingPlayed), SPEECH_PAUSE),
            Note::Item(item) => {
                self.record.add_conversation_item(conversation_item(&item));
                self.changed();
                (Some(CallEvent::Said(item)), SPEECH_PAUSE)
            }
            Note::Digit(digit) => (Some(CallEvent::Digit(digit)), SPEECH_PAUSE),
            Note::ToolCalled { name } => (Some(CallEvent::ToolCalled { name }), SPEECH_PAUSE),
            Note::ToolDone(done) => {
                self.record.add_tool_result(tool_result(done));
                self.changed();
                (None, SPEECH_PAUSE)
            }
            Note::FirstAudio => {
                self.record.first_audio_time.get_or_insert_with(clock::unix_time);
                self.changed();
                (None, SPEECH_PAUSE)
            }
            Note::Interrupted => (Some(CallEvent::Interrupted), SPEECH_PAUSE),
            Note::ModelReconnecting => (Some(CallEvent::ModelReconnecting), SPEECH_PAUSE),
            Note::Usage(usage) => {
                self.record.usage = Some(ModelUsage {
                    prompt_tokens: usage.prompt_tokens,
                    response_tokens: usage.response_tokens,
                    total_tokens: usage.total_tokens,
                });
                self.changed();
                (None, SPEECH_PAUSE)
            }
        }
    }

    /// How the far end is reached, should this engine be lost. False: nothing about it is new.
    pub(super) fn keep_dialog(&mut self, dialog: Value) -> bool {
        let dialog = Some(dialog);
        let Some(running) = self.record.running.as_mut().filter(|running| running.dialog != dialog) else {
            return false;
        };
        running.dialog = dialog;
        self.changed();
        true
    }

    pub(super) fn keep_recording_state(&mut self, state: RecordingState) {
        self.record.recording_state = Some(state);
        self.changed();
    }

    /// Of the recording something is missing. Gives its state if that is another one now.
    pub(super) fn recording_was_interrupted(&mut self, is_over: bool) -> Option<RecordingState> {
        let state = match self.record.recording_state {
            Some(RecordingState::Recording | RecordingState::Interrupted) if is_over => {
                Some(RecordingState::Recording)
            }
            Some(RecordingState::Recording | RecordingState::Interrupted) => {
                Some(RecordingState::Interrupted)
            }
            kept @ (Some(RecordingState::Paused | RecordingState::Off) | None) => kept,
        };
        let before = std::mem::replace(&mut self.record.recording_state, state);
        self.record.recording_cut_short = true;
        self.changed();
        state.filter(|_| state != before)
    }

    pub(super) fn close(
        &mut self,
        finish: Finish,
        quality: Option<CallQuality>,
        recording: Option<&RecordingMade>,
    ) {
        self.record.call_end_time = Some(clock::unix_time());
        self.record.outcome = Some(finish.outcome);
        self.record.end_reason = Some(finish.reason.clone());
        self.record.quality = quality;
        self.record.running = None;
        self.record.recording_state = None;
        self.record.forget_unheard();
        if let Some(made) = recording {
            self.record.add_recording(made);
        }
        self.changed();
        (self.closing, self.closed) = (false, true);
        let recording = recording.map(|made| made.filename.clone());
        self.last_word = Some(CallEvent::Ended { finish, recording });
    }

    /// Encoding it took longer than the page could be kept open.
    pub(super) fn add_recording(&mut self, made: &RecordingMade) {
        self.record.add_recording(made);
        self.changed();
    }
}

/// What somebody who follows up a complaint wants to read. What was said stays in the record.
pub(super) fn log(call: &CallId, note: &Note) {
    match note {
        Note::Ringing => tracing::info!(%call, "ringing"),
        Note::Answered => tracing::info!(%call, "answered"),
        Note::Held(held) => tracing::info!(%call, held, "hold changed"),
        Note::ModelReconnecting => {
            tracing::warn!(%call, "the model's connection was lost; it is being resumed")
        }
        Note::ToolCalled { name } => tracing::info!(%call, %name, "the model calls a tool"),
        Note::Interrupted => tracing::debug!(%call, "the caller interrupted the model"),
        Note::ToolDone(ToolDone { call: tool, result: Err(_) }) => {
            tracing::warn!(%call, name = %tool.name, "a tool failed")
        }
        Note::ToolDone(_)
        | Note::FirstAudio
        | Note::GreetingPlayed
        | Note::Item(_)
        | Note::Digit(_)
        | Note::Usage(_) => {}
    }
}

fn tool_result(ToolDone { call, result }: ToolDone) -> ToolResult {
    let ToolCall { id, name, args } = call;
    let ok = result.is_ok();
    let result = result.unwrap_or_else(|error| serde_json::json!({ "error": error }));
    ToolResult {
        id: beginning(&id, TOOL_NAME_BYTES_MAX).to_owned(),
        name: beginning(&name, TOOL_NAME_BYTES_MAX).to_owned(),
        arguments: storable_up_to(args, TOOL_BYTES_MAX),
        result: storable_up_to(result, TOOL_BYTES_MAX),
        time: clock::unix_time(),
        ok,
    }
}

fn conversation_item(item: &TranscriptItem) -> ConversationItem {
    ConversationItem {
        role: said_by(item),
        content: item.text.clone(),
        timestamp: clock::unix_time(),
        source: SOURCE.into(),
        transcript_confidence: None,
        interrupted: item.interrupted,
    }
}
