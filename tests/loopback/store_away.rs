//! A store that can be read and not written, because another program keeps its file locked: calls go on, and what they
//! report arrives later (SPEC S2, S5).

use std::fs;
use std::path::{Path, PathBuf};

use clearline::clock;
use clearline::domain::{CallRecord, Outcome};
use clearline::sandbox::model::{ModelServer, ModelSettings};
use clearline::store::{CALLS, COLLECTIONS, Journal, MAX_PAGE, Query, embedded};

use crate::engines::{Engine, add_ada};
use crate::far_end::FarEnd;
use crate::watched::within;
use crate::world::{ADAS_NUMBER, World, play};

/// Ends when it is dropped.
fn keep_locked(file: &Path) -> rusqlite::Connection {
    let lock = rusqlite::Connection::open(file).expect("the file is there");
    lock.busy_timeout(crate::watched::SAFETY_LIMIT).expect("a limit can be set");
    lock.execute_batch("BEGIN IMMEDIATE").expect("nobody writes for long");
    lock
}

/// Waits until so many calls that have ended are in the journal. What is read is a copy, as a kill would leave it.
async fn ended_in_journal(folder: &Path, calls: usize) {
    let (journal, copy) = (folder.join("nodes/1/books.journal"), folder.join("copy"));
    within("the journal has them", async {
        loop {
            fs::copy(&journal, &copy).expect("there is a journal");
            let records = Journal::read(&copy).expect("it can be read").into_iter();
            let records =
                records.map(|line| serde_json::from_value::<CallRecord>(line.body).expect("a record"));
            if records.filter(|record| record.outcome.is_some()).count() == calls {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn s5_calls_begin_and_end_while_the_store_takes_nothing_and_all_of_it_arrives() {
    play(async {
        let world = World::usual().await;
        let early = FarEnd::usual().await;
        early.dial(world.sip(), ADAS_NUMBER).await;
        early.connected().await;
        let lock = keep_locked(&world.folder.path().join("clearline.db"));
        let late = FarEnd::usual().await;
        late.dial(world.sip(), ADAS_NUMBER).await;
        late.connected().await;
        early.hang_up().await;
        late.hang_up().await;
        ended_in_journal(world.folder.path(), 2).await;
        assert!(world.figure("clearline_key_leases_unwritten_total").await > 0);
        drop(lock);
        for number in 0..2 {
            let call = world.news.call_of("ada", number).await;
            assert_eq!(world.record(&call).await.outcome, Some(Outcome::Completed));
        }
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn s2_an_engine_that_is_killed_before_the_store_takes_anything_loses_nothing() {
    play(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let engine = Engine::start("the engine", folder.path(), &model);
        let caller = FarEnd::usual().await;
        caller.dial(engine.sip, ADAS_NUMBER).await;
        caller.connected().await;
        let lock = keep_locked(&folder.path().join("shared.db"));
        caller.hang_up().await;
        ended_in_journal(folder.path(), 1).await;
        engine.process.end_by("KILL");
        drop(lock);
        let next = Engine::start("the next engine", folder.path(), &model);
        next.process.wait_for("the journal holds records");
        let record = stored(folder.path().join("shared.db")).await;
        assert_eq!(record.outcome, Some(Outcome::Completed));
        next.process.end_by("TERM").expect_success("the next engine");
        let journal = Journal::read(&folder.path().join("nodes/1/books.journal"));
        assert!(journal.expect("it is there").is_empty());
        model.stop().await;
    });
}

/// The only call, once it is over.
async fn stored(file: PathBuf) -> CallRecord {
    let store = embedded::open(&file, COLLECTIONS, clock::unix_time).expect("a file of our own");
    within("the call's end is stored", async {
        loop {
            let page = store.find(&CALLS, Query::all(MAX_PAGE)).await.expect("a readable store");
            let record: Option<CallRecord> = page.documents.first().and_then(|call| call.parse(&CALLS).ok());
            match record.filter(|record| record.outcome.is_some()) {
                Some(record) => return record,
                None => tokio::task::yield_now().await,
            }
        }
    })
    .await
}
