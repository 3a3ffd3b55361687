//! `clearline keys`: which user holds which Google key (SPEC K9). Every action can be repeated.

mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::accounts::AccountError;
use crate::domain::{KeyFingerprint, Secret};
use crate::engine::OpenStore;
use crate::keys::KeyPool;
use crate::store::{Change, Effect, Entry, GOOGLE_KEYS, KeyAssignment, KeyReport, Subject};

use super::CommandResult;
use super::common::{
    Failure, JsonAndSettings, exit_code, key_assignment, key_assignment_to_look_at, no_sealing_key,
    open_store, say, say_json, store_failed,
};
use super::user::{by_this_person, warn_of_unreadable};
use report::{SealReport, Shown, Unreadable};

#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Give a key to every admin and agent without one, and print who holds what
    #[command(after_help = EXIT_CODES)]
    Assign(Assign),
    /// Print who holds what
    #[command(after_help = EXIT_CODES)]
    Report(JsonAndSettings),
    /// Give a user another key than the present one
    Reassign(Reassign),
    /// Use keys again that the model has refused, once you have mended them or their quota
    Heal(Heal),
    /// Encrypt the stored keys that are plain, or sealed by an older encryption key
    Seal(JsonAndSettings),
}

#[derive(Args)]
struct Assign {
    /// Also move users off keys that others hold too, while there are free ones
    #[arg(long)]
    spread: bool,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
struct Reassign {
    /// Name or id
    user: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
struct Heal {
    /// The key as `keys report` prints it (AIza-a…0001), or "all"
    key: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

const ALL: &str = "all";
const EXIT_CODES: &str = "Exit codes: 0 all is told, 1 it did not work, 2 wrong arguments or settings, 3 done, but a user's record cannot be \
read (it is passed over, and named on standard error) or a stored key cannot be opened.";

/// What every action works with.
struct Desk {
    /// Its threads end with it.
    _store: OpenStore,
    assignment: KeyAssignment,
    pool: KeyPool,
    json: bool,
}

impl Keys {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(async {
            match self.action {
                Action::Assign(assign) => Desk::open(assign.common).await?.assign(assign.spread).await,
                Action::Report(common) => Desk::open_to_look(common).await?.report().await,
                Action::Reassign(reassign) => {
                    Desk::open(reassign.common).await?.reassign(&reassign.user).await
                }
                Action::Heal(heal) => Desk::open(heal.common).await?.heal(&heal.key).await,
                Action::Seal(common) => Desk::open(common).await?.seal().await,
            }
        })
    }
}

impl Desk {
    async fn open(common: JsonAndSettings) -> Result<Self, Failure> {
        let settings = common.settings.load()?;
        let store = open_store(&settings).await?;
        let assignment = key_assignment(&store.store, &settings.secrets, by_this_person()).await?;
        Ok(Self { _store: store, assignment, pool: settings.google_keys, json: common.json })
    }

    async fn open_to_look(common: JsonAndSettings) -> Result<Self, Failure> {
        let settings = common.settings.load()?;
        let store = open_store(&settings).await?;
        let by = by_this_person();
        let assignment = key_assignment_to_look_at(&store.store, &settings.secrets, by).await?;
        Ok(Self { _store: store, assignment, pool: settings.google_keys, json: common.json })
    }

    async fn assign(&self, spread: bool) -> CommandResult {
        self.assignment.assign_to_all(&self.pool).await.map_err(store_failed)?;
        if spread {
            self.assignment.spread(&self.pool, |_| true).await.map_err(store_failed)?;
        }
        self.report().await
    }

    async fn report(&self) -> CommandResult {
        Ok(exit_code(self.print_report().await?))
    }

    /// False: somebody is left out, or has a key that cannot be opened.
    async fn print_report(&self) -> Result<bool, Failure> {
        let everybody = self.assignment.users.everybody().await.map_err(store_failed)?;
        warn_of_unreadable(&everybody);
        let users = &everybody.users;
        let troubles = self.assignment.health.at((self.assignment.now)()).await.map_err(store_failed)?;
        let report = KeyReport::of(&self.assignment, &self.pool, users, &troubles);
        let is_whole = everybody.unreadable.is_empty() && report.unopened.is_empty();
        self.show(&Shown(report))?;
        Ok(is_whole)
    }

    async fn reassign(&self, name: &str) -> CommandResult {
        let found = self.assignment.users.find(name).await.map_err(store_failed)?;
        let unknown = || Failure::new(AccountError::NoUser(name.to_owned()).to_string());
        let user = found.ok_or_else(unknown)?;
        if !user.may_own_calls() {
            return Err(Failure::new(format!("{name:?} holds no key: it is disabled or a superadmin")));
        }
        let moved = self.assignment.reassign(&self.pool, &user.id, |_| true).await.map_err(store_failed)?;
        if moved.is_none() {
            return Err(Failure::new(self.assignment.no_other_key(&self.pool, &user).to_string()));
        }
        self.print_report().await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn heal(&self, key: &str) -> CommandResult {
        let (health, audit) = (&self.assignment.health, &self.assignment.audit);
        let named = self.fingerprints_of(key).await?;
        if key != ALL && named.is_empty() {
            return Err(Failure::new(format!(
                "no key is printed as {key:?}; `clearline keys report` lists them"
            )));
        }
        for trouble in health.all().await.map_err(store_failed)? {
            let name = named.get(&trouble.fingerprint);
            if key != ALL && name.is_none() {
                continue;
            }
            let subject =
                Subject::new(&GOOGLE_KEYS, trouble.fingerprint.as_str(), name.map_or(ALL, String::as_str));
            let change = Change::new(self.assignment.by.clone(), "key.heal", Effect::Removed, subject);
            let heal = async |entry: &Entry| health.heal(entry, &trouble.fingerprint).await;
            audit.record(change, heal).await.map_err(store_failed)?;
        }
        self.print_report().await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Of the keys that print themselves like this, and of their projects.
    async fn fingerprints_of(&self, wanted: &str) -> Result<BTreeMap<KeyFingerprint, String>, Failure> {
        let (fingerprints, sealing) = (&self.assignment.fingerprints, &self.assignment.sealing);
        let users = self.assignment.users.all().await.map_err(store_failed)?;
        let held = users.iter().filter_map(|user| sealing.open(user.google_api_key.as_ref()?).ok());
        let keys = self.pool.keys().iter().map(|entry| entry.key.clone()).chain(held);
        let of_key = |key: Secret| {
            let project = fingerprints.of_project(&self.pool.project_of(&key));
            [(fingerprints.of(&key), key.hint()), (project, key.hint())]
        };
        Ok(keys.filter(|key| wanted == ALL || key.hint() == wanted).flat_map(of_key).collect())
    }

    async fn seal(&self) -> CommandResult {
        if !self.assignment.sealing.has_key() {
            return Err(no_sealing_key());
        }
        let sealed = self.assignment.seal().await.map_err(store_failed)?;
        let unreadable: Vec<_> =
            sealed.unreadable.into_iter().map(|(user, why)| Unreadable { user, why }).collect();
        let failed = !unreadable.is_empty();
        self.show(&SealReport { sealed: sealed.changed, unreadable })?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn show(&self, shown: &(impl Serialize + fmt::Display)) -> CommandResult {
        if self.json {
            say_json(shown)?;
        } else {
            say(shown);
        }
        Ok(ExitCode::SUCCESS)
    }
}
