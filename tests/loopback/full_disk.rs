//! A disk that fills up while people talk (issue "users, keys, storage"): no call is harmed, the engine says what is wrong,
//! and what could not be written is written once there is space.

use std::fs;
use std::io::Write;
use std::path::Path;

use clearline::domain::{CallId, Outcome};
use clearline::store::Journal;

use crate::far_end::FarEnd;
use crate::numbers::{BERLIN, berlin};
use crate::small_disk::SmallDisk;
use crate::watched::within;
use crate::world::{ADAS_NUMBER, BENS_KEY, World, play};

const DISK_MB: u32 = 12;

/// Past the test harness, which hides what a passing test prints.
fn say_skipped() {
    let line = b"\nskipped: an engine on a full disk (tests/loopback): only root may mount a small one\n";
    std::io::stderr().write_all(line).expect("stderr is open");
}

impl World {
    async fn readiness_when(&self, wanted: &str) {
        within(&format!("/ready says {wanted}"), async {
            while !self.page("/ready").await.contains(wanted) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Whose records a kill would leave in the journal, read from a copy on another disk.
fn in_journal(disk: &Path) -> Vec<CallId> {
    let copy = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::copy(disk.join("nodes/1/books.journal"), copy.path()).expect("there is a journal");
    let left = Journal::read(copy.path()).expect("it can be read");
    left.iter().map(|record| CallId::new(&record.id)).collect()
}

#[test]
fn a_disk_that_fills_up_harms_no_call_and_what_it_could_not_take_is_there_when_it_has_space() {
    let Some(disk) = SmallDisk::mount(DISK_MB) else { return say_skipped() };
    play(async {
        let world = World::planned(|plan| {
            plan.settings.store.path = disk.path().join("clearline.db");
            plan.settings.node.dir = Some(disk.path().join("nodes"));
            plan.settings.recording.dir = disk.path().join("recordings");
        })
        .await;
        let world = world.with_number(berlin("id-of-ben", "id-of-ben", None)).await;
        let early = FarEnd::usual().await;
        early.dial(world.sip(), ADAS_NUMBER).await;
        early.connected().await;
        world.readiness_when("HTTP/1.1 200").await;
        disk.take_space(usize::MAX);
        let late = FarEnd::usual().await;
        late.dial(world.sip(), BERLIN).await;
        late.connected().await;
        let marker = world.marker(BENS_KEY).await;
        late.hears(marker, 0).await;
        let called = world.news.call_of("ben", 0).await;
        assert!(in_journal(disk.path()).contains(&called), "a crash now would not lose it");
        early.hang_up().await;
        late.hang_up().await;
        world.readiness_when("takes no writes: is its disk full?").await;
        disk.make_space();
        world.readiness_when("HTTP/1.1 200").await;
        for owner in ["ada", "ben"] {
            let call = world.news.call_of(owner, 0).await;
            assert_eq!(world.record(&call).await.outcome, Some(Outcome::Completed));
        }
        world.all_given_back().await;
        world.close().await;
    });
}
