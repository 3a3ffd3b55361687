use std::fs;
use std::time::SystemTime;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::domain::{CallRecord, Direction, NodeId, PhoneNumber, RecordingMade, Timestamp};
use crate::store::{COLLECTIONS, RecordingSettings, Store, embedded};

const DAY: Duration = Duration::from_secs(86_400);
const EVERYTHING: u64 = u64::MAX / 4;

struct Bench {
    folder: TempDir,
    calls: Calls,
    recordings: Recordings,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            embedded::open(&folder.path().join("clearline.db"), COLLECTIONS, clock::unix_time).unwrap();
        let (recordings, _) = Recordings::start(&RecordingSettings {
            folder: folder.path().join("recordings"),
            node: NodeId::new("node"),
            encoder_core_percent: 100,
        })
        .unwrap();
        Self { calls: Calls::new(store.clone()), folder, recordings, store }
    }

    /// A recording of so many days ago, of a call whose upload is in this state.
    async fn shelve(&self, call: &str, days: u32, upload: Option<&str>) {
        let path = self.folder.path().join("recordings").join(format!("{call}.ogg"));
        fs::write(&path, [0; 1_000]).unwrap();
        let modified =
            SystemTime::UNIX_EPOCH + Duration::from_millis(clock::unix_time().as_millis()) - days * DAY;
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        let number = || PhoneNumber::new("+4930123");
        let mut record = CallRecord::started(
            CallId::new(call),
            Direction::Inbound,
            number(),
            number(),
            clock::unix_time(),
        );
        record.add_recording(&RecordingMade {
            filename: path.display().to_string(),
            start_time: Timestamp::from_millis(0),
            duration_seconds: 1.0,
            bytes: 1_000,
        });
        self.calls.insert(&record).await.unwrap();
        if let Some(state) = upload {
            self.calls.merge(&CallId::new(call), &json!({ "upload": { "state": state } })).await.unwrap();
        }
    }

    fn keeper(&self, disk: DiskLimits, keep: Option<Duration>) -> RecordingKeeper {
        self.keeper_by(KeepingRules { disk, keep, has_crm: true })
    }

    fn keeper_by(&self, rules: KeepingRules) -> RecordingKeeper {
        let readiness = Readiness::starting(self.store.clone());
        readiness.set_ready();
        RecordingKeeper::new(self.recordings.clone(), self.calls.clone(), readiness, rules)
    }

    async fn left(&self) -> Vec<String> {
        self.recordings.shelved().await.unwrap().iter().map(|one| one.call.to_string()).collect()
    }

    async fn record(&self, call: &str) -> CallRecord {
        self.calls.get(&CallId::new(call)).await.unwrap().unwrap()
    }
}

const ROOMY: DiskLimits = DiskLimits { warn_free_bytes: 0, min_free_bytes: 0 };

#[actix::test]
async fn what_is_old_is_deleted_and_its_record_says_so_but_never_what_waits_for_its_upload() {
    let bench = Bench::new();
    bench.shelve("fresh", 1, Some("done")).await;
    bench.shelve("old", 40, Some("done")).await;
    bench.shelve("never-uploaded", 42, None).await;
    for state in ["open", "due", "amendable", "parked", "of a later version"] {
        bench.shelve(state, 50, Some(state)).await;
    }
    bench.shelve("not yet told", 50, None).await;
    let name = json!({ "crm_call_id": "CALL-20261129-00000001" });
    bench.calls.merge(&CallId::new("not yet told"), &name).await.unwrap();
    bench.keeper(ROOMY, Some(30 * DAY)).clear_old().await;
    let mut left = bench.left().await;
    left.sort();
    assert_eq!(left, ["amendable", "due", "fresh", "not yet told", "of a later version", "open", "parked"]);
    let deleted = bench.record("old").await;
    assert!(deleted.recording_deleted_time.is_some() && deleted.recording_filename.is_none());
    assert_eq!(deleted.recording_duration_seconds, Some(1.0), "what it was is still known");
    assert!(bench.record("due").await.recording_filename.is_some());
    bench.keeper(ROOMY, None).clear_old().await;
    assert_eq!(bench.left().await.len(), 7, "without keep_days nothing is too old");
}

#[actix::test]
async fn where_no_crm_is_named_age_is_enough_but_a_full_disk_takes_nothing_that_was_never_uploaded() {
    let bench = Bench::new();
    bench.shelve("old", 40, Some("due")).await;
    bench.shelve("fresh", 1, Some("due")).await;
    let keeper = bench.keeper_by(KeepingRules { disk: ROOMY, keep: Some(30 * DAY), has_crm: false });
    keeper.make_room(u64::MAX).await;
    assert_eq!(bench.left().await, ["old", "fresh"]);
    keeper.clear_old().await;
    assert_eq!(bench.left().await, ["fresh"]);
    assert!(bench.record("old").await.recording_deleted_time.is_some());
}

/// While the store is away records wait in a journal.
#[actix::test]
async fn a_full_disk_takes_no_recording_that_no_record_tells_of_yet() {
    let bench = Bench::new();
    let path = bench.folder.path().join("recordings/of-a-moment-ago.ogg");
    fs::write(&path, [0; 1_000]).unwrap();
    let keeper = bench.keeper(ROOMY, Some(Duration::ZERO));
    keeper.make_room(u64::MAX).await;
    assert!(path.exists());
    keeper.clear_old().await;
    assert!(!path.exists(), "what is older than keep_days goes all the same");
}

#[actix::test]
async fn a_full_disk_loses_its_oldest_recordings_then_recordings_stop_and_people_are_told() {
    let bench = Bench::new();
    for (call, days, state) in [("p", 4, "parked"), ("a", 3, "done"), ("b", 2, "due"), ("c", 1, "done")] {
        bench.shelve(call, days, Some(state)).await;
    }
    let free = bench.recordings.free_bytes().await.unwrap();
    let mut keeper = bench.keeper(DiskLimits { warn_free_bytes: EVERYTHING, min_free_bytes: 0 }, None);
    keeper.look_at_disk().await;
    assert_eq!((keeper.state, bench.left().await.len()), (DiskState::Low, 4));
    assert!(keeper.readiness.warnings()[0].contains("fills"));

    keeper.make_room(1_000).await;
    assert_eq!(bench.left().await, ["p", "b", "c"], "no more than is needed");
    keeper.rules.disk.min_free_bytes = EVERYTHING;
    keeper.look_at_disk().await;
    assert_eq!((keeper.state, bench.left().await), (DiskState::Full, vec!["p".to_owned(), "b".to_owned()]));
    assert!(bench.recordings.is_full());
    assert!(keeper.readiness.warnings()[0].contains("not recorded"));
    assert_eq!(keeper.readiness.reason_against(), None, "calls are taken all the same");

    keeper.rules.disk = DiskLimits { warn_free_bytes: free / 2, min_free_bytes: free / 4 };
    keeper.look_at_disk().await;
    assert_eq!((keeper.state, bench.recordings.is_full()), (DiskState::Roomy, false));
    assert!(keeper.readiness.warnings().is_empty());
}
