//! What is told once a call's record is safe, which is when the store has it or, while the store is away, the journal.

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::domain::CallId;
use crate::store::Journal;

use super::Books;
use super::page::Page;

pub(super) struct Promise {
    /// Of the record that is to be safe.
    revision: u64,
    keep: Box<dyn FnOnce()>,
}

/// Answered as soon as what is known of the call by now is safe; false: neither the store nor the journal takes it.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct AwaitSafe {
    pub call: CallId,
}

impl Handler<AwaitSafe> for Books {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, AwaitSafe { call }: AwaitSafe, ctx: &mut Context<Self>) -> Self::Result {
        Box::pin(self.safe(&call, ctx))
    }
}

impl Books {
    pub(super) fn safe(
        &mut self,
        call: &CallId,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = bool> + use<> {
        let (told, safe) = oneshot::channel();
        if let Some(page) = self.pages.get_mut(call) {
            // Who waited may have gone.
            page.promise(move || told.send(()).unwrap_or_default());
            self.guarded(call, |books| books.make_safe(call, ctx));
        }
        // Whose promise is not kept hears that by the sender's being dropped.
        async move { safe.await.is_ok() }
    }

    /// At once; it waits for no company.
    pub(super) fn make_safe(&mut self, call: &CallId, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(call) else { return };
        if page.is_settled() {
            page.keep_promises_up_to(u64::MAX);
        } else if page.writing.is_none() {
            self.write(call.clone(), ctx);
        }
        if self.store_is_away {
            self.keep_in_journal(call);
        }
    }
}

impl Page {
    pub(super) fn promise(&mut self, keep: impl FnOnce() + 'static) {
        self.promises.push(Promise { revision: self.record.revision, keep: Box::new(keep) });
    }

    /// The store has taken what it was last offered.
    pub(super) fn arrived_in_store(&mut self) {
        let offered = self.offered;
        self.taken = offered;
        self.record.pending_leads.retain(|lead| lead.revision > offered);
        self.keep_promises_up_to(offered);
    }

    fn keep_promises_up_to(&mut self, revision: u64) {
        self.promises
            .extract_if(.., |promise| promise.revision <= revision)
            .for_each(|promise| (promise.keep)());
    }

    /// Everything so far is in the journal's hands: safe when it is on the disk. What the disk does not take is not
    /// promised, although it may get there later.
    pub(super) fn keep_promises_by(&mut self, journal: Journal) {
        let promises = std::mem::take(&mut self.promises);
        if promises.is_empty() {
            return;
        }
        let call = self.record.session_id.to_string();
        actix::spawn(async move {
            if journal.flush().await.is_ok_and(|missing| !missing.contains(&call)) {
                promises.into_iter().for_each(|promise| (promise.keep)());
            }
        });
    }
}
