//! The collection `migrations`: who has claimed which migration, and how far it is.
//!
//! A document per claim, `0002:0001` for the first generation of the second migration. Of each migration the newest
//! generation counts; older ones stay as its history.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Claimant, Direction, LATEST, Migration};
use crate::store::change::change;
use crate::store::document::body_of;
use crate::store::{Collection, Document, MAX_PAGE, Query, Store, StoreError};

pub static MIGRATIONS: Collection = Collection { name: "migrations", indexes: &[], durable: true };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Begun,
    /// It ran into something and has ended; anybody may go on.
    Stopped,
    Done,
}

/// How many documents were looked at, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub looked_at: u64,
    pub changed: u64,
    /// They are no records of ours; each is named in the log.
    pub passed_over: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { looked_at, changed, passed_over } = self;
        write!(f, "{looked_at} documents looked at, {changed} changed, {passed_over} passed over")
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) migration: u32,
    pub(super) generation: u32,
    pub(super) name: String,
    pub(super) direction: Direction,
    pub(super) state: State,
    pub(super) by: Claimant,
    pub(super) clearline: String,
    #[serde(flatten)]
    pub(super) tally: Tally,
    #[serde(default)]
    pub(super) stopped_at: Option<String>,
}

impl Claim {
    pub(super) fn id(&self) -> String {
        format!("{:04}:{:04}", self.migration, self.generation)
    }
}

/// A claim as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    pub(super) claim: Claim,
    pub(super) document: Document,
}

/// The newest claim of each migration.
pub(super) struct Ledger {
    newest: BTreeMap<u32, Entered>,
}

impl Ledger {
    pub(super) async fn read(store: &Store) -> Result<Self, StoreError> {
        let (mut newest, mut after) = (BTreeMap::new(), None);
        loop {
            let page = store.find(&MIGRATIONS, Query::all(MAX_PAGE).after(after)).await?;
            for document in page.documents {
                let claim: Claim = document.parse(&MIGRATIONS)?;
                // Ids are in the order of their generations.
                newest.insert(claim.migration, Entered { claim, document });
            }
            after = page.next;
            if after.is_none() {
                return Ok(Self { newest });
            }
        }
    }

    pub(super) fn newest(&self, migration: u32) -> Option<&Entered> {
        self.newest.get(&migration)
    }

    /// `Ok(None)`: somebody else was faster.
    pub(super) async fn claim(
        &self,
        store: &Store,
        migration: &Migration,
        direction: Direction,
        by: &Claimant,
    ) -> Result<Option<Claim>, StoreError> {
        let generation = self.newest(migration.number).map_or(0, |newest| newest.claim.generation) + 1;
        let claim = Claim {
            migration: migration.number,
            generation,
            name: migration.name.to_owned(),
            direction,
            state: State::Begun,
            by: by.clone(),
            clearline: env!("CARGO_PKG_VERSION").to_owned(),
            tally: Tally::default(),
            stopped_at: None,
        };
        let body = body_of(&claim)?;
        match store.insert(&MIGRATIONS, &claim.id(), body).await {
            Ok(_) => Ok(Some(claim)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A sign of life, and how far it is.
pub(super) async fn note(store: &Store, claim: &Claim, tally: Tally) -> Result<(), StoreError> {
    let Tally { looked_at, changed, passed_over } = tally;
    let noted = json!({ "looked_at": looked_at, "changed": changed, "passed_over": passed_over });
    change(store, &MIGRATIONS, &claim.id(), |_| Ok(Some(noted.clone()))).await.map(drop)
}

pub(super) async fn end(
    store: &Store,
    claim: &Claim,
    state: State,
    stopped_at: Option<String>,
) -> Result<(), StoreError> {
    let ended = json!({ "state": state, "stopped_at": stopped_at });
    change(store, &MIGRATIONS, &claim.id(), |_| Ok(Some(ended.clone()))).await.map(drop)
}

/// Whether a newer generation than this claim's is there.
pub(super) async fn is_taken_over(store: &Store, claim: &Claim) -> Result<bool, StoreError> {
    let next = Claim { generation: claim.generation + 1, ..claim.clone() };
    Ok(store.get(&MIGRATIONS, &next.id()).await?.is_some())
}

/// The newest migration that is unknown here and was begun. Bodies come in the order of their ids; of a newer version's
/// claims nothing is taken for granted but their number and whether they were gone back.
pub(in crate::store) fn newer_than_known<'a>(bodies: impl IntoIterator<Item = &'a Value>) -> Option<u32> {
    let mut begun = BTreeMap::new();
    for body in bodies {
        let number =
            body.get("migration").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let is = |member: &str, value: &str| body.get(member).and_then(Value::as_str) == Some(value);
        if let Some(number) = number.filter(|number| *number > LATEST) {
            begun.insert(number, !(is("direction", "back") && is("state", "done")));
        }
    }
    begun.into_iter().filter(|(_, begun)| *begun).map(|(number, _)| number).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_that_is_not_known_here_counts_from_its_beginning_until_it_was_gone_back() {
        let claim = |number: u32, direction: &str, state: &str| json!({ "migration": number, "direction": direction, "state": state });
        assert_eq!(newer_than_known(&[claim(LATEST, "up", "done")]), None);
        let begun = [claim(LATEST + 1, "up", "done"), claim(LATEST + 2, "up", "begun")];
        assert_eq!(newer_than_known(&begun), Some(LATEST + 2));
        let half_way = [claim(LATEST + 1, "up", "done"), claim(LATEST + 1, "back", "begun")];
        assert_eq!(newer_than_known(&half_way), Some(LATEST + 1));
        let gone = [claim(LATEST + 1, "up", "done"), claim(LATEST + 1, "back", "done")];
        assert_eq!(newer_than_known(&gone), None);
        assert_eq!(newer_than_known(&[json!({ "migration": LATEST + 7 })]), Some(LATEST + 7));
    }
}
