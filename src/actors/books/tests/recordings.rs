//! Recordings that are whole before their call's page is closed, or after.

use super::*;

fn made() -> RecordingMade {
    let start_time = Timestamp::from_millis(1_000);
    RecordingMade { filename: "late.ogg".into(), start_time, duration_seconds: 2.5, bytes: 700 }
}

/// Books that still wait for a recording of the call, and the side from which it comes.
fn books_waiting_for_recording(bench: &Bench) -> (Addr<Books>, oneshot::Sender<Option<RecordingMade>>) {
    let (comes, finished) = oneshot::channel();
    let left = vec![LeftBehind { call: call(), finished }];
    (bench.books_waiting_for(&bench.journal(), left), comes)
}

fn has_recording(record: &CallRecord) -> bool {
    (record.recording_filename.as_deref(), record.recording_bytes, record.recording_duration_seconds)
        == (Some("late.ogg"), Some(700), Some(2.5))
}

#[test]
fn u2_a_recording_that_comes_after_the_page_is_closed_finds_its_record_even_while_the_store_is_away() {
    play(async {
        let bench = Bench::new();
        let (books, comes) = books_waiting_for_recording(&bench);
        begin(&books).await;
        end(&books).await;
        let closed = bench.stored().await;
        assert_eq!((closed.recording_filename, closed.outcome), (None, Some(Outcome::Completed)));
        until("the page is closed", async || books.send(AskOpenBooks).await.unwrap() == 0).await;
        bench.gate.set(Position::Away);
        comes.send(Some(made())).unwrap();
        until("it was tried in vain", async || bench.gate.refused.load(Ordering::Relaxed) > 0).await;
        bench.gate.set(Position::Open);
        until("the record has it", async || has_recording(&bench.stored().await)).await;
        let record = bench.stored().await;
        assert_eq!(
            (record.outcome, record.recording_start_time),
            (Some(Outcome::Completed), Some(made().start_time))
        );
        assert!(record.revision > closed.revision, "a late journal does not undo it");
        until("the CRM will have it too", async || bench.recording_is_due().await).await;
    });
}

#[test]
fn u2_a_recording_that_comes_while_the_page_is_open_is_written_with_it() {
    play(async {
        let bench = Bench::new();
        let (books, comes) = books_waiting_for_recording(&bench);
        begin(&books).await;
        comes.send(Some(made())).unwrap();
        until("the page has it", async || {
            books.send(AskBook { call: call() }).await.unwrap().is_some_and(|record| has_recording(&record))
        })
        .await;
        end(&books).await;
        assert!(has_recording(&bench.stored().await));
    });
}

#[test]
fn s2_a_recording_that_goes_on_after_the_end_of_a_lost_call_moves_that_end() {
    play(async {
        let bench = Bench::new();
        let (books, comes) = books_waiting_for_recording(&bench);
        begin(&books).await;
        end(&books).await;
        bench.stored().await;
        until("the page is closed", async || books.send(AskOpenBooks).await.unwrap() == 0).await;
        let lost = json!({ "outcome": "engine_lost", "call_end_time": Timestamp::from_millis(2_000) });
        bench.calls.merge(&call(), &lost).await.unwrap();
        comes.send(Some(made())).unwrap();
        until("the record has it", async || has_recording(&bench.stored().await)).await;
        assert_eq!(bench.stored().await.call_end_time, Some(Timestamp::from_millis(3_500)));
    });
}
