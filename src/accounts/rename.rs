//! Another name for a user who stays who it is.

use super::{AccountError, Accounts};
use crate::access::check_name;
use crate::domain::UserId;
use crate::store::{By, Change, Effect, Entry, Subject, USERS};

/// Whom, as it was found: a record of an older version may lack what makes it a user of this one.
pub struct Renaming<'a> {
    pub id: &'a UserId,
    pub old_name: &'a str,
    pub new_name: &'a str,
}

impl Accounts {
    /// Ends all sessions and API tokens of the user, which hold the old name.
    pub async fn rename(&self, by: By, renaming: Renaming<'_>) -> Result<(), AccountError> {
        let Renaming { id, old_name, new_name } = renaming;
        check_name(new_name)?;
        let subject = Subject::new(&USERS, id.as_str(), old_name);
        let change = Change::new(by, "user.rename", Effect::Changed, subject).with("name", new_name);
        let rename = async |entry: &_| {
            self.have_nobody_called(new_name, id).await?;
            self.users.rename(entry, id, new_name).await?;
            self.keep_new_name(entry, &renaming).await?;
            self.logins.end_all_of(id).await?;
            Ok(self.api_tokens.revoke_all_of(entry, id).await?)
        };
        self.audit.record(change, rename).await.map(drop)
    }

    /// As with a user who is added: of two who take one name at the same instant, at least one gives it back.
    async fn keep_new_name(&self, entry: &Entry, renaming: &Renaming<'_>) -> Result<(), AccountError> {
        let refused = self.have_nobody_called(renaming.new_name, renaming.id).await;
        if refused.is_err() {
            self.users.rename(entry, renaming.id, renaming.old_name).await?;
        }
        refused
    }

    pub(super) async fn have_nobody_called(&self, name: &str, but: &UserId) -> Result<(), AccountError> {
        let is_taken = self.users.is_called_by_another(name, but).await?;
        if is_taken { Err(AccountError::NameTaken(name.to_owned())) } else { Ok(()) }
    }
}
