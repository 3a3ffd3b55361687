//! 1: where the list begins. It marks a store as one whose migrations are written down, and changes nothing.

use super::{Back, Migration, Tally};

pub(super) const MIGRATION: Migration = Migration {
    number: 1,
    name: "baseline",
    purpose: "the store begins to note its migrations",
    up: |_| Box::pin(async { Ok(Tally::default()) }),
    back: Back::Impossible { because: "no version is older than the first" },
};
