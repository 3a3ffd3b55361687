use super::*;
use crate::domain::EventKind;

impl Bench {
    /// What the only subscriber is to hear of, in the order in which it will.
    async fn told(&self) -> Vec<EventKind> {
        let notifications = Notifications::new(self.gate.store.clone());
        let due = notifications.due(&self.subscribers[0].name, None, 100).await.unwrap();
        due.items.into_iter().map(|stored| stored.record.event).collect()
    }
}

#[test]
fn i10_subscribers_are_told_once_of_what_only_the_journal_of_a_killed_engine_knows_before_its_upload_goes_on()
{
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        until("that it began is told", async || bench.told().await == [EventKind::CallStarted]).await;
        bench.gate.set(Position::Away);
        books.send(CallNote { call: call(), note: Note::Answered }).await.unwrap();
        keep_lead(&books, json!({ "name": "Ada" })).await;
        end(&books).await;
        bench.journal_has(|record| record.outcome.is_some()).await;
        let (once, twice) = (bench.left_by_a_kill("once"), bench.left_by_a_kill("twice"));
        books.send(StopBooks).await.unwrap();
        bench.gate.set(Position::Open);
        for left in [once, twice] {
            let _next = bench.books_on(&left);
            bench.journal_is_empty(&left).await;
            assert_eq!(bench.upload().await, Some(UploadState::Due));
            let expected = [
                EventKind::CallStarted,
                EventKind::CallAnswered,
                EventKind::LeadCreated,
                EventKind::CallEnded,
            ];
            assert_eq!(bench.told().await, expected);
        }
    });
}

#[test]
fn i10_subscribers_are_told_when_a_lead_is_added_to_and_not_when_the_same_is_said_again() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        for fields in
            [json!({ "name": "Ada" }), json!({ "name": "Ada" }), json!({ "name": "Ada", "phone": "030" })]
        {
            keep_lead(&books, fields).await;
        }
        let expected = [EventKind::CallStarted, EventKind::LeadCreated, EventKind::LeadUpdated];
        until("all is told", async || bench.told().await == expected).await;
    });
}

#[test]
fn i10_subscribers_are_told_of_a_callback_and_of_its_change() {
    play(async {
        let bench = Bench::new();
        let books = bench.books();
        begin(&books).await;
        for hour in [0, 0, 1] {
            keep_callback(&books, hour, false).await;
        }
        let expected = [EventKind::CallStarted, EventKind::CallbackScheduled, EventKind::CallbackChanged];
        until("all is told", async || bench.told().await == expected).await;
    });
}
