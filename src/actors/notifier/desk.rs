//! One notification: its call claimed, posted, noted.

use tokio::runtime::Handle;

use crate::clock;
use crate::crm::Answer;
use crate::crm::notifications::{DeliveryInput, Notification, Sent, Settlement};
use crate::domain::{CallId, NodeId, NotificationId, StartId, SubscriberName};
use crate::net::subscriber_http::{Recipient, SubscriberClient};
use crate::store::{Notifications, Outbox, StepClaim, StoreError};
use crate::telemetry::{Counter, count};

/// What all subscribers' desks share; cheap to clone.
#[derive(Clone)]
pub struct PostOffice {
    pub notifications: Notifications,
    /// For its claims.
    pub outbox: Outbox,
    pub client: SubscriberClient,
    /// The runtime it sends on.
    pub io: Handle,
    pub run: (NodeId, StartId),
}

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) office: PostOffice,
    pub(super) subscriber: SubscriberName,
    pub(super) recipient: Recipient,
}

impl Desk {
    pub(super) async fn post(&self, call: CallId) -> DeliveryInput {
        match self.office.outbox.claim(&self.claim(&call)).await {
            Ok(true) => {}
            Ok(false) => return DeliveryInput::NotOurs { call },
            Err(error) => return self.not_begun(call, &error),
        }
        let due = match self.office.notifications.due_of(&call, &self.subscriber).await {
            Ok(due) => due,
            Err(error) => {
                self.release(&call).await;
                return self.not_begun(call, &error);
            }
        };
        let is_last = due.len() < 2;
        let Some(notification) = due.into_iter().next() else {
            self.release(&call).await;
            return DeliveryInput::NotOurs { call };
        };
        let sent = Sent { id: notification.id.clone(), trouble: notification.reason.clone(), is_last };
        let answer = self.send(notification).await;
        DeliveryInput::Answered { call, sent, answer }
    }

    fn not_begun(&self, call: CallId, error: &StoreError) -> DeliveryInput {
        count(Counter::StoreFailures);
        let subscriber = &self.subscriber;
        tracing::warn!(%call, %subscriber, %error, "the store does not let a notification go; trying again");
        DeliveryInput::NotBegun { call }
    }

    async fn send(&self, notification: Notification) -> Answer {
        count(Counter::Notifications);
        let (client, recipient) = (self.office.client.clone(), self.recipient.clone());
        let now = clock::unix_time();
        let sending = self.office.io.spawn(async move {
            let Notification { event_id, payload, .. } = notification;
            client.send(&recipient, &event_id, payload, now).await
        });
        sending.await.unwrap_or_else(|_| Answer::Broken("it was broken off on our side".into()))
    }

    pub(super) async fn settle(
        &self,
        call: CallId,
        id: NotificationId,
        settlement: Settlement,
    ) -> DeliveryInput {
        match self.office.notifications.settle(&id, &settlement).await {
            // One that is not there any more is nobody's concern.
            Ok(_) => {
                self.tell(&id, &settlement);
                self.release(&call).await;
                DeliveryInput::Noted { call }
            }
            Err(error) => {
                count(Counter::StoreFailures);
                let subscriber = &self.subscriber;
                tracing::warn!(%call, %subscriber, %error, "what a subscriber said cannot be noted; trying again");
                DeliveryInput::NotNoted { call }
            }
        }
    }

    /// One that cannot be given up is this run's own at the next attempt, and nobody's once the run is over.
    pub(super) async fn release(&self, call: &CallId) {
        if let Err(error) = self.office.outbox.release(&self.claim(call)).await {
            tracing::debug!(%call, %error, "a claim of the outbox stays for now");
        }
    }

    fn claim(&self, call: &CallId) -> StepClaim {
        let step = format_args!("notifications/{}", self.subscriber).to_string();
        StepClaim::new(call.clone(), step, self.office.run.clone())
    }

    fn tell(&self, id: &NotificationId, settlement: &Settlement) {
        let subscriber = &self.subscriber;
        match settlement {
            Settlement::Delivered => tracing::debug!(%id, "a notification is delivered"),
            Settlement::Refused { why } => {
                count(Counter::NotificationsParked);
                tracing::error!(
                    %subscriber, %id, reason = %why,
                    "a subscriber refuses a notification, or it cannot be sent; it is parked: see \
                     `clearline notifications list --state parked`"
                );
            }
            Settlement::Trouble { .. } => count(Counter::NotificationFailures),
        }
    }
}
