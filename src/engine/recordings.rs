//! The recordings' threads.

use crate::actors::{KeepingRules, Readiness, RecordingKeeper};
use crate::config::Settings;
use crate::domain::NodeId;
use crate::store::{Calls, DiskLimits, LeftBehind, RecordingSettings, Recordings};

use super::StartError;

/// Where nothing is recorded, what was recorded before is still finished.
pub(super) fn open(
    settings: &Settings,
    node: &NodeId,
) -> Result<(Option<Recordings>, Vec<LeftBehind>), StartError> {
    let folder = settings.recording.dir.clone();
    if !settings.recording.enabled && !folder.is_dir() {
        return Ok((None, Vec::new()));
    }
    let started = Recordings::start(&RecordingSettings {
        folder: folder.clone(),
        node: node.clone(),
        encoder_core_percent: settings.recording.encoder_core_percent,
    });
    let (recordings, left) = started.map_err(|error| StartError::Recordings { path: folder, error })?;
    Ok((Some(recordings), left))
}

pub(super) fn keeper(
    settings: &Settings,
    recordings: Option<Recordings>,
    calls: &Calls,
    readiness: &Readiness,
) -> Option<RecordingKeeper> {
    let megabytes = |number: u64| number.saturating_mul(1_000_000);
    let rules = KeepingRules {
        disk: DiskLimits {
            warn_free_bytes: megabytes(settings.recording.warn_free_mb),
            min_free_bytes: megabytes(settings.recording.min_free_mb),
        },
        keep: settings.recording.keep(),
        has_crm: settings.crm.base_url.is_some(),
    };
    recordings.map(|recordings| RecordingKeeper::new(recordings, calls.clone(), readiness.clone(), rules))
}
