//! Notifications do not gather without end: what nobody takes is parked, what is over is forgotten.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::store::{Notifications, StoreError};
use crate::telemetry::{Counter, count};

const LOOK_EVERY: Duration = Duration::from_secs(60);

pub struct NotificationKeeper {
    pub notifications: Notifications,
    pub give_up_after: Duration,
    pub keep: Duration,
}

impl NotificationKeeper {
    /// Looks at once, and then again and again.
    pub async fn keep_looking(self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "old notifications could not be put away; trying again");
            }
            sleep(clock::timer_for(LOOK_EVERY)).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let now = clock::unix_time();
        loop {
            let given_up = self.notifications.give_up(now.before(self.give_up_after)).await?;
            if given_up == 0 {
                break;
            }
            (0..given_up).for_each(|_| count(Counter::NotificationsParked));
            tracing::error!(
                given_up,
                "notifications that nobody has taken for too long are parked: see `clearline notifications list`"
            );
        }
        while self.notifications.forget(now.before(self.keep)).await? > 0 {}
        Ok(())
    }
}
