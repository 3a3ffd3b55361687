//! What must survive: JSON documents behind one small interface, so that the back end is a setting.
//!
//! A [`Store`] inserts with unique keys, gets, compares-and-sets by `version`, and finds by an index, page by page.
//! Collections are data ([`Collection`]): a name and its indexes. Each request travels as a [`Command`] with a
//! oneshot for its answer to a [`Backend`], which must never block the thread that sends it. There are two:
//! [`embedded`], SQLite on threads of its own, and [`mongo`], for engines that share their documents. What one of them
//! could not hold is refused by both (`storable`), and the suite in `tests/store` is run on both. [`migrate`] brings older
//! documents to the form this version looks for, on both alike.
//!
//! What is special to a collection stands above the interface ([`Users`], [`Calls`], [`Logins`]) and knows no back end.
//! What changes users, tokens, personas or numbers wants an [`Entry`] of the [`Audit`], so that no change is made without
//! one (SPEC O4); `records` is what the last two have in common.
//! Every claim that must have one winner is won by inserting a document whose id is the claim. There are no
//! transactions over several documents, no upserts and no server time: no back end would have to agree on them.

mod audit;
mod call_papers;
mod callbacks;
mod calls;
mod change;
mod constants;
mod crm_names;
mod document;
pub mod embedded;
mod error;
mod idempotency;
mod interface;
mod journal;
mod key_assignment;
mod key_health;
mod key_holders;
mod key_report;
mod leads;
mod leases;
pub mod migrate;
pub mod mongo;
mod node_folder;
mod nodes;
mod notifications;
mod numbers;
mod opening;
mod outbox;
mod recordings;
mod records;
mod run_time_settings;
mod storable;
mod tickets;
mod upload_report;
mod users;
mod voice_agents;

pub use crate::crm::Upload;
pub use crate::crm::notifications::Notification;
pub use audit::{AUDIT_LOG, Audit, AuditState, By, Change, Effect, Entry, Subject};
pub use call_papers::CallPapers;
pub use callbacks::{CALLBACKS, CallbackFilter, Callbacks};
pub use calls::{CALLS, CallFilter, CallList, Calls, LettingGo};
pub use constants::{CONSTANTS, fingerprints, fingerprints_to_look_with};
pub use crm_names::CRM_CALL_IDS;
pub use document::{Collection, Condition, Document, Index, MAX_PAGE, Order, Page, Query};
pub use error::{OpenError, StoreError};
pub use idempotency::{Claim, Claimed, IDEMPOTENCY_KEYS, IdempotencyKeys, hash};
pub use interface::{Backend, Command, Put, Read, Reply, Store, Write};
pub use journal::{Journal, JournalBusy, OpenJournal, Unwritten};
pub use key_assignment::{KeyAssignment, Sealed};
pub use key_health::{GOOGLE_KEYS, KeyHealth, pool_reloaded};
pub use key_holders::{KEY_HOLDERS, KeyHolder, KeyHolders};
pub use key_report::{KeyLine, KeyReport, KeyState};
pub use leads::{LEADS, Leads};
pub use leases::{LEASES, Lease, Leases};
pub use migrate::MIGRATIONS;
pub use node_folder::NodeFolder;
pub use nodes::{Beaten, NODES, Nodes};
pub use notifications::{NOTIFICATIONS, Notifications};
pub use numbers::{NUMBERS, NumberFound, Numbers};
pub use opening::Opening;
pub use outbox::{OUTBOX, OUTBOX_CLAIMS, Outbox, StepClaim};
pub use recordings::{
    DiskLimits, DiskState, Interruption, LeftBehind, RecordingSettings, RecordingSink, Recordings, Shelved,
};
pub use records::{Listed, Stored};
pub use run_time_settings::{RUN_TIME_SETTINGS_ID, RunTimeSettings, SETTINGS};
pub use storable::fault_in_nested;
pub use tickets::{API_TOKENS, ApiTokens, LOGINS, Logins, Tickets};
pub use upload_report::{UploadReport, WithoutEntry, report_uploads};
pub use users::{Credential, Everybody, LEAVING, USERS, Users};
pub use voice_agents::{VOICE_AGENTS, VoiceAgents};

/// Every collection of this version; the back end makes what is missing when it opens.
pub const COLLECTIONS: &[&Collection] = &[
    &USERS,
    &CALLS,
    &CONSTANTS,
    &KEY_HOLDERS,
    &LOGINS,
    &API_TOKENS,
    &AUDIT_LOG,
    &LEASES,
    &NODES,
    &GOOGLE_KEYS,
    &VOICE_AGENTS,
    &NUMBERS,
    &LEADS,
    &CALLBACKS,
    &IDEMPOTENCY_KEYS,
    &OUTBOX,
    &OUTBOX_CLAIMS,
    &CRM_CALL_IDS,
    &NOTIFICATIONS,
    &MIGRATIONS,
    &SETTINGS,
];
