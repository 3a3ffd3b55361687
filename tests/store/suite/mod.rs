//! The cases, each written against the interface of the store alone.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, though the attribute that says so stands in `main`"
)]

pub(crate) mod call_lists;
pub(crate) mod call_papers;
pub(crate) mod collections;
pub(crate) mod documents;
pub(crate) mod going_back;
pub(crate) mod key_health;
pub(crate) mod leases;
pub(crate) mod migrations;
pub(crate) mod notifications;
pub(crate) mod outages;
pub(crate) mod outbox;
pub(crate) mod questions;
pub(crate) mod races;
pub(crate) mod records;
pub(crate) mod settings;
