//! `clearline user add`.

use clap::{Args, ValueEnum};

use crate::accounts::{Accounts, NewPassword, NewUser, Staff};
use crate::domain::{Role, TenantId, User as Record};
use crate::keys::KeyPool;

use super::super::CommandResult;
use super::super::common::{Failure, JsonAndSettings};
use super::super::secret_input;
use super::list::{Shown, show};
use super::{by_this_person, find, parse_name, refused, warn};

pub(super) const EXAMPLES: &str = "Examples:
  clearline user add mira --one-time-password       an admin, who chooses a password at the first log-in
  clearline user add ben --role agent --admin mira --ask-password
  pass show boss | clearline user add boss --role superadmin --ask-password";

#[derive(Args)]
pub(super) struct Add {
    /// The log-in name, 1 to 64 characters; no two users share one
    #[arg(value_parser = parse_name)]
    name: String,
    #[arg(long, value_enum, default_value_t = NewRole::Admin)]
    role: NewRole,
    /// The admin that an agent belongs to: name or id
    #[arg(long, required_if_eq("role", "agent"))]
    admin: Option<String>,
    /// Ask for a password at the terminal, or read the first line of standard input
    #[arg(long, conflicts_with = "one_time_password")]
    ask_password: bool,
    /// Make a password, show it once, and have it changed at the first log-in
    #[arg(long)]
    one_time_password: bool,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NewRole {
    Superadmin,
    Admin,
    Agent,
}

impl Add {
    pub(super) async fn run(self) -> CommandResult {
        let desk = self.common.open().await?;
        let staff = &desk.staff;
        let tenant_id = self.tenant(&staff.accounts).await?;
        let password = self.password().await?;
        let new = NewUser { name: self.name, role: self.role.into(), tenant_id, password };
        let cannot_log_in = matches!(new.password, NewPassword::None);
        let added = staff.add(by_this_person(), &desk.settings.google_keys, new).await.map_err(refused)?;
        if cannot_log_in {
            warn(format_args!(
                "without a password this user cannot log in; `clearline user passwd {}` gives it one",
                added.user.name
            ));
        }
        if added.user.role.makes_calls() && added.user.google_api_key.is_none() {
            warn(format_args!("this user has no key: {}", desk.settings.google_keys.no_key_to_give()));
        }
        show(
            &[Shown::of(&added.user, &staff.assignment.sealing).with(added.one_time_password)],
            self.common.json,
        )
    }

    async fn tenant(&self, accounts: &Accounts) -> Result<Option<TenantId>, Failure> {
        let Some(admin) = &self.admin else { return Ok(None) };
        if self.role != NewRole::Agent {
            return Err(Failure::new(
                "--admin: only agents belong to an admin; leave it out, or add --role agent",
            ));
        }
        match find(accounts, admin).await? {
            Record { role: Role::Admin, tenant_id: Some(tenant), .. } => Ok(Some(tenant)),
            _ => Err(Failure::new(format!("{admin:?} is no admin; agents belong to admins"))),
        }
    }

    async fn password(&self) -> Result<NewPassword, Failure> {
        if self.one_time_password {
            return Ok(NewPassword::OneTime);
        }
        if self.ask_password {
            return secret_input::ask_for_password(&self.name).await.map(NewPassword::Chosen);
        }
        Ok(NewPassword::None)
    }
}

/// An admin with a key of the pool if there is one; it cannot log in.
pub(in super::super) async fn add_admin(
    staff: &Staff,
    pool: &KeyPool,
    name: &str,
) -> Result<Record, Failure> {
    let new =
        NewUser { name: name.to_owned(), role: Role::Admin, tenant_id: None, password: NewPassword::None };
    Ok(staff.add(by_this_person(), pool, new).await.map_err(refused)?.user)
}

impl From<NewRole> for Role {
    fn from(role: NewRole) -> Self {
        match role {
            NewRole::Superadmin => Self::Superadmin,
            NewRole::Admin => Self::Admin,
            NewRole::Agent => Self::Agent,
        }
    }
}
