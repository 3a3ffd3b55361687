//! Writes what calls report: one record per call, merged, in order, off every call's path.
//!
//! That a call began is written at once. What changes in it waits a moment, so that changes of one call share a write,
//! and calls whose changes are due at the same time share a commit of the store. A record is written by one task at a time, so a
//! later state can never be overtaken by an earlier one.
//!
//! When the store fails or is slow, what changes goes into this engine's [`Journal`] as well, until the store has it; what
//! is found there when the engine starts is written first of all. Records say how new they are (their revision), so that
//! the journal's may arrive twice, or late.
//!
//! A lead travels within its call's record (`pending_leads`) until its own collection has it, so that the journal keeps
//! it too; the model is told that it is stored when the store or the journal has it (`from_tools`).

mod from_tools;
mod page;
mod promise;
mod recording;
mod shelf;
mod unwritten;

use std::collections::HashMap;
use std::future::ready;
use std::time::{Duration, Instant};

use actix::prelude::*;
use serde_json::Value;

use crate::call::{Finish, Note};
use crate::clock;
use crate::domain::{CallId, CallQuality, CallRecord};
use crate::store::{Journal, LeftBehind, Recordings, StoreError, Unwritten};
use crate::telemetry::{Counter, count};

use super::SERVICE_MAILBOX_SIZE;
use super::events::{EventStream, Ownership};
use super::guard::guarded;
pub use from_tools::{Deed, KeepDeed};
use page::{Page, log};
pub use promise::AwaitSafe;
pub use recording::{AwaitRecordings, KeepRecordingState};
use shelf::{Before, Written};
pub use unwritten::{SecureBooks, Secured, WithdrawBook};

pub use shelf::Shelf;

/// That a call has ended waits this long for others of which the same is to be written.
const STATE_PAUSE: Duration = Duration::from_millis(250);
/// That a call was answered, and how its far end is let go if we are lost, is written sooner.
const DIALOG_PAUSE: Duration = Duration::from_millis(50);
/// What is due this soon is written with what is due now.
const COMPANY: Duration = Duration::from_millis(50);
/// What is said may wait this long to be written.
const SPEECH_PAUSE: Duration = Duration::from_secs(2);
/// A store that cannot be written to is tried again this often.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// A store that has not answered by then may be away: what it was asked to keep goes into the journal.
const LATE_AFTER: Duration = Duration::from_secs(1);
/// A call's last word waits so long for its recording.
const RECORDING_LIMIT: Duration = Duration::from_secs(5);

pub struct Books {
    shelf: Shelf,
    recordings: Option<Recordings>,
    /// Of a former run, until it is waited for.
    left_recordings: Vec<LeftBehind>,
    events: EventStream,
    journal: Journal,
    pages: HashMap<CallId, Page>,
    next_writing: Option<PlannedWriting>,
    /// From a failure of the store to the next record that it takes.
    store_is_away: bool,
    look_for_late_planned: bool,
}

/// All that is due by then is written together.
struct PlannedWriting {
    at: Instant,
    timer: SpawnHandle,
}

impl Books {
    /// `left` is what the journal holds of engines that are gone.
    pub fn new(
        shelf: Shelf,
        (recordings, left_recordings): (Option<Recordings>, Vec<LeftBehind>),
        events: EventStream,
        journal: Journal,
        left: Vec<Unwritten>,
    ) -> Self {
        let mut pages = HashMap::new();
        for Unwritten { id, body } in left {
            match serde_json::from_value::<CallRecord>(body) {
                Ok(record) => drop(pages.insert(record.session_id.clone(), Page::left_behind(record))),
                Err(error) => tracing::error!(call = %id, %error, "a record in the journal cannot be read"),
            }
        }
        Self {
            shelf,
            recordings,
            left_recordings,
            events,
            journal,
            pages,
            next_writing: None,
            store_is_away: false,
            look_for_late_planned: false,
        }
    }

    fn note(&mut self, call: &CallId, note: Note, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        log(call, &note);
        let (event, pause) = page.take(note);
        let of = Ownership::from(&page.record);
        if page.dirty {
            self.plan_writing(call, pause, ctx);
        }
        if let Some(event) = event {
            self.events.tell_call(call, of, event);
        }
    }

    /// Work on one page; if it panics, that page is lost and the others stay.
    fn guarded(&mut self, call: &CallId, work: impl FnOnce(&mut Self)) {
        if guarded(call, || work(self)).is_err() {
            self.tell_last_word(call);
            self.pages.remove(call);
        }
    }

    fn plan_writing(&mut self, call: &CallId, pause: Duration, ctx: &mut Context<Self>) {
        let at = clock::now() + pause;
        if let Some(page) = self.pages.get_mut(call) {
            page.due = Some(page.due.map_or(at, |due| due.min(at)));
            self.wake_to_write(at, ctx);
        }
    }

    fn wake_to_write(&mut self, at: Instant, ctx: &mut Context<Self>) {
        if self.next_writing.as_ref().is_some_and(|planned| planned.at <= at) {
            return;
        }
        if let Some(later) = self.next_writing.take() {
            ctx.cancel_future(later.timer);
        }
        let pause = at.saturating_duration_since(clock::now());
        let timer = ctx.run_later(clock::timer_for(pause), |books, ctx| {
            books.next_writing = None;
            books.write_what_is_due(ctx);
        });
        self.next_writing = Some(PlannedWriting { at, timer });
    }

    fn write_what_is_due(&mut self, ctx: &mut Context<Self>) {
        let until = clock::now() + COMPANY;
        self.write_those(|page| page.due.is_some_and(|due| due <= until), ctx);
        if let Some(next) = self.pages.values().filter_map(|page| page.due).min() {
            self.wake_to_write(next, ctx);
        }
    }

    fn write_all(&mut self, ctx: &mut Context<Self>) {
        self.write_those(|_| true, ctx);
    }

    /// Of these pages what has changed. One that is being written is planned anew when that is done.
    fn write_those(&mut self, wanted: impl Fn(&Page) -> bool, ctx: &mut Context<Self>) {
        if self.store_is_away {
            self.keep_all_in_journal();
        }
        let wanted = self.pages.iter_mut().filter(|(_, page)| wanted(page));
        let changed = wanted.filter_map(|(call, page)| {
            page.due = None;
            (page.dirty && page.writing.is_none()).then(|| call.clone())
        });
        let changed: Vec<CallId> = changed.collect();
        for call in changed {
            self.guarded(&call, |books| books.write(call.clone(), ctx));
        }
    }

    fn write(&mut self, call: CallId, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(&call) else { return };
        page.writing = Some(clock::now());
        (page.dirty, page.due, page.is_refused) = (false, None, false);
        page.offered = page.record.revision;
        let (shelf, record) = (self.shelf.clone(), page.record.clone());
        let before = Before { known: page.known.take(), told: page.told, revision: page.taken };
        let writing = async move { shelf.write(record, before).await };
        ctx.spawn(writing.into_actor(self).map(move |result, books, ctx| books.written(&call, result, ctx)));
        self.plan_look_for_late(ctx);
    }

    fn written(&mut self, call: &CallId, result: Result<Written, StoreError>, ctx: &mut Context<Self>) {
        self.store_is_away = result.as_ref().is_err_and(StoreError::may_pass);
        let Some(page) = self.pages.get_mut(call) else { return };
        page.is_refused = result.is_err();
        if page.closed && !page.dirty {
            self.tell_last_word(call);
        }
        match result {
            Ok(written) => self.taken_by_store(call, written, ctx),
            Err(error) if !error.may_pass() => self.refused_by_store(call, &error, ctx),
            Err(error) => {
                tracing::error!(%call, %error, "the call's record could not be written; trying again");
                count(Counter::StoreFailures);
                self.keep_in_journal(call);
                self.write_again_later(call.clone(), ctx);
            }
        }
    }

    fn taken_by_store(&mut self, call: &CallId, written: Written, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        (page.known, page.told) = (written.known, written.told);
        page.record.crm_call_id = written.crm_call_id;
        page.writing = None;
        page.arrived_in_store();
        if page.dirty {
            let pause = if page.promises.is_empty() { STATE_PAUSE } else { Duration::ZERO };
            return self.plan_writing(call, pause, ctx);
        }
        if std::mem::take(&mut page.journaled) > 0 {
            self.journal.arrived(call.as_str());
        }
        if page.closed {
            self.forget(call);
        }
    }

    /// As it stands the store will never take it. It waits in the journal for its next change or the next start; whoever
    /// waits for it to become settled waits in vain.
    fn refused_by_store(&mut self, call: &CallId, error: &StoreError, ctx: &mut Context<Self>) {
        count(Counter::RecordsRefused);
        tracing::error!(%call, %error, "the store refuses the call's record for good; it stays in the journal of node.dir");
        self.keep_in_journal(call);
        let Some(page) = self.pages.get_mut(call) else { return };
        if page.journaled != page.record.revision {
            return self.write_again_later(call.clone(), ctx);
        }
        page.writing = None;
        if page.dirty {
            self.plan_writing(call, STATE_PAUSE, ctx);
        } else if page.closed {
            self.forget(call);
        }
    }

    /// What was told of the call is written down.
    fn forget(&mut self, call: &CallId) {
        let Some(page) = self.pages.remove(call) else { return };
        if page.record.recording_filename.is_some() {
            self.recording_is_told(call);
        }
    }

    /// Until then it counts as being written: others that are written meanwhile do not hurry it.
    fn write_again_later(&mut self, call: CallId, ctx: &mut Context<Self>) {
        ctx.run_later(clock::timer_for(RETRY_PAUSE), move |books, ctx| {
            books.guarded(&call, |books| books.write(call.clone(), ctx));
        });
    }

    fn keep_all_in_journal(&mut self) {
        let unsettled = self.pages.iter().filter(|(_, page)| !page.is_settled());
        let unsettled: Vec<CallId> = unsettled.map(|(call, _)| call.clone()).collect();
        for call in &unsettled {
            self.keep_in_journal(call);
        }
    }

    /// What the disk is too slow for is offered again with the next change or look.
    fn keep_in_journal(&mut self, call: &CallId) {
        let Some(page) = self.pages.get_mut(call) else { return };
        if page.is_settled() {
            return;
        }
        if page.journaled == page.record.revision {
            return page.keep_promises_by(self.journal.clone());
        }
        let body = match serde_json::to_value(page.for_journal()) {
            Ok(body) => body,
            Err(error) => return tracing::error!(%call, %error, "a record cannot be kept in the journal"),
        };
        match self.journal.append(Unwritten { id: call.to_string(), body }) {
            Ok(()) => {
                page.journaled = page.record.revision;
                page.keep_promises_by(self.journal.clone());
            }
            Err(error) => {
                count(Counter::JournalFailures);
                tracing::error!(%call, %error, "a record is not in the journal yet");
            }
        }
    }

    fn plan_look_for_late(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.look_for_late_planned, true) {
            ctx.run_later(clock::timer_for(LATE_AFTER), |books, ctx| {
                books.look_for_late_planned = false;
                books.look_for_late(ctx);
            });
        }
    }

    /// One look for all records, as long as any is on its way.
    fn look_for_late(&mut self, ctx: &mut Context<Self>) {
        let now = clock::now();
        let late = self.pages.iter().filter(|(_, page)| page.is_late(now, LATE_AFTER));
        let late: Vec<CallId> = late.map(|(call, _)| call.clone()).collect();
        self.store_is_away |= !late.is_empty();
        late.iter().for_each(|call| self.tell_last_word(call));
        if self.store_is_away {
            self.keep_all_in_journal();
        }
        if self.pages.values().any(|page| page.writing.is_some()) {
            self.plan_look_for_late(ctx);
        }
    }

    /// A store that is slow or away keeps nobody from hearing it.
    fn tell_last_word(&mut self, call: &CallId) {
        let Some(page) = self.pages.get_mut(call) else { return };
        let of = Ownership::from(&page.record);
        if let Some(ended) = page.last_word.take() {
            self.events.tell_call(call, of, ended);
        }
    }
}

impl Actor for Books {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
        let left: Vec<CallId> = self.pages.keys().cloned().collect();
        if !left.is_empty() {
            tracing::info!(
                calls = left.len(),
                "the journal holds records that the store did not get before; they are written now"
            );
        }
        for call in left {
            self.write(call, ctx);
        }
        self.wait_for_left_recordings(ctx);
        self.listen_for_interruptions(ctx);
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

/// Signalling can reach the call's far end: what would be needed for it if this engine were lost.
#[derive(Message)]
#[rtype(result = "()")]
pub struct KeepDialog {
    pub call: CallId,
    pub dialog: Value,
}

impl Handler<KeepDialog> for Books {
    type Result = ();

    fn handle(&mut self, KeepDialog { call, dialog }: KeepDialog, ctx: &mut Context<Self>) {
        self.guarded(&call, |books| {
            let is_new = books.pages.get_mut(&call).is_some_and(|page| page.keep_dialog(dialog));
            if is_new {
                books.plan_writing(&call, DIALOG_PAUSE, ctx);
            }
        });
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

/// The record of a call that goes on, or has just ended, as it stands at this moment: the store is up to two seconds behind.
/// That a call has ended is told once it is safe, so that nobody hears of an end which a crash would make another.
#[derive(Message)]
#[rtype(result = "Option<Box<CallRecord>>")]
pub struct AskBook {
    pub call: CallId,
}

impl Handler<AskBook> for Books {
    type Result = ResponseFuture<Option<Box<CallRecord>>>;

    fn handle(&mut self, AskBook { call }: AskBook, ctx: &mut Context<Self>) -> Self::Result {
        let Some(page) = self.pages.get(&call) else { return Box::pin(ready(None)) };
        let record = Some(Box::new(page.record.clone()));
        if !page.closed {
            return Box::pin(ready(record));
        }
        let safe = self.safe(&call, ctx);
        Box::pin(async move {
            safe.await;
            record
        })
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
        self.pages.values().all(Page::is_settled)
    }
}

#[cfg(test)]
mod tests;
