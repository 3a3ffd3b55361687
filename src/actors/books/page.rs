//! One call's record, and what of it is not in the store yet.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::call::{Finish, Note};
use crate::clock;
use crate::domain::{CallId, CallQuality, CallRecord, ConversationItem, ModelUsage};
use crate::voice::TranscriptItem;

use super::super::events::{CallEvent, said_by};

const SOURCE: &str = "gemini-live";

pub(super) struct Page {
    pub(super) record: CallRecord,
    /// See [`crate::store::Calls::save`].
    pub(super) known: Option<u64>,
    pub(super) dirty: bool,
    /// Since when the store has been asked to take it.
    pub(super) writing: Option<Instant>,
    pub(super) write_planned: bool,
    pub(super) closed: bool,
    /// The newest revision that the journal has; 0 when it has none.
    pub(super) journaled: u64,
    /// The store has been asked to take it once, and has answered.
    pub(super) was_offered: bool,
    /// Who waits for that.
    pub(super) waiting: Vec<oneshot::Sender<()>>,
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
            dirty: true,
            writing: None,
            write_planned: false,
            closed: false,
            journaled: 0,
            was_offered: false,
            waiting: Vec::new(),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        !self.dirty && self.writing.is_none()
    }

    pub(super) fn is_late(&self, now: Instant, limit: Duration) -> bool {
        self.writing.is_some_and(|since| now.saturating_duration_since(since) >= limit)
    }

    fn changed(&mut self) {
        self.dirty = true;
        self.record.revision += 1;
    }

    /// Enters a note; gives what listeners should hear, and whether the store should hear it at once.
    pub(super) fn take(&mut self, note: Note) -> (Option<CallEvent>, bool) {
        match note {
            Note::Ringing => (Some(CallEvent::Ringing), false),
            Note::Answered => {
                self.record.answered_time = Some(clock::unix_time());
                self.changed();
                (Some(CallEvent::Answered), true)
            }
            Note::Held(held) => (Some(CallEvent::Held(held)), false),
            Note::GreetingPlayed => (Some(CallEvent::GreetingPlayed), false),
            Note::Item(item) => {
                self.record.conversation_items.push(conversation_item(&item));
                self.changed();
                (Some(CallEvent::Said(item)), false)
            }
            Note::Digit(digit) => (Some(CallEvent::Digit(digit)), false),
            Note::ToolCalled { name } => (Some(CallEvent::ToolCalled { name }), false),
            Note::Interrupted => (Some(CallEvent::Interrupted), false),
            Note::ModelReconnecting => (Some(CallEvent::ModelReconnecting), false),
            Note::Usage(usage) => {
                self.record.usage = Some(ModelUsage {
                    prompt_tokens: usage.prompt_tokens,
                    response_tokens: usage.response_tokens,
                    total_tokens: usage.total_tokens,
                });
                self.changed();
                (None, false)
            }
        }
    }

    pub(super) fn close(&mut self, finish: &Finish, quality: Option<CallQuality>, recording: Option<String>) {
        self.record.call_end_time = Some(clock::unix_time());
        self.record.outcome = Some(finish.outcome);
        self.record.end_reason = Some(finish.reason.clone());
        self.record.quality = quality;
        self.record.recording_filename = recording;
        self.changed();
        self.closed = true;
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
        Note::GreetingPlayed | Note::Item(_) | Note::Digit(_) | Note::Usage(_) => {}
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
