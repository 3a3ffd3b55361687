//! Header values with a structure of their own, read when asked for and written back with `Display`.
//!
//! The readers are tolerant where phones are sloppy (spaces, missing brackets, odd case) and strict where a wrong
//! guess would send a message astray (hosts, numbers, quotes that never end).

mod access;
mod cseq;
mod name_addr;
mod rack;
mod session;
mod via;

pub use cseq::{CSeq, MAX_CSEQ};
pub use name_addr::NameAddr;
pub use rack::RAck;
pub use session::{Refresher, SessionExpires};
pub use via::{BRANCH_COOKIE, Transport, Via};
