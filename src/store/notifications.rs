//! Events of calls on their way to subscribers (SPEC I10): one document for each event and subscriber, whose id follows
//! from both, so that an event which is told of twice is there once.
//!
//! Of several engines one delivers a call's: it has claimed the call towards that subscriber among the steps of uploads,
//! where claims of runs that are over are taken away.

use super::change::{change, difference};
use super::crm_names::CrmNames;
use super::document::body_of;
use super::records::{self, Listed, Record, Stored};
use super::{Collection, Entry, Index, MAX_PAGE, Query, Store, StoreError};
use crate::access::Scope;
use crate::crm::notifications::{Notification, NotificationKey, Settlement};
use crate::domain::{
    CallId, CrmCallId, NodeId, NotificationId, NotificationState, SubscriberName, Timestamp, first_id_of,
};

pub static NOTIFICATIONS: Collection = Collection {
    name: "notifications",
    indexes: &[
        Index::plain("state"),
        Index::pair("subscriber", "state").with(&["node"]),
        Index::plain("tenant_id"),
        Index::pair("tenant_id", "state"),
    ],
    durable: true,
};

/// What lists and looks do without.
const LONG: &[&str] = &["payload"];

impl Record for Notification {
    fn collection() -> &'static Collection {
        &NOTIFICATIONS
    }

    fn id(&self) -> &str {
        self.id.as_str()
    }
}

#[derive(Clone)]
pub struct Notifications {
    store: Store,
}

impl Notifications {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// One that is there already stays as it is.
    pub async fn add(&self, notification: Notification) -> Result<(), StoreError> {
        match records::insert(&self.store, None, notification).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub async fn get(&self, id: &NotificationId) -> Result<Option<Stored<Notification>>, StoreError> {
        records::get(&self.store, id.as_str()).await
    }

    /// What somebody means who has no other word for it: our id, the `webhook-id` that subscribers were sent, or a call's
    /// id or name in the CRM, which means all of its.
    pub async fn named(&self, which: &str) -> Result<Vec<Stored<Notification>>, StoreError> {
        if let Some(found) = self.get(&NotificationId::new(which)).await? {
            return Ok(vec![found]);
        }
        let call = which.split_once('_').map_or(which, |(call, _)| call);
        let mut of_call = self.of_call(&CallId::new(call)).await?;
        if which != call {
            of_call.retain(|stored| stored.record.event_id == which);
        }
        if !of_call.is_empty() {
            return Ok(of_call);
        }
        match CrmNames::new(self.store.clone()).call_of(&CrmCallId::new(which)).await? {
            Some(call) => self.of_call(&call).await,
            None => Ok(Vec::new()),
        }
    }

    /// The id of a notification begins with its call's.
    async fn of_call(&self, call: &CallId) -> Result<Vec<Stored<Notification>>, StoreError> {
        let (from, until) = (format!("{call}:"), format!("{call};"));
        let mut query = Query::all(MAX_PAGE).of_ids(Some(from), Some(until)).leaving_out(LONG);
        let mut all = Vec::new();
        loop {
            let page = records::list(&self.store, query.clone()).await?;
            all.extend(page.items);
            if page.next.is_none() {
                return Ok(all);
            }
            query = query.after(page.next);
        }
    }

    /// What is due of a call, the earliest first; not more than two, because the second only says that there is one.
    pub async fn due_of(
        &self,
        call: &CallId,
        subscriber: &SubscriberName,
    ) -> Result<Vec<Notification>, StoreError> {
        let (from, until) = NotificationKey { call, subscriber }.ids();
        let due = due_to(subscriber, 2).of_ids(Some(from), Some(until));
        let found = records::list(&self.store, due).await?;
        Ok(found.items.into_iter().map(|stored| stored.record).collect())
    }

    /// What this engine is to deliver, oldest first.
    pub async fn due_of_node(
        &self,
        subscriber: &SubscriberName,
        node: &NodeId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Notification>, StoreError> {
        let query = due_to(subscriber, limit).and("node", node.as_str());
        records::list(&self.store, query.after(after).leaving_out(LONG)).await
    }

    /// All engines' together, oldest first.
    pub async fn due(
        &self,
        subscriber: &SubscriberName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Notification>, StoreError> {
        records::list(&self.store, due_to(subscriber, limit).after(after).leaving_out(LONG)).await
    }

    /// What of all engines waits for a person.
    pub async fn parked(
        &self,
        subscriber: &SubscriberName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Notification>, StoreError> {
        let query = Query::equals("subscriber", subscriber.as_str(), limit)
            .and("state", NotificationState::Parked.as_str())
            .after(after);
        records::list(&self.store, query.leaving_out(LONG)).await
    }

    /// `None`: it is not there any more.
    pub async fn settle(
        &self,
        id: &NotificationId,
        settlement: &Settlement,
    ) -> Result<Option<Notification>, StoreError> {
        self.change(id, |notification| notification.settle(settlement)).await
    }

    /// A person wants what is parked to be tried again. `None`: there is no such notification.
    pub async fn retry(
        &self,
        entry: &Entry,
        id: &NotificationId,
    ) -> Result<Option<Stored<Notification>>, StoreError> {
        let retried = |found: &Notification| {
            (found.state == NotificationState::Parked).then(|| found.clone().retried())
        };
        match records::change_record(&self.store, entry, id.as_str(), None, retried).await {
            Ok(stored) => Ok(Some(stored)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What somebody of this scope may see, newest first, without what is posted.
    pub async fn list(
        &self,
        scope: &Scope,
        state: Option<NotificationState>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Listed<Notification>, StoreError> {
        let query = Query::all(limit).newest_first().after(after).leaving_out(LONG).unhurried();
        let query = match scope {
            Scope::Everything => query,
            Scope::Tenant(tenant) => query.and("tenant_id", tenant.as_str()),
            Scope::Owner(_) | Scope::Nothing => return Ok(Listed { items: Vec::new(), next: None }),
        };
        let query = match state {
            Some(state) => query.and("state", state.as_str()),
            None => query,
        };
        records::list(&self.store, query).await
    }

    async fn change(
        &self,
        id: &NotificationId,
        decide: impl Fn(Notification) -> Notification,
    ) -> Result<Option<Notification>, StoreError> {
        let changed = change(&self.store, &NOTIFICATIONS, id.as_str(), |found| {
            let notification: Notification = found.parse(&NOTIFICATIONS)?;
            let (old, new) = (body_of(&notification)?, body_of(&decide(notification))?);
            Ok((old != new).then(|| difference(&old, &new)))
        });
        match changed.await {
            Ok(document) => document.parse(&NOTIFICATIONS).map(Some),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

// So that they do not grow without end.
impl Notifications {
    /// What happened before this moment and is due still is parked. Gives how many those were.
    pub async fn give_up(&self, before: Timestamp) -> Result<usize, StoreError> {
        let old = self.older_than(NotificationState::Due, before).await?;
        for stored in &old {
            self.change(&stored.record.id, Notification::given_up).await?;
        }
        Ok(old.len())
    }

    /// What is over since before this moment is deleted. Gives how many those were.
    pub async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for state in [NotificationState::Delivered, NotificationState::Parked] {
            let old = self.older_than(state, before).await?;
            for stored in old.iter().filter(|stored| stored.updated_at < before) {
                match self.store.delete(&NOTIFICATIONS, stored.record.id.as_str(), stored.version).await {
                    Ok(()) => forgotten += 1,
                    Err(StoreError::Lost { .. } | StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(forgotten)
    }

    /// Of calls that began before it: the id of a notification begins with its call's.
    async fn older_than(
        &self,
        state: NotificationState,
        before: Timestamp,
    ) -> Result<Vec<Stored<Notification>>, StoreError> {
        let mut old = Vec::new();
        let mut query = Query::equals("state", state.as_str(), MAX_PAGE)
            .of_ids(None, Some(first_id_of(before)))
            .leaving_out(LONG)
            .unhurried();
        loop {
            let page = records::list::<Notification>(&self.store, query.clone()).await?;
            old.extend(page.items.into_iter().filter(|stored| stored.record.time < before));
            if page.next.is_none() || old.len() >= MAX_PAGE {
                return Ok(old);
            }
            query = query.after(page.next);
        }
    }
}

fn due_to(subscriber: &SubscriberName, limit: usize) -> Query {
    Query::equals("subscriber", subscriber.as_str(), limit).and("state", NotificationState::Due.as_str())
}
