//! Uploads do not gather without end: what is done is forgotten after a while.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::store::{Outbox, StoreError};

const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

pub struct UploadKeeper {
    pub outbox: Outbox,
    pub keep: Duration,
}

impl UploadKeeper {
    /// Looks at once, and then again and again.
    pub async fn keep_looking(self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "uploads that are done could not be put away; trying again");
            }
            sleep(clock::timer_for(LOOK_EVERY)).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let before = clock::unix_time().before(self.keep);
        while self.outbox.forget(before).await? > 0 {}
        Ok(())
    }
}
