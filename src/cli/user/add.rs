//! `clearline user add`.

use clap::{Args, ValueEnum};

use crate::access::check_name;
use crate::accounts::{Accounts, Added, NewPassword, NewUser};
use crate::domain::{Role, TenantId, User as Record};
use crate::keys::KeyPool;
use crate::store::{By, KeyAssignment};

use super::super::CommandResult;
use super::super::common::{Failure, JsonAndSettings, store_failed};
use super::super::secret_input;
use super::list::{Shown, show};
use super::{by_this_person, find, refused, warn};

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
        let (accounts, assignment, pool) = (&desk.accounts, &desk.assignment, &desk.settings.google_keys);
        let tenant = self.tenant(accounts).await?;
        let password = self.password().await?;
        let by = by_this_person();
        let added = match self.role {
            NewRole::Superadmin => {
                let new = NewUser { name: self.name, role: Role::Superadmin, tenant_id: None, password };
                accounts.add(by, new).await.map_err(refused)?
            }
            NewRole::Admin | NewRole::Agent => {
                add_with_key(accounts, assignment, pool, by, &self.name, tenant, password).await?
            }
        };
        if added.user.role.makes_calls() && added.user.google_api_key.is_none() {
            warn(
                "the pool has no Google key, so this user has none; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …",
            );
        }
        show(&[Shown::of(&added.user, &assignment.sealing).with(added.one_time_password)], self.common.json)
    }

    async fn tenant(&self, accounts: &Accounts) -> Result<Option<TenantId>, Failure> {
        let Some(admin) = self.admin.as_deref().filter(|_| self.role == NewRole::Agent) else {
            return Ok(None);
        };
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
        warn(format_args!(
            "without a password this user cannot log in; `clearline user passwd {}` gives it one",
            self.name
        ));
        Ok(NewPassword::None)
    }
}

/// An admin, or an agent of the given tenant, with a key of the pool if there is one; it cannot log in.
pub(in super::super) async fn add_user(
    accounts: &Accounts,
    assignment: &KeyAssignment,
    pool: &KeyPool,
    name: &str,
    tenant: Option<TenantId>,
) -> Result<Record, Failure> {
    let added =
        add_with_key(accounts, assignment, pool, by_this_person(), name, tenant, NewPassword::None).await?;
    Ok(added.user)
}

async fn add_with_key(
    accounts: &Accounts,
    assignment: &KeyAssignment,
    pool: &KeyPool,
    by: By,
    name: &str,
    tenant: Option<TenantId>,
    password: NewPassword,
) -> Result<Added, Failure> {
    let new = NewUser {
        name: name.to_owned(),
        role: if tenant.is_some() { Role::Agent } else { Role::Admin },
        tenant_id: tenant,
        password,
    };
    let added = accounts.add(by, new).await.map_err(refused)?;
    let with_key = assignment.assign(pool, &added.user.id, |_| true).await.map_err(store_failed)?;
    Ok(Added { user: with_key.unwrap_or(added.user), ..added })
}

fn parse_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}
