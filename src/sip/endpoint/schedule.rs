//! The one table of everything that has a timer.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use super::TransactionKey;
use crate::domain::{CallId, GatewayId};

/// The name of one thing in the endpoint's tables: what a timer rings for, and what is lost when it panics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Entry {
    Client(TransactionKey),
    Server(TransactionKey),
    Call(CallId),
    Registrar(GatewayId),
    Gates,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    times: HashMap<Entry, Instant>,
    order: BTreeSet<(Instant, Entry)>,
}

impl Schedule {
    /// Replaces the entry's time; `None` takes it out.
    pub(super) fn set(&mut self, entry: Entry, at: Option<Instant>) {
        if let Some(held) = self.times.remove(&entry) {
            self.order.remove(&(held, entry.clone()));
        }
        if let Some(at) = at {
            self.times.insert(entry.clone(), at);
            self.order.insert((at, entry));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Entry> {
        let (at, entry) = self.order.pop_first()?;
        if at > now {
            self.order.insert((at, entry));
            return None;
        }
        self.times.remove(&entry);
        Some(entry)
    }

    /// Timers that belong to no registration.
    pub(super) fn transient(&self) -> usize {
        self.times.keys().filter(|entry| !matches!(entry, Entry::Registrar(_))).count()
    }
}
