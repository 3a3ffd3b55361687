//! Whole calls on a virtual clock, from one seed: the pure machines of both sides joined by a network that loses and
//! delays, a scripted model, and sessions that die at random. Nothing here reads a clock after the first instant, opens
//! a socket or starts an actor.
//!
//! Of each run is asked: every call hears its own signal only, in both directions; every call ends once; endpoints,
//! routes and ports are empty in the end; a session that was rebuilt goes on in the same dialog and the same numbered
//! stream, greets nobody twice, and is heard again within a second when it owed the caller something.
//!
//! A failing seed tells the command that repeats it.

mod call;
mod engine;
mod model;
mod network;
mod phones;
mod plan;
mod session;
mod tones;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Tally, World};

const SEED_VARIABLE: &str = "CLEARLINE_SIM_SEED";
/// Half of them for each of two tests, which run side by side.
const SEEDS: u64 = 200;

#[expect(clippy::print_stderr, reason = "a failing seed tells how to repeat it")]
fn run(seed: u64) -> Tally {
    match catch_unwind(AssertUnwindSafe(|| World::new(seed).run())) {
        Ok(tally) => tally,
        Err(failure) => {
            eprintln!("repeat with: {SEED_VARIABLE}={seed} cargo test --test sim -- the_seed_asked_for");
            resume_unwind(failure)
        }
    }
}

#[expect(clippy::print_stdout, reason = "what was tried is worth knowing, with --nocapture")]
fn run_all(seeds: impl Iterator<Item = u64>) {
    let mut sum = Tally::default();
    for seed in seeds {
        let tally = run(seed);
        sum.calls += tally.calls;
        sum.greeted += tally.greeted;
        sum.rebuilt += tally.rebuilt;
        sum.heard_again += tally.heard_again;
        sum.callers_heard += tally.callers_heard;
    }
    println!("{sum:?}");
    assert!(
        sum.greeted > sum.calls / 2 && sum.callers_heard > sum.calls / 4,
        "too little was tried: {sum:?}"
    );
    assert!(sum.rebuilt > sum.calls / 4 && sum.heard_again > sum.calls / 20, "too little was tried: {sum:?}");
}

#[test]
fn calls_of_the_first_hundred_worlds_keep_to_themselves_and_survive_their_sessions() {
    run_all(0..SEEDS / 2);
}

#[test]
fn calls_of_the_second_hundred_worlds_keep_to_themselves_and_survive_their_sessions() {
    run_all(SEEDS / 2..SEEDS);
}

#[test]
fn the_seed_asked_for() {
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        println!("{:?}", run(seed.parse().expect("a seed is a number")));
    }
}
