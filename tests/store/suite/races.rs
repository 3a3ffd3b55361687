//! Many at once, in one process and in two: one winner, nothing lost.

use clearline::store::{MAX_PAGE, Query, Store, StoreError};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::bench::{Bench, THINGS};

const RIVALS: u64 = 40;

pub(crate) async fn of_many_who_claim_the_same_id_exactly_one_wins(bench: &mut impl Bench) {
    let claims = from_two_processes(bench, async |store: Store, number| {
        store.insert(&THINGS, "claim", json!({ "by": number })).await
    });
    let (winners, losers): (Vec<_>, Vec<_>) = all(claims.await).await.into_iter().partition(Result::is_ok);
    let conflict = Err(StoreError::Conflict { collection: "things", field: "id" });
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|lost| *lost == conflict), "{losers:?}");
    let stored = bench.open().await.get(&THINGS, "claim").await.unwrap();
    assert_eq!(stored, winners[0].clone().ok(), "whoever was told to have won has won");
}

pub(crate) async fn of_many_who_claim_the_same_unique_value_exactly_one_wins(bench: &mut impl Bench) {
    let claims = from_two_processes(bench, async |store: Store, number| {
        store.insert(&THINGS, &number.to_string(), json!({ "name": "wanted" })).await
    });
    let (winners, losers): (Vec<_>, Vec<_>) = all(claims.await).await.into_iter().partition(Result::is_ok);
    let conflict = Err(StoreError::Conflict { collection: "things", field: "name" });
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|lost| *lost == conflict), "{losers:?}");
}

pub(crate) async fn concurrent_writers_lose_no_document_and_readers_are_answered_meanwhile(
    bench: &mut impl Bench,
) {
    let writers = from_two_processes(bench, async |store: Store, writer| {
        for number in 0..10 {
            let id = format!("{writer}-{number}");
            store.insert(&THINGS, &id, json!({})).await.unwrap();
            assert!(store.get(&THINGS, &id).await.unwrap().is_some(), "what was answered is seen");
        }
    });
    all(writers.await).await;
    let everything = bench.open().await.find(&THINGS, Query::all(MAX_PAGE)).await.unwrap();
    assert_eq!(everything.documents.len() as u64, RIVALS * 10);
}

pub(crate) async fn no_increment_of_a_shared_counter_is_lost(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "counter", json!({ "count": 0 })).await.unwrap();
    let increments = from_two_processes(bench, async |store: Store, _| {
        loop {
            let counter = store.get(&THINGS, "counter").await.unwrap().unwrap();
            let raised = json!({ "count": counter.body["count"].as_u64().unwrap() + 1 });
            match store.compare_and_set(&THINGS, "counter", counter.version, raised).await {
                Ok(_) => return,
                Err(error) => assert!(matches!(error, StoreError::Lost { .. }), "{error}"),
            }
        }
    });
    all(increments.await).await;
    let counter = store.get(&THINGS, "counter").await.unwrap().unwrap();
    assert_eq!((counter.body["count"].as_u64(), counter.version), (Some(RIVALS), RIVALS + 1));
}

pub(crate) async fn writes_of_one_document_are_done_in_the_order_in_which_they_were_asked_for(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let insert = store.insert(&THINGS, "1", json!({ "step": 1 }));
    let steps =
        (1..20).map(|version| store.compare_and_set(&THINGS, "1", version, json!({ "step": version + 1 })));
    // Nobody waits for an answer before all have asked.
    let (inserted, steps) = tokio::join!(biased; insert, join_all(steps));
    assert!(inserted.is_ok(), "{inserted:?}");
    assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    let body: Value = store.get(&THINGS, "1").await.unwrap().unwrap().body;
    assert_eq!(body, json!({ "step": 20 }));
}

/// Starts as many tasks as there are rivals, half of them on a handle of another process.
async fn from_two_processes<T: Send + 'static, Work>(
    bench: &impl Bench,
    work: impl Fn(Store, u64) -> Work,
) -> Vec<JoinHandle<T>>
where
    Work: Future<Output = T> + Send + 'static,
{
    let stores = [bench.open().await, bench.open().await];
    (0..RIVALS)
        .map(|number| tokio::spawn(work(stores[usize::from(number % 2 == 0)].clone(), number)))
        .collect()
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    join_all(tasks).await.into_iter().map(|task| task.expect("no rival panics")).collect()
}
