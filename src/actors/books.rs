//! Writes what calls report: one record per call, merged, in order, off every call's path.
//!
//! That a call began is written at once. What changes in it waits a moment, so that changes of one call share a write,
//! and calls that change at the same time share a commit of the store. A record is written by one task at a time, so a
//! later state can never be overtaken by an earlier one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::prelude::*;

use crate::call::{Finish, Note};
use crate::clock;
use crate::domain::{CallId, CallQuality, CallRecord, ConversationItem, ModelUsage, Speaker};
use crate::store::{Calls, Recordings, StoreError};
use crate::telemetry::{Counter, count};
use crate::voice::{Speaker as Voice, TranscriptItem};

use super::SERVICE_MAILBOX_SIZE;
use super::events::{CallEvent, EventStream};
use super::guard::guarded;

/// That a call was answered or ended waits this long for others of which the same is to be written.
const STATE_PAUSE: Duration = Duration::from_millis(250);
/// What is said may wait this long to be written.
const SPEECH_PAUSE: Duration = Duration::from_secs(2);
/// A store that cannot be written to is tried again this often.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const SOURCE: &str = "gemini-live";

pub struct Books {
    calls: Calls,
    recordings: Option<Recordings>,
    events: EventStream,
    pages: HashMap<CallId, Page>,
    next_writing: Option<PlannedWriting>,
}

/// All that has changed until then is written together.
struct PlannedWriting {
    at: Instant,
    timer: SpawnHandle,
}

/// One call's record and what of it is not in the store yet.
struct Page {
    record: CallRecord,
    /// See [`Calls::save`].
    known: Option<u64>,
    dirty: bool,
    writing: bool,
    closed: bool,
}

impl Books {
    pub fn new(calls: Calls, recordings: Option<Recordings>, events: EventStream) -> Self {
        Self { calls, recordings, events, pages: HashMap::new(), next_writing: None }
    }

    fn note(&mut self, call: &CallId, note: Note, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        log(call, &note);
        let (event, pause) = page.take(note);
        if page.dirty {
            self.plan_writing(pause, ctx);
        }
        if let Some(event) = event {
            self.events.tell_call(call, event);
        }
    }

    /// Work on one page; if it panics, that page is lost and the others stay.
    fn guarded(&mut self, call: &CallId, work: impl FnOnce(&mut Self)) {
        if guarded(call, || work(self)).is_err() {
            self.pages.remove(call);
        }
    }

    fn plan_writing(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        let at = clock::now() + pause;
        if self.next_writing.as_ref().is_some_and(|planned| planned.at <= at) {
            return;
        }
        if let Some(later) = self.next_writing.take() {
            ctx.cancel_future(later.timer);
        }
        let timer = ctx.run_later(clock::timer_for(pause), |books, ctx| {
            books.next_writing = None;
            books.write_all(ctx);
        });
        self.next_writing = Some(PlannedWriting { at, timer });
    }

    fn write_all(&mut self, ctx: &mut Context<Self>) {
        let changed = self.pages.iter().filter(|(_, page)| page.dirty && !page.writing);
        let changed: Vec<CallId> = changed.map(|(call, _)| call.clone()).collect();
        for call in changed {
            self.guarded(&call, |books| books.write(call.clone(), ctx));
        }
    }

    fn write(&mut self, call: CallId, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(&call) else { return };
        page.writing = true;
        page.dirty = false;
        let (calls, record, known) = (self.calls.clone(), page.record.clone(), page.known.take());
        let writing = async move { calls.save(&record, known).await };
        ctx.spawn(writing.into_actor(self).map(move |result, books, ctx| books.written(&call, result, ctx)));
    }

    fn written(&mut self, call: &CallId, result: Result<Option<u64>, StoreError>, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        match result {
            Ok(known) => {
                page.known = known;
                page.writing = false;
                match (page.dirty, page.closed) {
                    (true, _) => self.plan_writing(STATE_PAUSE, ctx),
                    (false, true) => drop(self.pages.remove(call)),
                    (false, false) => {}
                }
            }
            Err(error) => {
                tracing::error!(%call, %error, "the call's record could not be written; trying again");
                count(Counter::StoreFailures);
                self.write_again_later(call.clone(), ctx);
            }
        }
    }

    /// Until then it counts as being written: others that are written meanwhile do not hurry it.
    fn write_again_later(&mut self, call: CallId, ctx: &mut Context<Self>) {
        ctx.run_later(clock::timer_for(RETRY_PAUSE), move |books, ctx| {
            books.guarded(&call, |books| books.write(call.clone(), ctx));
        });
    }

    /// The recording first, then the last word: whoever hears that a call ended can read all of it.
    fn close(&mut self, call: CallId, finish: Finish, quality: Option<CallQuality>, ctx: &mut Context<Self>) {
        let recordings = self.recordings.clone();
        let finishing = {
            let call = call.clone();
            async move {
                match recordings {
                    Some(recordings) => recordings.finish(&call).await,
                    None => None,
                }
            }
        };
        ctx.spawn(finishing.into_actor(self).map(move |recording, books, ctx| {
            if let Some(page) = books.pages.get_mut(&call) {
                page.close(&finish, quality, recording.clone());
                books.plan_writing(STATE_PAUSE, ctx);
            }
            books.events.tell_call(&call, CallEvent::Ended { finish, recording });
        }));
    }
}

impl Page {
    fn new(record: CallRecord) -> Self {
        Self { record, known: None, dirty: true, writing: false, closed: false }
    }

    /// Enters a note; gives what listeners should hear, and how long the store may wait to hear it.
    fn take(&mut self, note: Note) -> (Option<CallEvent>, Duration) {
        match note {
            Note::Ringing => (Some(CallEvent::Ringing), SPEECH_PAUSE),
            Note::Answered => {
                self.record.answered_time = Some(clock::unix_time());
                self.dirty = true;
                (Some(CallEvent::Answered), STATE_PAUSE)
            }
            Note::Held(held) => (Some(CallEvent::Held(held)), SPEECH_PAUSE),
            Note::GreetingPlayed => (Some(CallEvent::GreetingPlayed), SPEECH_PAUSE),
            Note::Item(item) => {
                self.record.conversation_items.push(conversation_item(&item));
                self.dirty = true;
                (Some(CallEvent::Said(item)), SPEECH_PAUSE)
            }
            Note::Digit(digit) => (Some(CallEvent::Digit(digit)), SPEECH_PAUSE),
            Note::ToolCalled { name } => (Some(CallEvent::ToolCalled { name }), SPEECH_PAUSE),
            Note::Interrupted => (Some(CallEvent::Interrupted), SPEECH_PAUSE),
            Note::ModelReconnecting => (Some(CallEvent::ModelReconnecting), SPEECH_PAUSE),
            Note::Usage(usage) => {
                self.record.usage = Some(ModelUsage {
                    prompt_tokens: usage.prompt_tokens,
                    response_tokens: usage.response_tokens,
                    total_tokens: usage.total_tokens,
                });
                self.dirty = true;
                (None, SPEECH_PAUSE)
            }
        }
    }

    fn close(&mut self, finish: &Finish, quality: Option<CallQuality>, recording: Option<String>) {
        self.record.call_end_time = Some(clock::unix_time());
        self.record.outcome = Some(finish.outcome);
        self.record.end_reason = Some(finish.reason.clone());
        self.record.quality = quality;
        self.record.recording_filename = recording;
        self.dirty = true;
        self.closed = true;
    }
}

/// What somebody who follows up a complaint wants to read. What was said stays in the record.
fn log(call: &CallId, note: &Note) {
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
        role: match item.speaker {
            Voice::Caller => Speaker::User,
            Voice::Model => Speaker::Assistant,
        },
        content: item.text.clone(),
        timestamp: clock::unix_time(),
        source: SOURCE.into(),
        transcript_confidence: None,
        interrupted: item.interrupted,
    }
}

impl Actor for Books {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
    }
}

impl Supervised for Books {}

/// A call begins; its record is written before anything else happens to it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct OpenBook {
    pub record: Box<CallRecord>,
}

impl Handler<OpenBook> for Books {
    type Result = ();

    fn handle(&mut self, OpenBook { record }: OpenBook, ctx: &mut Context<Self>) {
        let call = record.session_id.clone();
        self.pages.insert(call.clone(), Page::new(*record));
        self.guarded(&call, |books| books.write(call.clone(), ctx));
    }
}

/// Something happened in a call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CallNote {
    pub call: CallId,
    pub note: Note,
}

impl Handler<CallNote> for Books {
    type Result = ();

    fn handle(&mut self, CallNote { call, note }: CallNote, ctx: &mut Context<Self>) {
        self.guarded(&call, |books| books.note(&call, note, ctx));
    }
}

/// The call is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CloseBook {
    pub call: CallId,
    pub finish: Finish,
    pub quality: Option<CallQuality>,
}

impl Handler<CloseBook> for Books {
    type Result = ();

    fn handle(&mut self, CloseBook { call, finish, quality }: CloseBook, ctx: &mut Context<Self>) {
        self.guarded(&call, |books| books.close(call.clone(), finish, quality, ctx));
    }
}

/// True when everything that was told has reached the store; nothing waits for company any more.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct AskBooksSettled;

/// How many calls' records are still being written, for leak checks.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct AskOpenBooks;

impl Handler<AskOpenBooks> for Books {
    type Result = usize;

    fn handle(&mut self, _: AskOpenBooks, _: &mut Context<Self>) -> usize {
        self.pages.len()
    }
}

impl Handler<AskBooksSettled> for Books {
    type Result = bool;

    fn handle(&mut self, _: AskBooksSettled, ctx: &mut Context<Self>) -> bool {
        self.write_all(ctx);
        self.pages.values().all(|page| !page.dirty && !page.writing)
    }
}
