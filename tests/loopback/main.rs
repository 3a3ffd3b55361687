//! The whole engine on real loopback sockets: real SIP, RTP and websockets, a stand-in for the model, and far ends that
//! are written by hand, so that a misreading of ours is not hidden by the same misreading in a phone of ours.
//!
//! Each test builds a [`world::World`] of its own (engine, model, store, range of RTP ports), lets [`far_end::FarEnd`]s
//! call or be called, and waits for what must happen. Nothing is timed: the only clock is [`watched::SAFETY_LIMIT`],
//! which turns a hang into a failure that says what never came.

mod far_end;
mod log;
mod news;
#[path = "../peers/process.rs"]
#[expect(dead_code, reason = "tests/peers has more kinds of programs")]
mod process;
#[path = "../store/small_disk.rs"]
mod small_disk;
mod users;
mod watched;
mod world;

mod barge_in;
mod basic_calls;
mod crashes;
mod engines;
mod full_disk;
mod hold;
mod hostile;
mod isolation;
mod kept;
mod limits;
mod notifications;
mod numbers;
mod outcomes;
mod recordings;
mod refusals;
mod stopping;
mod store_away;
mod subscriber;
mod tools;
mod transcript;
mod uploads;
mod webhooks;
