//! The embedded store on a disk that is full: a small one in memory, mounted for the test, which only root may do.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clearline::store::{MAX_PAGE, Query, Store, StoreError, embedded};
use serde_json::json;
use tempfile::TempDir;

use crate::bench::{COLLECTIONS, THINGS, say_once, ticking};

const DISK: &str = "size=3m";
/// In the way, until somebody makes space.
const BALLAST_BYTES: usize = 1_500_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", DISK, "clearline-test"]).arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            say_once("the embedded store on a full disk (tests/store): only root may mount a small one");
        }
        mounted.then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    /// Lazily: the store's threads may hold the file a moment longer.
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}

#[test]
fn a_full_disk_refuses_writes_with_the_reason_loses_nothing_and_is_over_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![b'x'; BALLAST_BYTES]).expect("there is space for it");
    let file = disk.path().join("clearline.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = embedded::open(&file, COLLECTIONS, ticking).expect("a file of our own");
        let (written, refusal) = write_until_refused(&store).await;
        assert!(refusal.to_string().contains("disk is full"), "{refusal}");
        assert!(!store.answers(), "readiness says so");
        assert_eq!(count(&store).await, written, "reads go on, and all that was answered is there");
        std::fs::remove_file(&ballast).expect("it is ours");
        while !store.answers() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        store.insert(&THINGS, "afterwards", json!({})).await.expect("there is space");
        let reopened = embedded::open(&file, COLLECTIONS, ticking).expect("the file is whole");
        assert_eq!(count(&reopened).await, written + 1);
    });
}

async fn write_until_refused(store: &Store) -> (usize, StoreError) {
    for number in 0.. {
        let body = json!({ "text": "x".repeat(20_000) });
        if let Err(refusal) = store.insert(&THINGS, &format!("{number:04}"), body).await {
            return (number, refusal);
        }
    }
    unreachable!("the disk is small")
}

async fn count(store: &Store) -> usize {
    store.find(&THINGS, Query::all(MAX_PAGE)).await.expect("it can be read").documents.len()
}
