//! Whatever calls come to, nothing of them stays (SPEC K7, S4): many short calls in and out, with every way to end,
//! and afterwards memory, descriptors, threads, ports, dialogs, transactions, leases and session actors are where they
//! were.
//!
//! The engine and the far ends are in this process, the stand-in model in one of its own. The heap is counted by the
//! allocator, to the byte, so that a leak of [`memory::BYTES_A_CALL_MAX`] a call shows even in the short form; what
//! SQLite takes from the C library is seen in the resident size only.
//!
//! The short form is a part of the suite. The long one, which `docs/PERFORMANCE.md` keeps the result of:
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
const CALLS_IN_SHORT: usize = 480;
/// SIP remembers a call for half a minute: its tables have their working size once calls have come for longer than
/// that. (A table keeps the size it once had; what it holds is counted by itself.)
const WARM_UP_CALLS: usize = 2_400;

#[test]
fn calls_of_every_kind_leave_nothing_behind() {
    let wanted = std::env::var(CALLS_VARIABLE).ok();
    let calls = wanted.map_or(CALLS_IN_SHORT, |calls| calls.parse().expect("a number of calls"));
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
