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

pub(crate) async fn a_question_tells_documents_with_a_field_from_those_without(bench: &mut impl Bench) {
    let store = bench.open().await;
    let things = [
        ("1", json!({ "colour": "red" })),
        ("2", json!({ "colour": null, "place": { "room": 7 } })),
        ("3", json!({ "place": { "room": 7 } })),
        ("4", json!({ "colour": "", "place": { "room": 7 } })),
    ];
    for (id, body) in things {
        store.insert(&THINGS, id, body).await.unwrap();
    }
    assert_eq!(ids(&store, Query::all(9).and_missing("colour")).await, ["2", "3"]);
    assert_eq!(ids(&store, Query::all(9).and_missing("colour").newest_first()).await, ["3", "2"]);
    assert_eq!(ids(&store, Query::all(1).and_missing("colour").after(Some("2".into()))).await, ["3"]);
    assert_eq!(ids(&store, Query::equals("place.room", 7, 9).and_present("colour")).await, ["4"]);
    assert_eq!(ids(&store, Query::equals("place.room", 7, 9).and_missing("colour")).await, ["2", "3"]);
    let alone = store.find(&THINGS, Query::all(9).and_present("colour")).await;
    assert_eq!(alone, Err(StoreError::NotIndexed { collection: "things", field: "colour" }));
}

pub(crate) async fn a_pair_of_fields_is_asked_together_or_by_its_first(bench: &mut impl Bench) {
    let store = bench.open().await;
    let shelves =
        [("1", "red", json!(2)), ("2", "red", json!(1)), ("3", "blue", json!(1)), ("4", "red", json!(1))];
    for (id, colour, shelf) in shelves {
        store.insert(&THINGS, id, json!({ "colour": colour, "place": { "shelf": shelf } })).await.unwrap();
    }
    store.insert(&THINGS, "5", json!({ "colour": "red" })).await.unwrap();
    let red = || Query::equals("colour", "red", 9);
    assert_eq!(ids(&store, red().and("place.shelf", 1)).await, ["2", "4"]);
    assert_eq!(ids(&store, red().and("place.shelf", 1).newest_first()).await, ["4", "2"]);
    assert_eq!(ids(&store, red().and_missing("place.shelf")).await, ["5"]);
    assert_eq!(ids(&store, red().and_present("place.shelf")).await, ["1", "2", "4"]);
    assert_eq!(ids(&store, red()).await, ["1", "2", "4", "5"]);
    let second = store.find(&THINGS, Query::equals("place.shelf", 1, 9)).await;
    assert_eq!(second, Err(StoreError::NotIndexed { collection: "things", field: "place.shelf" }));
    let list = store.insert(&THINGS, "6", json!({ "place": { "shelf": [1] } })).await;
    assert!(matches!(list, Err(StoreError::Unstorable { .. })), "{list:?}");
}

pub(crate) async fn a_question_may_be_about_some_ids_only_page_by_page(bench: &mut impl Bench) {
    let store = bench.open().await;
    for id in 1..=7 {
        store.insert(&THINGS, &id.to_string(), json!({ "colour": "red" })).await.unwrap();
    }
    let some = |limit| Query::equals("colour", "red", limit).of_ids(Some("2".into()), Some("6".into()));
    assert_eq!(ids(&store, some(9)).await, ["2", "3", "4", "5"]);
    let first = store.find(&THINGS, some(3).newest_first()).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("3"));
    let last = store.find(&THINGS, some(3).newest_first().after(first.next)).await.unwrap();
    assert_eq!((last.documents.len(), last.documents[0].id.as_str(), last.next), (1, "2", None));
    assert_eq!(ids(&store, Query::all(9).of_ids(Some("6".into()), None)).await, ["6", "7"]);
    assert_eq!(ids(&store, Query::all(9).of_ids(None, Some("2".into()))).await, ["1"]);
    assert!(ids(&store, Query::all(9).of_ids(Some("8".into()), Some("2".into()))).await.is_empty());
}

pub(crate) async fn members_that_are_not_asked_for_are_left_out_and_stay_in_the_store(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let body =
        json!({ "colour": "red", "long": [{ "a": 1 }], "longer": { "b": [2] }, "kept": { "long": 3 } });
    store.insert(&THINGS, "1", body.clone()).await.unwrap();
    store.insert(&THINGS, "2", json!({ "colour": "red" })).await.unwrap();
    let query = Query::equals("colour", "red", 9).leaving_out(&["long", "longer"]);
    let page = store.find(&THINGS, query).await.unwrap();
    let bodies: Vec<_> = page.documents.into_iter().map(|document| document.body).collect();
    assert_eq!(bodies, [json!({ "colour": "red", "kept": { "long": 3 } }), json!({ "colour": "red" })]);
    assert_eq!(store.get(&THINGS, "1").await.unwrap().unwrap().body, body);
}

async fn ids(store: &Store, query: Query) -> Vec<String> {
    let page = store.find(&THINGS, query).await.unwrap();
    page.documents.into_iter().map(|document| document.id).collect()
}
