use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::access::Scope;
use crate::domain::{Entropy, Role, TenantId, new_sealing_key};
use crate::keys::{Failure, KeyTrouble, Troubles};
use crate::store::KeyReport;
use crate::store::{self, Credential, USERS, embedded};

fn now() -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000)
}

fn pool(keys: usize) -> KeyPool {
    let named: Vec<_> =
        (1..=keys).map(|n| (format!("GOOGLE_API_KEY_{n}"), format!("AIza-key-number-{n:04}"))).collect();
    KeyPool::from_variables(named.iter().map(|(name, key)| (name.as_str(), key.as_str()))).unwrap()
}

async fn open(folder: &Path, sealing: Sealing) -> KeyAssignment {
    let store = embedded::open(&folder.join("clearline.db"), store::COLLECTIONS, now).unwrap();
    let fingerprints = store::fingerprints(&store, &mut Entropy::from_number(7)).await.unwrap();
    KeyAssignment {
        users: Users::new(store.clone()),
        holders: KeyHolders::new(store.clone()),
        health: KeyHealth::new(store.clone()),
        audit: Audit::new(store),
        by: By::Engine,
        fingerprints,
        sealing,
        now,
    }
}

async fn fresh() -> (tempfile::TempDir, KeyAssignment) {
    let folder = tempfile::tempdir().unwrap();
    let assignment = open(folder.path(), Sealing::default()).await;
    (folder, assignment)
}

async fn add(assignment: &KeyAssignment, name: &str) -> UserId {
    let user = User {
        id: UserId::new(name),
        name: name.into(),
        role: Role::Agent,
        tenant_id: Some(TenantId::new("t")),
        google_api_key: None,
        google_api_key_fingerprint: None,
        enabled: true,
    };
    let added = Change::new(By::Engine, "user.add", Effect::Made, Subject::user(&user));
    let insert = async |entry: &Entry| assignment.users.insert(entry, &user, &Credential::default()).await;
    assignment.audit.record(added, insert).await.unwrap();
    user.id
}

async fn change(assignment: &KeyAssignment, id: &UserId, changes: Value) {
    let found = assignment.users.get(id).await.unwrap().unwrap();
    assignment.change(&found, "user.test", None, |_| Some(changes.clone())).await.unwrap();
}

/// The last digits of each user's key.
async fn held(assignment: &KeyAssignment) -> BTreeMap<String, String> {
    let users = assignment.users.all().await.unwrap();
    let number = |user: User| {
        let key = assignment.sealing.open(&user.google_api_key?).unwrap();
        Some((user.name, key.expose().trim_start_matches("AIza-key-number-").to_owned()))
    };
    users.into_iter().filter_map(number).collect()
}

async fn assign_to(assignment: &KeyAssignment, keys: &KeyPool, name: &str) -> Option<User> {
    let user = add(assignment, name).await;
    assignment.assign(keys, &user, |_| true).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k3_users_made_at_once_by_two_engines_get_different_keys_while_there_are_free_ones() {
    let folder = tempfile::tempdir().unwrap();
    let engines =
        [open(folder.path(), Sealing::default()).await, open(folder.path(), Sealing::default()).await];
    let assigning: Vec<_> = (0..20)
        .map(|number| {
            let engine = engines[number % 2].clone();
            tokio::spawn(async move { assign_to(&engine, &pool(20), &format!("user-{number}")).await })
        })
        .collect();
    for assigned in assigning {
        assert!(assigned.await.unwrap().is_some());
    }
    let mut keys: Vec<_> = held(&engines[0]).await.into_values().collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 20, "{keys:?}");
    assert_eq!(engines[1].holders.all().await.unwrap().len(), 20);
}

#[tokio::test]
async fn k3_the_third_user_of_two_keys_shares_one_and_a_freed_key_is_given_before_any_is_shared() {
    let (_folder, assignment) = fresh().await;
    for name in ["ada", "ben", "eve"] {
        assign_to(&assignment, &pool(2), name).await.unwrap();
    }
    assert_eq!(held(&assignment).await.into_values().collect::<Vec<_>>(), ["0001", "0002", "0001"]);
    assignment.give_back(&UserId::new("ben")).await.unwrap();
    assignment.give_back(&UserId::new("ben")).await.unwrap();
    assign_to(&assignment, &pool(2), "kim").await.unwrap();
    assert_eq!(held(&assignment).await["kim"], "0002");
}

#[tokio::test]
async fn k3_a_key_in_a_record_of_an_older_system_counts_as_held() {
    let (_folder, assignment) = fresh().await;
    let key = json!({ "google_api_key": "AIza-key-number-0001" });
    let old = add(&assignment, "old").await;
    change(&assignment, &old, key).await;
    assign_to(&assignment, &pool(2), "new").await.unwrap();
    assert_eq!(held(&assignment).await["new"], "0002");
}

#[tokio::test]
async fn k3_what_a_process_left_half_done_is_finished_and_no_key_is_lost() {
    let (_folder, assignment) = fresh().await;
    let keys = pool(2);
    let fingerprint = |index: usize| assignment.fingerprints.of(&keys.keys()[index].key);
    let place = |index, user: &str| KeyHolder {
        fingerprint: fingerprint(index),
        place: 1,
        user_id: UserId::new(user),
    };
    let half = add(&assignment, "half").await;
    assert!(assignment.holders.take(&place(1, "half")).await.unwrap());
    assert!(assignment.holders.take(&place(0, "gone")).await.unwrap());
    assignment.assign(&keys, &half, |_| true).await.unwrap().unwrap();
    assert_eq!(held(&assignment).await["half"], "0002", "the place it had taken already");
    assert_eq!((assignment.tidy().await.unwrap(), assignment.tidy().await.unwrap()), (1, 0));
    assign_to(&assignment, &keys, "next").await.unwrap();
    assert_eq!(held(&assignment).await["next"], "0001");
}

#[tokio::test]
async fn k2_who_has_a_key_keeps_it_and_who_may_not_call_gets_none() {
    let (_folder, assignment) = fresh().await;
    let ada = assign_to(&assignment, &pool(1), "ada").await.unwrap().id;
    let again = assignment.assign(&pool(3), &ada, |_| true).await.unwrap().unwrap();
    assert_eq!(
        assignment.sealing.open(&again.google_api_key.unwrap()).unwrap().expose(),
        "AIza-key-number-0001"
    );
    let disabled = add(&assignment, "disabled").await;
    change(&assignment, &disabled, json!({ "enabled": false })).await;
    assert_eq!(assignment.assign(&pool(3), &disabled, |_| true).await, Ok(None));
    assert_eq!(assignment.assign(&pool(3), &UserId::new("nobody"), |_| true).await, Ok(None));
    assert_eq!(assign_to(&assignment, &pool(0), "without").await, None, "the pool is empty");
}

#[tokio::test]
async fn o4_who_got_which_key_is_in_the_audit_log_by_its_hint() {
    let (_folder, assignment) = fresh().await;
    let ada = assign_to(&assignment, &pool(2), "ada").await.unwrap().id;
    assignment.reassign(&pool(2), &ada, |_| true).await.unwrap();
    assignment.give_back(&ada).await.unwrap();
    let page = assignment.audit.list(&Scope::Everything, None, None, 9).await.unwrap();
    let entries: Vec<Change> =
        page.documents.iter().rev().map(|document| document.parse(&store::AUDIT_LOG).unwrap()).collect();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.detail.get("key").map(String::as_str)))
        .collect();
    let keys = [Some("AIza-k…0001"), Some("AIza-k…0002")];
    let expected =
        [("user.add", None), ("key.assign", keys[0]), ("key.reassign", keys[1]), ("key.give_back", None)];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn k9_reassigning_moves_to_another_key_and_frees_the_one_before() {
    let (_folder, assignment) = fresh().await;
    let ada = assign_to(&assignment, &pool(2), "ada").await.unwrap().id;
    assignment.reassign(&pool(2), &ada, |_| true).await.unwrap().unwrap();
    assert_eq!(held(&assignment).await["ada"], "0002");
    assert_eq!(
        assignment.reassign(&pool(1), &ada, |_| true).await.unwrap().map(|user| user.name),
        Some("ada".into())
    );
    assert_eq!(assignment.reassign(&pool(1), &ada, |_| true).await, Ok(None), "there is no other");
    assert_eq!(held(&assignment).await["ada"], "0001");
    assert_eq!(assignment.holders.all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn k9_spreading_moves_sharers_to_free_keys_and_changes_nothing_the_second_time() {
    let (_folder, assignment) = fresh().await;
    for name in ["ada", "ben", "eve", "kim"] {
        assign_to(&assignment, &pool(1), name).await.unwrap();
    }
    assert_eq!(assignment.spread(&pool(3), |_| true).await.unwrap().len(), 2);
    let mut spread: Vec<_> = held(&assignment).await.into_values().collect();
    spread.sort();
    assert_eq!(spread, ["0001", "0001", "0002", "0003"]);
    assert!(assignment.spread(&pool(3), |_| true).await.unwrap().is_empty());
}

#[tokio::test]
async fn k10_plain_keys_are_read_as_they_are_until_they_are_sealed_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let plain = open(folder.path(), Sealing::default()).await;
    assign_to(&plain, &pool(2), "ada").await.unwrap();
    let (old, new) = (new_sealing_key(), new_sealing_key());
    let sealing = open(folder.path(), Sealing::new([&old]).unwrap()).await;
    assert_eq!(held(&sealing).await["ada"], "0001");
    assign_to(&sealing, &pool(2), "ben").await.unwrap();
    assert_eq!(sealing.seal().await.unwrap(), Sealed { changed: 1, unreadable: vec![] });
    assert_eq!(sealing.seal().await.unwrap(), Sealed::default(), "nothing is left to do");
    let store = embedded::open(&folder.path().join("clearline.db"), store::COLLECTIONS, now).unwrap();
    for name in ["ada", "ben"] {
        let record = store.get(&USERS, name).await.unwrap().unwrap().body.to_string();
        assert!(record.contains("dev-s-t-") && !record.contains("AIza"), "{record}");
    }
    let newer = open(folder.path(), Sealing::new([&new, &old]).unwrap()).await;
    assert_eq!(newer.seal().await.unwrap().changed, 2);
    let only_old = sealing.seal().await.unwrap();
    assert_eq!((only_old.changed, only_old.unreadable.len()), (0, 2), "it cannot open them and leaves them");
    let report = async |assignment: &KeyAssignment| {
        let users = assignment.users.all().await.unwrap();
        KeyReport::of(assignment, &pool(2), &users, &Troubles::default())
    };
    assert_eq!(report(&sealing).await.unopened, ["ada", "ben"], "and they are named");
    assert!(report(&newer).await.unopened.is_empty());
    assert_eq!(held(&newer).await.into_values().collect::<Vec<_>>(), ["0001", "0002"]);
}

#[tokio::test]
async fn k8_a_key_that_the_model_refuses_is_given_to_nobody_until_it_is_healed() {
    let (_folder, assignment) = fresh().await;
    let pool = pool(2);
    let fingerprint = assignment.fingerprints.of(&pool.keys()[0].key);
    let bad = KeyTrouble { fingerprint, failure: Failure::KeyBad, since: now(), until: None };
    assignment.health.report(&bad, now()).await.unwrap();
    assign_to(&assignment, &pool, "ada").await.unwrap();
    assign_to(&assignment, &pool, "ben").await.unwrap();
    let shared = ["ada", "ben"].map(|name| (name.to_owned(), "0002".to_owned()));
    assert_eq!(held(&assignment).await, BTreeMap::from(shared));
    assert!(assignment.spread(&pool, |_| true).await.unwrap().is_empty());
    assignment.health.forget(&bad).await.unwrap();
    assert_eq!(assignment.spread(&pool, |_| true).await.unwrap().len(), 1);
}
