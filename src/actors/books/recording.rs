//! A call's end waits a moment for its recording; one that comes later still finds its record.

use actix::prelude::*;
use tokio::time::timeout;

use crate::call::Finish;
use crate::clock;
use crate::domain::{CallId, CallQuality, RecordingMade, RecordingState};
use crate::store::{Interruption, LeftBehind, Recordings, StoreError};
use crate::telemetry::{Counter, count};

use super::super::events::{CallEvent, Ownership};
use super::{Books, RECORDING_LIMIT, RETRY_PAUSE, STATE_PAUSE};

impl Books {
    /// The recording first, then the record, then the last word: whoever hears that a call ended can read all of it.
    pub(super) fn close(
        &mut self,
        call: CallId,
        finish: Finish,
        quality: Option<CallQuality>,
        ctx: &mut Context<Self>,
    ) {
        if let Some(page) = self.pages.get_mut(&call) {
            page.closing = true;
        }
        let Some(recordings) = self.recordings.clone() else {
            return self.end(&call, finish, quality, None, ctx);
        };
        let recorded = call.clone();
        let mut finishing = Box::pin(async move { recordings.finish(&recorded).await });
        let in_time = async move {
            let made = timeout(clock::timer_for(RECORDING_LIMIT), &mut finishing).await;
            (made, finishing)
        };
        ctx.spawn(in_time.into_actor(self).map(move |(made, finishing), books, ctx| match made {
            Ok(made) => books.end(&call, finish, quality, made, ctx),
            Err(_) => {
                tracing::info!(%call, "the call's recording is still being encoded; its record gets it later");
                books.end(&call, finish, quality, None, ctx);
                ctx.spawn(finishing.into_actor(books).map(move |made, books, ctx| {
                    if let Some(made) = made {
                        books.add_recording(call, made, ctx);
                    }
                }));
            }
        }));
    }

    fn end(
        &mut self,
        call: &CallId,
        finish: Finish,
        quality: Option<CallQuality>,
        recording: Option<RecordingMade>,
        ctx: &mut Context<Self>,
    ) {
        self.note_interruptions(ctx);
        if let Some(page) = self.pages.get_mut(call) {
            page.close(finish, quality, recording.as_ref());
            return self.plan_writing(call, STATE_PAUSE, ctx);
        }
        let recording = recording.map(|made| made.filename);
        self.events.tell_call(call, Ownership::default(), CallEvent::Ended { finish, recording });
    }

    /// Of calls whose records were closed by a former run of an engine, or are by whoever finds them lost.
    pub(super) fn wait_for_left_recordings(&mut self, ctx: &mut Context<Self>) {
        let left = std::mem::take(&mut self.left_recordings);
        if !left.is_empty() {
            tracing::info!(
                calls = left.len(),
                "recordings that a former run or an engine that is gone has left are finished now"
            );
        }
        for LeftBehind { call, finished } in left {
            ctx.spawn(finished.into_actor(self).map(move |made, books, ctx| {
                if let Ok(Some(made)) = made {
                    books.add_recording(call, made, ctx);
                }
            }));
        }
    }

    pub(super) fn listen_for_interruptions(&self, ctx: &mut Context<Self>) {
        let Some(recordings) = self.recordings.clone() else { return };
        let waiting = async move { recordings.interruption().await };
        ctx.spawn(waiting.into_actor(self).map(|(), books, ctx| {
            books.note_interruptions(ctx);
            books.listen_for_interruptions(ctx);
        }));
    }

    fn note_interruptions(&mut self, ctx: &mut Context<Self>) {
        let interruptions = self.recordings.as_ref().map(Recordings::interruptions).unwrap_or_default();
        for Interruption { call, is_over } in interruptions {
            let Some(page) = self.pages.get_mut(&call) else { continue };
            let (state, of) = (page.recording_was_interrupted(is_over), Ownership::from(&page.record));
            self.plan_writing(&call, STATE_PAUSE, ctx);
            if let Some(state) = state {
                tracing::warn!(%call, recording = state.as_str(), "the recording has a gap");
                self.events.tell_call(&call, of, CallEvent::RecordingChanged(state));
            }
        }
    }

    pub(super) fn recording_is_told(&self, call: &CallId) {
        if let Some(recordings) = &self.recordings {
            recordings.told(call);
        }
    }

    /// Into the page as long as there is one, else into the store.
    fn add_recording(&mut self, call: CallId, made: RecordingMade, ctx: &mut Context<Self>) {
        if let Some(page) = self.pages.get_mut(&call) {
            page.add_recording(&made);
            return self.plan_writing(&call, STATE_PAUSE, ctx);
        }
        let (shelf, id) = (self.shelf.clone(), call.clone());
        let adding = async move { (shelf.add_recording(&id, &made).await, made) };
        ctx.spawn(adding.into_actor(self).map(move |(added, made), books, ctx| match added {
            Ok(true) => {
                tracing::info!(%call, "the call's record has its recording now");
                books.recording_is_told(&call);
            }
            Ok(false) => {
                tracing::warn!(%call, file = made.filename, "there is no record of a call whose recording is there");
                books.recording_is_told(&call);
            }
            Err(error) if error.may_pass() => {
                count(Counter::StoreFailures);
                ctx.run_later(clock::timer_for(RETRY_PAUSE), |books, ctx| books.add_recording(call, made, ctx));
            }
            Err(error) => refused(&call, &made, &error),
        }));
    }
}

fn refused(call: &CallId, made: &RecordingMade, error: &StoreError) {
    count(Counter::RecordsRefused);
    tracing::error!(%call, file = made.filename, %error, "the store does not take where the recording is");
}

/// Recordings of engines that are gone, which are being finished here now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct AwaitRecordings(pub Vec<LeftBehind>);

impl Handler<AwaitRecordings> for Books {
    type Result = ();

    fn handle(&mut self, AwaitRecordings(left): AwaitRecordings, ctx: &mut Context<Self>) {
        self.left_recordings.extend(left);
        self.wait_for_left_recordings(ctx);
    }
}

/// Somebody has started, stopped, paused or resumed a call's recording.
#[derive(Message)]
#[rtype(result = "()")]
pub struct KeepRecordingState {
    pub call: CallId,
    pub state: RecordingState,
}

impl Handler<KeepRecordingState> for Books {
    type Result = ();

    fn handle(&mut self, KeepRecordingState { call, state }: KeepRecordingState, ctx: &mut Context<Self>) {
        self.guarded(&call, |books| {
            let is_interrupted = books.recordings.as_ref().is_some_and(|it| it.is_interrupted(&call));
            let Some(page) = books.pages.get_mut(&call) else { return };
            let is_in_vain = state == RecordingState::Recording && is_interrupted;
            let state = if is_in_vain { RecordingState::Interrupted } else { state };
            page.keep_recording_state(state);
            let of = Ownership::from(&page.record);
            books.plan_writing(&call, STATE_PAUSE, ctx);
            books.events.tell_call(&call, of, CallEvent::RecordingChanged(state));
        });
    }
}
