//! Down, in order: nothing new comes in, running calls finish, what they left is written, then the lights go out.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::actors::QueueNow;
use crate::actors::books::{AskBooksSettled, SecureBooks, Secured};
use crate::actors::call_supervisor::{AskLiveCalls, DrainCalls, EndCall};
use crate::actors::key_pool::LeaveNode;
use crate::actors::notifier::{AskNotifications, NotificationIsDue, StopNotifications};
use crate::actors::sip_endpoint::{AskSipSizes, DrainSignalling};
use crate::actors::uploader::{AskUploads, StopUploads, UploadIsDue};
use crate::clock;
use crate::domain::CallId;

use super::Engine;

/// How often the way down looks whether a step is done.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A call that is hung up is over within this time, whatever its far end does.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);
/// Time for a lost BYE (or the word that we leave a gateway) to be repeated three times.
const SIGNALLING_LIMIT: Duration = Duration::from_secs(4);
const BOOKS_LIMIT: Duration = Duration::from_secs(10);
const LEAVE_LIMIT: Duration = Duration::from_secs(2);
/// For what is on its way to the CRM and to subscribers at the end.
const SENDING_END_LIMIT: Duration = Duration::from_secs(2);
const HTTP_LIMIT: Duration = Duration::from_secs(5);

impl Engine {
    /// `calls_limit`: how long running calls may go on. Gives of how many calls something is lost, because neither the store
    /// nor the journal could take it.
    pub async fn stop(self, calls_limit: Duration) -> usize {
        self.stop_or_hurry(calls_limit, pending()).await
    }

    /// As [`Engine::stop`]; once `hurry` comes, running calls are hung up at once and no more uploads begun. Nothing that was recorded
    /// is lost.
    pub async fn stop_or_hurry(self, calls_limit: Duration, hurry: impl Future<Output = ()>) -> usize {
        self.readiness.set_stopping();
        if let Some(supervisor) = self.directory.supervisor() {
            // An engine that is half gone already has nothing to drain.
            supervisor.send(DrainCalls).await.ok();
        }
        if let Some(sip) = self.directory.sip() {
            sip.send(DrainSignalling).await.ok();
        }
        tokio::pin!(hurry);
        let mut is_in_a_hurry = false;
        let all_ended = tokio::select! {
            all_ended = self.calls_end_before(clock::now() + calls_limit) => all_ended,
            () = &mut hurry => {
                is_in_a_hurry = true;
                self.live_calls().await.is_empty()
            }
        };
        if !all_ended {
            self.end_all_calls().await;
            self.calls_end_before(clock::now() + HANG_UP_LIMIT).await;
        }
        self.settle_signalling(clock::now() + SIGNALLING_LIMIT).await;
        let lost = self.settle_books(clock::now() + BOOKS_LIMIT).await;
        if !is_in_a_hurry {
            tokio::select! {
                () = self.flush_outbox(clock::now() + self.flush_limit) => {}
                () = &mut hurry => {}
            }
        }
        self.stop_sending(clock::now() + SENDING_END_LIMIT).await;
        self.leave_node().await;
        if timeout(HTTP_LIMIT, self.http.stop()).await.is_err() {
            tracing::warn!("HTTP connections were still open at the end");
        }
        self.tidying.iter().for_each(JoinHandle::abort);
        for arbiter in self.arbiters {
            arbiter.stop();
        }
        lost
    }

    async fn live_calls(&self) -> Vec<CallId> {
        match self.directory.supervisor() {
            Some(supervisor) => supervisor.send(AskLiveCalls).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    async fn calls_end_before(&self, deadline: Instant) -> bool {
        while !self.live_calls().await.is_empty() {
            if clock::now() >= deadline {
                return false;
            }
            sleep(LOOK_AGAIN).await;
        }
        true
    }

    async fn end_all_calls(&self) {
        let calls = self.live_calls().await;
        tracing::warn!(
            calls = calls.len(),
            "running calls are hung up: the stop limit is over, or a second signal came"
        );
        let Some(supervisor) = self.directory.supervisor() else { return };
        for call in calls {
            supervisor.do_send(EndCall { call, reason: "the engine is stopping".into() });
        }
    }

    /// Far ends must hear that their calls are over, also when the first BYE was lost.
    async fn settle_signalling(&self, deadline: Instant) {
        let Some(sip) = self.directory.sip() else { return };
        while sip.send(AskSipSizes).await.unwrap_or_default().unanswered > 0 {
            if clock::now() >= deadline {
                tracing::warn!("not every far end has confirmed that its call is over");
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Other engines need not wait until they take this one for dead.
    async fn leave_node(&self) {
        let Some(keys) = self.directory.keys() else { return };
        if timeout(LEAVE_LIMIT, keys.send(LeaveNode)).await.is_err() {
            tracing::warn!("the store was too slow to hear that this engine ends");
        }
    }

    /// What is due is told to the CRM as long as it takes it, and then to the subscribers. The rest is in the outbox, for
    /// the next start.
    async fn flush_outbox(&self, deadline: Instant) {
        if let Some(uploader) = self.directory.uploader() {
            let ask = async || uploader.send(AskUploads).await.ok().flatten();
            flush(ask, || uploader.do_send(UploadIsDue), deadline, "the CRM").await;
        }
        if let Some(notifier) = self.directory.notifier() {
            let ask = async || notifier.send(AskNotifications).await.ok().flatten();
            flush(ask, || notifier.do_send(NotificationIsDue), deadline, "subscribers").await;
        }
    }

    /// Nothing new is sent. What is under way may end; if it does not, it is sent again after the next start.
    async fn stop_sending(&self, deadline: Instant) {
        let (uploader, notifier) = (self.directory.uploader(), self.directory.notifier());
        loop {
            let mut under_way = 0;
            if let Some(uploader) = &uploader {
                under_way += uploader.send(StopUploads).await.unwrap_or_default();
            }
            if let Some(notifier) = &notifier {
                under_way += notifier.send(StopNotifications).await.unwrap_or_default();
            }
            if under_way == 0 || clock::now() >= deadline {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Gives of how many calls the records are lost.
    async fn settle_books(&self, deadline: Instant) -> usize {
        let Some(books) = self.directory.books() else { return 0 };
        while !books.send(AskBooksSettled).await.unwrap_or(true) {
            if clock::now() >= deadline {
                let Secured { in_journal, lost } = books.send(SecureBooks).await.unwrap_or_default();
                if in_journal > 0 {
                    tracing::error!(
                        calls = in_journal,
                        "records of calls could not be written into the store before the end; they wait in the journal \
                         of node.dir for the next start"
                    );
                }
                return lost;
            }
            sleep(LOOK_AGAIN).await;
        }
        0
    }
}

/// Until what is due is told, nobody takes it, or there is no time left.
async fn flush(
    mut ask: impl AsyncFnMut() -> Option<QueueNow>,
    ring: impl Fn(),
    deadline: Instant,
    whom: &'static str,
) {
    ring();
    let mut first_look = None;
    while let Some(now) = ask().await {
        // A look that began before this was asked may have missed the last call.
        let has_looked = now.looks >= *first_look.get_or_insert(now.looks) + 2;
        if (has_looked && now.held == 0) || now.is_down || clock::now() >= deadline {
            if now.held > 0 {
                let calls = now.held;
                tracing::warn!(calls, "calls have not been told to {whom} yet; they wait for the next start");
            }
            return;
        }
        ring();
        sleep(LOOK_AGAIN).await;
    }
}
