//! Many callers in one process, for load tests: they dial an engine, talk with its model, and measure what comes back.
//!
//! A softphone ([`super::phone`]) costs a task and timers of its own; a load generator must cost a small part of what it
//! loads. So all callers live on one thread with one clock of 2 ms steps: `run` wakes, hands SIP to one endpoint machine
//! for all of them (`switchboard`), and lets the callers whose 20 ms are over drain their socket and send one packet
//! made beforehand (`caller`, `audio`). What they say is planned by `talk`, what they hear is judged by `hearing`
//! without decoding it (a tenth of a second a second aside, by which `voices` tells whose model it is); all are pure. Arrival times are the kernel's (`line`), so that a generator that wakes late
//! does not make the engine look late; how late it woke is in its report all the same.
//!
//! [`Order`]s come in and [`News`] go out, one JSON object a line when it is a process of its own.

mod audio;
mod caller;
mod hearing;
mod line;
mod orders;
mod run;
mod steps;
mod switchboard;
mod talk;
mod voices;

pub use audio::{MONOLOGUE, monologue};
pub use orders::{Burst, Lost, News, Order, Report, SetUp, Voice, VoiceSpan};
pub use run::{Callers, CallersSettings};
