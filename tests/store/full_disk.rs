//! The embedded store on a disk that is full: a small one in memory, mounted for the test, which only root may do.

use std::time::Duration;

use clearline::store::{MAX_PAGE, Query, Store, StoreError, embedded};
use serde_json::json;

use crate::bench::{COLLECTIONS, THINGS, say_once, ticking};
use crate::small_disk::SmallDisk;

const DISK_MB: u32 = 3;
/// In the way, until somebody makes space.
const BALLAST_BYTES: usize = 1_500_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[test]
fn a_full_disk_refuses_writes_with_the_reason_loses_nothing_and_is_over_when_there_is_space() {
    let Some(disk) = SmallDisk::mount(DISK_MB) else {
        return say_once("the embedded store on a full disk (tests/store): only root may mount a small one");
    };
    disk.take_space(BALLAST_BYTES);
    let file = disk.path().join("clearline.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = embedded::open(&file, COLLECTIONS, ticking).expect("a file of our own");
        let (written, refusal) = write_until_refused(&store).await;
        assert!(refusal.to_string().contains("disk is full"), "{refusal}");
        assert!(store.trouble().is_some(), "readiness says so");
        assert!(store.can_be_read());
        assert_eq!(count(&store).await, written, "reads go on, and all that was answered is there");
        disk.make_space();
        while store.trouble().is_some() {
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
