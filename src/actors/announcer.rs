//! Tells what happened in a call into the outbox, once for each subscriber who wants to hear of it.
//!
//! It is told of after the record says so and before the call's upload goes on, and the same twice is there once. So
//! whatever crashes in between, the upload that is still open brings somebody here again: no ended call is kept from
//! anybody.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock;
use crate::crm::notifications::Event;
use crate::domain::{
    CallRecord, CallUpload, EventKind, Lead, NodeId, ScheduledCallback, StartId, Subscriber,
};
use crate::store::{Notifications, StoreError};

/// Cheap to clone.
#[derive(Clone)]
pub struct Announcer {
    pub notifications: Notifications,
    pub subscribers: Arc<[Subscriber]>,
    /// This run of this engine, which is to deliver it.
    pub run: (NodeId, StartId),
    /// Rings when there is something to deliver.
    pub bell: Arc<Notify>,
}

/// What a call has brought, beside what its record says of itself.
#[derive(Clone, Copy)]
pub struct Brought<'a> {
    pub leads: &'a [Lead],
    pub callbacks: &'a [ScheduledCallback],
}

impl Announcer {
    /// All that a call's record says and what it has brought. `told` is the furthest event of the record that
    /// was told of before, and what comes back is the furthest now.
    pub async fn tell_of(
        &self,
        record: &CallRecord,
        Brought { leads, callbacks }: Brought<'_>,
        told: Option<EventKind>,
    ) -> Result<Option<EventKind>, StoreError> {
        if !self.is_heard_by_anybody() {
            return Ok(None);
        }
        let of_record = Event::of_record(record).filter(|event| Some(event.kind()) > told);
        let of_record: Vec<Event> = of_record.collect();
        let furthest = of_record.last().map(Event::kind).or(told);
        let of_leads = leads.iter().flat_map(|lead| Event::of_lead(record, lead, clock::unix_time()));
        let of_callbacks = callbacks.iter().flat_map(|callback| Event::of_callback(record, callback));
        let mut events: Vec<Event> = of_record.into_iter().chain(of_leads).chain(of_callbacks).collect();
        events.sort_by_key(|event| event.kind().rank());
        for event in &events {
            self.tell(event, record).await?;
        }
        Ok(furthest)
    }

    pub async fn tell_of_upload(&self, record: &CallRecord, upload: &CallUpload) -> Result<(), StoreError> {
        self.tell(&Event::uploaded(record, upload, clock::unix_time()), record).await
    }

    pub fn is_heard_by_anybody(&self) -> bool {
        !self.subscribers.is_empty()
    }

    /// Whether anybody does; else nothing need be read for it.
    pub fn is_wanted(&self, event: EventKind) -> bool {
        self.subscribers.iter().any(|subscriber| subscriber.events.contains(&event))
    }

    async fn tell(&self, event: &Event, record: &CallRecord) -> Result<(), StoreError> {
        for subscriber in self.subscribers.iter().filter(|subscriber| event.is_wanted_by(subscriber)) {
            let notification = event.for_subscriber(subscriber, record, self.run.clone());
            self.notifications.add(notification).await?;
            self.bell.notify_one();
        }
        Ok(())
    }
}
