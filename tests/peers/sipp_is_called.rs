//! SIPp as callee: two hundred calls placed by `clearline call`, each answered, talked in, and ended by the callee.

use crate::audio::Law;
use crate::bench::{Bench, Side};
use crate::engine::{self, CallReport};
use crate::model::Model;
use crate::sipp::{Sipp, Talk};
use crate::voices;

const CALLS: u32 = 200;

#[test]
fn two_hundred_placed_calls_are_all_answered_and_completed() {
    let Some(bench) = Bench::open("two_hundred_placed_calls_are_all_answered_and_completed", &["sipp"])
    else {
        return;
    };
    let model = Model::start(&bench);
    let law = Law::A;
    let audio = voices::tone(&bench, law, 0.0);
    let callee = Sipp::answer(
        &bench,
        Side::Peer,
        &Talk { law, audio, talk_ms: 3_000, calls: CALLS, calls_per_second: 20 },
    );
    let options = ["--count", &CALLS.to_string(), "--rate", "20", "--max-seconds", "30"];
    let finished = engine::call(&bench, "4930555002", &options).finish();
    callee.finish().expect_all_successful(CALLS);
    CallReport::of(finished).expect_all_completed(CALLS as usize);
    assert_eq!(model.sessions().len(), CALLS as usize, "every call has a model's session of its own");
}
