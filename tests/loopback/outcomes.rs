//! Outbound calls that come to nothing: each ends with its own name, and nobody is dialled twice (SPEC T2).

use std::collections::HashSet;

use clearline::actors::events::CallEvent;
use clearline::domain::{CallId, Outcome};

use crate::far_end::{FarEnd, Manners, socket};
use crate::world::{World, play};

fn dialled_once(callee: &FarEnd) {
    let invites: HashSet<String> = callee
        .seen
        .look(|seen| seen.requests("INVITE").map(|invite| invite.header("Call-ID").to_owned()).collect());
    assert_eq!(invites.len(), 1, "{invites:?}");
}

async fn ends_as(world: &World, call: &CallId, outcome: Outcome) {
    let finish = world.news.ended(call).await;
    assert_eq!(finish.outcome, outcome, "{finish:?}");
    assert_eq!(world.record(call).await.outcome, Some(outcome));
    world.all_given_back().await;
}

async fn refused_with(status: &'static str, outcome: Outcome) {
    let callee = FarEnd::with_manners(Manners::Refuses(status)).await;
    let world = World::dialling(&callee).await;
    let call = world.place("+4930123456").await;
    ends_as(&world, &call, outcome).await;
    callee.got("ACK").await;
    dialled_once(&callee);
    world.close().await;
}

#[test]
fn a_busy_line_is_told_as_busy() {
    play(refused_with("486 Busy Here", Outcome::Busy));
}

#[test]
fn a_declined_call_is_told_as_rejected() {
    play(refused_with("603 Decline", Outcome::Rejected));
}

#[test]
fn a_number_nobody_has_is_told_as_invalid() {
    play(refused_with("404 Not Found", Outcome::InvalidNumber));
}

#[test]
fn a_trunk_that_fails_is_told_as_such() {
    play(refused_with("503 Service Unavailable", Outcome::TrunkFailed));
}

#[test]
fn a_phone_nobody_picks_up_is_cancelled_in_time() {
    play(async {
        let callee = FarEnd::with_manners(Manners::Rings).await;
        let world = World::planned(|plan| {
            plan.dial(callee.address);
            plan.settings.sip.ring_timeout_s = 1;
        })
        .await;
        let call = world.place("+4930123456").await;
        callee.got("CANCEL").await;
        ends_as(&world, &call, Outcome::NoAnswer).await;
        dialled_once(&callee);
        world.close().await;
    });
}

#[test]
fn a_call_that_is_hung_up_while_it_rings_is_cancelled() {
    play(async {
        let callee = FarEnd::with_manners(Manners::Rings).await;
        let world = World::dialling(&callee).await;
        let call = world.place("+4930123456").await;
        world.news.event(&call, "ringing", |event| matches!(event, CallEvent::Ringing).then_some(())).await;
        assert!(world.engine.hang_up(&call, "changed our mind").await);
        callee.got("CANCEL").await;
        ends_as(&world, &call, Outcome::Canceled).await;
        dialled_once(&callee);
        world.close().await;
    });
}

/// Whether it was dialled by then is a race that either may win; a phone that began to ring must stop again.
#[test]
fn a_call_that_is_hung_up_at_once_leaves_no_phone_ringing() {
    play(async {
        let callee = FarEnd::with_manners(Manners::Rings).await;
        let world = World::dialling(&callee).await;
        let call = world.place("+4930123456").await;
        assert!(world.engine.hang_up(&call, "changed our mind at once").await);
        ends_as(&world, &call, Outcome::Canceled).await;
        if callee.seen.look(|seen| seen.requests("INVITE").next().is_some()) {
            callee.got("CANCEL").await;
        }
        world.close().await;
    });
}

#[test]
fn a_gateway_that_does_not_answer_is_unreachable() {
    play(async {
        let silent = socket("127.0.0.1:0").await;
        let world = World::planned(|plan| plan.dial(silent.local_addr().unwrap())).await;
        let call = world.place("+4930123456").await;
        ends_as(&world, &call, Outcome::Unreachable).await;
        world.close().await;
    });
}

#[test]
fn a_target_that_is_no_address_ends_before_anybody_is_dialled() {
    play(async {
        let callee = FarEnd::usual().await;
        let world = World::dialling(&callee).await;
        let call = world.place("not a number\r\nEvil: yes").await;
        ends_as(&world, &call, Outcome::InvalidNumber).await;
        assert_eq!(callee.seen.look(|seen| seen.messages.len()), 0);
        world.close().await;
    });
}
