//! Plays worlds, many or one, and says how a failing one is repeated.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use clearline::clock;

use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::world::World;

/// One seed to be played again.
pub(crate) const SEED_VARIABLE: &str = "CLEARLINE_SIM_SEED";
/// Of that world, where it is not the seed that says how many calls there are.
pub(crate) const CALLS_VARIABLE: &str = "CLEARLINE_SIM_CALLS";
/// Where the world of that seed is to be kept.
pub(crate) const KEEP_VARIABLE: &str = "CLEARLINE_SIM_KEEP_AS";
/// `from..to`, as long as anybody likes.
pub(crate) const SEEDS_VARIABLE: &str = "CLEARLINE_SIM_SEEDS";

pub(crate) fn play(seed: u64, calls: Option<usize>) -> Tally {
    let calls_wanted = calls.map_or(String::new(), |calls| format!("{CALLS_VARIABLE}={calls} "));
    let again = format!("{calls_wanted}{SEED_VARIABLE}={seed} cargo test --test sim -- the_seed_asked_for");
    let advice = format!(
        "repeat with: {again}\nkeep its world, which another generator would not draw again, with: \
         {KEEP_VARIABLE}=tests/sim/worlds/WHAT_IT_SHOWED.json {again}"
    );
    play_scenario(&Scenario::drawn(seed, calls), &advice)
}

/// `advice` tells whoever meets a failure how to meet it again.
#[expect(clippy::print_stderr, reason = "a failing world tells how to repeat it")]
pub(crate) fn play_scenario(scenario: &Scenario, advice: &str) -> Tally {
    let world = AssertUnwindSafe(|| World::new(scenario, None).run());
    catch_unwind(world).unwrap_or_else(|failure| {
        eprintln!("{advice}");
        resume_unwind(failure)
    })
}

pub(crate) fn play_all(seeds: impl IntoIterator<Item = u64>, calls: Option<usize>) -> Tally {
    let mut sum = Tally::default();
    for seed in seeds {
        sum.add(&play(seed, calls));
    }
    sum
}

/// Many seeds on all cores; a failing one does not keep the others from being played. Gives back which failed.
#[expect(clippy::print_stdout, reason = "a long run reports")]
pub(crate) fn play_at_length(seeds: std::ops::Range<u64>, calls: Option<usize>) -> Vec<u64> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let begun = clock::now();
    let play_share = |first: u64| {
        let (mut sum, mut failed) = (Tally::default(), Vec::new());
        for seed in (seeds.start + first..seeds.end).step_by(threads as usize) {
            match catch_unwind(|| play(seed, calls)) {
                Ok(tally) => sum.add(&tally),
                Err(_) => failed.push(seed),
            }
        }
        (sum, failed)
    };
    let shares: Vec<(Tally, Vec<u64>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || play_share(first))).collect();
        workers.into_iter().map(|worker| worker.join().expect("failures are caught")).collect()
    });
    let mut sum = Tally::default();
    shares.iter().for_each(|(tally, _)| sum.add(tally));
    let failed: Vec<u64> = shares.into_iter().flat_map(|(_, failed)| failed).collect();
    let seconds = Duration::from_secs((clock::now() - begun).as_secs());
    println!("{sum}seeds {seeds:?} in {seconds:?}, failed: {failed:?}");
    failed
}

pub(crate) fn number_in(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

pub(crate) fn range_in(variable: &str) -> Option<std::ops::Range<u64>> {
    let text = std::env::var(variable).ok()?;
    let (from, to) = text.split_once("..").unwrap_or_else(|| panic!("{variable} is FROM..TO"));
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{variable} is FROM..TO"));
    Some(number(from)..number(to))
}
