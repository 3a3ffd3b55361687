//! The people of the system: logging in, being known again, and every change to a user (SPEC O1, O3, O4).
//!
//! [`Accounts`] joins the rules of `access` with the store, the threads that compute passwords and the audit log. Who
//! may ask for what is not decided here: the command line may do everything, HTTP asks [`crate::access::Identity`]
//! first. What is here is true for both: names are unique, an admin with agents stays, the last superadmin too.
//!
//! ```text
//! log_in ─▶ Guesses ─▶ Users ─▶ Passwords (threads) ─▶ Logins ─▶ the token, once
//! identify(token) ─▶ one read of Logins or ApiTokens ─▶ Identity
//! add, set_password, disable, … ─▶ Audit: pending ─▶ Users ─▶ sessions and tokens end ─▶ Audit: done
//! ```
//!
//! **What ends sessions and tokens.** Disabling, removing and a new password end all of both: a disabled user has no way
//! in, and who changes a password because somebody else knows it must be rid of what that somebody has made with it, API
//! tokens included. The user's record moves on to a new *generation* in the same write, and a session is opened only if
//! its generation still holds after it was written; so neither a log-in at the same moment nor a crash in between leaves
//! a way in open for longer than until the next sweep.

mod changes;
mod error;
mod first_start;
mod log_in;
mod passwords;
mod rename;
mod sessions;
mod staff;
mod sweep;
mod tokens;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::access::{Guesses, TicketLimits};
use crate::clock;
use crate::domain::Timestamp;
use crate::store::{ApiTokens, Audit, Calls, Logins, Store, Users};

pub use changes::{Added, NewPassword, NewUser};
pub use error::{AccountError, LogInError};
pub use first_start::FirstUser;
pub use log_in::{Attempt, LoggedIn};
pub use passwords::{Overloaded, Passwords};
pub use rename::Renaming;
pub use sessions::{Caller, Shown};
pub use staff::Staff;
pub use tokens::NewToken;

/// Both clocks, so that a test can bring its own.
#[derive(Clone, Copy)]
pub struct Times {
    pub wall: fn() -> Timestamp,
    pub monotonic: fn() -> Instant,
}

impl Times {
    pub const REAL: Self = Self { wall: clock::unix_time, monotonic: clock::now };
}

/// A handle; clones share everything.
#[derive(Clone)]
pub struct Accounts {
    users: Users,
    calls: Calls,
    logins: Logins,
    api_tokens: ApiTokens,
    audit: Audit,
    passwords: Passwords,
    /// Asked by every HTTP worker; held for a look into a table and never across an await.
    guesses: Arc<Mutex<Guesses>>,
    limits: TicketLimits,
    times: Times,
}

impl Accounts {
    pub fn new(store: &Store, limits: TicketLimits, times: Times) -> io::Result<Self> {
        Ok(Self {
            users: Users::new(store.clone()),
            calls: Calls::new(store.clone()),
            logins: Logins::new(store.clone()),
            api_tokens: ApiTokens::new(store.clone()),
            audit: Audit::new(store.clone()),
            passwords: Passwords::start()?,
            guesses: Arc::default(),
            limits,
            times,
        })
    }

    pub fn users(&self) -> &Users {
        &self.users
    }

    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        (self.times.monotonic)()
    }

    fn wall(&self) -> Timestamp {
        (self.times.wall)()
    }
}

/// Where an attempt comes from, as a log shows it.
fn shown(source: IpAddr) -> IpAddr {
    source.to_canonical()
}

#[cfg(test)]
mod tests;
