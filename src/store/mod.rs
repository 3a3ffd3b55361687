//! What must survive: JSON documents behind one small interface, so that the back end is a setting.
//!
//! A [`Store`] inserts with unique keys, gets, compares-and-sets by `version`, and finds by an index, page by page.
//! Collections are data ([`Collection`]): a name and its indexes. Each request travels as a [`Command`] with a
//! oneshot for its answer to a [`Backend`], which must never block the thread that sends it. Here that is
//! [`embedded`], SQLite on threads of its own; a second one for MongoDB has its place beside it, and `conformance`
//! is written against the interface so that it can prove both.
//!
//! What is special to a collection stands above the interface ([`Users`], [`Calls`], [`Logins`]) and knows no back end.
//! What changes users or tokens wants an [`Entry`] of the [`Audit`], so that no change is made without one (SPEC O4).
//! Every claim that must have one winner is won by inserting a document whose id is the claim. There are no
//! transactions over several documents, no upserts and no server time: no back end would have to agree on them.

mod audit;
mod calls;
mod change;
#[cfg(test)]
mod conformance;
mod document;
pub mod embedded;
mod error;
mod interface;
mod recordings;
mod tickets;
mod users;

pub use audit::{AUDIT_LOG, Audit, AuditState, By, Change, Effect, Entry, Subject};
pub use calls::{CALLS, Calls};
pub use document::{Collection, Document, Index, MAX_PAGE, Order, Page, Query};
pub use error::{OpenError, StoreError};
pub use interface::{Backend, Command, Read, Reply, Store, Write};
pub use recordings::{RecordingSink, Recordings};
pub use tickets::{API_TOKENS, ApiTokens, LOGINS, Logins, Tickets};
pub use users::{Credential, USERS, Users};

/// Every collection of this version; the back end makes what is missing when it opens.
pub const COLLECTIONS: &[&Collection] = &[&USERS, &CALLS, &LOGINS, &API_TOKENS, &AUDIT_LOG];
