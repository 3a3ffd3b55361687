//! What the outbox holds of one event for one subscriber.

use serde::{Deserialize, Serialize};

use crate::domain::{
    CallId, EventKind, NodeId, NotificationId, NotificationState, StartId, SubscriberName, TenantId,
    Timestamp,
};

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    pub id: NotificationId,
    /// What the subscriber knows it by, at every attempt.
    pub event_id: String,
    pub event: EventKind,
    pub session_id: CallId,
    pub subscriber: SubscriberName,
    /// Who may look after it beside the superadmins: the subscriber's tenant, which need not be set.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The engine that delivers it, and the run of it that had the call.
    pub node: NodeId,
    pub start: StartId,
    /// When it happened.
    pub time: Timestamp,
    pub state: NotificationState,
    /// Why it is parked, or what the last attempt failed of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is posted, to the byte. Lists leave it out.
    #[serde(default)]
    pub payload: String,
}

/// The payload has phone numbers, and what people said of themselves.
impl std::fmt::Debug for Notification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Notification({}, {}, {:?})", self.id, self.state.as_str(), self.reason)
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    Delivered,
    Refused {
        why: String,
    },
    /// It is tried again.
    Trouble {
        why: String,
    },
}

impl Notification {
    /// An answer may come late, or twice: what was delivered stays delivered.
    pub fn settle(mut self, settlement: &Settlement) -> Self {
        match (settlement, self.state) {
            (Settlement::Delivered, _) => {
                (self.state, self.reason) = (NotificationState::Delivered, None);
            }
            (Settlement::Refused { why }, NotificationState::Due) => {
                (self.state, self.reason) = (NotificationState::Parked, Some(why.clone()));
            }
            (Settlement::Trouble { why }, NotificationState::Due) => self.reason = Some(why.clone()),
            (Settlement::Refused { .. } | Settlement::Trouble { .. }, _) => {}
        }
        self
    }

    /// A person wants what was parked to be tried again.
    pub fn retried(self) -> Self {
        Self { state: NotificationState::Due, reason: None, ..self }
    }

    /// Nobody has taken it for too long.
    pub fn given_up(self) -> Self {
        let last = self.reason.as_deref().unwrap_or("its subscriber is in no engine's settings");
        let why = format!("given up after notifications.give_up_after_h; the last time: {last}");
        self.settle(&Settlement::Refused { why })
    }
}

/// What the notifications of one call for one subscriber have in common. Their ids begin with it, and sort in the order
/// in which a call meets its events.
#[derive(Debug, Clone, Copy)]
pub struct NotificationKey<'a> {
    pub call: &'a CallId,
    pub subscriber: &'a SubscriberName,
}

impl NotificationKey<'_> {
    pub(super) fn of(self, kind: EventKind, of: &str) -> NotificationId {
        NotificationId::new(format!("{self}{}-{}-{of}", kind.rank(), kind.as_str()).trim_end_matches('-'))
    }

    /// The first id that could be one of these, and the first that no longer is.
    pub fn ids(self) -> (String, String) {
        (self.to_string(), format!("{self}~"))
    }
}

impl std::fmt::Display for NotificationKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:", self.call, self.subscriber)
    }
}
