//! `clearline user`: the people whose calls these are.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::clock;
use crate::domain::{Role, Sealing, TenantId, User as Record, UserId};
use crate::keys::KeyPool;
use crate::store::{KeyAssignment, StoreError, Users};

use super::CommandResult;
use super::common::{Failure, SettingsArguments, key_assignment, open_store, say, store_failed};

#[derive(Args)]
pub(super) struct User {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add a user; it gets a Google key of its own at once, while the pool has one nobody holds
    Add(Add),
    /// List all users, with the hint of each one's key
    List(List),
}

#[derive(Args)]
struct Add {
    /// The log-in name, 1 to 64 characters; no two users share one
    #[arg(value_parser = parse_name)]
    name: String,
    #[arg(long, value_enum, default_value_t = NewRole::Admin)]
    role: NewRole,
    /// The admin that an agent belongs to: name or id
    #[arg(long, required_if_eq("role", "agent"))]
    admin: Option<String>,
    /// One JSON document instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Args)]
struct List {
    /// One JSON document instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Clone, Copy, ValueEnum)]
enum NewRole {
    Admin,
    Agent,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    role: Role,
    enabled: bool,
    key_hint: Option<String>,
}

impl User {
    pub(super) fn run(self) -> CommandResult {
        match self.action {
            Action::Add(add) => actix::System::new().block_on(add.run()),
            Action::List(list) => actix::System::new().block_on(list.run()),
        }
    }
}

impl Add {
    async fn run(self) -> CommandResult {
        let settings = self.settings.load()?;
        let open = open_store(&settings).await?;
        let assignment = key_assignment(&open.store, &settings.secrets).await?;
        let users = &assignment.users;
        let tenant = match &self.admin {
            Some(admin) => Some(find_admin(users, admin).await?),
            None => None,
        };
        let user = add_user(&assignment, &settings.google_keys, &self.name, tenant).await?;
        if user.google_api_key.is_none() {
            warn_without_key();
        }
        show(&[user], &assignment.sealing, self.json)
    }
}

impl List {
    async fn run(self) -> CommandResult {
        let settings = self.settings.load()?;
        let open = open_store(&settings).await?;
        let assignment = key_assignment(&open.store, &settings.secrets).await?;
        show(&assignment.users.all().await.map_err(store_failed)?, &assignment.sealing, self.json)
    }
}

/// An admin, or an agent of the given tenant, with a key of the pool if there is one.
pub(super) async fn add_user(
    assignment: &KeyAssignment,
    pool: &KeyPool,
    name: &str,
    tenant: Option<TenantId>,
) -> Result<Record, Failure> {
    let id = clock::new_id();
    let user = Record {
        role: if tenant.is_some() { Role::Agent } else { Role::Admin },
        tenant_id: Some(tenant.unwrap_or_else(|| TenantId::new(&id))),
        id: UserId::new(&id),
        name: name.to_owned(),
        google_api_key: None,
        google_api_key_fingerprint: None,
        enabled: true,
    };
    assignment.users.insert(&user).await.map_err(|error| {
        if matches!(error, StoreError::Conflict { .. }) {
            return Failure::new(format!("there is a user named {name:?} already; choose another name"));
        }
        store_failed(error)
    })?;
    let with_key = assignment.assign(pool, &user.id, |_| true).await.map_err(store_failed)?;
    Ok(with_key.unwrap_or(user))
}

const NAME_CHARACTERS_MAX: usize = 64;

/// A name must be readable in a line of a list, and typed again as it is shown.
fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.trim() != text {
        return Err("a name is not empty and has no blanks before or behind it".into());
    }
    if text.chars().any(char::is_control) {
        return Err("a name has no line breaks or other control characters".into());
    }
    if text.chars().count() > NAME_CHARACTERS_MAX {
        return Err(format!("a name has at most {NAME_CHARACTERS_MAX} characters"));
    }
    Ok(text.to_owned())
}

async fn find_admin(users: &Users, name: &str) -> Result<TenantId, Failure> {
    let found = users.find(name).await.map_err(store_failed)?;
    match found {
        Some(Record { role: Role::Admin, tenant_id: Some(tenant), .. }) => Ok(tenant),
        Some(_) => Err(Failure::new(format!("{name:?} is no admin; agents belong to admins"))),
        None => Err(Failure::new(format!("there is no user {name:?}; `clearline user list` shows all"))),
    }
}

fn show(users: &[Record], sealing: &Sealing, json: bool) -> CommandResult {
    let shown: Vec<_> = users.iter().map(|user| Shown::of(user, sealing)).collect();
    if json {
        let text = serde_json::to_string_pretty(&shown);
        say(text.map_err(|error| Failure::cannot("write the list", error))?);
    } else if shown.is_empty() {
        say("no users yet; add one with `clearline user add NAME`");
    } else {
        shown.iter().for_each(say);
    }
    Ok(ExitCode::SUCCESS)
}

impl Shown {
    fn of(user: &Record, sealing: &Sealing) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role,
            enabled: user.enabled,
            key_hint: user.google_api_key.as_ref().map(|key| sealing.hint(key)),
        }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = format!("{:?}", self.role).to_lowercase();
        let key = self.key_hint.as_deref().unwrap_or("none");
        write!(f, "{:<20} {role:<10} key {key:<14} {}", self.name, self.id)
    }
}

#[expect(clippy::print_stderr, reason = "a warning for the person who typed the command")]
fn warn_without_key() {
    eprintln!(
        "clearline: the pool has no Google key, so this user has none; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …"
    );
}
