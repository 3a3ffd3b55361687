//! Why documents could not be brought to this version, for whoever operates the engine.

use std::time::Duration;

use thiserror::Error;

use super::LATEST;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(
        "migration {number} ({name}) stopped at {at}: {why}. What it did until then stays, and the next run goes on \
         from there; the engine does not start before"
    )]
    Stopped { number: u32, name: &'static str, at: String, why: String },
    #[error(
        "migration {number} ({name}) cannot go on, because {cause}. What it did until then stays, and the next run \
         goes on from there"
    )]
    NoStore { number: u32, name: &'static str, cause: StoreError },
    #[error("what migrations were run cannot be read: {0}")]
    Ledger(StoreError),
    #[error(
        "there is no way back from migration {number} ({name}): {because}; restore a backup from before instead"
    )]
    NoWayBack { number: u32, name: &'static str, because: &'static str },
    #[error(
        "these engines are at work on this store: {names}. They need what going back would take away, so nothing was \
         changed: stop them (SIGTERM, or Ctrl-C), then go back. One that was killed is told from one that works within \
         {} s (node.dead_after_ms)", dead_after.as_secs_f32()
    )]
    EnginesAtWork { names: String, dead_after: Duration },
    #[error("which engines are at work on this store cannot be read ({0}); nothing was changed")]
    Engines(StoreError),
    #[error(
        "there is no migration {0}; this version knows 1 to {LATEST} (`clearline migrate --status` shows them)"
    )]
    Unknown(u32),
}

impl MigrateError {
    /// Whether the same attempt may succeed once the store is back.
    pub fn may_pass(&self) -> bool {
        let (Self::NoStore { cause, .. } | Self::Ledger(cause) | Self::Engines(cause)) = self else {
            return false;
        };
        matches!(cause, StoreError::Failed(_) | StoreError::Busy | StoreError::Closed)
    }
}
