//! Documents that another program wrote into the database that we are given.

use std::time::Duration;

use clearline::domain::Secret;
use clearline::store::{OpenError, Opening, Query, StoreError, mongo};
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde_json::json;
use tokio::runtime::Handle;

use crate::bench::{Bench, COLLECTIONS, THINGS, run, thing, ticking};
use crate::ferretdb::FerretDb;
use crate::suite::collections::add;

#[test]
fn an_older_system_s_documents_are_found_kept_unique_and_changed() {
    run::<FerretDb>(async |bench| {
        let lamp = doc! { "_id": "old", "name": "lamp", "since": 1999, "made_by": ObjectId::new() };
        write(bench, [lamp, doc! { "_id": "nameless" }, doc! { "_id": "nameless too", "name": null }]).await;
        let store = bench.open().await;
        let found = store.find(&THINGS, Query::equals("name", "lamp", 2)).await.expect("an answer").documents;
        assert_eq!((found.len(), found[0].id.as_str(), found[0].version), (1, "old", 0));
        assert_eq!(found[0].body["since"], 1999);
        let taken = store.insert(&THINGS, "new", thing("lamp", 1)).await;
        assert_eq!(taken, Err(StoreError::Conflict { collection: "things", field: "name" }));
        let changed = store.compare_and_set(&THINGS, "old", 0, thing("lamp", 1)).await;
        assert_eq!(changed.map(|document| document.version), Ok(1));
        let lost = store.compare_and_set(&THINGS, "old", 0, thing("lamp", 2)).await;
        assert_eq!(lost, Err(StoreError::Lost { collection: "things", id: "old".into() }));
        assert_eq!(store.delete(&THINGS, "nameless", 0).await, Ok(()));
    });
}

#[test]
fn a_user_s_key_lies_where_the_crm_reads_it() {
    run::<FerretDb>(async |bench| {
        let store = bench.open().await;
        let user = json!({ "id": "u1", "name": "ada", "role": "admin", "tenant_id": "u1", "google_api_key": "AIza-1" });
        add(&store, &serde_json::from_value(user).expect("a user")).await.expect("a writable store");
        let read = database(bench).await.collection::<Document>("users").find_one(doc! { "_id": "u1" }).await;
        let read = read.expect("an answer").expect("it is there");
        assert_eq!(read.get_str("google_api_key").ok(), Some("AIza-1"));
        assert_eq!(read.get_str("name").ok(), Some("ada"));
    });
}

#[test]
fn two_documents_that_share_what_must_be_unique_are_named_instead_of_started_on() {
    run::<FerretDb>(async |bench| {
        write(bench, [doc! { "_id": "1", "name": "lamp" }, doc! { "_id": "2", "name": "lamp" }]).await;
        let access = mongo::Access { url: Secret::new(bench.url()), answer_limit: Duration::from_secs(3) };
        let refused = mongo::open(&access, COLLECTIONS, ticking, &Handle::current()).await.err();
        let refused = refused.expect("there are two lamps");
        assert!(matches!(refused, OpenError::NotUnique { .. }), "{refused}");
        assert!(refused.to_string().starts_with("1 and 2 of things have the same name"), "{refused}");
        assert!(!refused.may_pass());
        let mended =
            mongo::open_for(Opening::ToMend, &access, COLLECTIONS, ticking, &Handle::current()).await;
        let mended = mended.unwrap_or_else(|error| panic!("{error}"));
        let renamed = mended.compare_and_set(&THINGS, "2", 0, thing("lamp-2", 1)).await;
        assert_eq!(renamed.map(|document| document.version), Ok(1));
        let store = bench.open().await;
        let taken = store.insert(&THINGS, "3", thing("lamp", 1)).await;
        assert_eq!(
            taken,
            Err(StoreError::Conflict { collection: "things", field: "name" }),
            "names are unique again"
        );
    });
}

async fn write(bench: &FerretDb, documents: impl IntoIterator<Item = Document>) {
    database(bench).await.collection("things").insert_many(documents).await.expect("a writable server");
}

async fn database(bench: &FerretDb) -> mongodb::Database {
    let client = mongodb::Client::with_uri_str(bench.url()).await.expect("a server");
    client.default_database().expect("the URL names one")
}
