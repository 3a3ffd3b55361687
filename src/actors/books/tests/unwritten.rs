//! Neither the store nor the journal takes anything.

use super::*;

/// As on a disk that is full.
fn bench_without_room() -> Bench {
    let bench = Bench { journal_max_bytes: 0, ..Bench::new() };
    bench.gate.set(Position::Away);
    bench
}

fn refused() -> Finish {
    Finish::new(Outcome::RefusedCapacity, "nobody can keep its record")
}

#[test]
fn a_call_whose_record_nobody_takes_is_not_safe_and_is_gone_once_it_is_refused() {
    play(async {
        let bench = bench_without_room();
        let books = bench.books();
        begin(&books).await;
        assert!(!books.send(AwaitSafe { call: call() }).await.unwrap());
        books.send(WithdrawBook { call: call(), finish: refused() }).await.unwrap();
        assert_eq!(books.send(AskOpenBooks).await.unwrap(), 0);
    });
}

#[test]
fn a_call_that_a_late_store_takes_after_its_refusal_does_not_go_on_for_ever() {
    play(async {
        let bench = Bench { journal_max_bytes: 0, ..Bench::new() };
        bench.gate.set(Position::Silent(Vec::new()));
        let books = bench.books();
        begin(&books).await;
        assert!(!books.send(AwaitSafe { call: call() }).await.unwrap());
        books.send(WithdrawBook { call: call(), finish: refused() }).await.unwrap();
        bench.gate.set(Position::Open);
        assert_eq!(bench.stored().await.outcome, Some(Outcome::RefusedCapacity));
    });
}

#[test]
fn the_model_does_not_hear_that_a_lead_is_stored_which_nobody_takes() {
    play(async {
        let bench = Bench { journal_max_bytes: 0, ..Bench::new() };
        let books = bench.books();
        begin(&books).await;
        assert!(books.send(AwaitSafe { call: call() }).await.unwrap());
        bench.gate.set(Position::Away);
        let fields = json!({ "name": "Ada" }).as_object().cloned().unwrap();
        let kept = books.send(KeepDeed { call: call(), deed: Deed::Lead(fields) }).await.unwrap();
        assert!(kept.unwrap_err().contains("could not be stored"));
        bench.gate.set(Position::Open);
        end(&books).await;
        bench.stored().await;
        assert_eq!(bench.leads().await.len(), 1, "it was kept in mind all the same");
    });
}

#[test]
fn an_engine_that_ends_says_what_is_lost_and_what_waits_in_the_journal() {
    play(async {
        let bench = bench_without_room();
        let books = bench.books();
        begin(&books).await;
        end(&books).await;
        assert_eq!(books.send(SecureBooks).await.unwrap(), Secured { in_journal: 0, lost: 1 });
    });
}
