//! `clearline user passwd`, `disable`, `enable` and `remove`.

use clap::Args;

use crate::access::{Scope, folded};
use crate::accounts::NewPassword;
use crate::domain::{User as Record, UserId};
use crate::store::{MAX_PAGE, Opening, StoreError};

use super::super::CommandResult;
use super::super::common::{Failure, JsonAndSettings, store_failed};
use super::super::secret_input;
use super::list::{Shown, show};
use super::{Desk, by_this_person, find, known, refused, warn};

pub(super) const PASSWORD_EXAMPLES: &str = "Examples:
  clearline user passwd mira                        asks twice, without showing it
  clearline user passwd mira < new-password         the first line of standard input
  clearline user passwd mira --one-time-password    for somebody else, who changes it at the first log-in";

#[derive(Args)]
struct Whom {
    /// Name or id
    user: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
pub(super) struct Passwd {
    #[command(flatten)]
    whom: Whom,
    /// Make a password, show it once, and have it changed at the first log-in
    #[arg(long)]
    one_time_password: bool,
}

#[derive(Args)]
pub(super) struct Disable {
    #[command(flatten)]
    whom: Whom,
}

#[derive(Args)]
pub(super) struct Enable {
    #[command(flatten)]
    whom: Whom,
}

#[derive(Args)]
pub(super) struct Remove {
    #[command(flatten)]
    whom: Whom,
}

impl Passwd {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.whom.common.open().await?;
        let (accounts, sealing) = (&desk.staff.accounts, &desk.staff.assignment.sealing);
        let user = find(accounts, &self.whom.user).await?;
        let password = if self.one_time_password {
            NewPassword::OneTime
        } else {
            NewPassword::Chosen(secret_input::ask_for_password(&user.name).await?)
        };
        let one_time_password =
            accounts.set_password(by_this_person(), &user, password).await.map_err(refused)?;
        if !user.enabled {
            warn(format_args!(
                "{} is disabled and cannot log in; `clearline user enable` changes that",
                user.name
            ));
        }
        show(&[Shown::of(&user, sealing).with(one_time_password)], self.whom.common.json)
    }
}

impl Disable {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.whom.common.open().await?;
        let (accounts, sealing) = (&desk.staff.accounts, &desk.staff.assignment.sealing);
        let user = find(accounts, &self.whom.user).await?;
        if !desk.staff.disable(by_this_person(), &user).await.map_err(refused)? {
            warn(format_args!("{} was disabled already", user.name));
        }
        warn_of_what_it_leaves(&desk, &user).await?;
        show(&[Shown::of(&without_key(user, false), sealing)], self.whom.common.json)
    }
}

impl Enable {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.whom.common.open().await?;
        let (accounts, sealing) = (&desk.staff.accounts, &desk.staff.assignment.sealing);
        let user = find(accounts, &self.whom.user).await?;
        let pool = &desk.settings.google_keys;
        let (user, was_disabled) = desk.staff.enable(by_this_person(), pool, &user).await.map_err(refused)?;
        if !was_disabled {
            warn(format_args!("{} was enabled already", user.name));
        }
        show(&[Shown::of(&user, sealing)], self.whom.common.json)
    }
}

impl Remove {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.whom.common.open_for(Opening::ToMend).await?;
        let (accounts, sealing) = (&desk.staff.accounts, &desk.staff.assignment.sealing);
        let found = accounts.users().find(&self.whom.user).await;
        if let Err(StoreError::Unreadable { id, .. }) = found {
            let id = UserId::new(id);
            desk.staff.remove_unreadable(by_this_person(), &id).await.map_err(refused)?;
            warn(format_args!(
                "the record of {id} could not be read; it is gone, with its sessions and API tokens"
            ));
            return show(&[], self.whom.common.json);
        }
        let user = known(found, &self.whom.user)?;
        desk.staff.remove(by_this_person(), &user).await.map_err(refused)?;
        warn_of_what_it_leaves(&desk, &user).await?;
        show(&[Shown::of(&user, sealing)], self.whom.common.json)
    }
}

fn without_key(user: Record, enabled: bool) -> Record {
    Record { enabled, google_api_key: None, google_api_key_fingerprint: None, ..user }
}

/// What goes on without the user, or does not go on any more.
async fn warn_of_what_it_leaves(desk: &Desk, user: &Record) -> Result<(), Failure> {
    let settings = &desk.settings;
    for what in desk.staff.accounts.what_goes_on_without(user).await.map_err(refused)? {
        warn(what);
    }
    let is_user = |named: &str| folded(named) == folded(&user.name) || named == user.id.as_str();
    if settings.calls.default_owner_id.as_ref().is_some_and(|owner| is_user(owner.as_str())) {
        warn(format_args!(
            "{} is calls.default_owner_id: incoming calls to numbers without an owner are refused from now on",
            user.name
        ));
    }
    for (number, _) in settings.numbers.iter().filter(|(_, route)| is_user(&route.owner)) {
        warn(format_args!("{} owns {number}: calls to it are refused from now on", user.name));
    }
    warn_of_numbers(desk, user).await
}

async fn warn_of_numbers(desk: &Desk, user: &Record) -> Result<(), Failure> {
    let owned = desk.numbers.list(&Scope::Owner(user.id.clone()), None, MAX_PAGE).await;
    for number in owned.map_err(store_failed)?.items {
        warn(format_args!(
            "{} owns {}: calls to it are the default owner's from now on, or refused; `clearline number set {1} \
             --owner` gives it to somebody else",
            user.name,
            number.record.number.expose()
        ));
    }
    Ok(())
}
