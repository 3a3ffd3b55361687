use serde_json::json;

use super::*;
use crate::domain::{Role, Timestamp};
use crate::store::{Credential, Users, embedded};

struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    audit: Audit,
    users: Users,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let store = embedded::open(&path, COLLECTIONS, || Timestamp::from_millis(0)).unwrap();
    let (audit, users) = (Audit::new(store.clone()), Users::new(store.clone()));
    Bench { _folder: folder, store, audit, users }
}

fn mira() -> User {
    User {
        id: UserId::new("u1"),
        name: "mira".into(),
        role: Role::Admin,
        tenant_id: Some(TenantId::new("u1")),
        google_api_key: None,
        google_api_key_fingerprint: None,
        enabled: true,
    }
}

fn change_of(effect: Effect) -> Change {
    let cli = By::Cli { os_user: "root".into() };
    Change::new(cli, "user.test", effect, Subject::user(&mira())).of_tenant(mira().tenant_id)
}

impl Bench {
    /// The entry that a crash leaves behind before the change was made.
    async fn pending(&self, effect: Effect) -> Entry {
        self.audit.write_pending(&change_of(effect)).await.unwrap()
    }

    async fn state(&self, entry: &Entry) -> AuditState {
        let document = self.store.get(&AUDIT_LOG, &entry.id).await.unwrap().unwrap();
        document.parse::<Change>(&AUDIT_LOG).unwrap().state
    }

    async fn settled(&self, entry: &Entry) -> AuditState {
        assert_eq!(self.audit.settle_pending().await, Ok(1));
        self.state(entry).await
    }

    async fn insert(&self, entry: &Entry) -> Result<(), StoreError> {
        self.users.insert(entry, &mira(), &Credential::default()).await
    }

    async fn disable(&self, entry: &Entry) -> Result<User, StoreError> {
        self.users.change(entry, &mira().id, |_| Some(json!({ "enabled": false }))).await
    }
}

#[tokio::test]
async fn o4_an_entry_is_there_before_the_change_and_confirmed_after_it() {
    let bench = bench();
    let change = change_of(Effect::Made).with("role", "admin");
    let make = async |entry: &Entry| {
        assert_eq!(bench.state(entry).await, AuditState::Pending, "before the change");
        bench.insert(entry).await
    };
    bench.audit.record(change.clone(), make).await.unwrap();
    let page =
        bench.audit.list(&Scope::Tenant(mira().tenant_id.clone().unwrap()), None, None, 10).await.unwrap();
    let entries: Vec<Change> =
        page.documents.iter().map(|document| document.parse(&AUDIT_LOG).unwrap()).collect();
    assert_eq!(entries, [Change { state: AuditState::Done, ..change }]);
    let others = bench.audit.list(&Scope::Tenant(TenantId::new("other")), None, None, 10).await.unwrap();
    assert!(others.documents.is_empty(), "another tenant reads nothing of it");
}

#[tokio::test]
async fn o4_a_change_that_failed_is_said_not_to_have_been_made() {
    let bench = bench();
    let fail = async |_: &Entry| Err::<(), _>(StoreError::Busy);
    assert_eq!(bench.audit.record(change_of(Effect::Made), fail).await, Err(StoreError::Busy));
    let page = bench.audit.list(&Scope::Everything, None, None, 10).await.unwrap();
    assert_eq!(page.documents[0].body["state"], "not_done");
    assert_eq!(bench.audit.settle_pending().await, Ok(0));
}

#[tokio::test]
async fn o4_after_a_crash_each_entry_is_settled_by_what_is_there() {
    let bench = bench();
    let made_before_the_crash = bench.pending(Effect::Made).await;
    assert_eq!(bench.settled(&made_before_the_crash).await, AuditState::NotDone);
    let made = bench.pending(Effect::Made).await;
    bench.insert(&made).await.unwrap();
    assert_eq!(bench.settled(&made).await, AuditState::Done);
    let not_changed = bench.pending(Effect::Changed).await;
    assert_eq!(bench.settled(&not_changed).await, AuditState::NotDone);
    let changed = bench.pending(Effect::Changed).await;
    bench.disable(&changed).await.unwrap();
    assert_eq!(bench.settled(&changed).await, AuditState::Done);
    let not_removed = bench.pending(Effect::Removed).await;
    assert_eq!(bench.settled(&not_removed).await, AuditState::NotDone);
    let removed = bench.pending(Effect::Removed).await;
    bench.users.remove(&removed, &mira().id).await.unwrap();
    assert_eq!(bench.settled(&removed).await, AuditState::Done);
}

#[tokio::test]
async fn o4_a_crash_is_seen_through_later_changes_or_said_to_be_unknown() {
    let bench = bench();
    let made = bench.pending(Effect::Made).await;
    bench.insert(&made).await.unwrap();
    let (changed, lost) = (bench.pending(Effect::Changed).await, bench.pending(Effect::Changed).await);
    bench.disable(&changed).await.unwrap();
    for _ in 2..TRACE_MAX {
        bench
            .audit
            .record(change_of(Effect::Changed), async |entry| bench.disable(entry).await)
            .await
            .unwrap();
    }
    assert_eq!(bench.audit.settle_pending().await, Ok(3));
    assert_eq!(bench.state(&made).await, AuditState::Done, "its trace is the oldest of {TRACE_MAX}");
    assert_eq!(bench.state(&changed).await, AuditState::Done);
    assert_eq!(bench.state(&lost).await, AuditState::NotDone);
    let lost = bench.pending(Effect::Changed).await;
    for _ in 0..TRACE_MAX {
        bench
            .audit
            .record(change_of(Effect::Changed), async |entry| bench.disable(entry).await)
            .await
            .unwrap();
    }
    assert_eq!(bench.settled(&lost).await, AuditState::Unknown);
}

#[tokio::test]
async fn o4_a_user_that_was_removed_since_was_made_before() {
    let bench = bench();
    let made = bench.pending(Effect::Made).await;
    bench.insert(&made).await.unwrap();
    let remove = async |entry: &Entry| bench.users.remove(entry, &mira().id).await;
    bench.audit.record(change_of(Effect::Removed), remove).await.unwrap();
    assert_eq!(bench.settled(&made).await, AuditState::Done);
}

#[tokio::test]
async fn somebody_still_at_work_overrules_what_a_starting_engine_thought() {
    let bench = bench();
    let slowly = async |entry: &Entry| {
        assert_eq!(bench.settled(entry).await, AuditState::NotDone, "another process starts just now");
        bench.insert(entry).await
    };
    bench.audit.record(change_of(Effect::Made), slowly).await.unwrap();
    let page = bench.audit.list(&Scope::Everything, None, None, 10).await.unwrap();
    assert_eq!(page.documents[0].body["state"], "done");
}

#[tokio::test]
async fn o4_a_secret_in_the_detail_is_its_hint() {
    let key = crate::domain::Secret::new("AIzaSyA-very-long-key-9876");
    let change = change_of(Effect::Changed).with("key", &key);
    let text = serde_json::to_string(&change).unwrap();
    assert!(text.contains("9876") && !text.contains(key.expose()), "{text}");
}
