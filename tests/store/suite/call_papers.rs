//! The record of a call and its upload, written together.

use std::collections::BTreeSet;

use clearline::domain::{
    CallId, CallRecord, Direction, NodeId, Outcome, PhoneNumber, RecordingMade, Running, StartId, Timestamp,
    UploadState,
};
use clearline::store::{CALLS, CallPapers, Calls};
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::bench::Bench;

const AT_ONCE: usize = 12;

fn record(name: &str) -> CallRecord {
    let number = || PhoneNumber::new("+4930123456");
    let start = Timestamp::parse("2026-11-29T10:00:00Z").unwrap();
    CallRecord::started(CallId::new(name), Direction::Inbound, number(), number(), start)
}

fn run() -> (NodeId, StartId) {
    (NodeId::new("n"), StartId::new("start"))
}

fn ended(record: CallRecord) -> CallRecord {
    CallRecord { outcome: Some(Outcome::Completed), revision: record.revision + 1, ..record }
}

async fn state_of(papers: &CallPapers, call: &CallId) -> UploadState {
    papers.outbox.get(call).await.unwrap().unwrap().record.progress.state
}

pub(crate) async fn a_call_is_there_with_its_upload_from_beginning_to_end(bench: &mut impl Bench) {
    let papers = CallPapers::new(bench.open().await);
    let mut record = record("c1");
    let (name, known) = papers.begin(&record, run()).await.unwrap();
    assert_eq!(name.as_str(), "CALL-20261129-30123456");
    assert_eq!(state_of(&papers, &record.session_id).await, UploadState::Open);
    record.crm_call_id = Some(name);
    assert_eq!(papers.calls.get(&record.session_id).await.unwrap(), Some(record.clone()));
    let record = ended(record);
    let upload = papers.end(&record, known, run()).await.unwrap().unwrap();
    assert_eq!(state_of(&papers, &record.session_id).await, UploadState::Due);
    let told = CallRecord { upload: Some(upload.told()), ..record };
    assert_eq!(papers.calls.get(&told.session_id).await.unwrap(), Some(told));
}

pub(crate) async fn calls_that_begin_at_once_have_names_of_their_own_without_gaps(bench: &mut impl Bench) {
    let engines = [CallPapers::new(bench.open().await), CallPapers::new(bench.open().await)];
    let beginning = (0..AT_ONCE).map(|at| {
        let papers = engines[at % 2].clone();
        tokio::spawn(async move { papers.begin(&record(&format!("c{at:02}")), run()).await.unwrap().0 })
    });
    let names: BTreeSet<String> =
        join_all(beginning).await.into_iter().map(|name| name.unwrap().to_string()).collect();
    let expected = (2..=AT_ONCE).map(|nth| format!("CALL-20261129-30123456-{nth}"));
    let expected: BTreeSet<String> = expected.chain(["CALL-20261129-30123456".to_owned()]).collect();
    assert_eq!(names, expected);
}

/// What a journal brings again was there before it was lost, or a part of it was.
pub(crate) async fn a_call_that_begins_again_keeps_its_name_and_its_upload(bench: &mut impl Bench) {
    let papers = CallPapers::new(bench.open().await);
    let (name, _) = papers.begin(&record("c1"), run()).await.unwrap();
    papers.begin(&record("c2"), run()).await.unwrap();
    let (again, known) = papers.begin(&record("c1"), run()).await.unwrap();
    assert_eq!((again.clone(), known), (name, None));
    let over = ended(CallRecord { crm_call_id: Some(again), ..record("c1") });
    papers.end(&over, known, run()).await.unwrap().unwrap();
    assert_eq!(state_of(&papers, &over.session_id).await, UploadState::Due);
    let (after, _) = papers.begin(&record("c3"), run()).await.unwrap();
    assert_eq!(after.as_str(), "CALL-20261129-30123456-3");
}

pub(crate) async fn what_others_wrote_into_a_record_stays_when_its_call_ends(bench: &mut impl Bench) {
    let papers = CallPapers::new(bench.open().await);
    let (name, known) = papers.begin(&record("c1"), run()).await.unwrap();
    papers.calls.merge(&CallId::new("c1"), &json!({ "note_of_the_crm": "call back" })).await.unwrap();
    let over = ended(CallRecord { crm_call_id: Some(name), ..record("c1") });
    papers.end(&over, known, run()).await.unwrap().unwrap();
    let stored = bench.open().await.get(&CALLS, "c1").await.unwrap().unwrap().body;
    assert_eq!((&stored["note_of_the_crm"], &stored["outcome"]), (&json!("call back"), &json!("completed")));
    assert_eq!(stored["upload"]["state"], json!("due"));
    assert_eq!(state_of(&papers, &over.session_id).await, UploadState::Due);
}

/// Its recording is finished before it is ended, by whoever takes over what its engine has left.
pub(crate) async fn what_is_written_into_a_lost_calls_record_moves_its_end_no_further(
    bench: &mut impl Bench,
) {
    let calls = Calls::new(bench.open().await);
    let (node, start) = run();
    let id = CallId::new("c1");
    let running = Some(Running::at(node, start));
    calls.insert(&CallRecord { running, ..record("c1") }).await.unwrap();
    let last_written = bench.open().await.get(&CALLS, "c1").await.unwrap().unwrap().updated_at;
    for bytes in [1, 2] {
        let start_time = Timestamp::from_millis(1_000);
        let made = RecordingMade { filename: "c1.ogg".into(), start_time, duration_seconds: 2.5, bytes };
        assert!(calls.add_recording(&id, &made).await.unwrap());
    }
    let close = calls.close_lost(&id, |record, last_written| {
        (record.running, record.outcome) = (None, Some(Outcome::EngineLost));
        record.call_end_time = Some(last_written);
    });
    let closed = close.await.unwrap().unwrap();
    assert_eq!(closed.call_end_time, Some(last_written));
}

/// Its recording is finished by the same start that ends it.
pub(crate) async fn a_lost_call_is_closed_though_others_write_into_its_record_at_that_moment(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let calls = Calls::new(store);
    for at in 0..AT_ONCE {
        let (node, start) = run();
        let id = CallId::new(format!("c{at}"));
        let running = Some(Running::at(node, start));
        calls.insert(&CallRecord { running, ..record(id.as_str()) }).await.unwrap();
        let changes = json!({ "note": at });
        let close = calls.close_lost(&id, |record, _| {
            (record.running, record.outcome) = (None, Some(Outcome::EngineLost));
        });
        let (closed, written) = join(close, calls.merge(&id, &changes)).await;
        written.unwrap();
        assert!(closed.unwrap().is_some(), "{at}");
        let stored = calls.get(&id).await.unwrap().unwrap();
        assert_eq!((stored.running, stored.outcome), (None, Some(Outcome::EngineLost)));
    }
}
