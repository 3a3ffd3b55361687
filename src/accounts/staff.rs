//! Adding, shutting out and letting in users together with the Google key each has (SPEC K2).

use super::{AccountError, Accounts, Added, NewUser};
use crate::domain::{User, UserId};
use crate::keys::KeyPool;
use crate::store::{By, KeyAssignment, StoreError};

/// What changes users where keys are at hand: the command line and HTTP.
#[derive(Clone)]
pub struct Staff {
    pub accounts: Accounts,
    pub assignment: KeyAssignment,
}

impl Staff {
    /// With a key of the pool if there is one, and if this user may have one.
    pub async fn add(&self, by: By, pool: &KeyPool, new: NewUser) -> Result<Added, AccountError> {
        let added = self.accounts.add(by.clone(), new).await?;
        let with_key = self.assign(by, pool, &added.user).await?;
        Ok(Added { user: with_key.unwrap_or(added.user), ..added })
    }

    /// False when the user was disabled already; the key goes back either way.
    pub async fn disable(&self, by: By, user: &User) -> Result<bool, AccountError> {
        let was_enabled = self.accounts.disable(by.clone(), user).await?;
        self.on_behalf_of(by).give_back(&user.id).await?;
        Ok(was_enabled)
    }

    /// Gives the user as it is then, and whether it had been disabled.
    pub async fn enable(&self, by: By, pool: &KeyPool, user: &User) -> Result<(User, bool), AccountError> {
        let was_disabled = self.accounts.enable(by.clone(), user).await?;
        let with_key = self.assign(by, pool, user).await?;
        Ok((with_key.unwrap_or(User { enabled: true, ..user.clone() }), was_disabled))
    }

    pub async fn remove(&self, by: By, user: &User) -> Result<(), AccountError> {
        self.accounts.remove(by.clone(), user).await?;
        Ok(self.on_behalf_of(by).give_back(&user.id).await?)
    }

    pub async fn remove_unreadable(&self, by: By, id: &UserId) -> Result<(), AccountError> {
        self.accounts.remove_unreadable(by.clone(), id).await?;
        Ok(self.on_behalf_of(by).give_back(id).await?)
    }

    async fn assign(&self, by: By, pool: &KeyPool, user: &User) -> Result<Option<User>, StoreError> {
        self.on_behalf_of(by).assign(pool, &user.id, |_| true).await
    }

    pub fn on_behalf_of(&self, by: By) -> KeyAssignment {
        KeyAssignment { by, ..self.assignment.clone() }
    }
}
