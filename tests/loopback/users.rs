//! The people whose calls a test makes.

use clearline::domain::{Role, Secret, TenantId, User, UserId};
use clearline::engine::Engine;
use clearline::store::{By, Change, Credential, Effect, Entry, Subject};

/// An admin of this name, with the id `id-of-NAME` and a tenant of their own.
pub(crate) async fn add_user(engine: &Engine, name: &str, key: Option<&str>) {
    let user = User {
        id: UserId::new(format!("id-of-{name}")),
        name: name.into(),
        role: Role::Admin,
        tenant_id: Some(TenantId::new(format!("id-of-{name}"))),
        google_api_key: key.map(Secret::new),
        google_api_key_fingerprint: None,
        enabled: true,
    };
    let change = Change::new(By::Engine, "user.add", Effect::Made, Subject::user(&user));
    let insert = async |entry: &Entry| engine.users().insert(entry, &user, &Credential::default()).await;
    engine.accounts().audit().record(change, insert).await.expect("a writable store");
}
