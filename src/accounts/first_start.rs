//! A system without anybody who could administer it gets a superadmin (SPEC O3).

use super::{AccountError, Accounts, NewPassword, NewUser};
use crate::domain::{Role, Secret, UserId};
use crate::store::By;

const NAME: &str = "superadmin";
/// The claim that of several processes only one can win (a UUID, like every id).
const ID: &str = "00000000-0000-7000-8000-000000000000";

/// What is shown once, to whoever has started the system.
#[derive(Debug)]
pub struct FirstUser {
    pub name: String,
    pub one_time_password: Secret,
}

impl Accounts {
    /// `None`: there is a superadmin, or another process has just made it.
    pub async fn ensure_superadmin(&self) -> Result<Option<FirstUser>, AccountError> {
        if !self.users.of_role(Role::Superadmin).await?.is_empty() {
            return Ok(None);
        }
        let new = NewUser {
            name: NAME.into(),
            role: Role::Superadmin,
            tenant_id: None,
            password: NewPassword::OneTime,
        };
        match self.add_with_id(By::Engine, UserId::new(ID), new).await {
            Ok(added) => Ok(added
                .one_time_password
                .map(|one_time_password| FirstUser { name: added.user.name, one_time_password })),
            Err(AccountError::NameTaken(name)) if self.is_somebody_else(&name).await? => {
                Err(AccountError::NameTaken(name))
            }
            Err(AccountError::NameTaken(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn is_somebody_else(&self, name: &str) -> Result<bool, AccountError> {
        Ok(self.users.by_name(name).await?.is_some_and(|user| user.role != Role::Superadmin))
    }
}
