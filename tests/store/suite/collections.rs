//! What stands on the store: users and calls.

use clearline::domain::{
    CallId, CallRecord, Direction, Entropy, KeyFingerprint, Outcome, PhoneNumber, Role, Sealing, Secret,
    TenantId, User, UserId,
};
use clearline::keys::KeyPool;
use clearline::store::{
    Audit, By, CALLS, Calls, Change, Credential, Effect, Entry, KeyAssignment, KeyHealth, KeyHolder,
    KeyHolders, Store, StoreError, Subject, USERS, Users, fingerprints,
};
use serde_json::json;

use crate::bench::{Bench, ticking};

fn user(id: &str, name: &str) -> User {
    User {
        id: UserId::new(id),
        name: name.into(),
        role: Role::Admin,
        tenant_id: Some(TenantId::new(id)),
        google_api_key: Some(Secret::new("AIza-of-ada")),
        google_api_key_fingerprint: None,
        enabled: true,
    }
}

/// Users are changed with an entry in the audit log only.
async fn recorded<T>(
    store: &Store,
    act: impl AsyncFnOnce(&Entry) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let subject = Subject::new(&USERS, "u1", "somebody");
    let change = Change::new(By::Engine, "user.test", Effect::Changed, subject);
    Audit::new(store.clone()).record(change, act).await
}

pub(crate) async fn add(store: &Store, user: &User) -> Result<(), StoreError> {
    let users = Users::new(store.clone());
    recorded(store, async |entry| users.insert(entry, user, &Credential::default()).await).await
}

pub(crate) async fn a_user_is_found_by_id_and_by_name_and_names_are_unique(bench: &mut impl Bench) {
    let store = bench.open().await;
    let users = Users::new(store.clone());
    add(&store, &user("u1", "ada")).await.unwrap();
    assert_eq!(users.get(&UserId::new("u1")).await.unwrap(), Some(user("u1", "ada")));
    assert_eq!(users.by_name("ada").await.unwrap(), Some(user("u1", "ada")));
    assert_eq!(users.by_name("bob").await.unwrap(), None);
    let error = add(&store, &user("u2", "ada")).await.unwrap_err();
    assert!(error.to_string().contains("name"), "{error}");
}

pub(crate) async fn a_user_record_with_an_unknown_role_names_itself_and_hurts_nobody_else(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let body = json!({ "id": "u1", "name": "eve", "role": "janitor", "tenant_id": null });
    store.insert(&USERS, "u1", body).await.unwrap();
    let users = Users::new(store.clone());
    add(&store, &user("u2", "ada")).await.unwrap();
    let error = users.get(&UserId::new("u1")).await.unwrap_err().to_string();
    assert!(error.contains("u1") && error.contains("janitor"), "{error}");
    assert!(users.by_name("ada").await.unwrap().is_some());
    let everybody = users.everybody().await.unwrap();
    assert_eq!(everybody.users, [user("u2", "ada")]);
    assert!(everybody.unreadable[0].to_string().contains("users u1"), "{:?}", everybody.unreadable);
    assert_eq!(users.page(None, None, 9).await.unwrap(), (vec![user("u2", "ada")], None));
    let (_, assignment) = key_assignment(store).await;
    let unkeyed = User { google_api_key: None, ..user("u3", "ben") };
    add(&bench.open().await, &unkeyed).await.unwrap();
    assert!(assignment.assign(&pool(1), &unkeyed.id, |_| true).await.unwrap().is_some());
    let odd = KeyHolder { fingerprint: KeyFingerprint::new("f1"), place: 1, user_id: UserId::new("u1") };
    assert!(assignment.holders.take(&odd).await.unwrap());
    assert_eq!(assignment.tidy().await, Ok(0), "somebody whom we cannot read still holds what they hold");
    let sealed = assignment.seal().await.unwrap();
    assert_eq!(sealed.unreadable.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["u1"]);
}

pub(crate) async fn a_user_is_changed_without_losing_what_only_another_program_knows_and_can_be_removed(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
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
    let again = recorded(&store, &remove).await;
    assert_eq!(again, Err(StoreError::NotFound { collection: "users", id: "u1".into() }));
}

pub(crate) async fn merging_a_call_from_two_sides_keeps_both_changes(bench: &mut impl Bench) {
    let store = bench.open().await;
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

pub(crate) async fn a_call_that_is_saved_again_keeps_what_somebody_else_wrote_meanwhile(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
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

/// SPEC K3, by two engines that share the store.
pub(crate) async fn users_made_at_once_get_different_keys_while_there_are_free_ones(bench: &mut impl Bench) {
    const USERS_AT_ONCE: usize = 8;
    let engines = [key_assignment(bench.open().await).await, key_assignment(bench.open().await).await];
    let assigning: Vec<_> = (0..USERS_AT_ONCE)
        .map(|number| {
            let (store, assignment) = engines[number % 2].clone();
            tokio::spawn(async move {
                let somebody =
                    User { google_api_key: None, ..user(&format!("u{number}"), &format!("user {number}")) };
                add(&store, &somebody).await.unwrap();
                assignment.assign(&pool(USERS_AT_ONCE), &somebody.id, |_| true).await.unwrap().unwrap()
            })
        })
        .collect();
    let mut keys = Vec::new();
    for assigned in assigning {
        keys.push(assigned.await.unwrap().google_api_key.unwrap().expose().to_owned());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), USERS_AT_ONCE, "{keys:?}");
}

async fn key_assignment(store: Store) -> (Store, KeyAssignment) {
    let fingerprints = fingerprints(&store, &mut Entropy::from_number(7)).await.unwrap();
    let assignment = KeyAssignment {
        users: Users::new(store.clone()),
        holders: KeyHolders::new(store.clone()),
        health: KeyHealth::new(store.clone()),
        audit: Audit::new(store.clone()),
        by: By::Engine,
        fingerprints,
        sealing: Sealing::default(),
        now: ticking,
    };
    (store, assignment)
}

fn pool(keys: usize) -> KeyPool {
    let named: Vec<_> =
        (1..=keys).map(|n| (format!("GOOGLE_API_KEY_{n}"), format!("AIza-key-{n:04}"))).collect();
    KeyPool::from_variables(named.iter().map(|(name, key)| (name.as_str(), key.as_str()))).unwrap()
}
