//! Clearline at a real registrar: it registers with a password, is called through it, and calls out through it.

use crate::audio::Law;
use crate::bench::Bench;
use crate::engine::{self, CallReport, Engine, Trunk};
use crate::kamailio::{Digest, Kamailio, USER};
use crate::model::Model;
use crate::sipp::{Sipp, Talk};
use crate::voices::{self, TONE_HZ, TONE_SECONDS};

/// The phone behind the registrar.
const PHONE_PORT: &str = "5070";
const PROGRAMS: [&str; 2] = ["sipp", "kamailio"];

#[test]
fn we_register_with_md5_and_are_called_through_the_registrar() {
    expect_called_through("we_register_with_md5_and_are_called_through_the_registrar", Digest::Md5);
}

#[test]
fn we_register_with_sha_256_and_are_called_through_the_registrar() {
    expect_called_through("we_register_with_sha_256_and_are_called_through_the_registrar", Digest::Sha256);
}

#[test]
fn we_call_out_through_the_registrar() {
    let Some(bench) = Bench::open("we_call_out_through_the_registrar", &PROGRAMS) else { return };
    let model = Model::start(&bench);
    let kamailio = Kamailio::start(&bench, Digest::Md5);
    let phone = Sipp::answer_behind_proxy(&bench, PHONE_PORT, &talk(&bench));
    let finished = engine::call_through(Trunk::Registrar, &bench, "4930555011").finish();
    phone.finish().expect_all_successful(1);
    CallReport::of(finished).expect_all_completed(1);
    expect_tone_heard(&model);
    // The ACK from our side and the BYE from the phone's.
    kamailio.wait_for("in dialog, by route: BYE");
    assert_eq!(kamailio.times_said("in dialog, by route: ACK"), 1);
}

fn expect_called_through(test: &str, digest: Digest) {
    let Some(bench) = Bench::open(test, &PROGRAMS) else { return };
    let model = Model::start(&bench);
    let kamailio = Kamailio::start(&bench, digest);
    let engine = Engine::serve_at(Trunk::Registrar, &bench);
    kamailio.wait_for(&format!("registered: {USER}"));
    engine.wait_for_log("state=Registered");
    assert_eq!(engine.figure("clearline_gateways_registered"), 1.0);

    let phone = Sipp::call_through_proxy(&bench, PHONE_PORT, USER, &talk(&bench));
    phone.finish().expect_all_successful(1);
    engine.expect_call_ended_as("completed");
    expect_tone_heard(&model);
    engine.wait_until_all_is_given_back();
    engine.stop();
    assert_eq!(kamailio.times_said("registered: "), 2, "who leaves takes its registration back");
}

fn expect_tone_heard(model: &Model<'_>) {
    let tone = model.heard(&model.only_session()).longest_tone(TONE_HZ);
    assert!(tone > TONE_SECONDS - 0.1, "the model heard {tone} s of the phone's tone");
}

fn talk(bench: &Bench) -> Talk {
    let law = Law::A;
    Talk { law, audio: voices::tone(bench, law, 1.0), talk_ms: 4_000, calls: 1, calls_per_second: 1 }
}
