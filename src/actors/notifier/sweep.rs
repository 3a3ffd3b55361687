//! Looks for what one subscriber is to be told: by this engine, and by engines that are away.

use std::sync::{Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;

use crate::domain::CallId;
use crate::keys::NodeWatch;
use crate::store::{MAX_PAGE, Nodes, Notification, StoreError};
use crate::telemetry::{Counter, count};

use super::super::backlog::{Backlog, BacklogFigures};
use super::super::other_engines::OtherEngines;
use super::Desk;

/// Of others' notifications so many are looked at each time, one page after the other.
const PAGE_OF_OTHERS: usize = 100;

pub(super) struct Sweep {
    desk: Desk,
    held_max: usize,
    memory: Mutex<Memory>,
    complained: StdMutex<bool>,
}

/// From look to look.
struct Memory {
    engines: OtherEngines,
    /// Where the next page of others' begins.
    after: Option<String>,
    backlog: Backlog,
}

/// What a look came to.
pub(super) struct Looked {
    pub(super) found: Vec<CallId>,
    /// There are more than the queue takes.
    pub(super) more: bool,
    /// `None`: it failed.
    pub(super) figures: Option<BacklogFigures>,
}

impl Sweep {
    pub(super) fn new(nodes: Nodes, watch: NodeWatch, desk: Desk, held_max: usize) -> Self {
        let memory =
            Memory { engines: OtherEngines::new(nodes, watch), after: None, backlog: Backlog::default() };
        Self { desk, held_max, memory: Mutex::new(memory), complained: StdMutex::new(false) }
    }

    pub(super) async fn look(&self) -> Looked {
        let mut found = Vec::new();
        let looked = self.look_at_all(&mut found).await;
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        match looked {
            Ok((more, figures)) => {
                *complained = false;
                Looked { found, more, figures: Some(figures) }
            }
            Err(error) => {
                count(Counter::StoreFailures);
                if !std::mem::replace(&mut *complained, true) {
                    tracing::warn!(%error, "the outbox cannot be looked at for notifications; trying again");
                }
                Looked { found, more: false, figures: None }
            }
        }
    }

    async fn look_at_all(&self, found: &mut Vec<CallId>) -> Result<(bool, BacklogFigures), StoreError> {
        let more = self.own(found).await?;
        let mut memory = self.memory.lock().await;
        let others = self.others(&mut memory).await?;
        let named = others.iter().map(|it| (it.node.clone(), it.start.clone()));
        let seen = memory.engines.look(named, std::iter::empty()).await?;
        let left = others.iter().filter(|it| seen.is_away(&it.node));
        found.extend(left.map(|it| it.session_id.clone()));
        self.count_parked(&mut memory.backlog).await?;
        Ok((more, memory.backlog.figures()))
    }

    /// Oldest first, as many as the queue takes. The notifications of a call lie beside each other.
    async fn own(&self, found: &mut Vec<CallId>) -> Result<bool, StoreError> {
        let Desk { office, subscriber, .. } = &self.desk;
        let mut after = None;
        loop {
            let page = office.notifications.due_of_node(subscriber, &office.run.0, after, MAX_PAGE).await?;
            found.extend(page.items.into_iter().map(|stored| stored.record.session_id));
            found.dedup();
            after = page.next;
            if after.is_none() || found.len() >= self.held_max {
                return Ok(after.is_some());
            }
        }
    }

    async fn others(&self, memory: &mut Memory) -> Result<Vec<Notification>, StoreError> {
        let Desk { office, subscriber, .. } = &self.desk;
        let is_first = memory.after.is_none();
        let page = office.notifications.due(subscriber, memory.after.take(), PAGE_OF_OTHERS).await?;
        memory.after = page.next;
        if is_first {
            // The oldest lie on it.
            memory.backlog.note_due(page.items.iter().map(|stored| stored.record.time));
        }
        let others = page.items.into_iter().map(|stored| stored.record);
        Ok(others.filter(|it| it.node != office.run.0).collect())
    }

    async fn count_parked(&self, backlog: &mut Backlog) -> Result<(), StoreError> {
        let Desk { office, subscriber, .. } = &self.desk;
        let after = backlog.parked_after.take();
        let page = office.notifications.parked(subscriber, after, PAGE_OF_OTHERS).await?;
        backlog.note_parked(page.items.len(), page.next);
        Ok(())
    }
}
