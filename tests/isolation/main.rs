//! Nobody hears anybody else, however many talk at once (SPEC R6): real actors, real sockets, the model attached.
//!
//! Every caller and every model's session speaks with a pair of tones of its own, all the time, in both directions at
//! once. [`judge`] listens at both ends of every call for anything that is somebody else's, down to one frame. Judged
//! is whose voice is heard, never when: a slow machine makes these tests slower, not red.
//!
//! Here are the calls in real time; `slowed.rs` plays more than the machine can.

mod bounds;
mod caller;
#[path = "../loopback/far_end/mod.rs"]
#[expect(dead_code, reason = "here a far end calls and talks; the loopback tests need all it can")]
mod far_end;
mod hall;
mod judge;
mod proof;
#[path = "../loopback/users.rs"]
mod users;
#[path = "../loopback/watched.rs"]
mod watched;

mod crossed;
mod judge_tests;

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use clearline::sandbox::network::Impairment;
use proof::{BAD_NETWORK, Proof};

/// Each end of each call hears its own for so long.
const SECONDS: u64 = 5;

async fn hear_only_their_own(calls: u16, network: Option<Impairment>) {
    Proof { calls, seconds: SECONDS, network, seed: 1, slowed: 1 }.play().await;
}

/// One hall at a time: two would only make each other slow.
fn play(test: impl Future<Output = ()>) {
    static STAGE: Mutex<()> = Mutex::new(());
    let _stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    actix::System::new().block_on(test);
}

#[test]
fn two_calls_in_real_time_hear_only_their_own() {
    play(hear_only_their_own(2, None));
}

#[test]
fn two_calls_over_a_bad_network_hear_only_their_own() {
    play(hear_only_their_own(2, Some(BAD_NETWORK)));
}

#[test]
fn fifty_calls_in_real_time_hear_only_their_own() {
    play(hear_only_their_own(50, None));
}

#[test]
fn fifty_calls_over_a_bad_network_hear_only_their_own() {
    play(hear_only_their_own(50, Some(BAD_NETWORK)));
}
