//! REST under `/api` for the CRM's side of the engine, described by OpenAPI; health, readiness and metrics (SPEC I1).
//!
//! ```text
//! request ─▶ answered: logged, counted ─▶ HEAD as GET ─▶ CORS ─▶ headers ─▶ turnstile ─▶ identify ─▶ handler ─▶ problem or JSON
//! ```
//!
//! A file of [`resources`] holds one resource: what clients see of it (views of its own, never a document of the store), and its
//! handlers, each of which asks [`access::Identity`](crate::access::Identity) first and is described by `utoipa::path` where it
//! stands. [`openapi`] gathers the descriptions and adds to each the problems that every such request can meet, so that
//! no handler repeats them. Errors are [`Problem`]s; [`refusals`] translates those of the rooms below.
//!
//! Users are written through `accounts`, personas and numbers through `catalogue`; calls and key leases belong to actors and are asked by
//! message. Nothing here decides a rule.

mod answered;
mod api;
mod body;
mod caller;
mod client;
mod openapi;
mod paging;
mod problem;
mod query;
mod ranges;
mod refusals;
mod resources;
mod sent;
mod server;
mod stored_file;
mod versions;
mod wording;

pub use api::{Api, HttpSettings, LoadKeys, TlsFiles};
pub use openapi::described;
pub use problem::Problem;
pub use server::{Http, HttpError, Porch};
