//! Why something was not done, for the person who asked for it.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::Overloaded;
use crate::access::WrongName;
use crate::access::password::Unfit;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub enum AccountError {
    #[error(
        "there is a user named {0:?} already, capital and small letters being one, and so letters of several scripts that \
         look the same; choose another name"
    )]
    NameTaken(String),
    #[error("there is no user {0:?}; `clearline user list` shows all")]
    NoUser(String),
    #[error("{0:?} is no admin; agents belong to admins")]
    NoAdmin(String),
    #[error("{name:?} still has agents ({agents}); remove them first, or disable {name:?} instead")]
    HasAgents { name: String, agents: String },
    #[error(
        "{0:?} is the last superadmin who can log in, and somebody must be able to administer the system; make another \
         first: clearline user add NAME --role superadmin --one-time-password"
    )]
    LastSuperadmin(String),
    #[error("{0} API tokens are the most a user has; revoke one first")]
    TooManyTokens(usize),
    #[error(transparent)]
    Name(#[from] WrongName),
    #[error(transparent)]
    Password(#[from] Unfit),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    #[error("the operating system gives no randomness: {0}")]
    NoRandomness(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Error)]
pub enum LogInError {
    /// The same for an unknown name, a wrong password and a disabled user.
    #[error("name or password is wrong")]
    Wrong,
    #[error("too many wrong passwords; try again in {} s", retry_after.as_secs() + 1)]
    Slowed { retry_after: Duration },
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for LogInError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}
