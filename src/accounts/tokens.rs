//! API tokens, for machine clients (SPEC O3): made with a name, listed by it, revoked.

use super::sessions::{Shown, is_good};
use super::{AccountError, Accounts};
use crate::access::{Bearer, BearerKind};
use crate::clock;
use crate::domain::{Secret, User};
use crate::store::{API_TOKENS, By, Change, Effect, Subject};

const TOKENS_PER_USER_MAX: usize = 50;

#[derive(Debug)]
pub struct NewToken {
    pub id: String,
    /// It is told this once; the store has its hash.
    pub token: Secret,
}

impl Accounts {
    pub async fn make_token(&self, by: By, user: &User, name: &str) -> Result<NewToken, AccountError> {
        crate::access::check_label(name)?;
        if self.api_tokens.of_user(&user.id).await?.len() >= TOKENS_PER_USER_MAX {
            return Err(AccountError::TooManyTokens(TOKENS_PER_USER_MAX));
        }
        let no_user = || AccountError::NoUser(user.name.clone());
        let found = self.users.with_credential(&user.id).await?.filter(|(user, _)| user.enabled);
        let (user, credential) = found.ok_or_else(no_user)?;
        let bearer = Bearer::new(BearerKind::ApiToken, &clock::new_id(), &clock::random_bytes()?);
        let ticket = self.ticket(&user, &credential, &bearer, name);
        let change = token_change(by, "token.make", Effect::Made, &bearer.id, name, &user);
        self.audit
            .record(change, async |entry| self.api_tokens.insert(entry, &bearer.id, &ticket).await)
            .await?;
        if !is_good(&ticket, self.users.with_credential(&user.id).await?.as_ref()) {
            self.api_tokens.sweep_away(&bearer.id).await?;
            return Err(no_user());
        }
        Ok(NewToken { token: bearer.text(), id: bearer.id })
    }

    pub async fn tokens_of(&self, user: &User) -> Result<Vec<Shown>, AccountError> {
        Ok(self.api_tokens.of_user(&user.id).await?.into_iter().map(Shown::from).collect())
    }

    /// Revokes one of this user's tokens; false where it has none of this id.
    pub async fn revoke_token(&self, by: By, user: &User, id: &str) -> Result<bool, AccountError> {
        let found = self.api_tokens.get(id).await?.filter(|ticket| ticket.user_id == user.id);
        let Some(ticket) = found else { return Ok(false) };
        let change = token_change(by, "token.revoke", Effect::Removed, id, &ticket.label, user);
        Ok(self.audit.record(change, async |entry| self.api_tokens.revoke(entry, id).await).await?)
    }
}

fn token_change(by: By, action: &'static str, effect: Effect, id: &str, name: &str, user: &User) -> Change {
    let change = Change::new(by, action, effect, Subject::new(&API_TOKENS, id, name));
    change.of_tenant(user.tenant_id.clone()).with("user", &user.name)
}
