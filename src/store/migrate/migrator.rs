//! Runs what is missing, or goes back, one migration after the other.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::backfill::{Stopped, Work};
use super::ledger::{self, Claim, Entered, Ledger, State};
use super::{Back, Claimant, Direction, LATEST, LIST, MigrateError, Migration, Step, Tally, engines};
use crate::clock;
use crate::store::Store;

/// A claim that stands still this long is nobody's any more.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(30);
/// As `node.dead_after_ms` has it where nothing else is set.
const ENGINES_DEAD_AFTER: Duration = Duration::from_secs(30);
/// How often a bystander looks whether it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Migrator {
    store: Store,
    claimant: Claimant,
    take_over_after: Duration,
    engines_dead_after: Duration,
}

/// A migration this process has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ran {
    pub number: u32,
    pub name: &'static str,
    pub direction: Direction,
    #[serde(flatten)]
    pub tally: Tally,
}

/// How a migration stands in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    NotRun,
    Done,
    WentBack,
    /// By somebody who may be at work right now.
    Begun,
    Stopped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub number: u32,
    pub name: &'static str,
    pub purpose: &'static str,
    pub standing: Standing,
    pub direction: Option<Direction>,
    /// RFC 3339, as the store stamped it.
    pub since: Option<String>,
    pub by: Option<String>,
    pub tally: Option<Tally>,
    pub stopped_at: Option<String>,
    pub way_back: String,
}

impl Migrator {
    pub fn new(store: Store, claimant: Claimant) -> Self {
        let (take_over_after, engines_dead_after) = (TAKE_OVER_AFTER, ENGINES_DEAD_AFTER);
        Self { store, claimant, take_over_after, engines_dead_after }
    }

    /// Another patience with claims that stand still.
    pub fn taking_over_after(self, take_over_after: Duration) -> Self {
        Self { take_over_after, ..self }
    }

    /// How long an engine that gives no sign of life keeps others from going back.
    pub fn taking_engines_for_dead_after(self, engines_dead_after: Duration) -> Self {
        Self { engines_dead_after, ..self }
    }

    /// To this version: what the engine needs before it starts. Gives what was still to be done.
    pub async fn up(&self) -> Result<Vec<Ran>, MigrateError> {
        self.to(LATEST).await
    }

    /// Up, or back; a way that cannot be gone to its end is not begun.
    pub async fn to(&self, target: u32) -> Result<Vec<Ran>, MigrateError> {
        if target > LATEST {
            return Err(MigrateError::Unknown(target));
        }
        let ledger = Ledger::read(&self.store).await.map_err(MigrateError::Ledger)?;
        let to_undo = || LIST.iter().rev().filter(|migration| migration.number > target);
        let to_undo = || to_undo().filter(|migration| !is(ledger.newest(migration.number), Direction::Back));
        for migration in to_undo() {
            if let Back::Impossible { because } = migration.back {
                return Err(MigrateError::NoWayBack {
                    number: migration.number,
                    name: migration.name,
                    because,
                });
            }
        }
        if to_undo().next().is_some() {
            engines::refuse_if_any_is_at_work(&self.store, self.engines_dead_after).await?;
        }
        let mut ran = Vec::new();
        for migration in to_undo() {
            ran.extend(self.run(migration, Direction::Back).await?);
        }
        for migration in LIST.iter().filter(|migration| migration.number <= target) {
            ran.extend(self.run(migration, Direction::Up).await?);
        }
        Ok(ran)
    }

    pub async fn status(&self) -> Result<Vec<Status>, MigrateError> {
        let ledger = Ledger::read(&self.store).await.map_err(MigrateError::Ledger)?;
        Ok(LIST.iter().map(|migration| status_of(migration, ledger.newest(migration.number))).collect())
    }

    /// `None`: it was done, by us before or by somebody else just now.
    async fn run(
        &self,
        migration: &'static Migration,
        direction: Direction,
    ) -> Result<Option<Ran>, MigrateError> {
        let no_store =
            |cause| MigrateError::NoStore { number: migration.number, name: migration.name, cause };
        let mut watched = None;
        loop {
            let ledger = Ledger::read(&self.store).await.map_err(no_store)?;
            let newest = ledger.newest(migration.number);
            if is(newest, direction) {
                return Ok(None);
            }
            if newest.is_some_and(|newest| !self.may_take_over(newest, &mut watched)) {
                sleep(clock::timer_for(LOOK_AGAIN)).await;
                continue;
            }
            let claimed = ledger.claim(&self.store, migration, direction, &self.claimant).await;
            let Some(claim) = claimed.map_err(no_store)? else { continue };
            match self.perform(migration, &claim).await {
                Ok(tally) => {
                    let (number, name) = (migration.number, migration.name);
                    return Ok(Some(Ran { number, name, direction, tally }));
                }
                Err(Stopped::TakenOver) => {
                    tracing::warn!(migration = migration.number, "somebody else goes on with it");
                }
                Err(Stopped::Store(cause)) => return Err(no_store(cause)),
                Err(Stopped::Document { at, why }) => {
                    let (number, name) = (migration.number, migration.name);
                    return Err(MigrateError::Stopped { number, name, at, why });
                }
            }
        }
    }

    /// `watched` remembers the claim as it was when we first saw it so, on our own clock.
    fn may_take_over(&self, newest: &Entered, watched: &mut Option<(String, u64, Instant)>) -> bool {
        let Entered { claim, document } = newest;
        if claim.state != State::Begun || claim.by == self.claimant || claim.by.is_gone() {
            return true;
        }
        let now = clock::now();
        match watched {
            Some((id, version, since)) if *id == document.id && *version == document.version => {
                now.saturating_duration_since(*since) >= self.take_over_after
            }
            _ => {
                if watched.is_none() {
                    let (migration, by) = (claim.migration, claim.by.shown());
                    tracing::info!(migration, by, "waiting for who runs this migration");
                }
                *watched = Some((document.id.clone(), document.version, now));
                false
            }
        }
    }

    async fn perform(&self, migration: &Migration, claim: &Claim) -> Result<Tally, Stopped> {
        let work = Work::new(&self.store, migration, claim);
        let result = match step(migration, claim.direction) {
            Some(step) => step(&work).await,
            None => Ok(Tally::default()),
        };
        match result {
            Ok(tally) => {
                ledger::note(&self.store, claim, tally).await.map_err(Stopped::Store)?;
                ledger::end(&self.store, claim, State::Done, None).await.map_err(Stopped::Store)?;
                tell(migration, claim, tally);
                Ok(tally)
            }
            Err(stopped) => {
                self.note_that_it_stopped(claim, &stopped).await;
                Err(stopped)
            }
        }
    }

    /// So that the next one need not wait. Where it cannot be written, the next one finds out by waiting.
    async fn note_that_it_stopped(&self, claim: &Claim, stopped: &Stopped) {
        let at = match stopped {
            Stopped::TakenOver => return,
            Stopped::Store(error) => error.to_string(),
            Stopped::Document { at, why } => format!("{at}: {why}"),
        };
        if let Err(error) = ledger::end(&self.store, claim, State::Stopped, Some(at)).await {
            tracing::warn!(migration = claim.migration, %error, "that it stopped could not be noted");
        }
    }
}

fn step(migration: &Migration, direction: Direction) -> Option<Step> {
    match (direction, &migration.back) {
        (Direction::Up, _) => Some(migration.up),
        (Direction::Back, Back::Undo { step, .. }) => Some(*step),
        (Direction::Back, Back::Nothing { .. } | Back::Impossible { .. }) => None,
    }
}

/// Whether it stands where this direction leads; what was never run stands at the back.
fn is(newest: Option<&Entered>, direction: Direction) -> bool {
    match newest {
        None => direction == Direction::Back,
        Some(Entered { claim, .. }) => claim.state == State::Done && claim.direction == direction,
    }
}

fn tell(migration: &Migration, claim: &Claim, tally: Tally) {
    let Tally { looked_at, changed, passed_over } = tally;
    let (number, name, direction) = (migration.number, migration.name, claim.direction);
    tracing::info!(number, name, ?direction, looked_at, changed, passed_over, "migrated");
}

fn status_of(migration: &Migration, newest: Option<&Entered>) -> Status {
    let claim = newest.map(|newest| &newest.claim);
    let standing = match claim.map(|claim| (claim.state, claim.direction)) {
        None => Standing::NotRun,
        Some((State::Done, Direction::Up)) => Standing::Done,
        Some((State::Done, Direction::Back)) => Standing::WentBack,
        Some((State::Begun, _)) => Standing::Begun,
        Some((State::Stopped, _)) => Standing::Stopped,
    };
    Status {
        number: migration.number,
        name: migration.name,
        purpose: migration.purpose,
        standing,
        direction: claim.map(|claim| claim.direction),
        since: newest.map(|newest| newest.document.updated_at.to_string()),
        by: claim.map(|claim| claim.by.shown()),
        tally: claim.map(|claim| claim.tally),
        stopped_at: claim.and_then(|claim| claim.stopped_at.clone()),
        way_back: migration.back.described(),
    }
}
