//! SIPp refuses our calls, lets them ring or loses our BYE: `clearline call` names each outcome.

use crate::audio::Law;
use crate::bench::{Bench, Side};
use crate::capture::Capture;
use crate::engine::{self, CallReport};
use crate::model::Model;
use crate::scenario::{Audio, Step, expect_request, pause, respond, respond_to_canceled, scenario};
use crate::sipp::{Sipp, Talk};
use crate::voices;

const NUMBER: &str = "4930555003";

#[test]
fn each_refusal_has_its_own_outcome() {
    let Some(bench) = Bench::open("each_refusal_has_its_own_outcome", &["sipp"]) else { return };
    let _model = Model::start(&bench);
    let refusals = [
        ("486 Busy Here", "busy"),
        ("603 Decline", "rejected"),
        ("404 Not Found", "invalid_number"),
        ("503 Service Unavailable", "trunk_failed"),
    ];
    for (status, outcome) in refusals {
        let steps = [expect_request("INVITE"), respond(status, None), expect_request("ACK")];
        let callee = answer(&bench, &steps);
        let finished = engine::call(&bench, NUMBER, &[]).finish();
        callee.finish().expect_all_successful(1);
        CallReport::of_failure(finished).expect_one_unanswered(outcome);
    }
}

#[test]
fn a_call_nobody_answers_is_cancelled_after_the_ring_timeout() {
    let Some(bench) = Bench::open("a_call_nobody_answers_is_cancelled_after_the_ring_timeout", &["sipp"])
    else {
        return;
    };
    let _model = Model::start(&bench);
    let callee = answer(&bench, &rings_until_cancelled());
    let finished = engine::call(&bench, NUMBER, &["--set", "sip.ring_timeout_s=2"]).finish();
    callee.finish().expect_all_successful(1);
    CallReport::of_failure(finished).expect_one_unanswered("no_answer");
}

#[test]
fn a_command_that_is_stopped_leaves_nobody_ringing() {
    let Some(bench) = Bench::open("a_command_that_is_stopped_leaves_nobody_ringing", &["sipp"]) else {
        return;
    };
    let _model = Model::start(&bench);
    let callee = answer(&bench, &rings_until_cancelled());
    let command = engine::call_with_lines(&bench, NUMBER);
    command.wait_for("rings");
    let finished = command.end_by("INT");
    callee.finish().expect_all_successful(1);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.transcript);
    assert!(finished.stdout.contains("ended: canceled"), "{}", finished.transcript);
}

#[test]
fn a_lost_bye_is_repeated_and_the_call_is_completed() {
    let Some(bench) =
        Bench::open("a_lost_bye_is_repeated_and_the_call_is_completed", &["sipp", "dumpcap", "tshark"])
    else {
        return;
    };
    let _model = Model::start(&bench);
    let capture = Capture::start(&bench);
    let steps = [
        expect_request("INVITE"),
        respond("180 Ringing", None),
        respond("200 OK", Some(Audio::SendRecv)),
        expect_request("ACK"),
        expect_request("BYE"),
        // Our BYE is repeated after 0.5 and 1.5 s.
        pause(1_000),
        respond("200 OK", None),
    ];
    let callee = answer(&bench, &steps);
    let finished = engine::call(&bench, NUMBER, &["--max-seconds", "1"]).finish();
    callee.finish().expect_all_successful(1);
    CallReport::of(finished).expect_all_completed(1);
    assert_eq!(capture.count(&bench, "sip.Method == \"BYE\""), 2, "a BYE is repeated until its 200 comes");
}

#[test]
fn a_rate_that_is_none_is_a_wrong_argument() {
    let Some(bench) = Bench::open("a_rate_that_is_none_is_a_wrong_argument", &[]) else { return };
    for rate in ["0", "-1", "nan", "fast"] {
        let finished = engine::call(&bench, NUMBER, &[&format!("--rate={rate}")]).finish();
        assert_eq!(finished.status.code(), Some(2), "--rate={rate}: {}", finished.transcript);
    }
}

fn rings_until_cancelled() -> [Step; 6] {
    [
        expect_request("INVITE"),
        respond("180 Ringing", None),
        expect_request("CANCEL"),
        respond("200 OK", None),
        respond_to_canceled("487 Request Terminated"),
        expect_request("ACK"),
    ]
}

fn answer(bench: &Bench, steps: &[Step]) -> Sipp {
    let law = Law::Mu;
    let audio = voices::tone(bench, law, 0.0);
    let talk = Talk { law, audio, talk_ms: 0, calls: 1, calls_per_second: 1 };
    Sipp::answer_by(&scenario(steps), bench, Side::Peer, &talk)
}
