//! Whether a subscriber has heard of an event.

use serde::{Deserialize, Serialize};

/// What a notification waits for; notifications are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// Its subscriber.
    Due,
    Delivered,
    /// A person: it was refused, or tried for too long.
    Parked,
}

impl NotificationState {
    pub const ALL: [Self; 3] = [Self::Due, Self::Delivered, Self::Parked];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }
}
