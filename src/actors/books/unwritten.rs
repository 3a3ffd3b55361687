//! What neither the store nor the journal takes, because the disks are full: a call that has only begun is not taken, and an
//! engine that ends says which records end with it.

use actix::prelude::*;

use crate::call::Finish;
use crate::domain::CallId;

use super::page::Page;
use super::{Books, STATE_PAUSE};

/// The call was refused, because nobody could keep its record.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WithdrawBook {
    pub call: CallId,
    pub finish: Finish,
}

impl Handler<WithdrawBook> for Books {
    type Result = ();

    /// A store that is only late may have the record all the same: there it must not go on for ever.
    fn handle(&mut self, WithdrawBook { call, finish }: WithdrawBook, ctx: &mut Context<Self>) {
        let Some(page) = self.pages.get_mut(&call) else { return };
        if page.is_nowhere() {
            self.pages.remove(&call);
            return;
        }
        page.close(finish, None, None);
        // Whoever refused it tells of its end.
        page.last_word = None;
        self.plan_writing(&call, STATE_PAUSE, ctx);
    }
}

/// The engine ends: what the store does not have is on this machine's disk once this is answered, if that takes it.
#[derive(Message)]
#[rtype(result = "Secured")]
pub struct SecureBooks;

/// Of how many calls the records wait in the journal, and of how many they are nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, MessageResponse)]
pub struct Secured {
    pub in_journal: usize,
    pub lost: usize,
}

impl Handler<SecureBooks> for Books {
    type Result = ResponseFuture<Secured>;

    fn handle(&mut self, _: SecureBooks, _: &mut Context<Self>) -> Self::Result {
        let unsettled = self.pages.iter_mut().filter(|(_, page)| !page.is_settled());
        let calls: Vec<CallId> = unsettled
            .map(|(call, page)| {
                // What the disk did not take when it was full is offered once more.
                page.journaled = 0;
                call.clone()
            })
            .collect();
        self.keep_all_in_journal();
        let was_offered = |call: &&CallId| self.pages.get(*call).is_some_and(|page| page.journaled > 0);
        let offered: Vec<String> = calls.iter().filter(was_offered).map(ToString::to_string).collect();
        let journal = self.journal.clone();
        Box::pin(async move {
            let in_journal = match journal.flush().await {
                Ok(missing) => offered.iter().filter(|call| !missing.contains(*call)).count(),
                Err(_) => 0,
            };
            Secured { in_journal, lost: calls.len() - in_journal }
        })
    }
}

impl Page {
    /// The store has never had it and is not about to take it.
    fn is_nowhere(&self) -> bool {
        self.taken == 0 && (self.writing.is_none() || self.is_refused)
    }
}
