//! What must be true when all is over, whatever the engine died of.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clearline::sandbox::crm::Received;
use serde_json::Value;

use crate::phone::Phone;

/// A crash may cost so much of a recording: the block that was being filled, and the one that was being written.
const LOST_OF_A_RECORDING_MAX: Duration = Duration::from_secs(2);

pub(crate) fn judge(phones: &[Phone], received: &Received, recordings: &Path) {
    let mut told = 0;
    for phone in phones {
        let entries: Vec<&Value> = entries_of(phone, received);
        let most = if phone.was_accepted() { "exactly one entry" } else { "one entry at most" };
        let is_right = if phone.was_accepted() { entries.len() == 1 } else { entries.len() <= 1 };
        assert!(is_right, "{most} of {}: {entries:?}", phone.user);
        if let [entry] = entries[..] {
            judge_entry(phone, entry, received);
        }
        told += entries.len();
    }
    assert_eq!(received.calls.len(), told, "entries of calls that nobody made: {:?}", received.calls);
    judge_recordings(received, recordings);
}

fn entries_of<'a>(phone: &Phone, received: &'a Received) -> Vec<&'a Value> {
    let is_of = |call: &&Value| {
        call["caller"]["phoneNumber"].as_str().is_some_and(|number| number.ends_with(&phone.user))
    };
    received.calls.values().filter(is_of).collect()
}

fn judge_entry(phone: &Phone, entry: &Value, received: &Received) {
    let details = &entry["callDetails"];
    if phone.was_left_in_a_call() {
        assert_eq!(details["status"], "engine_lost", "{details}");
    }
    let wanted = phone.talked().saturating_sub(LOST_OF_A_RECORDING_MAX);
    let Some(url) = details["recordingUrl"].as_str() else {
        assert!(
            wanted.is_zero(),
            "{:?} were talked and nothing of it is recorded: {details}",
            phone.talked()
        );
        return;
    };
    let seconds = details["recordingDuration"].as_f64().unwrap_or_default();
    assert!(seconds >= wanted.as_secs_f64(), "{:?} were talked, recorded were {seconds} s", phone.talked());
    let number = url.rsplit('/').next().and_then(|number| number.parse().ok());
    let kept = received.recordings.iter().find(|kept| Some(kept.number) == number);
    assert!(kept.is_some(), "{url} leads nowhere");
}

/// Recordings that are still to be made.
pub(crate) fn spools_in(folder: &Path) -> Vec<PathBuf> {
    files_below(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "spool"))
        .collect()
}

/// What is on the disk is at the CRM, to the byte and once.
fn judge_recordings(received: &Received, folder: &Path) {
    let finished =
        files_below(folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "ogg"));
    let mut on_disk: Vec<_> = finished.map(|path| fs::read(path).expect("a readable file")).collect();
    let mut sent: Vec<_> = received.recordings.iter().map(|kept| kept.bytes.clone()).collect();
    on_disk.sort();
    sent.sort();
    assert!(on_disk == sent, "{} recordings are on the disk, {} at the CRM", on_disk.len(), sent.len());
}

/// What goes while we look is gone.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { vec![entry.path()] })
        .collect()
}
