//! Crashes, and a store that is away, slow, or asked too much.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use clearline::store::{MAX_PAGE, Query, Store, StoreError};
use futures_util::future::{join_all, poll_immediate};
use serde_json::json;

use crate::bench::{Bench, THINGS, thing};

/// More than any back end lets wait.
const TOO_MANY: usize = 12_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) async fn what_was_answered_is_there_after_a_crash(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    store.insert(&THINGS, "2", thing("chair", 7)).await.unwrap();
    store.compare_and_set(&THINGS, "2", 1, thing("table", 8)).await.unwrap();
    bench.crash().await;
    let reopened = bench.open().await;
    assert_eq!(reopened.get(&THINGS, "1").await.unwrap().unwrap().body, thing("lamp", 7));
    assert_eq!(reopened.get(&THINGS, "2").await.unwrap().unwrap().body, thing("table", 8));
    let taken = reopened.insert(&THINGS, "3", thing("lamp", 7)).await;
    assert_eq!(taken, Err(StoreError::Conflict { collection: "things", field: "name" }));
}

pub(crate) async fn a_store_that_is_away_fails_and_works_again_once_it_is_back(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    for silent in [false, true] {
        if silent {
            bench.hang()
        } else {
            bench.take_away()
        }
        let away = store.compare_and_set(&THINGS, "1", 1, thing("chair", 7)).await;
        assert!(matches!(away, Err(StoreError::Failed(_))), "{away:?}");
        bench.bring_back();
        write_again_until_it_is_done(&store, &format!("written after {silent}")).await;
    }
    assert!(store.get(&THINGS, "1").await.unwrap().is_some());
    until_it_answers(&store).await;
}

/// A server that still works off what it was asked may answer too late; who wants to read asks again.
async fn stored_ids(store: &Store) -> HashSet<String> {
    let (mut ids, mut after) = (HashSet::new(), None);
    loop {
        let page = match store.find(&THINGS, Query::all(MAX_PAGE).after(after.clone())).await {
            Ok(page) => page,
            Err(StoreError::Failed(_)) => continue,
            Err(error) => panic!("{error}"),
        };
        ids.extend(page.documents.into_iter().map(|document| document.id));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

/// As Books do. What failed may have been done all the same, and then its id is taken.
async fn write_again_until_it_is_done(store: &Store, id: &str) {
    loop {
        match store.insert(&THINGS, id, json!({})).await {
            Ok(_) | Err(StoreError::Conflict { field: "id", .. }) => return,
            Err(error) => assert!(matches!(error, StoreError::Failed(_)), "{error}"),
        }
    }
}

async fn until_it_answers(store: &Store) {
    while store.trouble().is_some() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub(crate) async fn a_slow_store_answers_everything_and_mixes_nothing_up(bench: &mut impl Bench) {
    let store = bench.open().await;
    bench.slow_down();
    let written = (0..40).map(async |number: u64| {
        let id = number.to_string();
        store.insert(&THINGS, &id, thing(&id, number)).await.unwrap();
        store.compare_and_set(&THINGS, &id, 1, thing(&id, number + 1)).await.unwrap();
        let read = store.get(&THINGS, &id).await.unwrap().unwrap();
        assert_eq!((read.version, read.body), (2, thing(&id, number + 1)));
    });
    join_all(written).await;
}

pub(crate) async fn a_store_that_is_asked_too_much_says_so_at_once_and_answers_what_it_took(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    bench.hang();
    let ids: Vec<String> = (0..TOO_MANY).map(|number| number.to_string()).collect();
    let mut asking = pin!(join_all(ids.iter().map(|id| store.insert(&THINGS, id, json!({})))));
    assert!(poll_immediate(&mut asking).await.is_none(), "some of them wait");
    bench.bring_back();
    let answers = asking.await;
    let refused = answers.iter().filter(|answer| **answer == Err(StoreError::Busy)).count();
    assert!((1..TOO_MANY).contains(&refused), "{refused} of {TOO_MANY} were refused");
    let stored = stored_ids(&store).await;
    for (id, answer) in ids.iter().zip(&answers) {
        // What failed was not answered in time, and may have been done all the same.
        let as_told = stored.contains(id) == answer.is_ok() || matches!(answer, Err(StoreError::Failed(_)));
        assert!(as_told, "{id}: {answer:?}");
    }
    write_again_until_it_is_done(&store, "afterwards").await;
}
