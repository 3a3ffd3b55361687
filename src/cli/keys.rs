//! `clearline keys`: which user holds which Google key (SPEC K9). Every action can be repeated.

use std::collections::HashMap;
use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::accounts::AccountError;
use crate::domain::{ProjectId, User};
use crate::engine::OpenStore;
use crate::keys::KeyPool;
use crate::store::KeyAssignment;

use super::CommandResult;
use super::common::{
    Failure, JsonAndSettings, key_assignment, key_assignment_to_look_at, no_sealing_key, open_store, say,
    say_json, store_failed,
};
use super::user::{by_this_person, warn_of_unreadable};

#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Give a key to every admin and agent without one, and print who holds what
    Assign(Assign),
    /// Print who holds what
    Report(JsonAndSettings),
    /// Give a user another key than the present one
    Reassign(Reassign),
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
        self.assignment.tidy().await.map_err(store_failed)?;
        for user in self.assignment.users.all().await.map_err(store_failed)? {
            if user.google_api_key.is_none() {
                self.assignment.assign(&self.pool, &user.id, |_| true).await.map_err(store_failed)?;
            }
        }
        if spread {
            self.assignment.spread(&self.pool, |_| true).await.map_err(store_failed)?;
        }
        self.report().await
    }

    async fn report(&self) -> CommandResult {
        let everybody = self.assignment.users.everybody().await.map_err(store_failed)?;
        warn_of_unreadable(&everybody);
        self.show(&Report::of(&self.assignment, &self.pool, &everybody.users))
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
            return Err(Failure::new("the pool has no other key; add one as GOOGLE_API_KEY_2, _3, …"));
        }
        self.report().await
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

/// SPEC K9: users per key, keys nobody holds with 0, and what an operator should look at.
#[derive(Serialize)]
struct Report {
    keys: Vec<KeyLine>,
    /// Users whose key is not in the pool any more: used while the model accepts it.
    outside_the_pool: Vec<String>,
    without_key: Vec<String>,
}

#[derive(Serialize)]
struct KeyLine {
    key: String,
    project: ProjectId,
    users: Vec<String>,
    /// Other keys of the pool that Google counts together with this one (SPEC K11).
    shares_project: bool,
}

impl Report {
    fn of(assignment: &KeyAssignment, pool: &KeyPool, users: &[User]) -> Self {
        let names = |chosen: &dyn Fn(&User) -> bool| -> Vec<String> {
            users.iter().filter(|user| chosen(user)).map(|user| user.name.clone()).collect()
        };
        let known: Vec<_> = pool.keys().iter().map(|entry| assignment.fingerprints.of(&entry.key)).collect();
        // Each key is opened once, not once for every key of the pool.
        let held: HashMap<_, _> =
            users.iter().filter_map(|user| Some((&user.id, assignment.fingerprint_of(user)?))).collect();
        let keys = pool.keys().iter().zip(&known).map(|(entry, fingerprint)| KeyLine {
            key: entry.key.hint(),
            project: entry.project.clone(),
            users: names(&|user| held.get(&user.id) == Some(fingerprint)),
            shares_project: pool.keys().iter().filter(|other| other.project == entry.project).count() > 1,
        });
        let outside = |user: &User| {
            user.google_api_key.is_some() && held.get(&user.id).is_none_or(|held| !known.contains(held))
        };
        Self {
            keys: keys.collect(),
            outside_the_pool: names(&outside),
            without_key: names(&|user| user.may_own_calls() && user.google_api_key.is_none()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            writeln!(f, "the pool has no keys; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …")?;
        }
        for line in &self.keys {
            let shared = if line.shares_project { "  (project shared with another key)" } else { "" };
            let users = if line.users.is_empty() { "nobody".to_owned() } else { line.users.join(", ") };
            writeln!(f, "{:<14} {:>3}  {users}{shared}", line.key, line.users.len())?;
        }
        for name in &self.outside_the_pool {
            writeln!(
                f,
                "{name} has a key that is not in the pool; `clearline keys reassign {name:?}` gives another"
            )?;
        }
        match self.without_key.as_slice() {
            [] => write!(f, "every admin and agent has a key"),
            names => write!(f, "without a key: {}; `clearline keys assign` gives them one", names.join(", ")),
        }
    }
}

#[derive(Serialize)]
struct SealReport {
    sealed: usize,
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Unreadable {
    user: String,
    why: String,
}

impl fmt::Display for SealReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Unreadable { user, why } in &self.unreadable {
            writeln!(f, "the key of {user} was left as it is: {why}")?;
        }
        write!(f, "stored keys that were sealed: {}", self.sealed)
    }
}
