//! Clearline: an actor-based AI telephony engine.
//!
//! Protocol logic is pure (`sip`, `media`, `voice`, `call`, `crm`, `keys`, `access`): bytes, messages and time go in, outputs
//! come out. Actors own state, mailboxes and lifetimes. The outside world sits behind thin adapters. `ARCHITECTURE.md`
//! tells the whole story and who may import whom.

pub mod access;
pub mod accounts;
pub mod actors;
pub mod call;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crm;
pub mod domain;
pub mod engine;
pub mod http;
pub mod keys;
pub mod media;
pub mod net;
pub mod sandbox;
pub mod sip;
pub mod store;
pub mod telemetry;
pub mod voice;
