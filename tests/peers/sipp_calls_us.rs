//! SIPp as caller: one call listened to on both sides, two hundred that leave nothing behind, and a load on the stand-in
//! of load tests, whose own callers share code with the engine.

use std::collections::BTreeSet;

use crate::audio::Law;
use crate::bench::{Bench, ENGINE_IP, Side};
use crate::capture::Capture;
use crate::engine::Engine;
use crate::model::{Model, greeting_of};
use crate::sipp::{Sipp, Talk};
use crate::voices::{self, LISTENS_FIRST_SECONDS, TALK_MS, TONE_HZ, TONE_SECONDS};

const PROGRAMS: [&str; 3] = ["sipp", "dumpcap", "tshark"];
const CALLS: u32 = 200;
const LOAD_CALLS: u32 = 20;
/// Three seconds at 50 packets a second, less what set-up and hang-up may cost.
const PACKETS_OF_A_CALL: usize = 125;

#[test]
fn a_caller_with_mu_law_and_the_model_hear_each_other() {
    if let Some(bench) = Bench::open("a_caller_with_mu_law_and_the_model_hear_each_other", &PROGRAMS) {
        caller_and_model_hear_each_other(&bench, Law::Mu);
    }
}

#[test]
fn a_caller_with_a_law_and_the_model_hear_each_other() {
    if let Some(bench) = Bench::open("a_caller_with_a_law_and_the_model_hear_each_other", &PROGRAMS) {
        caller_and_model_hear_each_other(&bench, Law::A);
    }
}

fn caller_and_model_hear_each_other(bench: &Bench, law: Law) {
    let model = Model::start(bench);
    let engine = Engine::serve(bench);
    let capture = Capture::start(bench);
    let audio = voices::tone(bench, law, LISTENS_FIRST_SECONDS);
    let talk = Talk { law, audio, talk_ms: TALK_MS, calls: 1, calls_per_second: 1 };
    Sipp::call(bench, Side::Peer, "100", &talk).finish().expect_all_successful(1);

    let session = model.only_session();
    let tone = model.heard(&session).longest_tone(TONE_HZ);
    assert!(tone > TONE_SECONDS - 0.1, "the model heard {tone} s of the caller's tone");

    let streams = capture.streams_from(bench, ENGINE_IP);
    assert_eq!(streams.len(), 1, "one call is one stream");
    let stream = streams.values().next().expect("there is one");
    assert!(stream.is_unbroken() && stream.packets[0].payload_type == law.payload_type());
    let heard = stream.sound(bench, law).find(&greeting_of(&session));
    assert!(heard.correlation > 0.99, "the caller heard the greeting as {heard:?}");
    engine.stop();
}

#[test]
fn two_hundred_calls_succeed_apart_and_leave_nothing_behind() {
    let Some(bench) = Bench::open("two_hundred_calls_succeed_apart_and_leave_nothing_behind", &PROGRAMS)
    else {
        return;
    };
    let model = Model::start(&bench);
    let engine = Engine::serve(&bench);
    let capture = Capture::start(&bench);
    let law = Law::Mu;
    let audio = voices::tone(&bench, law, 0.0);
    let talk = Talk { law, audio, talk_ms: 3_000, calls: CALLS, calls_per_second: 20 };
    Sipp::call(&bench, Side::Peer, "100", &talk).finish().expect_all_successful(CALLS);

    let streams = capture.streams_from(&bench, ENGINE_IP);
    assert_eq!(streams.len(), CALLS as usize, "every call has a port of its own");
    for (port, stream) in &streams {
        assert!(stream.is_unbroken(), "the stream from port {port} has a hole");
        assert!(stream.packets.len() >= PACKETS_OF_A_CALL, "port {port} sent {}", stream.packets.len());
    }
    let ssrcs: BTreeSet<_> = streams.values().map(|stream| stream.packets[0].ssrc).collect();
    assert_eq!(ssrcs.len(), CALLS as usize, "every call has an SSRC of its own");
    let sessions = model.sessions();
    assert_eq!(sessions.len(), CALLS as usize, "every call has a model's session of its own");
    assert!(sessions.iter().all(|session| session.heard_ms > 2_000), "every session heard its caller");
    engine.wait_until_all_is_given_back();
    assert_eq!(engine.figure("clearline_calls_inbound_total"), f64::from(CALLS));
    assert_eq!(engine.figure("clearline_calls_ended_total{outcome=\"completed\"}"), f64::from(CALLS));
    engine.stop();
}

#[test]
fn a_load_of_sipp_s_is_served_and_timed_by_the_stand_in_of_load_tests() {
    let Some(bench) =
        Bench::open("a_load_of_sipp_s_is_served_and_timed_by_the_stand_in_of_load_tests", &PROGRAMS)
    else {
        return;
    };
    let model = Model::start_for_load(&bench);
    let engine = Engine::serve(&bench);
    let law = Law::Mu;
    let audio = voices::tone(&bench, law, 0.0);
    let talk = Talk { law, audio, talk_ms: 4_000, calls: LOAD_CALLS, calls_per_second: 10 };
    Sipp::call(&bench, Side::Peer, "100", &talk).finish().expect_all_successful(LOAD_CALLS);

    let timings = model.timings();
    assert_eq!(timings.len(), LOAD_CALLS as usize, "every call has a session of its own");
    for timing in &timings {
        let moments = ["setup_asked", "setup_answered", "turn_begun", "prebuffer_sent"];
        let moments = moments.map(|what| timing.moment(what).unwrap_or_else(|| panic!("no {what}")));
        assert!(moments.is_sorted(), "{moments:?}");
        assert!(timing.heard_ms > 2_000 && timing.said_ms > 0, "{} ms heard", timing.heard_ms);
    }
    engine.wait_until_all_is_given_back();
    assert_eq!(engine.figure("clearline_calls_ended_total{outcome=\"completed\"}"), f64::from(LOAD_CALLS));
    engine.stop();
}
