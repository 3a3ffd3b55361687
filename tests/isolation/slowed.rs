//! 500 calls at once hear only their own (SPEC R6), on a machine that may not hold so many in real time.
//!
//! First some calls talk in real time, and the process looks at what they cost; from that follows how many times slower
//! the time of this whole process has to pass ([`clearline::clock::slow_down`]). It is a program of its own because of
//! that. For a longer proof, or with other numbers:
//! `CLEARLINE_ISOLATION_CALLS=500 CLEARLINE_ISOLATION_SECONDS=120 cargo test --release --test isolation_slowed -- --nocapture`

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

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::DirEntry;
use std::num::NonZero;

use clearline::clock;
use hall::Hall;
use proof::{BAD_NETWORK, Proof, report};

const CALLS: u16 = 500;
const SECONDS: u64 = 2;
const CALLS_REHEARSED: u16 = 20;
const SECONDS_REHEARSED: u64 = 3;
/// Of all cores; the rest is for those who share the machine.
const SHARE_USED: f64 = 0.6;
/// Of one core by the busiest thread, here that of all far ends and the model.
const SHARE_OF_A_THREAD: f64 = 0.5;
/// Linux tells a process's time in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

#[test]
fn five_hundred_calls_hear_only_their_own_clean_and_over_a_bad_network() {
    actix::System::new().block_on(async {
        let calls = from_environment("CLEARLINE_ISOLATION_CALLS").map_or(CALLS, |calls| calls as u16);
        let seconds = from_environment("CLEARLINE_ISOLATION_SECONDS").unwrap_or(SECONDS);
        let slowed = rehearse().await.slowing_for(calls);
        clock::slow_down(slowed);
        for network in [None, Some(BAD_NETWORK)] {
            Proof { calls, seconds, network, seed: 1, slowed }.play().await;
        }
    });
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}

/// How much of a core one call takes, its far end and its model included.
struct Cost {
    of_all_threads: f64,
    of_the_busiest: f64,
}

impl Cost {
    fn slowing_for(&self, calls: u16) -> u32 {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let needed = self.of_all_threads * f64::from(calls);
        let busiest = self.of_the_busiest * f64::from(calls);
        report(&format!(
            "isolation: {calls} calls with their far ends and models would take {needed:.1} of {cores} cores, and \
             {busiest:.1} of one by the busiest thread"
        ));
        let slowing = (needed / (cores as f64 * SHARE_USED)).max(busiest / SHARE_OF_A_THREAD);
        slowing.ceil().max(1.0) as u32
    }
}

async fn rehearse() -> Cost {
    let mut hall = Hall::with(CALLS_REHEARSED).await;
    hall.fill().await;
    let (began, before) = (clock::now(), thread_seconds());
    hall.listen(SECONDS_REHEARSED).await;
    let of_each = clock::now().duration_since(began).as_secs_f64() * f64::from(CALLS_REHEARSED);
    let spent: Vec<f64> = thread_seconds()
        .iter()
        .map(|(thread, seconds)| (seconds - before.get(thread).unwrap_or(&0.0)) / of_each)
        .collect();
    hall.close().await;
    Cost { of_all_threads: spent.iter().sum(), of_the_busiest: spent.iter().copied().fold(0.0, f64::max) }
}

/// What each thread of this process has used so far: user and system time, the 14th and 15th field of `stat`.
fn thread_seconds() -> HashMap<OsString, f64> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a process knows its threads");
    let seconds_of = |task: DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let ticks =
            after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        Some((task.file_name(), ticks.sum::<f64>() / TICKS_A_SECOND))
    };
    tasks.filter_map(|task| seconds_of(task.ok()?)).collect()
}
