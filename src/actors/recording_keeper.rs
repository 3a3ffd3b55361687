//! Looks after the folder of recordings: deletes what is old, makes room when the disk fills, says so before it is full.
//!
//! What waits for its upload, or is parked, is never deleted, however old it is; where no CRM is named nothing waits for its age, but a disk
//! that fills takes nothing that was never uploaded. One that is full all the same ends the recordings and no call. A recording's record says first that it is deleted, and then it is: a crash between the two is mended by the
//! next look.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::domain::CallId;
use crate::store::{Calls, DiskLimits, DiskState, LettingGo, Recordings, Shelved, StoreError};
use crate::telemetry::{self, Counter, Gauge, count};

use super::readiness::{Readiness, Warning};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What is old is looked for every so many looks.
const LOOKS_BETWEEN_CLEARINGS: u64 = 180;

pub struct RecordingKeeper {
    recordings: Recordings,
    calls: Calls,
    readiness: Readiness,
    rules: KeepingRules,
    state: DiskState,
}

#[derive(Debug, Clone, Copy)]
pub struct KeepingRules {
    pub disk: DiskLimits,
    /// `None`: they are kept until the disk is full.
    pub keep: Option<Duration>,
    /// Without a CRM an upload waits for one to be named.
    pub has_crm: bool,
}

/// Why a recording is to be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Age,
    Room,
}

impl RecordingKeeper {
    pub fn new(recordings: Recordings, calls: Calls, readiness: Readiness, rules: KeepingRules) -> Self {
        Self { recordings, calls, readiness, rules, state: DiskState::Roomy }
    }

    pub async fn keep_looking(mut self) {
        for look in 0_u64.. {
            if look.is_multiple_of(LOOKS_BETWEEN_CLEARINGS) {
                self.clear_old().await;
            }
            self.look_at_disk().await;
            sleep(clock::timer_for(LOOK_EVERY)).await;
        }
    }

    async fn clear_old(&self) {
        let Some(keep) = self.rules.keep else { return };
        for shelved in self.shelved().await.into_iter().filter(|shelved| shelved.age > keep) {
            self.delete(&shelved, Reason::Age).await;
        }
    }

    async fn look_at_disk(&mut self) {
        let Some(mut free) = self.free_bytes().await else { return };
        if self.rules.disk.judge(free) == DiskState::Full {
            self.make_room(self.rules.disk.min_free_bytes - free).await;
            free = self.free_bytes().await.unwrap_or(free);
        }
        telemetry::metrics().set(Gauge::RecordingsDiskFree, i64::try_from(free).unwrap_or(i64::MAX));
        self.note(self.rules.disk.judge(free), free);
    }

    /// The oldest go first.
    async fn make_room(&self, mut wanted: u64) {
        for shelved in self.shelved().await {
            if wanted == 0 {
                return;
            }
            if self.delete(&shelved, Reason::Room).await {
                wanted = wanted.saturating_sub(shelved.bytes);
            }
        }
    }

    fn note(&mut self, state: DiskState, free: u64) {
        let before = std::mem::replace(&mut self.state, state);
        self.recordings.set_full(state == DiskState::Full);
        self.readiness.set_warning(
            Warning::RecordingDisk,
            match state {
                DiskState::Roomy => None,
                DiskState::Low => {
                    Some("the disk of recording.dir fills; make room, or set recording.keep_days")
                }
                DiskState::Full => Some("the disk of recording.dir is full; calls are not recorded"),
            },
        );
        if state == before {
            return;
        }
        let free_mb = free / 1_000_000;
        match state {
            DiskState::Roomy => tracing::info!(free_mb, "the disk of recording.dir has room again"),
            DiskState::Low => tracing::warn!(
                free_mb,
                "the disk of recording.dir fills (recording.warn_free_mb); make room, or set recording.keep_days"
            ),
            DiskState::Full => tracing::error!(
                free_mb,
                "the disk of recording.dir is full (recording.min_free_mb), and nothing may be deleted: calls go on, \
                 and are not recorded until there is room"
            ),
        }
    }

    /// False: it waits for its upload, or the store cannot be asked.
    async fn delete(&self, shelved: &Shelved, reason: Reason) -> bool {
        match self.may_go(&shelved.call, reason).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                tracing::warn!(call = %shelved.call, %error, "whether a recording may be deleted cannot be asked");
                return false;
            }
        }
        let removed = self.recordings.remove(shelved.path.clone()).await;
        match removed {
            Ok(()) => {
                count(Counter::RecordingsDeleted);
                tracing::info!(call = %shelved.call, "an old recording was deleted");
                true
            }
            Err(error) => {
                tracing::warn!(call = %shelved.call, %error, "a recording cannot be deleted");
                false
            }
        }
    }

    async fn may_go(&self, call: &CallId, reason: Reason) -> Result<bool, StoreError> {
        let for_crm = self.rules.has_crm || reason == Reason::Room;
        Ok(match self.calls.let_recording_go(call, clock::unix_time(), for_crm).await? {
            LettingGo::Gone => true,
            LettingGo::Waits => false,
            // After so long a time nothing more is heard of it; on a full disk its call may have ended just now.
            LettingGo::Unknown => reason == Reason::Age,
        })
    }

    async fn shelved(&self) -> Vec<Shelved> {
        let found = self.recordings.shelved().await;
        found
            .inspect_err(|error| tracing::warn!(%error, "recording.dir cannot be listed"))
            .unwrap_or_default()
    }

    async fn free_bytes(&self) -> Option<u64> {
        let free = self.recordings.free_bytes().await;
        free.inspect_err(
            |error| tracing::warn!(%error, "how full the disk of recording.dir is cannot be told"),
        )
        .ok()
    }
}

#[cfg(test)]
#[path = "recording_keeper_tests.rs"]
mod tests;
