//! `clearline migrate`: documents of older versions and of other programs, brought to this version, or back.

use std::fmt;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::config::Settings;
use crate::store::migrate::{Claimant, Direction, MigrateError, Migrator, Ran, Standing, Status};

use super::CommandResult;
use super::common::{Failure, JsonAndSettings, open_store, say, say_json, start_logging};

pub(super) const EXAMPLES: &str = "Examples:
  clearline migrate --status      which were run, and each one's way back
  clearline migrate               what an engine would run when it starts
  clearline migrate --to 2        back to 2, for an older version; refused while an engine runs";

#[derive(Args)]
pub(super) struct Migrate {
    /// Only show how it stands
    #[arg(long, conflicts_with = "to")]
    status: bool,
    /// Up to this migration, or back to it; without it, to the newest
    #[arg(long, value_name = "N")]
    to: Option<u32>,
    #[command(flatten)]
    common: JsonAndSettings,
}

/// Who only looks makes none, at a path that was misspelt least of all.
fn there_is_a_store(settings: &Settings) -> Result<(), Failure> {
    let path = &settings.store.path;
    if settings.store.url.is_some() || path.exists() {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::new(format!(
        "there is no store at {path} (store.path); `clearline migrate` or `serve` makes one"
    )))
}

impl Migrate {
    pub(super) fn run(self) -> CommandResult {
        let settings = self.common.settings.load()?;
        start_logging(&settings.log)?;
        actix::System::new().block_on(async {
            if self.status {
                there_is_a_store(&settings)?;
            }
            let store = open_store(&settings).await?;
            let migrator = Migrator::new(store.store.clone(), Claimant::new())
                .taking_engines_for_dead_after(settings.node.dead_after());
            if !self.status {
                let ran = match self.to {
                    Some(target) => migrator.to(target).await,
                    None => migrator.up().await,
                };
                return self.show(&ran.map_err(failed)?, "nothing to migrate");
            }
            self.show(&migrator.status().await.map_err(failed)?, "there are no migrations")
        })
    }

    fn show<T: Serialize + fmt::Display>(&self, lines: &[T], none: &str) -> CommandResult {
        if self.common.json {
            say_json(lines)?;
        } else if lines.is_empty() {
            say(none);
        } else {
            lines.iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn failed(error: MigrateError) -> Failure {
    Failure::new(error.to_string())
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match self.direction {
            Direction::Up => "migrated to",
            Direction::Back => "went back from",
        };
        write!(f, "{done} {} {}: {}", self.number, self.name, self.tally)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standing = match self.standing {
            Standing::NotRun => "not run",
            Standing::Done => "done",
            Standing::WentBack => "went back",
            Standing::Begun => "begun",
            Standing::Stopped => "stopped",
        };
        write!(f, "{:>3}  {:<14} {standing:<10}", self.number, self.name)?;
        if let (Some(since), Some(tally)) = (&self.since, &self.tally) {
            write!(f, " {since}  {tally}")?;
        }
        write!(f, "\n     {}\n     way back: {}", self.purpose, self.way_back)?;
        if let Some(by) = self.by.as_ref().filter(|_| self.standing == Standing::Begun) {
            write!(f, "\n     begun by {by}")?;
        }
        match self.stopped_at.as_ref().filter(|_| self.standing == Standing::Stopped) {
            Some(at) => write!(f, "\n     stopped: {at}"),
            None => Ok(()),
        }
    }
}
