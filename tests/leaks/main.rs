//! Whatever calls come to, nothing of them stays (SPEC K7, S4): many short calls in and out, with every way to end,
//! and afterwards memory, descriptors, threads, ports, dialogs, transactions, leases and session actors are where they
//! were.
//!
//! The engine and the far ends are in this process, the stand-in model in one of its own. The heap is counted by the
//! allocator, to the byte. It may grow once by a little and by [`memory::BYTES_A_CALL_MAX`] a call: so a leak of 172 bytes
//! a call shows in the short form and one of 71 in the long one. What SQLite takes from the C library is seen in the
//! resident size only, from 27 KiB a call on in the short form and from 1.6 KiB in the long one.
//!
//! The short form, 612 calls, is a part of the suite. The long one, which `docs/PERFORMANCE.md` keeps the result of:
//!
//! ```sh
//! CLEARLINE_LEAKS_CALLS=10000 cargo test --locked --test leaks -- --nocapture
//! ```

mod calls;
#[path = "../loopback/far_end/mod.rs"]
#[expect(dead_code, reason = "here far ends only come and go; the loopback tests need all they can")]
mod far_end;
mod memory;
mod news;
#[path = "../peers/process.rs"]
#[expect(dead_code, reason = "the tests with other peers need more of it")]
mod process;
#[path = "../loopback/users.rs"]
mod users;
#[path = "../loopback/watched.rs"]
mod watched;
mod world;

use memory::Holdings;
use world::World;

const CALLS_VARIABLE: &str = "CLEARLINE_LEAKS_CALLS";
/// Rounds are played to their end: 612, and 2,448 to warm up.
const CALLS_IN_SHORT: usize = 480;
/// SIP remembers a call for half a minute: its tables have their working size once calls have come for longer than
/// that. (A table keeps the size it once had; what it holds is counted by itself.)
const WARM_UP_CALLS: usize = 2_400;

#[test]
fn calls_of_every_kind_leave_nothing_behind() {
    let wanted = std::env::var(CALLS_VARIABLE).ok();
    let calls = wanted.map_or(CALLS_IN_SHORT, |calls| calls.parse().expect("a number of calls"));
    tell_panics_without_backtraces();
    actix::System::new().block_on(async {
        let world = World::build().await;
        let warmed_up = world.play(WARM_UP_CALLS).await;
        let before = Holdings::once_idle(&world, None).await;
        let played = world.play(calls).await;
        let after = Holdings::once_idle(&world, Some(&before)).await;
        println!("{warmed_up} calls to warm up: {before}\n{played} calls more: {after}");
        after.judge(&before, played);
        world.close().await;
    });
}

/// Sessions panic by the thousand here. A backtrace would make each slow, and keep the debug information of the whole
/// program on the heap.
#[expect(clippy::print_stderr, reason = "where panics are told")]
fn tell_panics_without_backtraces() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}
