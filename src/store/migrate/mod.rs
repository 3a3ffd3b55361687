//! Documents from one version of Clearline to the next: a numbered list that only ever grows at its end (SPEC I6).
//!
//! What is *beside* the documents, tables, collections and indexes, is made by each back end whenever it opens, from
//! `COLLECTIONS`, before anything here runs; what is missing is added and nothing else touched. A migration is about
//! what stands *in* documents: it brings older ones, and those that other programs wrote, into the form that this
//! version looks for. It knows the store's interface alone, and so is the same on every back end.
//!
//! ```text
//! open: a store of a newer version? refused, untouched ─▶ indexes ─▶ Migrator::up ─▶ the engine starts
//! each migration: claim (insert 0002:0001, begun) ─▶ documents, page by page ─▶ claim: done
//! ```
//!
//! **One runs it, the others wait.** A claim is an inserted document whose id is the migration's number and a
//! generation; an insertion has one winner. Whoever finds a claim begun waits as long as it moves. A claim whose
//! process is known to be gone, that says itself that it stopped, or that has not moved for a while on the waiting
//! process's own clock is taken up under the next generation. No clocks are compared, so a process that only slept may
//! be taken for dead. That is harmless: every migration decides on each document as it is at that moment, changes it
//! by compare-and-set and finds nothing to do where it was done, so two at once do no more than one; and the sleeper
//! stops when it sees the newer claim.
//!
//! **Nobody goes back from under an engine.** What a way back takes away, an engine of this version needs at its next
//! call: it is begun only where no engine gives a sign of life (`nodes`). Forwards it may be run beside older engines.
//!
//! **The rules for a new one.** It takes the next number, is safe to repeat and to interrupt, and leaves documents that
//! the version before can still read: while engines are replaced one by one, that version is at work too. Its way back
//! stands beside it and in `docs/MIGRATIONS.md`.

mod backfill;
mod baseline;
mod claimant;
mod engines;
mod error;
mod ledger;
mod migrator;
mod number_forms;
mod user_names;
mod user_records;

use futures_util::future::LocalBoxFuture;

use backfill::{Stopped, Work};

pub use claimant::Claimant;
pub use error::MigrateError;
pub use ledger::{MIGRATIONS, Tally};
pub use migrator::{Migrator, Ran, Standing, Status};

pub(super) use ledger::newer_than_known;

/// One step between two versions.
pub struct Migration {
    pub number: u32,
    pub name: &'static str,
    /// For an operator, in a line.
    pub purpose: &'static str,
    up: Step,
    back: Back,
}

type Step = for<'a> fn(&'a Work<'a>) -> LocalBoxFuture<'a, Result<Tally, Stopped>>;

/// How the version before gets documents it can work with.
enum Back {
    /// It reads them as they are.
    Nothing {
        because: &'static str,
    },
    Undo {
        what: &'static str,
        step: Step,
    },
    Impossible {
        because: &'static str,
    },
}

/// In the order of their numbers, without gaps. What stands here was run somewhere and stays as it is.
const LIST: [&Migration; 4] =
    [&baseline::MIGRATION, &number_forms::MIGRATION, &user_records::MIGRATION, &user_names::MIGRATION];

/// The newest this version knows.
pub const LATEST: u32 = user_names::MIGRATION.number;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Back,
}

impl Back {
    fn described(&self) -> String {
        match self {
            Self::Nothing { because } => format!("nothing to undo: {because}"),
            Self::Undo { what, .. } => (*what).to_owned(),
            Self::Impossible { because } => format!("none: {because}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_follow_each_other_and_each_migration_is_documented_with_its_way_back() {
        let page = include_str!("../../../docs/MIGRATIONS.md");
        for (at, migration) in LIST.iter().enumerate() {
            assert_eq!(migration.number as usize, at + 1, "{}", migration.name);
            let heading = format!("## {} {}\n", migration.number, migration.name);
            let section = page.split(&heading).nth(1).unwrap_or_else(|| panic!("no {heading:?}"));
            let section = section.split("\n## ").next().unwrap_or_default();
            assert!(section.contains("**Way back:**"), "{heading}");
        }
        assert_eq!(LIST.last().map(|newest| newest.number), Some(LATEST));
    }
}
