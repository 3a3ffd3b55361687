//! Users by id and by name.
//!
//! What a log-in needs (the password's hash) lies in the user's document too, but not in [`User`]: whoever is given a
//! user cannot show or log the hash by mistake.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::Entry;
use super::change::{change, remove};
use super::document::body_of;
use super::{Collection, Document, Index, MAX_PAGE, Query, Store, StoreError};
use crate::access::{folded, is_like_an_id, reads_like};
use crate::domain::{Role, Secret, TenantId, User, UserId};

pub static USERS: Collection = Collection {
    name: "users",
    indexes: &[
        Index::unique("name"),
        Index::plain(FOLDED_NAME),
        Index::plain("tenant_id"),
        Index::plain("role"),
    ],
    durable: true,
};

/// The name as [`folded`] has it, by which users are told whose names differ only in case. No unique index stands on it:
/// an older system may have such users, and each of them must stay who it is.
pub(super) const FOLDED_NAME: &str = "folded_name";

/// True in the record of an admin whom somebody is about to remove: nobody becomes its agent any more.
pub const LEAVING: &str = "leaving";

/// What a user logs in with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// `None`: this user cannot log in.
    #[serde(default)]
    pub password_hash: Option<Secret>,
    #[serde(default)]
    pub must_change_password: bool,
    /// Raised by whatever ends all sessions and tokens of the user; those of an older generation are no longer good.
    #[serde(default)]
    pub generation: u64,
}

/// One record that is not as expected must not hide the others.
#[derive(Debug, Default)]
pub struct Everybody {
    pub users: Vec<User>,
    /// Each names its document.
    pub unreadable: Vec<StoreError>,
}

#[derive(Clone)]
pub struct Users {
    store: Store,
}

impl Users {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    pub async fn insert(
        &self,
        entry: &Entry,
        user: &User,
        credential: &Credential,
    ) -> Result<(), StoreError> {
        let mut body = body_of(user)?;
        if let (Value::Object(members), Value::Object(more)) = (&mut body, body_of(credential)?) {
            members.extend(more);
        }
        body[FOLDED_NAME] = json!(folded(&user.name));
        entry.sign(&mut body);
        self.store.insert(&USERS, user.id.as_str(), body).await.map(drop)
    }

    /// Always from the store and never from a cache: a new key counts from the next call on (SPEC K4).
    pub async fn get(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let document = self.store.get(&USERS, id.as_str()).await?;
        document.map(|document| document.parse(&USERS)).transpose()
    }

    /// `None`: there is none, or somebody is removing it.
    pub async fn staying(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let Some(document) = self.store.get(&USERS, id.as_str()).await? else { return Ok(None) };
        let is_leaving = document.body.get(LEAVING).is_some_and(|leaving| *leaving == Value::Bool(true));
        if is_leaving { Ok(None) } else { document.parse(&USERS).map(Some) }
    }

    /// By id, or else by name: what a person or a setting calls a user. Names are chosen by users and ids are not, so
    /// nobody can step before another by a name like that other's id. Both are asked for at once, because a caller waits.
    pub async fn find(&self, name_or_id: &str) -> Result<Option<User>, StoreError> {
        let id = UserId::new(name_or_id);
        if is_like_an_id(name_or_id) {
            return match self.get(&id).await? {
                Some(user) => Ok(Some(user)),
                None => self.by_name(name_or_id).await,
            };
        }
        let (by_id, by_name) = tokio::join!(self.get(&id), self.by_name(name_or_id));
        by_id?.map_or(by_name, |user| Ok(Some(user)))
    }

    /// Lays what `decide` gives over the record as it is at that moment; fields that only other programs know stay.
    pub async fn change(
        &self,
        entry: &Entry,
        id: &UserId,
        mut decide: impl FnMut(&User) -> Option<Value>,
    ) -> Result<User, StoreError> {
        let changed = self.change_document(entry, id, |found| Ok(decide(&found.parse(&USERS)?))).await?;
        changed.parse(&USERS)
    }

    /// As [`Users::change`], and every session and token of the user is of an older generation from then on.
    pub async fn change_and_shut_out(
        &self,
        entry: &Entry,
        id: &UserId,
        changes: &Value,
    ) -> Result<User, StoreError> {
        self.shut_out(entry, id, changes).await?.parse(&USERS)
    }

    /// Shuts out too, because sessions and tokens hold the name. Also of a record that lacks what this version asks of
    /// one. Whose name it is must be looked for before and after.
    pub async fn rename(&self, entry: &Entry, id: &UserId, name: &str) -> Result<(), StoreError> {
        let changes = json!({ "name": name, FOLDED_NAME: folded(name) });
        self.shut_out(entry, id, &changes).await.map(drop)
    }

    async fn shut_out(&self, entry: &Entry, id: &UserId, changes: &Value) -> Result<Document, StoreError> {
        let shut_out = |found: &Document| {
            let credential: Credential = found.parse(&USERS)?;
            let mut changes = changes.clone();
            changes["generation"] = json!(credential.generation + 1);
            Ok(Some(changes))
        };
        self.change_document(entry, id, shut_out).await
    }

    /// Keeps the same password in a newer form, unless it was changed meanwhile. It says nothing new about the user,
    /// and so asks for no entry.
    pub async fn renew_hash(&self, id: &UserId, old: &Secret, new: &Secret) -> Result<(), StoreError> {
        let renew = |found: &Document| {
            let credential: Credential = found.parse(&USERS)?;
            let is_old = credential.password_hash.as_ref() == Some(old);
            Ok(is_old.then(|| json!({ "password_hash": new })))
        };
        change(&self.store, &USERS, id.as_str(), renew).await.map(drop)
    }

    /// Whoever removes a user twice is told `NotFound`.
    pub async fn remove(&self, _entry: &Entry, id: &UserId) -> Result<(), StoreError> {
        remove(&self.store, &USERS, id.as_str()).await
    }

    /// Everybody whose record can be read, in the order in which they were added; the log names the others.
    pub async fn all(&self) -> Result<Vec<User>, StoreError> {
        let Everybody { users, unreadable } = self.everybody().await?;
        for error in unreadable {
            tracing::warn!(%error, "passed over");
        }
        Ok(users)
    }

    pub async fn everybody(&self) -> Result<Everybody, StoreError> {
        let mut everybody = Everybody::default();
        let mut query = Query::all(MAX_PAGE);
        loop {
            let page = self.store.find(&USERS, query.clone()).await?;
            for document in &page.documents {
                match document.parse(&USERS) {
                    Ok(user) => everybody.users.push(user),
                    Err(error) => everybody.unreadable.push(error),
                }
            }
            if page.next.is_none() {
                return Ok(everybody);
            }
            query = query.after(page.next);
        }
    }

    pub async fn of_role(&self, role: Role) -> Result<Vec<User>, StoreError> {
        self.all_of(Query::equals("role", body_of(&role)?, MAX_PAGE)).await
    }

    pub async fn of_tenant(&self, tenant: &str) -> Result<Vec<User>, StoreError> {
        self.all_of(Query::equals("tenant_id", tenant, MAX_PAGE)).await
    }

    /// In the order in which they were added; `tenant` narrows it to one. With the id to go on after.
    pub async fn page(
        &self,
        tenant: Option<&TenantId>,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<User>, Option<String>), StoreError> {
        let all = Query::all(limit).after(after);
        let query = match tenant {
            Some(tenant) => all.and("tenant_id", tenant.as_str()),
            None => all,
        };
        let page = self.store.find(&USERS, query).await?;
        let readable = |document: &Document| {
            document.parse(&USERS).inspect_err(|error| tracing::warn!(%error, "passed over")).ok()
        };
        Ok((page.documents.iter().filter_map(readable).collect(), page.next))
    }

    pub async fn by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        Ok(self.for_log_in(name).await?.map(|(user, _)| user))
    }

    /// Whose name is written just so; else the one whose name differs only in case. Where an older system has left two
    /// of those, a third spelling is neither's.
    pub async fn for_log_in(&self, name: &str) -> Result<Option<(User, Credential)>, StoreError> {
        let page = self.store.find(&USERS, Query::equals("name", name, 2)).await?;
        match page.documents.as_slice() {
            [exactly] => return with_credential(exactly).map(Some),
            // There before there was a unique index, and to be told by their ids until one of them is renamed.
            [_, _, ..] => return Ok(None),
            [] => {}
        }
        match self.namesakes(name).await?.as_slice() {
            [only] => with_credential(only).map(Some),
            [] | [_, _, ..] => Ok(None),
        }
    }

    /// Whether somebody but `id` has a name that reads like it. A look at everybody: users are added seldom, and no index
    /// knows what letters look like, nor what is in records that cannot be read or were not migrated yet.
    pub async fn is_called_by_another(&self, name: &str, id: &UserId) -> Result<bool, StoreError> {
        let is_alike = |document: &Document| {
            let theirs = document.body.get("name").and_then(Value::as_str);
            document.id != id.as_str() && theirs.is_some_and(|theirs| reads_like(theirs, name))
        };
        let mut query = Query::all(MAX_PAGE);
        loop {
            let page = self.store.find(&USERS, query.clone()).await?;
            if page.documents.iter().any(is_alike) {
                return Ok(true);
            }
            if page.next.is_none() {
                return Ok(false);
            }
            query = query.after(page.next);
        }
    }

    async fn namesakes(&self, name: &str) -> Result<Vec<Document>, StoreError> {
        let alike = Query::equals(FOLDED_NAME, folded(name), 2);
        Ok(self.store.find(&USERS, alike).await?.documents)
    }

    pub async fn with_credential(&self, id: &UserId) -> Result<Option<(User, Credential)>, StoreError> {
        self.store.get(&USERS, id.as_str()).await?.as_ref().map(with_credential).transpose()
    }

    async fn all_of(&self, query: Query) -> Result<Vec<User>, StoreError> {
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.find(&USERS, query.clone().after(after)).await?;
            for document in &page.documents {
                users.push(document.parse(&USERS)?);
            }
            if page.next.is_none() {
                return Ok(users);
            }
            after = page.next;
        }
    }

    async fn change_document(
        &self,
        entry: &Entry,
        id: &UserId,
        mut decide: impl FnMut(&Document) -> Result<Option<Value>, StoreError>,
    ) -> Result<Document, StoreError> {
        let signed = |found: &Document| {
            let Some(mut changes) = decide(found)? else { return Ok(None) };
            entry.sign_over(&found.body, &mut changes);
            Ok(Some(changes))
        };
        change(&self.store, &USERS, id.as_str(), signed).await
    }
}

fn with_credential(document: &Document) -> Result<(User, Credential), StoreError> {
    Ok((document.parse(&USERS)?, document.parse(&USERS)?))
}
