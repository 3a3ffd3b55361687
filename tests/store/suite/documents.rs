//! Single documents: what comes back, what conflicts, what is refused.

use clearline::store::{Put, Store, StoreError};
use serde_json::{Value, json};

use crate::bench::{Bench, THINGS, thing};

pub(crate) async fn a_document_comes_back_as_it_was_inserted_with_version_and_times(bench: &mut impl Bench) {
    let store = bench.open().await;
    let inserted = store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    assert_eq!((inserted.version, inserted.created_at), (1, inserted.updated_at));
    assert_eq!(store.get(&THINGS, "1").await.unwrap(), Some(inserted));
    assert_eq!(store.get(&THINGS, "2").await.unwrap(), None);
}

pub(crate) async fn names_and_values_come_back_exactly<B: Bench>(bench: &mut B) {
    let store = bench.open().await;
    let names = json!({ "": 1, "a.b": 2, "$set": { "$ref": "#/$defs/x" }, "%2E": 3, "100%": 4, "%": 5, "größe": 6,
                        "nul\0nul": 7, "id": "own" });
    let numbers = json!({ "whole": [0, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993_i64],
                          "broken": [0.1, 0.30000000000000004, 1.0, 1e300, -2.5e-300, f64::MAX, f64::MIN_POSITIVE] });
    let rest = json!({ "null": null, "flags": [true, false, null], "empty": [{}, "", { "list": [] }],
                       "texts": ["\u{1F4DE} \" \\ \n", "a\0b", "$where", "3"] });
    for (id, body) in [("names", names), ("numbers", numbers), ("rest", rest)] {
        comes_back(&store, id, body).await;
    }
    let lists = json!({ "lists": [[1, [2, "x"]], []] });
    if B::REFUSES_NESTED_LISTS {
        let refused = store.insert(&THINGS, "lists", lists).await.unwrap_err();
        assert!(refused.to_string().contains("nested arrays"), "{refused}");
    } else {
        comes_back(&store, "lists", lists).await;
    }
}

async fn comes_back(store: &Store, id: &str, body: Value) {
    store.insert(&THINGS, id, body.clone()).await.unwrap();
    let read = store.get(&THINGS, id).await.unwrap().unwrap();
    assert_eq!(read.body, body);
    store.compare_and_set(&THINGS, id, 1, json!({ "replaced": body })).await.unwrap();
    let read = store.get(&THINGS, id).await.unwrap().unwrap();
    assert_eq!(read.body, json!({ "replaced": body }), "nothing of the old body is left");
}

pub(crate) async fn a_body_that_some_store_would_have_to_change_is_refused_by_all(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    let deep = (0..90).fold(json!(1), |inner, _| json!({ "in": inner }));
    let refused = [
        (json!("text"), "object"),
        (json!({ "version": 7 }), "version"),
        (json!({ "deep": { "count": u64::MAX } }), "18446744073709551615"),
        (deep, "nested"),
        (json!({ "colour": ["red", "blue"] }), "colour"),
        (json!({ "place": [{ "room": 7 }] }), "place.room"),
        (json!({ "name": 7 }), "name"),
    ];
    for (body, named) in refused {
        let insert = store.insert(&THINGS, "2", body.clone()).await;
        let replace = store.compare_and_set(&THINGS, "1", 1, body).await;
        for answer in [insert, replace] {
            assert!(
                matches!(&answer, Err(StoreError::Unstorable { detail, .. }) if detail.contains(named)),
                "{answer:?}"
            );
        }
    }
    assert_eq!(store.get(&THINGS, "1").await.unwrap().unwrap().body, thing("lamp", 7));
}

pub(crate) async fn a_conflict_names_the_field_that_is_taken(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    let conflict = |field| Err(StoreError::Conflict { collection: "things", field });
    assert_eq!(store.insert(&THINGS, "1", thing("chair", 7)).await, conflict("id"));
    assert_eq!(store.insert(&THINGS, "2", thing("lamp", 7)).await, conflict("name"));
    store.insert(&THINGS, "2", thing("chair", 7)).await.unwrap();
    assert_eq!(store.compare_and_set(&THINGS, "2", 1, thing("lamp", 7)).await, conflict("name"));
    assert_eq!(store.get(&THINGS, "2").await.unwrap().unwrap().body, thing("chair", 7));
}

pub(crate) async fn documents_without_a_unique_field_do_not_conflict(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", json!({})).await.unwrap();
    store.insert(&THINGS, "2", json!({ "name": null })).await.unwrap();
    store.insert(&THINGS, "3", thing("-1", 7)).await.unwrap();
    store.compare_and_set(&THINGS, "3", 1, json!({})).await.unwrap();
}

pub(crate) async fn a_unique_value_that_was_given_up_is_free_again(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    store.compare_and_set(&THINGS, "1", 1, thing("chair", 7)).await.unwrap();
    store.insert(&THINGS, "2", thing("lamp", 7)).await.unwrap();
    store.compare_and_set(&THINGS, "1", 2, thing("chair", 8)).await.unwrap();
    let back = store.compare_and_set(&THINGS, "1", 3, thing("lamp", 7)).await;
    assert_eq!(back, Err(StoreError::Conflict { collection: "things", field: "name" }));
}

pub(crate) async fn compare_and_set_moves_version_and_time_and_the_slower_writer_learns_that_it_lost(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let first = store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    let second = store.compare_and_set(&THINGS, "1", 1, thing("lamp", 8)).await.unwrap();
    assert_eq!((second.version, second.created_at), (2, first.created_at));
    assert!(second.updated_at > first.updated_at);
    let lost = store.compare_and_set(&THINGS, "1", 1, thing("lamp", 9)).await;
    assert_eq!(lost, Err(StoreError::Lost { collection: "things", id: "1".into() }));
    let missing = store.compare_and_set(&THINGS, "9", 1, thing("lamp", 9)).await;
    assert_eq!(missing, Err(StoreError::NotFound { collection: "things", id: "9".into() }));
    assert_eq!(store.get(&THINGS, "1").await.unwrap(), Some(second));
}

pub(crate) async fn a_document_is_deleted_by_whoever_knows_its_newest_version_and_its_unique_fields_are_free_again(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    store.compare_and_set(&THINGS, "1", 1, thing("lamp", 8)).await.unwrap();
    let lost = store.delete(&THINGS, "1", 1).await;
    assert_eq!(lost, Err(StoreError::Lost { collection: "things", id: "1".into() }));
    assert_eq!(store.delete(&THINGS, "1", 2).await, Ok(()));
    let missing = store.delete(&THINGS, "1", 2).await;
    assert_eq!(missing, Err(StoreError::NotFound { collection: "things", id: "1".into() }));
    assert_eq!(store.get(&THINGS, "1").await, Ok(None));
    assert_eq!(store.insert(&THINGS, "2", thing("lamp", 7)).await.map(|lamp| lamp.version), Ok(1));
}

pub(crate) async fn what_is_put_in_order_ends_with_the_first_that_is_not_taken(bench: &mut impl Bench) {
    let store = bench.open().await;
    store.insert(&THINGS, "old", thing("lamp", 7)).await.unwrap();
    let puts = vec![
        Put::new(&THINGS, "new", thing("vase", 1)),
        Put::over(&THINGS, "old", 1, thing("lamp", 8)),
        Put::over(&THINGS, "old", 1, thing("lamp", 9)),
        Put::new(&THINGS, "never", thing("cup", 2)),
    ];
    let written = store.put_in_order(puts).await.unwrap();
    assert_eq!(written.len(), 3, "{written:?}");
    assert_eq!(store.get(&THINGS, "new").await.unwrap(), written[0].clone().ok());
    assert_eq!(store.get(&THINGS, "old").await.unwrap(), written[1].clone().ok());
    assert!(matches!(written[2], Err(StoreError::Lost { .. })), "{written:?}");
    assert_eq!(store.get(&THINGS, "never").await.unwrap(), None);
}

pub(crate) async fn what_cannot_be_stored_keeps_all_that_was_to_be_put_with_it_away(bench: &mut impl Bench) {
    let store = bench.open().await;
    let puts = vec![Put::new(&THINGS, "new", thing("vase", 1)), Put::new(&THINGS, "bad", json!(7))];
    let refused = store.put_in_order(puts).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unstorable { .. }), "{refused}");
    assert_eq!(store.get(&THINGS, "new").await.unwrap(), None);
}
