use std::time::Instant;

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one origin; all other times are computed from it"
)]
fn start() -> Instant {
    Instant::now()
}

/// Rings a machine at every time it asks for and writes down what it wanted, in milliseconds since its start.
fn ring_out(
    start: Instant,
    next: impl Fn() -> Option<Instant>,
    mut ring: impl FnMut(Instant) -> OnTimeout,
) -> Vec<(u128, OnTimeout)> {
    let mut rung = Vec::new();
    while let Some(at) = next() {
        let action = ring(at);
        rung.push(((at - start).as_millis(), action));
        if matches!(action, OnTimeout::GiveUp | OnTimeout::Terminate) || rung.len() > 50 {
            break;
        }
    }
    rung
}

macro_rules! ring_out {
    ($machine:expr, $start:expr) => {{
        let machine = std::cell::RefCell::new($machine);
        ring_out($start, || machine.borrow().next_timeout(), |now| machine.borrow_mut().on_timeout(now))
    }};
}

fn resends(rung: &[(u128, OnTimeout)]) -> Vec<u128> {
    rung.iter().filter(|(_, action)| *action == OnTimeout::Resend).map(|(at, _)| *at).collect()
}

#[test]
fn an_invite_is_repeated_with_doubling_pauses_until_timer_b() {
    let now = start();
    let rung = ring_out!(InviteClient::start(now), now);
    assert_eq!(resends(&rung), [500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(rung.last(), Some(&(32_000, OnTimeout::GiveUp)));
}

#[test]
fn a_ringing_invite_waits_without_a_timer() {
    let now = start();
    let mut machine = InviteClient::start(now);
    assert!(!machine.may_cancel());
    assert_eq!(machine.on_response(180, now), OnResponse::PassUp);
    assert_eq!(machine.next_timeout(), None);
    assert!(machine.may_cancel());
}

#[test]
fn every_2xx_of_an_accepted_invite_is_passed_up_for_64_t1() {
    let now = start();
    let mut machine = InviteClient::start(now);
    assert_eq!(machine.on_response(200, now), OnResponse::PassUp);
    assert_eq!(machine.on_response(200, now), OnResponse::PassUp);
    assert_eq!(machine.on_response(486, now), OnResponse::Ignore);
    assert_eq!(ring_out!(machine, now), [(32_000, OnTimeout::Terminate)]);
}

#[test]
fn a_refused_invite_acknowledges_every_repetition_and_lingers() {
    let now = start();
    let mut machine = InviteClient::start(now);
    assert_eq!(machine.on_response(486, now), OnResponse::AcknowledgeAndPassUp);
    assert_eq!(machine.on_response(486, now), OnResponse::AcknowledgeAgain);
    assert_eq!(machine.on_response(200, now), OnResponse::Ignore);
    assert_eq!(ring_out!(machine, now), [(32_000, OnTimeout::Terminate)]);
}

#[test]
fn a_non_invite_request_is_repeated_up_to_t2_until_timer_f() {
    let now = start();
    let rung = ring_out!(NonInviteClient::start(now), now);
    assert_eq!(resends(&rung), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(rung.last(), Some(&(32_000, OnTimeout::GiveUp)));
}

#[test]
fn a_provisional_slows_a_non_invite_request_to_t2() {
    let now = start();
    let mut machine = NonInviteClient::start(now);
    assert_eq!(machine.on_response(100, now), OnResponse::PassUp);
    assert_eq!(machine.next_timeout(), Some(now + T2));
}

#[test]
fn a_finished_non_invite_request_absorbs_repetitions_for_t4() {
    let now = start();
    let mut machine = NonInviteClient::start(now);
    assert_eq!(machine.on_response(200, now), OnResponse::PassUp);
    assert_eq!(machine.on_response(200, now), OnResponse::Ignore);
    assert_eq!(ring_out!(machine, now), [(5_000, OnTimeout::Terminate)]);
}

#[test]
fn a_refusal_of_an_invite_is_repeated_until_timer_h() {
    let now = start();
    let mut machine = InviteServer::start();
    assert_eq!(machine.on_repeat(), OnRepeat::Resend);
    machine.on_send(486, now);
    let rung = ring_out!(machine, now);
    assert_eq!(resends(&rung), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(rung.last(), Some(&(32_000, OnTimeout::GiveUp)));
}

#[test]
fn an_acknowledged_refusal_falls_silent_and_lingers_for_t4() {
    let now = start();
    let mut machine = InviteServer::start();
    machine.on_send(486, now);
    assert_eq!(machine.on_ack(now), OnAck::Absorb);
    assert_eq!(machine.on_repeat(), OnRepeat::Ignore);
    assert_eq!(ring_out!(machine, now), [(5_000, OnTimeout::Terminate)]);
}

#[test]
fn an_accepted_invite_absorbs_repetitions_and_passes_acks_up() {
    let now = start();
    let mut machine = InviteServer::start();
    machine.on_send(180, now);
    machine.on_send(200, now);
    assert_eq!(machine.on_repeat(), OnRepeat::Ignore);
    assert_eq!(machine.on_ack(now), OnAck::PassUp);
    assert_eq!(ring_out!(machine, now), [(32_000, OnTimeout::Terminate)]);
}

#[test]
fn a_non_invite_answer_is_repeated_on_demand_until_timer_j() {
    let now = start();
    let mut machine = NonInviteServer::start();
    assert_eq!(machine.on_repeat(), OnRepeat::Ignore);
    machine.on_send(200, now);
    assert_eq!(machine.on_repeat(), OnRepeat::Resend);
    assert_eq!(ring_out!(machine, now), [(32_000, OnTimeout::Terminate)]);
}

#[test]
fn a_200_is_repeated_until_64_t1_and_then_given_up() {
    let now = start();
    let rung = ring_out!(Unacknowledged::start(now), now);
    assert_eq!(resends(&rung), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(rung.last(), Some(&(32_000, OnTimeout::GiveUp)));
}
