//! `clearline user`: the people whose calls these are, and who may log in.
//!
//! The command line may do what no request can: it is used by whoever can read the store's file anyway. What it does is
//! in the audit log under the name that the operating system knows.

mod add;
mod change;
mod list;
mod rename;

use clap::{Args, Subcommand};

use crate::access::check_name;
use crate::accounts::{AccountError, Accounts, Staff, Times};
use crate::config::Settings;
use crate::domain::User as Record;
use crate::engine::OpenStore;
use crate::store::{By, Everybody, Numbers, Opening, StoreError};

use super::CommandResult;
use super::common::{Failure, JsonAndSettings, key_assignment, open_store_for};

pub(super) use add::add_admin;

#[derive(Args)]
pub(super) struct User {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add a user; it gets a Google key of its own at once, while the pool has one nobody holds
    #[command(after_help = add::EXAMPLES)]
    Add(add::Add),
    /// List all users, with the hint of each one's key
    #[command(after_help = list::EXIT_CODES)]
    List(list::List),
    /// Give a user another name; its sessions and API tokens end, everything else stays
    #[command(after_help = rename::EXAMPLES)]
    Rename(rename::Rename),
    /// Give a user a new password; all its sessions and API tokens end
    #[command(after_help = change::PASSWORD_EXAMPLES)]
    Passwd(change::Passwd),
    /// Shut a user out: it makes no calls and cannot log in, its sessions and API tokens end; nothing is lost
    Disable(change::Disable),
    /// Let a disabled user in again
    Enable(change::Enable),
    /// Remove a user for good; an admin's agents must go first
    Remove(change::Remove),
}

impl User {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(async {
            match self.action {
                Action::Add(add) => add.run().await,
                Action::List(list) => list.run().await,
                Action::Rename(rename) => rename.run().await,
                Action::Passwd(passwd) => passwd.run().await,
                Action::Disable(disable) => disable.run().await,
                Action::Enable(enable) => enable.run().await,
                Action::Remove(remove) => remove.run().await,
            }
        })
    }
}

/// What the commands work with.
struct Desk {
    settings: Settings,
    staff: Staff,
    numbers: Numbers,
    /// Its threads end with it.
    _store: OpenStore,
}

impl JsonAndSettings {
    async fn open(&self) -> Result<Desk, Failure> {
        self.open_for(Opening::ToWork).await
    }

    async fn open_for(&self, opening: Opening) -> Result<Desk, Failure> {
        let settings = self.settings.load()?;
        let store = open_store_for(opening, &settings).await?;
        let accounts = Accounts::new(&store.store, settings.sessions.limits(), Times::REAL);
        let accounts = accounts.map_err(|error| Failure::cannot("start a thread for passwords", error))?;
        let assignment = key_assignment(&store.store, &settings.secrets, by_this_person()).await?;
        let numbers = Numbers::new(store.store.clone());
        Ok(Desk { settings, staff: Staff { accounts, assignment }, numbers, _store: store })
    }
}

async fn find(accounts: &Accounts, name: &str) -> Result<Record, Failure> {
    known(accounts.users().find(name).await, name)
}

fn known(found: Result<Option<Record>, StoreError>, name: &str) -> Result<Record, Failure> {
    let found = found.map_err(|error| refused(error.into()))?;
    found.ok_or_else(|| refused(AccountError::NoUser(name.to_owned())))
}

fn parse_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// Who the operating system says is at the keyboard.
pub(super) fn by_this_person() -> By {
    let uid = rustix::process::getuid().as_raw();
    let name = std::fs::read_to_string("/etc/passwd").ok().and_then(|text| name_of_uid(&text, uid));
    By::Cli { os_user: name.unwrap_or_else(|| format!("uid {uid}")) }
}

fn name_of_uid(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let is_of = |line: &&str| line.split(':').nth(2) == Some(&uid);
    passwd.lines().find(is_of)?.split(':').next().map(ToOwned::to_owned)
}

fn refused(error: AccountError) -> Failure {
    if let AccountError::Store(error) = error {
        return Failure::cannot("use the store", error);
    }
    Failure::new(error.to_string())
}

/// Something that the person should know and that is no failure.
fn warn(text: impl std::fmt::Display) {
    super::common::tell(format_args!("clearline: {text}"));
}

/// A record that is none of ours hides no other, and is named.
pub(super) fn warn_of_unreadable(everybody: &Everybody) {
    everybody.unreadable.iter().for_each(warn);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_at_the_keyboard_is_named_as_the_system_knows_them() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nmira:x:1000:1000::/home/mira:/bin/sh\nbroken\n";
        assert_eq!(name_of_uid(passwd, 1_000).as_deref(), Some("mira"));
        assert_eq!(name_of_uid(passwd, 100), None);
    }
}
