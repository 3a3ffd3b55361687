//! Writes what calls report: one record per call, merged, in order, off every call's path.
//!
//! State changes are written at once, what is said within two seconds. A record is written by one task at a time, so
//! a later state can never be overtaken by an earlier one.

use std::collections::HashMap;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::call::{Finish, Note};
use crate::clock;
use crate::domain::{CallId, CallQuality, CallRecord, ConversationItem, ModelUsage};
use crate::store::{Calls, Recordings, StoreError};
use crate::telemetry::{Counter, count};
use crate::voice::TranscriptItem;

use super::SERVICE_MAILBOX_SIZE;
use super::events::{CallEvent, EventStream, Ownership, said_by};
use super::guard::guarded;

/// What is said may wait this long to be written.
const WRITE_PAUSE: Duration = Duration::from_secs(2);
/// A store that cannot be written to is tried again this often.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
const SOURCE: &str = "gemini-live";

pub struct Books {
    calls: Calls,
    recordings: Option<Recordings>,
    events: EventStream,
    pages: HashMap<CallId, Page>,
}

/// One call's record and what of it is not in the store yet.
struct Page {
    record: CallRecord,
    /// See [`Calls::save`].
    known: Option<u64>,
    dirty: bool,
    writing: bool,
    write_planned: bool,
    closed: bool,
    /// The store has been asked to take it once, and has answered.
    was_offered: bool,
    /// Who waits for that.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Books {
    pub fn new(calls: Calls, recordings: Option<Recordings>, events: EventStream) -> Self {
        Self { calls, recordings, events, pages: HashMap::new() }
    }

    fn note(&mut self, call: &CallId, note: Note, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        log(call, &note);
        let (event, urgent) = page.take(note);
        let of = Ownership::from(&page.record);
        if page.dirty {
            let pause = if urgent { Duration::ZERO } else { WRITE_PAUSE };
            self.plan_write(call, pause, ctx);
        }
        if let Some(event) = event {
            self.events.tell_call(call, of, event);
        }
    }

    /// Work on one page; if it panics, that page is lost and the others stay.
    fn guarded(&mut self, call: &CallId, work: impl FnOnce(&mut Self)) {
        if guarded(call, || work(self)).is_err() {
            self.pages.remove(call);
        }
    }

    fn plan_write(&mut self, call: &CallId, pause: Duration, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        if pause.is_zero() {
            return self.write(call.clone(), ctx);
        }
        if !page.write_planned {
            page.write_planned = true;
            let call = call.clone();
            ctx.run_later(clock::timer_for(pause), move |books, ctx| books.write(call, ctx));
        }
    }

    fn write(&mut self, call: CallId, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(&call) else { return };
        page.write_planned = false;
        if page.writing || !page.dirty {
            return;
        }
        page.writing = true;
        page.dirty = false;
        let (calls, record, known) = (self.calls.clone(), page.record.clone(), page.known.take());
        let writing = async move { calls.save(&record, known).await };
        ctx.spawn(writing.into_actor(self).map(move |result, books, ctx| books.written(&call, result, ctx)));
    }

    fn written(&mut self, call: &CallId, result: Result<Option<u64>, StoreError>, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        page.writing = false;
        page.was_offered = true;
        for waiting in page.waiting.drain(..) {
            // Who waited may have gone.
            waiting.send(()).ok();
        }
        let pause = match result.map(|known| page.known = known) {
            Ok(()) if page.dirty => Duration::ZERO,
            Ok(()) if page.closed => {
                self.pages.remove(call);
                return;
            }
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%call, %error, "the call's record could not be written; trying again");
                count(Counter::StoreFailures);
                page.dirty = true;
                RETRY_PAUSE
            }
        };
        self.plan_write(call, pause, ctx);
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
            let mut of = Ownership::default();
            if let Some(page) = books.pages.get_mut(&call) {
                page.close(&finish, quality, recording.clone());
                of = Ownership::from(&page.record);
                books.plan_write(&call, Duration::ZERO, ctx);
            }
            books.events.tell_call(&call, of, CallEvent::Ended { finish, recording });
        }));
    }
}

impl Page {
    fn new(record: CallRecord) -> Self {
        Self {
            record,
            known: None,
            dirty: true,
            writing: false,
            write_planned: false,
            closed: false,
            was_offered: false,
            waiting: Vec::new(),
        }
    }

    /// Enters a note; gives what listeners should hear, and whether the store should hear it at once.
    fn take(&mut self, note: Note) -> (Option<CallEvent>, bool) {
        match note {
            Note::Ringing => (Some(CallEvent::Ringing), false),
            Note::Answered => {
                self.record.answered_time = Some(clock::unix_time());
                self.dirty = true;
                (Some(CallEvent::Answered), true)
            }
            Note::Held(held) => (Some(CallEvent::Held(held)), false),
            Note::GreetingPlayed => (Some(CallEvent::GreetingPlayed), false),
            Note::Item(item) => {
                self.record.conversation_items.push(conversation_item(&item));
                self.dirty = true;
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
                self.dirty = true;
                (None, false)
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
        role: said_by(item),
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

/// Answered as soon as the call's record is in the store, or the store has failed to take it for the first time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AwaitFirstWrite {
    pub call: CallId,
}

impl Handler<AwaitFirstWrite> for Books {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, AwaitFirstWrite { call }: AwaitFirstWrite, _: &mut Context<Self>) -> Self::Result {
        let (told, offered) = oneshot::channel();
        if let Some(page) = self.pages.get_mut(&call).filter(|page| !page.was_offered) {
            page.waiting.push(told);
        }
        // Without a page the sender is dropped here, which is an answer too.
        Box::pin(async move { offered.await.unwrap_or_default() })
    }
}

/// The record of a call that goes on, or has just ended, as it stands at this moment: the store is up to two seconds behind.
#[derive(Message)]
#[rtype(result = "Option<Box<CallRecord>>")]
pub struct AskBook {
    pub call: CallId,
}

impl Handler<AskBook> for Books {
    type Result = Option<Box<CallRecord>>;

    fn handle(&mut self, AskBook { call }: AskBook, _: &mut Context<Self>) -> Self::Result {
        self.pages.get(&call).map(|page| Box::new(page.record.clone()))
    }
}

/// True when everything that was told has reached the store.
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

    fn handle(&mut self, _: AskBooksSettled, _: &mut Context<Self>) -> bool {
        self.pages.values().all(|page| !page.dirty && !page.writing)
    }
}
