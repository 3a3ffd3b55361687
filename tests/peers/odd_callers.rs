//! SIPp calls in ways that are ordinary on real lines and rare in a laboratory; each call ends as it should.

use crate::audio::Law;
use crate::bench::{Bench, ENGINE_IP, Side};
use crate::capture::Capture;
use crate::engine::Engine;
use crate::model::Model;
use crate::scenario::{
    Audio, Step, ack, ack_of_refusal, bye, cancel, expect, expect_with, invite, may_get, options, pause,
    play, reinvite, scenario,
};
use crate::sipp::{Sipp, Talk};
use crate::voices::{self, TONE_HZ, TONE_SECONDS};

/// Longer than the tone with the silence before it.
const TALK_MS: u32 = 4_000;
const TONE_BEGINS_AFTER_SECONDS: f64 = 1.0;
const OFFER: Option<Audio> = Some(Audio::SendRecv);

#[test]
fn a_caller_who_gives_up_while_it_rings_is_let_go() {
    let Some(bench) = Bench::open("a_caller_who_gives_up_while_it_rings_is_let_go", &["sipp"]) else {
        return;
    };
    let model = Model::start(&bench);
    // While the model is not ready, the caller hears ringing.
    model.misbehave(r#"{"fault":"setup_delay","ms":8000}"#);
    let steps =
        [invite(OFFER), may_get(100), expect(180), cancel(), expect(200), expect(487), ack_of_refusal()];
    let engine = Engine::serve(&bench);
    call(&bench, &steps).finish().expect_all_successful(1);
    engine.expect_call_ended_as("canceled");
    engine.wait_until_all_is_given_back();
    engine.stop();
}

#[test]
fn an_options_ping_is_answered() {
    let Some(bench) = Bench::open("an_options_ping_is_answered", &["sipp"]) else { return };
    let engine = Engine::serve(&bench);
    call(&bench, &[options(), expect(200)]).finish().expect_all_successful(1);
    engine.stop();
}

#[test]
fn a_call_without_an_offer_gets_ours_and_is_heard() {
    let steps = [
        invite(None),
        may_get(100),
        may_get(180),
        expect_with(200, "m=audio [0-9]+ RTP/AVP"),
        ack(1, OFFER),
        play(),
        pause(TALK_MS),
        bye(2),
        expect(200),
    ];
    expect_tone_is_heard("a_call_without_an_offer_gets_ours_and_is_heard", &steps);
}

#[test]
fn a_lost_ack_only_delays_the_call() {
    let Some(bench) = Bench::open("a_lost_ack_only_delays_the_call", &["sipp", "dumpcap", "tshark"]) else {
        return;
    };
    let capture = Capture::start(&bench);
    // Our 200 is repeated after 0.5 and 1.5 s.
    let late_ack = [invite(OFFER), may_get(100), may_get(180), expect(200), pause(2_000), ack(1, None)];
    let steps = [&late_ack[..], &[play(), pause(TALK_MS), bye(2), expect(200)]].concat();
    expect_tone_heard_on(&bench, &steps);
    let answers = "sip.Status-Code == 200 && sip.CSeq.method == \"INVITE\"";
    assert_eq!(capture.count(&bench, answers), 3, "a 200 is repeated until its ACK comes");
}

#[test]
fn a_held_call_sends_nothing_and_goes_on_when_it_is_resumed() {
    let hold =
        [reinvite(2, Some(Audio::SendOnly)), may_get(100), expect_with(200, "a=recvonly"), ack(2, None)];
    expect_hold("a_held_call_sends_nothing_and_goes_on_when_it_is_resumed", &hold);
}

#[test]
fn a_change_without_an_offer_gets_ours_and_its_answer_counts() {
    let hold = [
        reinvite(2, None),
        may_get(100),
        expect_with(200, "m=audio [0-9]+ RTP/AVP"),
        ack(2, Some(Audio::SendOnly)),
    ];
    expect_hold("a_change_without_an_offer_gets_ours_and_its_answer_counts", &hold);
}

/// A second of talk, three of hold, the rest of the talk.
fn expect_hold(test: &str, hold: &[Step]) {
    let Some(bench) = Bench::open(test, &["sipp", "dumpcap", "tshark"]) else { return };
    let resume = [reinvite(3, OFFER), may_get(100), expect_with(200, "a=sendrecv"), ack(3, None)];
    let talk = [play(), pause(TALK_MS), bye(4), expect(200)];
    let steps = [&answered()[..], &[pause(1_000)], hold, &[pause(3_000)], &resume, &talk].concat();
    let capture = Capture::start(&bench);
    expect_tone_heard_on(&bench, &steps);
    let streams = capture.streams_from(&bench, ENGINE_IP);
    let sent = streams.values().next().expect("the engine sent a stream").packets.len();
    assert!((240..270).contains(&sent), "{sent} packets in 5 s of talk and 3 s of hold");
}

fn answered() -> [Step; 5] {
    [invite(OFFER), may_get(100), may_get(180), expect(200), ack(1, None)]
}

fn expect_tone_is_heard(test: &str, steps: &[Step]) {
    if let Some(bench) = Bench::open(test, &["sipp"]) {
        expect_tone_heard_on(&bench, steps);
    }
}

fn expect_tone_heard_on(bench: &Bench, steps: &[Step]) {
    let model = Model::start(bench);
    let engine = Engine::serve(bench);
    call(bench, steps).finish().expect_all_successful(1);
    engine.expect_call_ended_as("completed");
    let tone = model.heard(&model.only_session()).longest_tone(TONE_HZ);
    assert!(tone > TONE_SECONDS - 0.1, "the model heard {tone} s of the caller's tone");
    engine.wait_until_all_is_given_back();
    engine.stop();
}

fn call(bench: &Bench, steps: &[Step]) -> Sipp {
    let law = Law::Mu;
    let audio = voices::tone(bench, law, TONE_BEGINS_AFTER_SECONDS);
    let talk = Talk { law, audio, talk_ms: TALK_MS, calls: 1, calls_per_second: 1 };
    Sipp::call_by(&scenario(steps), bench, Side::Peer, "100", &talk)
}
