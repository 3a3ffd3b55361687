//! Whole calls on a virtual clock, from one seed: the pure machines of both sides and nothing else. Nothing here reads a
//! clock after the first instant, opens a socket or starts an actor.
//!
//! A seed draws a `climate` (the way between the sides, the gateway's habits, how much the engine has to give) and a
//! `plan` for each call with its `trouble`. The `engine` joins SIP endpoint, registry and key leases (`office`), routes,
//! calls, sessions and media lines as the actors join them; the `phones` are the far ends, the `model` answers with the
//! timing of the stand-in, a `forger` sends what belongs to nobody, and the `network` loses, doubles and reorders.
//!
//! While a world runs, every packet a call takes must be its own phone's (the network knows who really sent it), every
//! frame that is heard must be the own `signals`, and all tables stay within `bounds`. At the end a `judge` asks that every
//! call had one explained outcome, nobody was cut off or greeted twice, and everything is back; and that both sides were
//! `hearing` nearly all that was `due` to them, soon again where a session was rebuilt. Each of this a `sabotage` breaks.
//!
//! A failing seed tells the command that repeats it, and the one that keeps its `scenario` in `worlds/`: what was mended
//! is played again there, whatever another generator makes of the seed. `CLEARLINE_SIM_SEEDS=0..50000 cargo test --test sim --
//! the_many_seeds --nocapture` plays as many as one likes, with `CLEARLINE_SIM_CALLS` in worlds of that size.

mod agenda;
mod bounds;
mod call;
mod climate;
mod digest;
mod due;
mod engine;
mod forger;
mod hearing;
mod judge;
mod media_line;
mod model;
mod mouth;
mod network;
mod office;
mod phone;
mod phones;
mod plan;
mod reception;
mod runner;
mod sabotage;
mod sabotage_tests;
mod scenario;
mod session;
mod signals;
mod tally;
mod trouble;
mod world;

use clearline::domain::Outcome;
use runner::{
    CALLS_VARIABLE, KEEP_VARIABLE, SEED_VARIABLE, SEEDS_VARIABLE, number_in, play, play_all, play_at_length,
    play_scenario, range_in,
};
use scenario::{Scenario, kept_worlds};
use signals::CALLS_MAX;
use tally::{Seen, Tally};

/// Each of two tests that run side by side plays so many small worlds.
const SEEDS: u64 = 1_500;

/// Each world that is kept is played with so many other dice beside its own: another order of draws in the network or
/// in an endpoint throws them anew, and the fault must not hide behind that.
const OTHER_DICE: u64 = 24;

/// Every kind of trouble was really there, in a suite of [`SEEDS`] worlds.
#[expect(clippy::print_stdout, reason = "what was tried is worth knowing, with --nocapture")]
fn assert_all_was_tried(tally: &Tally) {
    println!("{tally}");
    let calls = tally.of(Seen::Calls);
    assert!(
        tally.of(Seen::CallersWhoHeardTheModel) > calls / 2
            && tally.of(Seen::ModelsWhoHeardTheCaller) > calls / 3
    );
    for seen in Seen::TROUBLES {
        assert!(tally.of(seen) >= 10, "too little was tried of {seen:?}: {}", tally.of(seen));
    }
    let datagrams = tally.of(Seen::Datagrams);
    for seen in Seen::WEATHER {
        let times = tally.of(seen);
        assert!(times > datagrams / 1_000, "{seen:?} befell only {times} of {datagrams} datagrams");
    }
    let outcomes = [
        Outcome::Completed,
        Outcome::Canceled,
        Outcome::ModelFailed,
        Outcome::EngineLost,
        Outcome::RefusedCapacity,
        Outcome::RefusedNoKey,
    ];
    for outcome in outcomes {
        assert!(tally.outcomes(outcome) >= 5, "too few calls ended as {outcome}");
    }
}

#[test]
fn calls_of_the_first_small_worlds_keep_to_themselves_and_give_everything_back() {
    assert_all_was_tried(&play_all(0..SEEDS, None));
}

#[test]
fn calls_of_the_second_small_worlds_keep_to_themselves_and_give_everything_back() {
    assert_all_was_tried(&play_all(SEEDS..2 * SEEDS, None));
}

#[test]
fn worlds_that_once_failed_hold() {
    let paths = kept_worlds();
    assert!(!paths.is_empty(), "worlds are kept");
    for path in paths {
        let kept = Scenario::read(&path);
        for dice in (0..OTHER_DICE).chain([kept.dice]) {
            let advice = format!("{} with dice {dice}, which once showed: {}", path.display(), kept.about);
            play_scenario(&kept.with_dice(dice), &advice);
        }
    }
}

#[test]
fn five_hundred_calls_at_once_keep_to_themselves_and_give_everything_back() {
    for seed in 0..2 {
        let (tally, calls) = (play(seed, Some(CALLS_MAX)), CALLS_MAX as u64);
        assert!(tally.most_live > calls * 4 / 5, "{tally}");
        assert!(tally.of(Seen::CallersWhoHeardTheModel) > calls / 2, "{tally}");
    }
}

#[test]
fn worlds_of_sixty_calls_keep_to_themselves_and_give_everything_back() {
    let tally = play_all(0..12, Some(60));
    assert!(tally.of(Seen::CallersWhoHeardTheModel) > 6 * 60, "{tally}");
}

#[test]
fn a_seed_is_the_same_world_each_time_to_the_last_byte() {
    for (seed, calls) in [(1, None), (2, None), (3, Some(40))] {
        assert_eq!(play(seed, calls), play(seed, calls), "seed {seed}");
    }
    assert_ne!(play(1, None).digest, play(2, None).digest);
}

#[test]
fn the_seed_asked_for() {
    let Some(seed) = number_in(SEED_VARIABLE) else { return };
    let calls = number_in(CALLS_VARIABLE).map(|calls| calls as usize);
    if let Some(path) = std::env::var_os(KEEP_VARIABLE) {
        std::fs::write(path, Scenario::drawn(seed, calls).to_text()).expect("a world can be kept there");
    }
    println!("{}", play(seed, calls));
}

#[test]
fn the_many_seeds_asked_for() {
    if let Some(seeds) = range_in(SEEDS_VARIABLE) {
        let failed = play_at_length(seeds, number_in(CALLS_VARIABLE).map(|calls| calls as usize));
        assert!(failed.is_empty(), "failed: {failed:?}");
    }
}
