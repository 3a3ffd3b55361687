//! What every back end must do, written against the interface; `open` is all that knows which one it is.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::domain::{
    CallId, CallRecord, Direction, Outcome, PhoneNumber, Role, Secret, TenantId, Timestamp, User, UserId,
};

static THINGS: Collection = Collection {
    name: "things",
    indexes: &[Index::unique("name"), Index::plain("place.room")],
    durable: true,
};
static TICKS: AtomicU64 = AtomicU64::new(1);

/// Each look at this clock is a millisecond later.
fn ticking() -> Timestamp {
    Timestamp::from_millis(TICKS.fetch_add(1, Ordering::Relaxed))
}

fn open(folder: &Path) -> Store {
    let collections = &[&THINGS, &USERS, &CALLS, &LOGINS, &API_TOKENS, &AUDIT_LOG];
    embedded::open(&folder.join("clearline.db"), collections, ticking).unwrap()
}

fn fresh() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    (folder, store)
}

fn thing(name: &str, room: u64) -> Value {
    json!({ "name": name, "place": { "room": room } })
}

#[tokio::test]
async fn a_document_comes_back_as_it_was_inserted_with_version_and_times() {
    let (_folder, store) = fresh();
    let inserted = store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    assert_eq!((inserted.version, inserted.created_at), (1, inserted.updated_at));
    assert_eq!(store.get(&THINGS, "1").await.unwrap(), Some(inserted));
    assert_eq!(store.get(&THINGS, "2").await.unwrap(), None);
}

#[tokio::test]
async fn a_conflict_names_the_field_that_is_taken() {
    let (_folder, store) = fresh();
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    let conflict = |field| Err(StoreError::Conflict { collection: "things", field });
    assert_eq!(store.insert(&THINGS, "1", thing("chair", 7)).await, conflict("id"));
    assert_eq!(store.insert(&THINGS, "2", thing("lamp", 7)).await, conflict("name"));
    store.insert(&THINGS, "2", thing("chair", 7)).await.unwrap();
    assert_eq!(store.compare_and_set(&THINGS, "2", 1, thing("lamp", 7)).await, conflict("name"));
}

#[tokio::test]
async fn documents_without_a_unique_field_do_not_conflict() {
    let (_folder, store) = fresh();
    store.insert(&THINGS, "1", json!({})).await.unwrap();
    store.insert(&THINGS, "2", json!({ "name": null })).await.unwrap();
}

#[tokio::test]
async fn compare_and_set_moves_version_and_time_and_the_slower_writer_learns_that_it_lost() {
    let (_folder, store) = fresh();
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

#[tokio::test]
async fn an_index_is_read_page_by_page_in_both_directions() {
    let (_folder, store) = fresh();
    for number in 0..25 {
        store.insert(&THINGS, &format!("{number:02}"), thing(&number.to_string(), number % 2)).await.unwrap();
    }
    for (order, first) in [(Order::OldestFirst, "00"), (Order::NewestFirst, "24")] {
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
        assert_eq!((seen.len(), seen[0].as_str()), (13, first));
        seen.dedup();
        assert_eq!(seen.len(), 13);
    }
}

#[tokio::test]
async fn a_question_by_two_fields_gives_what_matches_both() {
    let (_folder, store) = fresh();
    for (id, name, room) in [("1", "lamp", 7), ("2", "chair", 7), ("3", "table", 8)] {
        store.insert(&THINGS, id, thing(name, room)).await.unwrap();
    }
    let ids = async |query| {
        let page = store.find(&THINGS, query).await.unwrap();
        page.documents.into_iter().map(|document| document.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Query::equals("place.room", 7, 9)).await, ["1", "2"]);
    assert_eq!(ids(Query::equals("place.room", 7, 9).and("name", "chair")).await, ["2"]);
    assert!(ids(Query::equals("place.room", 8, 9).and("name", "chair")).await.is_empty());
}

#[tokio::test]
async fn a_document_is_deleted_by_whoever_knows_its_newest_version_and_its_unique_fields_are_free_again() {
    let (_folder, store) = fresh();
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

#[tokio::test]
async fn a_question_without_an_index_is_refused_instead_of_slow() {
    let (_folder, store) = fresh();
    let answer = store.find(&THINGS, Query::equals("colour", "red", 1)).await;
    assert_eq!(answer, Err(StoreError::NotIndexed { collection: "things", field: "colour" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_claim_the_same_id_exactly_one_wins() {
    let (folder, store) = fresh();
    let other_process = open(folder.path());
    let claims: Vec<_> = (0..40)
        .map(|number| {
            let store = if number % 2 == 0 { store.clone() } else { other_process.clone() };
            tokio::spawn(async move { store.insert(&THINGS, "claim", json!({ "by": number })).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for claim in claims {
        winners += usize::from(claim.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_lose_no_document_and_readers_are_answered_meanwhile() {
    let (_folder, store) = fresh();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    store.insert(&THINGS, &format!("{writer}-{number}"), json!({})).await.unwrap();
                    assert!(store.get(&THINGS, &format!("{writer}-{number}")).await.unwrap().is_some());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.find(&THINGS, Query::all(MAX_PAGE)).await.unwrap().documents.len(), 400);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_crash() {
    let (folder, store) = fresh();
    store.insert(&THINGS, "1", thing("lamp", 7)).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    for name in ["clearline.db", "clearline.db-wal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let reopened = open(crashed.path());
    assert_eq!(reopened.get(&THINGS, "1").await.unwrap().unwrap().body, thing("lamp", 7));
    let taken = reopened.insert(&THINGS, "2", thing("lamp", 7)).await;
    assert_eq!(taken, Err(StoreError::Conflict { collection: "things", field: "name" }));
}

fn user(id: &str, name: &str) -> User {
    User {
        id: UserId::new(id),
        name: name.into(),
        role: Role::Admin,
        tenant_id: Some(TenantId::new(id)),
        google_api_key: Some(Secret::new("AIza-of-ada")),
        enabled: true,
    }
}

/// Users are changed with an entry in the audit log only.
async fn recorded<T>(
    store: &Store,
    act: impl AsyncFnOnce(&Entry) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let subject = Subject::new(&USERS, "u1", "somebody");
    Audit::new(store.clone())
        .record(Change::new(By::Engine, "user.test", Effect::Changed, subject), act)
        .await
}

async fn add(store: &Store, user: &User) -> Result<(), StoreError> {
    let users = Users::new(store.clone());
    recorded(store, async |entry| users.insert(entry, user, &Credential::default()).await).await
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_name_and_names_are_unique() {
    let (_folder, store) = fresh();
    let users = Users::new(store.clone());
    add(&store, &user("u1", "ada")).await.unwrap();
    assert_eq!(users.get(&UserId::new("u1")).await.unwrap(), Some(user("u1", "ada")));
    assert_eq!(users.by_name("ada").await.unwrap(), Some(user("u1", "ada")));
    assert_eq!(users.by_name("bob").await.unwrap(), None);
    let error = add(&store, &user("u2", "ada")).await.unwrap_err();
    assert!(error.to_string().contains("name"), "{error}");
}

#[tokio::test]
async fn a_user_record_with_an_unknown_role_names_itself_and_hurts_nobody_else() {
    let (_folder, store) = fresh();
    let body = json!({ "id": "u1", "name": "eve", "role": "janitor", "tenant_id": null });
    store.insert(&USERS, "u1", body).await.unwrap();
    let users = Users::new(store.clone());
    add(&store, &user("u2", "ada")).await.unwrap();
    let error = users.get(&UserId::new("u1")).await.unwrap_err().to_string();
    assert!(error.contains("u1") && error.contains("janitor"), "{error}");
    assert!(users.by_name("ada").await.unwrap().is_some());
}

#[tokio::test]
async fn a_user_is_changed_without_losing_what_only_another_program_knows_and_can_be_removed() {
    let (_folder, store) = fresh();
    let body =
        json!({ "id": "u1", "name": "eve", "role": "agent", "tenant_id": "t", "email": "eve@example.org" });
    store.insert(&USERS, "u1", body).await.unwrap();
    let (users, id) = (Users::new(store.clone()), UserId::new("u1"));
    let disable = async |entry: &Entry| {
        users.change(entry, &id, |user| user.enabled.then(|| json!({ "enabled": false }))).await
    };
    let disabled = recorded(&store, &disable).await.unwrap();
    assert!(!disabled.enabled);
    assert_eq!(recorded(&store, &disable).await.unwrap(), disabled);
    let kept = store.get(&USERS, "u1").await.unwrap().unwrap();
    assert_eq!((kept.version, &kept.body["email"]), (2, &json!("eve@example.org")));
    let remove = async |entry: &Entry| users.remove(entry, &id).await;
    assert_eq!(recorded(&store, &remove).await, Ok(()));
    assert_eq!(
        recorded(&store, &remove).await,
        Err(StoreError::NotFound { collection: "users", id: "u1".into() })
    );
}

#[tokio::test]
async fn merging_a_call_from_two_sides_keeps_both_changes() {
    let (_folder, store) = fresh();
    let (calls, id) = (Calls::new(store), CallId::new("c1"));
    let number = || PhoneNumber::new("+4930123");
    let record = CallRecord::started(id.clone(), Direction::Inbound, number(), number(), ticking());
    calls.insert(&record).await.unwrap();
    let (outcome, usage) =
        (json!({ "outcome": "completed" }), json!({ "usage": { "total_tokens": 12 }, "end_reason": null }));
    let (first, second) = tokio::join!(calls.merge(&id, &outcome), calls.merge(&id, &usage));
    assert_eq!((first, second), (Ok(()), Ok(())));
    let merged = calls.get(&id).await.unwrap().unwrap();
    assert_eq!((merged.outcome, merged.usage.unwrap().total_tokens), (Some(Outcome::Completed), 12));
    let missing = calls.merge(&CallId::new("c2"), &outcome).await;
    assert_eq!(missing, Err(StoreError::NotFound { collection: "calls", id: "c2".into() }));
}

#[tokio::test]
async fn a_call_that_is_saved_again_keeps_what_somebody_else_wrote_meanwhile() {
    let (_folder, store) = fresh();
    let (calls, id) = (Calls::new(store.clone()), CallId::new("c1"));
    let number = || PhoneNumber::new("+4930123");
    let mut record = CallRecord::started(id.clone(), Direction::Inbound, number(), number(), ticking());
    let first = calls.save(&record, None).await.unwrap();
    record.end_reason = Some("hung up".into());
    let second = calls.save(&record, first).await.unwrap();
    assert_eq!((first, second), (Some(1), Some(2)));
    calls.merge(&id, &json!({ "marked_by": "ada" })).await.unwrap();
    record.outcome = Some(Outcome::Completed);
    assert_eq!(calls.save(&record, second).await, Ok(None), "it is not alone in the record any more");
    assert_eq!(calls.save(&record, None).await, Ok(None), "the record was there already");
    let saved = store.get(&CALLS, "c1").await.unwrap().unwrap().body;
    assert_eq!((&saved["outcome"], &saved["marked_by"]), (&json!("completed"), &json!("ada")));
}
