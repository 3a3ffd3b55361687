//! Which Google key a call uses: pure rules, no store, no clock (SPEC K).
//!
//! [`KeyPool`] reads the keys out of environment variables (K1, K11). [`assign()`] chooses a key for a user (K3). A
//! [`KeyRing`] answers one question per call: "may this owner's call start, and with which key?" It books a lease on
//! the key's Google *project*, because Google counts limits per project, and falls back to the default key when the
//! owner has none that works (K6). Failures the model reports come back as cool-downs (K8): quota by project, a
//! revoked key by key, so that a bad key harms its owner alone.
//!
//! A lease is a session slot of a project, agreed upon by all engines through the store ([`slots`]); whose slots are
//! free because their engine is dead is for [`NodeWatch`] to say. Both only decide: the store, sealing and assignment
//! over the store are the business of the rooms above.

mod assign;
mod fingerprint;
mod health;
mod limits;
mod node_watch;
mod pool;
mod ring;
mod slots;

pub use assign::assign;
pub use fingerprint::Fingerprints;
pub use health::{
    Failure, KeyTrouble, QUOTA_FORGOTTEN_AFTER, QUOTA_PAUSE_FIRST, QUOTA_PAUSE_LONGEST, Troubles,
};
pub use limits::{KeyLimits, STORE_PATIENCE};
pub use node_watch::{NodeSign, NodeWatch, Verdict, signs_of_life};
pub use pool::{DEFAULT_KEY_VARIABLE, KeyPool, NoKeyToGive, NoOtherKey, PoolError, PoolKey, project_of_key};
pub use ring::{Granted, Input, KeyRing, KeySource, Output, Refusal, WhyDefault};
pub use slots::{SlotId, SlotNews, SlotOrder, TakenSlot};
