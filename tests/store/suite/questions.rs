//! Questions by index: pages, several fields, and what cannot be asked.

use clearline::store::{Order, Query, Store, StoreError};
use serde_json::{Value, json};

use crate::bench::{Bench, THINGS, thing};

pub(crate) async fn an_index_is_read_page_by_page_in_both_directions(bench: &mut impl Bench) {
    let store = bench.open().await;
    for number in 0..25 {
        store.insert(&THINGS, &format!("{number:02}"), thing(&number.to_string(), number % 2)).await.unwrap();
    }
    let even: Vec<String> = (0..25).step_by(2).map(|number| format!("{number:02}")).collect();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = Query { order, ..Query::equals("place.room", 0, 5).after(after) };
            let page = store.find(&THINGS, query).await.unwrap();
            seen.extend(page.documents.into_iter().map(|document| document.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if order == Order::NewestFirst {
            seen.reverse();
        }
        assert_eq!(seen, even);
    }
}

pub(crate) async fn pages_go_on_behind_the_last_document_whatever_comes_and_goes_meanwhile(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    for id in ["1", "2", "3", "5"] {
        store.insert(&THINGS, id, json!({ "colour": "red" })).await.unwrap();
    }
    let page = store.find(&THINGS, Query::equals("colour", "red", 2)).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("2"));
    store.delete(&THINGS, "2", 1).await.unwrap();
    store.insert(&THINGS, "4", json!({ "colour": "red" })).await.unwrap();
    store.insert(&THINGS, "0", json!({ "colour": "red" })).await.unwrap();
    let rest = store.find(&THINGS, Query::equals("colour", "red", 9).after(page.next)).await.unwrap();
    let ids: Vec<_> = rest.documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!((ids, rest.next), (vec!["3", "4", "5"], None));
}

pub(crate) async fn a_question_by_two_fields_gives_what_matches_both(bench: &mut impl Bench) {
    let store = bench.open().await;
    for (id, name, room) in [("1", "lamp", 7), ("2", "chair", 7), ("3", "table", 8)] {
        store.insert(&THINGS, id, thing(name, room)).await.unwrap();
    }
    assert_eq!(ids(&store, Query::equals("place.room", 7, 9)).await, ["1", "2"]);
    assert_eq!(ids(&store, Query::equals("place.room", 7, 9).and("name", "chair")).await, ["2"]);
    assert!(ids(&store, Query::equals("place.room", 8, 9).and("name", "chair")).await.is_empty());
    assert!(ids(&store, Query::equals("name", "chair", 9).and("name", "lamp")).await.is_empty());
}

pub(crate) async fn a_question_compares_texts_numbers_and_truth_values(bench: &mut impl Bench) {
    let store = bench.open().await;
    let colours =
        [("1", json!("7")), ("2", json!(7)), ("3", json!(2.5)), ("4", json!(true)), ("5", Value::Null)];
    for (id, colour) in colours {
        store.insert(&THINGS, id, json!({ "colour": colour })).await.unwrap();
    }
    let questions =
        [(json!("7"), "1"), (json!(7), "2"), (json!(7.0), "2"), (json!(2.5), "3"), (json!(true), "4")];
    for (colour, id) in questions {
        assert_eq!(ids(&store, Query::equals("colour", colour.clone(), 9)).await, [id], "{colour}");
    }
    assert!(ids(&store, Query::equals("colour", "$ne", 9)).await.is_empty());
}

pub(crate) async fn a_question_no_index_can_answer_is_refused_instead_of_slow(bench: &mut impl Bench) {
    let store = bench.open().await;
    let answer = store.find(&THINGS, Query::equals("weight", "heavy", 1)).await;
    assert_eq!(answer, Err(StoreError::NotIndexed { collection: "things", field: "weight" }));
    for value in [Value::Null, json!(["red"]), json!({ "$ne": "red" })] {
        let answer = store.find(&THINGS, Query::equals("colour", value, 1)).await;
        assert_eq!(answer, Err(StoreError::NotComparable { collection: "things", field: "colour" }));
    }
}

async fn ids(store: &Store, query: Query) -> Vec<String> {
    let page = store.find(&THINGS, query).await.unwrap();
    page.documents.into_iter().map(|document| document.id).collect()
}
