//! Recordings that an engine has left which ran on this machine and is gone, as `clearline call` when it is killed: they need
//! not wait until one starts again.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::store::Recordings;

use super::Directory;
use super::books::AwaitRecordings;

/// Sooner than the calls of such an engine are ended, so that the CRM is told of them with their recordings.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub struct LeftRecordings {
    pub recordings: Recordings,
    /// Where engines of this machine have their folders.
    pub nodes: PathBuf,
    pub directory: Directory,
}

impl LeftRecordings {
    /// Looks at once, and then again and again.
    pub async fn keep_looking(self) {
        loop {
            self.look().await;
            sleep(clock::timer_for(LOOK_EVERY)).await;
        }
    }

    async fn look(&self) {
        match self.recordings.take_over_left(self.nodes.clone()).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                if let Some(books) = self.directory.books() {
                    books.do_send(AwaitRecordings(left));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "recordings of engines that are gone cannot be looked for; trying again");
            }
        }
    }
}
