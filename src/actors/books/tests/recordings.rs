//! Recordings that are whole before their call's page is closed, or after.

use super::*;
use crate::media::codec::Codec;
use crate::media::spool::{RecordingBlock, Spool};
use crate::store::{RecordingSettings, Recordings};

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

fn recordings_of(bench: &Bench) -> Recordings {
    let settings = RecordingSettings {
        folder: bench.folder.path().join("recordings"),
        node: NodeId::new("node"),
        encoder_core_percent: 100,
    };
    Recordings::start(&settings).unwrap().0
}

fn second() -> RecordingBlock {
    let mut spool = Spool::default();
    let frame = ([0; 160], [Codec::Pcmu.silence(); 160]);
    spool.push(0, &frame.0, (Codec::Pcmu, &frame.1), || Timestamp::from_millis(0));
    spool.finish().unwrap()
}

#[test]
fn u2_a_disk_that_is_full_is_seen_in_the_call_and_in_what_was_recorded() {
    play(async {
        let bench = Bench::new();
        let recordings = recordings_of(&bench);
        let books = bench.books_that_record(&bench.journal(), (Some(recordings.clone()), Vec::new()));
        begin(&books).await;
        let order = |state| books.send(KeepRecordingState { call: call(), state });
        let sink = recordings.sink(&call());
        let is_now = async |state, is_cut_short| {
            until("the record says it", async || {
                let record = books.send(AskBook { call: call() }).await.unwrap().unwrap();
                (record.recording_state, record.recording_cut_short) == (Some(state), is_cut_short)
            })
            .await;
        };
        order(RecordingState::Recording).await.unwrap();
        sink.append(second()).unwrap();
        is_now(RecordingState::Recording, false).await;
        recordings.set_full(true);
        sink.append(second()).unwrap();
        is_now(RecordingState::Interrupted, true).await;
        order(RecordingState::Paused).await.unwrap();
        is_now(RecordingState::Paused, true).await;
        order(RecordingState::Recording).await.unwrap();
        is_now(RecordingState::Interrupted, true).await;
        recordings.set_full(false);
        sink.append(second()).unwrap();
        is_now(RecordingState::Recording, true).await;
        end(&books).await;
        let record = bench.stored().await;
        assert!(record.recording_filename.is_some() && record.recording_cut_short);
        assert_eq!(record.recording_state, None);
    });
}

#[test]
fn u2_a_call_of_which_nothing_could_be_recorded_says_so_even_if_it_ends_at_once() {
    play(async {
        let bench = Bench::new();
        let recordings = recordings_of(&bench);
        recordings.set_full(true);
        let books = bench.books_that_record(&bench.journal(), (Some(recordings.clone()), Vec::new()));
        begin(&books).await;
        recordings.sink(&call()).append(second()).unwrap();
        end(&books).await;
        let record = bench.stored().await;
        assert_eq!((record.recording_filename, record.recording_cut_short), (None, true));
    });
}
