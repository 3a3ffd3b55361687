//! `clearline user list`, and users as the other commands print them.

use std::fmt;
use std::process::ExitCode;

use clap::Args;
use serde::{Serialize, Serializer};

use crate::domain::{Role, Sealing, Secret, User as Record};
use crate::store::{Opening, Users};

use super::super::CommandResult;
use super::super::common::{
    JsonAndSettings, exit_code, open_store_for, say, say_json, sealing, store_failed,
};
use super::warn_of_unreadable;

pub(super) const EXIT_CODES: &str = "Exit codes: 0 all are listed, 1 it did not work, 2 wrong arguments or settings, 3 listed, but for records \
that cannot be read (they are named on standard error).";

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    name: String,
    role: Role,
    tenant_id: Option<String>,
    enabled: bool,
    key_hint: Option<String>,
    /// Only by the command that has made it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    one_time_password: Option<Secret>,
}

impl List {
    pub(super) async fn run(self) -> CommandResult {
        let settings = self.common.settings.load()?;
        let (store, sealing) =
            (open_store_for(Opening::ToMend, &settings).await?, sealing(&settings.secrets)?);
        let everybody = Users::new(store.store.clone()).everybody().await.map_err(store_failed)?;
        warn_of_unreadable(&everybody);
        if everybody.users.is_empty() && !self.common.json {
            say("no users yet; add one with `clearline user add NAME`");
        }
        let shown: Vec<_> = everybody.users.iter().map(|user| Shown::of(user, &sealing)).collect();
        show(&shown, self.common.json)?;
        Ok(exit_code(everybody.unreadable.is_empty()))
    }
}

impl Shown {
    pub(super) fn with(self, one_time_password: Option<Secret>) -> Self {
        Self { one_time_password, ..self }
    }
}

pub(super) fn show(users: &[Shown], json: bool) -> CommandResult {
    if json {
        say_json(users)?;
    } else {
        users.iter().for_each(say);
    }
    Ok(ExitCode::SUCCESS)
}

impl Shown {
    pub(super) fn of(user: &Record, sealing: &Sealing) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role,
            tenant_id: user.tenant_id.as_ref().map(ToString::to_string),
            enabled: user.enabled,
            key_hint: user.google_api_key.as_ref().map(|key| sealing.hint(key)),
            one_time_password: None,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = format!("{:?}", self.role).to_lowercase();
        let key = self.key_hint.as_deref().unwrap_or("none");
        write!(f, "{:<20} {role:<10} key {key:<14} {}", self.name, self.id)?;
        if !self.enabled {
            f.write_str("  disabled")?;
        }
        match &self.one_time_password {
            Some(password) => {
                write!(f, "\none-time password, to be changed at the first log-in: {}", password.expose())
            }
            None => Ok(()),
        }
    }
}

fn exposed<S: Serializer>(password: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    password.as_ref().map(Secret::expose).serialize(serializer)
}
