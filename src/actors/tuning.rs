//! Settings that change while the engine runs: what the store says lies over what this engine was started with.
//!
//! [`Tuning::change`] writes and takes effect here before it returns; other engines of the store see it at their next
//! look, as this one does at [`Tuning::keep_looking`]. A small read-mostly table, like the directory.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use super::Directory;
use super::call_supervisor::TuneCalls;
use super::key_pool::ReplaceLimits;
use super::sip_endpoint::LimitCalls;
use crate::clock;
use crate::config::{Overrides, RUN_TIME_SETTINGS, Settings};
use crate::domain::FieldProblem;
use crate::store::{
    Audit, By, Change, Effect, RUN_TIME_SETTINGS_ID, RunTimeSettings, SETTINGS, Store, StoreError, Subject,
    Users,
};
use crate::telemetry;

/// A change made at another engine counts here within two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    #[error("some of the values are wrong")]
    Invalid(Vec<FieldProblem>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What holds at a moment.
#[derive(Debug, PartialEq)]
pub struct Tuned {
    pub overrides: Overrides,
    pub settings: Settings,
}

/// A handle; clones share everything.
#[derive(Clone)]
pub struct Tuning {
    shared: Arc<Shared>,
}

struct Shared {
    configured: Settings,
    stored: RunTimeSettings,
    users: Users,
    audit: Audit,
    directory: Directory,
    current: RwLock<Arc<Tuned>>,
    /// Held from the look at the store to its effect, so that an older look never comes after a newer one.
    looking: Mutex<()>,
}

impl Tuning {
    /// At the start, before there is anybody to be told. A store that cannot say counts as one that says nothing until
    /// the next look.
    pub async fn read(configured: Settings, store: &Store, directory: Directory) -> Self {
        let current = Arc::new(Tuned { overrides: Overrides::default(), settings: configured.clone() });
        let shared = Shared {
            configured,
            stored: RunTimeSettings::new(store.clone()),
            users: Users::new(store.clone()),
            audit: Audit::new(store.clone()),
            directory,
            current: RwLock::new(current),
            looking: Mutex::new(()),
        };
        let tuning = Self { shared: Arc::new(shared) };
        tuning.look().await.unwrap_or_else(|error| warn_of(&error));
        tuning
    }

    pub fn current(&self) -> Arc<Tuned> {
        self.shared.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As command line, environment and file have it.
    pub fn configured(&self) -> &Settings {
        &self.shared.configured
    }

    /// Until it is dropped. A store that is away is told of once, not at every look.
    pub async fn keep_looking(self) {
        let mut could_look = true;
        loop {
            sleep(clock::timer_for(LOOK_EVERY)).await;
            let looked = self.look().await;
            if let Err(error) = looked.as_ref()
                && could_look
            {
                warn_of(error);
            }
            could_look = looked.is_ok();
        }
    }

    /// `decide` may be asked more than once, where others change something at the same moment.
    pub async fn change(
        &self,
        by: By,
        decide: impl Fn(&Overrides) -> Overrides,
    ) -> Result<Arc<Tuned>, TuningError> {
        let before = self.stored().await?.unwrap_or_default();
        let after = decide(&before);
        self.check(&after).await?;
        if after != before {
            let subject = Subject::new(&SETTINGS, RUN_TIME_SETTINGS_ID, "settings");
            let change = Change::new(by, "settings.change", Effect::Changed, subject)
                .with("values", self.difference(&before, &after));
            let write = async |entry: &_| self.shared.stored.change(entry, &decide).await;
            self.shared.audit.record(change, write).await?;
        }
        self.look().await?;
        Ok(self.current())
    }

    async fn check(&self, overrides: &Overrides) -> Result<(), TuningError> {
        let mut problems = overrides.problems_over(self.configured());
        if let Some(owner) = &overrides.default_owner_id {
            let found = self.shared.users.find(owner.as_str()).await?;
            if !found.is_some_and(|user| user.may_own_calls()) {
                let message = "is no user who may have calls".to_owned();
                problems.push(FieldProblem { field: "calls.default_owner_id".to_owned(), message });
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(TuningError::Invalid(problems)) }
    }

    /// For the audit log.
    fn difference(&self, before: &Overrides, after: &Overrides) -> String {
        let (old, new) = (before.laid_over(self.configured()), after.laid_over(self.configured()));
        let changed = RUN_TIME_SETTINGS.iter().filter(|setting| {
            setting.value(&old) != setting.value(&new)
                || setting.is_stored(before) != setting.is_stored(after)
        });
        let told = changed.map(|setting| match setting.is_stored(after) {
            true => format!("{} = {}", setting.path, setting.value(&new)),
            false => format!("{} as configured", setting.path),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    async fn look(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.shared.looking.lock().await;
        let overrides = checked(self.stored().await?.unwrap_or_default())?;
        let settings = overrides.laid_over(&self.shared.configured);
        let tuned = Arc::new(Tuned { overrides, settings });
        if self.current() != tuned {
            *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = tuned.clone();
            self.take_effect(&tuned.settings).await;
        }
        Ok(())
    }

    async fn stored(&self) -> Result<Option<Overrides>, StoreError> {
        Ok(self.shared.stored.get().await?.map(|stored| stored.record))
    }

    async fn take_effect(&self, settings: &Settings) {
        tracing::info!("settings were changed while the engine runs");
        telemetry::set_log_level(settings.log.level);
        let (directory, calls) = (&self.shared.directory, &settings.calls);
        if let Some(supervisor) = directory.supervisor() {
            let default_owner = calls.default_owner_id.as_ref().map(ToString::to_string);
            supervisor.send(TuneCalls { calls_max: calls.max_calls, default_owner }).await.ok();
        }
        if let Some(sip) = directory.sip() {
            sip.send(LimitCalls { calls_max: calls.max_calls }).await.ok();
        }
        if let Some(keys) = directory.keys() {
            keys.send(ReplaceLimits { limits: settings.key_limits() }).await.ok();
        }
    }
}

fn warn_of(error: &StoreError) {
    tracing::warn!(%error, "whether settings were changed cannot be read; they stay as they are");
}

/// What another program has written there is looked at as closely as what people send.
fn checked(overrides: Overrides) -> Result<Overrides, StoreError> {
    match overrides.problems().first() {
        None => Ok(overrides),
        Some(FieldProblem { field, message }) => Err(StoreError::Unreadable {
            collection: SETTINGS.name,
            id: RUN_TIME_SETTINGS_ID.to_owned(),
            detail: format!("{field}: {message}"),
        }),
    }
}
