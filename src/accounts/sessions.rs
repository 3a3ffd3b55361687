//! Who comes with this token, and the sessions somebody has.

use super::{AccountError, Accounts};
use crate::access::{Bearer, BearerKind, Identity, Ticket};
use crate::domain::{Timestamp, User, UserId};
use crate::store::{By, Change, Credential, Effect, StoreError, Subject};

/// Somebody whose token was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub identity: Identity,
    pub kind: BearerKind,
    /// Of the session or API token.
    pub ticket_id: String,
}

/// A session or API token as its owner may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub id: String,
    pub label: String,
    pub seen_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl Accounts {
    /// Costs one read by id; now and then a write, which says that the ticket is in use.
    pub async fn identify(&self, token: &str) -> Result<Option<Caller>, StoreError> {
        let Some(bearer) = Bearer::parse(token) else { return Ok(None) };
        let found = match bearer.kind {
            BearerKind::Session => self.logins.get(&bearer.id).await?,
            BearerKind::ApiToken => self.api_tokens.get(&bearer.id).await?,
        };
        let now = self.wall();
        let Some(ticket) = found.filter(|ticket| bearer.fits(&ticket.token_hash)) else { return Ok(None) };
        if ticket.is_over(now, &self.limits) {
            return Ok(None);
        }
        if ticket.wants_look(now, &self.limits) {
            self.touch(&bearer, now).await;
        }
        Ok(Some(Caller { identity: ticket.identity(), kind: bearer.kind, ticket_id: bearer.id }))
    }

    /// Whether who came with this is still let in.
    pub async fn is_still_in(&self, caller: &Caller) -> Result<bool, StoreError> {
        let found = match caller.kind {
            BearerKind::Session => self.logins.get(&caller.ticket_id).await?,
            BearerKind::ApiToken => self.api_tokens.get(&caller.ticket_id).await?,
        };
        Ok(found.is_some_and(|ticket| !ticket.is_over(self.wall(), &self.limits)))
    }

    pub async fn log_out(&self, caller: &Caller) -> Result<(), StoreError> {
        match caller.kind {
            BearerKind::Session => self.logins.end(&caller.ticket_id).await.map(drop),
            BearerKind::ApiToken => Ok(()),
        }
    }

    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<Shown>, StoreError> {
        let now = self.wall();
        let sessions = self.logins.of_user(user).await?.into_iter();
        Ok(sessions.filter(|(_, ticket)| !ticket.is_over(now, &self.limits)).map(Shown::from).collect())
    }

    /// Ends one of this user's sessions; false where it has none of this id.
    pub async fn end_session(&self, user: &UserId, id: &str) -> Result<bool, StoreError> {
        match self.logins.get(id).await? {
            Some(ticket) if ticket.user_id == *user => self.logins.end(id).await,
            Some(_) | None => Ok(false),
        }
    }

    /// Ends all sessions of a user, and leaves its API tokens. Gives how many there were.
    pub async fn end_all_sessions(&self, by: By, user: &User) -> Result<usize, AccountError> {
        let change = Change::new(by, "user.end_sessions", Effect::Changed, Subject::user(user));
        let change = change.of_tenant(user.tenant_id.clone());
        let end_all = async |entry: &_| {
            self.users.change(entry, &user.id, |_| Some(serde_json::json!({}))).await?;
            self.logins.end_all_of(&user.id).await
        };
        Ok(self.audit.record(change, end_all).await?)
    }

    /// A request must not fail because its use could not be written down.
    async fn touch(&self, bearer: &Bearer, now: Timestamp) {
        let touched = match bearer.kind {
            BearerKind::Session => self.logins.touch(&bearer.id, now).await,
            BearerKind::ApiToken => self.api_tokens.touch(&bearer.id, now).await,
        };
        if let Err(error) = touched {
            tracing::warn!(%error, "that a session is in use could not be written");
        }
    }
}

/// What opened the ticket still holds: its user is there, enabled, and has not moved on to another generation.
pub(super) fn is_good(ticket: &Ticket, user: Option<&(User, Credential)>) -> bool {
    user.is_some_and(|(user, credential)| user.enabled && credential.generation == ticket.generation)
}

impl From<(String, Ticket)> for Shown {
    fn from((id, ticket): (String, Ticket)) -> Self {
        Self { id, label: ticket.label, seen_at: ticket.seen_at, expires_at: ticket.expires_at }
    }
}
