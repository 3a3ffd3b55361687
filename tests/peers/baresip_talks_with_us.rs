//! A real softphone in both roles: what either side recorded is what the other side said.

use crate::audio::{Law, Sound};
use crate::baresip::{Baresip, NUMBER};
use crate::bench::Bench;
use crate::engine::{self, CallReport, Engine};
use crate::model::{Model, greeting_of};
use crate::voices;

#[test]
fn baresip_calls_us_and_both_sides_hear_what_was_said() {
    let Some(bench) = Bench::open("baresip_calls_us_and_both_sides_hear_what_was_said", &["baresip"]) else {
        return;
    };
    let model = Model::start(&bench);
    let engine = Engine::serve(&bench);
    let heard = Baresip::call(&bench, Law::Mu, &voices::sweep(&bench), "100").heard();
    expect_both_heard(&bench, &model, &heard);
    engine.stop();
}

#[test]
fn we_call_baresip_and_both_sides_hear_what_was_said() {
    let Some(bench) = Bench::open("we_call_baresip_and_both_sides_hear_what_was_said", &["baresip"]) else {
        return;
    };
    let model = Model::start(&bench);
    let baresip = Baresip::answer(&bench, Law::A, &voices::sweep(&bench));
    let call = engine::call(&bench, NUMBER, &["--max-seconds", "30"]);
    let heard = baresip.heard();
    CallReport::of(call.finish()).expect_all_completed(1);
    expect_both_heard(&bench, &model, &heard);
}

fn expect_both_heard(bench: &Bench, model: &Model<'_>, heard_by_phone: &Sound) {
    let session = model.only_session();
    let greeting = heard_by_phone.find(&greeting_of(&session));
    assert!(greeting.correlation >= 0.99, "the phone heard the greeting as {greeting:?}");
    let sweep = model.heard(&session).find(&voices::heart_of_sweep(bench));
    assert!(sweep.correlation >= 0.99, "the model heard the phone as {sweep:?}");
}
