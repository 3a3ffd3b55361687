//! Who somebody is, and what they may do: pure rules, no store, no clock (SPEC O1 to O3).
//!
//! [`authority`] holds the rules of O1 and O2 as a table of functions: who may create, see and change whom, and whose
//! records a list may show ([`Scope`]); `belongings` those for what people edit. [`password`] turns passwords into Argon2id hashes and compares them; it costs
//! tens of milliseconds and megabytes, so the room above decides on which thread. [`Bearer`] is the text a session or
//! an API token travels as, [`Ticket`] what the store keeps of it, and when it has had its time. [`Guesses`] slows down
//! whoever guesses, by name and by address, without giving anybody the means to keep a real user out; [`Standing`] says whose
//! password is looked at where there is not room for everybody's.
//!
//! Randomness comes in as bytes and time as an argument. Who is asked by HTTP, and what is written down, is told by
//! `accounts` and `store`.

pub mod authority;
mod bearer;
mod belongings;
mod guesses;
mod look;
pub mod password;
mod standing;
mod ticket;
mod user_name;

pub use authority::{Denied, Identity, Scope};
pub use bearer::{Bearer, BearerKind};
pub use guesses::{Guesses, Verdict};
pub use standing::Standing;
pub use ticket::{Ticket, TicketLimits};
pub use user_name::{WrongName, check_label, check_name, folded, is_like_an_id, reads_like};
