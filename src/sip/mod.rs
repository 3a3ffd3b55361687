//! SIP as pure data and pure machines.
//!
//! Bytes come in through [`parse()`], which trusts nothing: it gives a [`Message`] whose mandatory headers are known to
//! be readable, or a [`ParseError`] that says what was wrong and, where possible, carries enough of the request to
//! answer it. `message` holds what travels (requests, responses, headers, addresses) and writes it; `header` reads the
//! values that have a structure of their own (Via, From, CSeq …); `digest` answers challenges. Nothing here knows a
//! socket, a clock or an actor.
//!
//! On top stand the machines: `transaction` (the four of RFC 3261), `dialog` and `registration` know states and timers
//! only; `endpoint` holds the tables of all of them and is what an actor drives.
//!
//! RFC 3261 §7, §19, §20, §25 (messages and grammar), RFC 3581 (rport), RFC 3262 (RAck), RFC 4028 (session timers),
//! RFC 3966 (tel), RFC 7616 and RFC 8760 (digest).

pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod header;
pub mod message;
pub mod parse;
pub mod registration;
pub mod transaction;

pub use header::{CSeq, NameAddr, RAck, Refresher, SessionExpires, Transport, Via};
pub use message::{
    HeaderName, Headers, Malformed, Message, Method, Params, Request, Response, Scheme, Uri, reason_phrase,
};
pub use parse::{ParseError, ParseErrorKind, parse};
