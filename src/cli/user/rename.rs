//! `clearline user rename`.

use clap::Args;

use crate::accounts::Renaming;
use crate::config::Settings;
use crate::domain::UserId;
use crate::store::{Opening, StoreError};

use super::super::CommandResult;
use super::super::common::JsonAndSettings;
use super::list::{Shown, show};
use super::{by_this_person, known, parse_name, refused, warn};

pub(super) const EXAMPLES: &str = "Examples:
  clearline user rename mira mira.k                 the user stays who it is, with its key, its calls and its numbers
  clearline user rename 019ac0ff-… mira-2           by id: one of two that an older version has let have one name";

#[derive(Args)]
pub(super) struct Rename {
    /// Name or id
    user: String,
    /// The new log-in name
    #[arg(value_parser = parse_name)]
    new_name: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

impl Rename {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.common.open_for(Opening::ToMend).await?;
        let accounts = &desk.staff.accounts;
        let (id, old_name) = match accounts.users().find(&self.user).await {
            Err(StoreError::Unreadable { id, .. }) => (UserId::new(&id), id),
            found => known(found, &self.user).map(|user| (user.id, user.name))?,
        };
        let renaming = Renaming { id: &id, old_name: &old_name, new_name: &self.new_name };
        accounts.rename(by_this_person(), renaming).await.map_err(refused)?;
        warn_of_settings(&desk.settings, &old_name);
        match accounts.users().get(&id).await {
            Ok(Some(user)) => show(&[Shown::of(&user, &desk.staff.assignment.sealing)], self.common.json),
            Ok(None) | Err(_) => {
                let new_name = &self.new_name;
                warn(format_args!(
                    "{id} is named {new_name}; its record is not whole before `clearline migrate`"
                ));
                show(&[], self.common.json)
            }
        }
    }
}

/// Settings may name a user by name.
fn warn_of_settings(settings: &Settings, old_name: &str) {
    if settings.calls.default_owner_id.as_ref().is_some_and(|owner| owner.as_str() == old_name) {
        warn(format_args!("calls.default_owner_id still says {old_name}; write the new name, or the id"));
    }
    for (number, _) in settings.numbers.iter().filter(|(_, route)| route.owner == old_name) {
        warn(format_args!("[numbers] still gives {number} to {old_name}; write the new name, or the id"));
    }
}
