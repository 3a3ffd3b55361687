//! A session that panics in mid-call costs a short silence, and nobody else anything (SPEC S1).

use std::ops::RangeInclusive;

use clearline::actors::events::CallEvent;
use clearline::domain::{CallId, Outcome};
use clearline::sandbox::model::{Fault, FaultRule};

use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, BENS_KEY, BENS_NUMBER, World, play};

/// From one frame to ten seconds.
const STEPS: RangeInclusive<u32> = 160..=80_000;
const ADAS_HZ: f64 = 500.0;
const BENS_HZ: f64 = 1_100.0;

/// A call in which everybody has said something, so that there is a conversation to lose.
async fn in_mid_call(world: &World, number: &str, user: &str, key: &str) -> (FarEnd, CallId) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), number).await;
    let call = world.news.call_of(user, 0).await;
    world.news.greeted(&call).await;
    say_and_be_answered(world, &caller, key, 880.0).await;
    (caller, call)
}

async fn say_and_be_answered(world: &World, caller: &FarEnd, key: &str, tone_hz: f64) {
    caller.say(tone_hz, 600);
    world.model_hears(key, tone_hz).await;
    caller.hears(world.marker(key).await, caller.packets_so_far()).await;
    caller.hears_silence(20).await;
}

async fn crash(world: &World, call: &CallId, attempt: usize) {
    assert!(world.engine.crash_session(call).await, "there is a session to crash");
    world
        .news
        .event(call, "the session is rebuilt", |event| {
            matches!(event, CallEvent::Rebuilding { attempt: told } if *told == attempt).then_some(())
        })
        .await;
}

/// One stream from the first packet to the last, as if nothing had happened.
fn assert_gapless(far_end: &FarEnd) {
    far_end.seen.look(|seen| {
        for pair in seen.packets.windows(2) {
            assert_eq!(pair[0].ssrc, pair[1].ssrc, "one SSRC");
            assert_eq!(pair[0].sequence.wrapping_add(1), pair[1].sequence, "sequence numbers without a gap");
            // A machine that is too busy to keep the pace leaves out frames, and says so by the time-stamp.
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!(step.is_multiple_of(160) && STEPS.contains(&step), "time-stamps go on, not by {step}");
        }
    });
}

/// The dialog goes on: nothing came but responses and the ACKs of nothing.
fn assert_same_dialog(far_end: &FarEnd) {
    far_end.seen.look(|seen| {
        let requests: Vec<_> = seen.messages.iter().filter_map(|message| message.method()).collect();
        assert!(requests.is_empty(), "{requests:?}");
        let answers = seen.messages.iter().filter(|message| message.status() == Some(200));
        assert_eq!(answers.count(), 1, "one 200 to one INVITE");
    });
}

fn greetings(world: &World, call: &CallId) -> usize {
    let events = world.news.events_of(call);
    events.iter().filter(|event| matches!(event, CallEvent::GreetingPlayed)).count()
}

#[test]
fn after_a_panic_the_call_goes_on_in_the_same_dialog_stream_and_conversation() {
    play(async {
        let world = World::usual().await;
        let ((ada, adas_call), (ben, bens_call)) = tokio::join!(
            in_mid_call(&world, ADAS_NUMBER, "ada", ADAS_KEY),
            in_mid_call(&world, BENS_NUMBER, "ben", BENS_KEY)
        );
        let since = ada.packets_so_far();
        crash(&world, &adas_call, 1).await;
        world
            .session_when(ADAS_KEY, "the session is resumed", |session| session.resumed && session.ready)
            .await;
        ada.more_packets(60).await;
        let voiced =
            ada.seen.look(|seen| seen.packets[since..].iter().filter(|packet| packet.is_voiced()).count());
        assert_eq!(voiced, 0, "nobody is greeted twice");
        tokio::join!(
            say_and_be_answered(&world, &ada, ADAS_KEY, ADAS_HZ),
            say_and_be_answered(&world, &ben, BENS_KEY, BENS_HZ)
        );
        for far_end in [&ada, &ben] {
            assert_gapless(far_end);
            assert_same_dialog(far_end);
        }
        assert_eq!((greetings(&world, &adas_call), greetings(&world, &bens_call)), (1, 1));
        assert!(!world.session(BENS_KEY).unwrap().resumed, "the other call's session is its first");
        ada.hang_up().await;
        assert_eq!(world.news.ended(&adas_call).await.outcome, Outcome::Completed);
        ben.hang_up().await;
        world.all_given_back().await;
        world.close().await;
    });
}

/// How long the caller waits is printed, not judged: `cargo test --test loopback mid_sentence -- --nocapture`.
#[test]
fn after_a_panic_in_mid_sentence_the_model_is_heard_again() {
    play(async {
        let world = World::usual().await;
        let (ada, call) = in_mid_call(&world, ADAS_NUMBER, "ada", ADAS_KEY).await;
        let before = ada.packets_so_far();
        ada.say(ADAS_HZ, 600);
        ada.hears(world.marker(ADAS_KEY).await, before).await;
        let since = ada.packets_so_far();
        crash(&world, &call, 1).await;
        ada.more_packets(5).await;
        let after = ada.packets_so_far();
        ada.hears(world.marker(ADAS_KEY).await, after).await;
        let silent = ada.seen.look(|seen| {
            let packets = &seen.packets[since..];
            packets.split(|packet| packet.is_voiced()).map(<[_]>::len).max().unwrap_or_default()
        });
        println!("after a panic in mid-sentence the caller heard {} ms of silence", silent * 20);
        assert_gapless(&ada);
        assert_same_dialog(&ada);
        assert_eq!(greetings(&world, &call), 1);
        ada.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn where_the_handle_is_refused_the_new_session_is_seeded_from_the_transcript() {
    play(async {
        let world = World::usual().await;
        let (ada, call) = in_mid_call(&world, ADAS_NUMBER, "ada", ADAS_KEY).await;
        let first = world.session(ADAS_KEY).unwrap();
        world.model.set_faults(vec![FaultRule::for_all(Fault::ResumeRefused { code: 1_008 })]);
        let since = ada.packets_so_far();
        crash(&world, &call, 1).await;
        let seeded = world
            .session_when(ADAS_KEY, "a fresh session with what was said", |session| {
                session.ready && !session.resumed && session.id != first.id && !session.history.is_empty()
            })
            .await;
        let said: Vec<_> = seeded.history.iter().map(|line| line.text.as_str()).collect();
        assert!(said.iter().any(|text| text.contains("880")), "what the caller said is not lost: {said:?}");
        ada.more_packets(60).await;
        let voiced =
            ada.seen.look(|seen| seen.packets[since..].iter().filter(|packet| packet.is_voiced()).count());
        assert_eq!(voiced, 0, "nobody is greeted twice");
        say_and_be_answered(&world, &ada, ADAS_KEY, ADAS_HZ).await;
        assert_gapless(&ada);
        assert_same_dialog(&ada);
        world.close().await;
    });
}

#[test]
fn the_third_panic_within_a_minute_ends_that_call_alone() {
    play(async {
        let world = World::usual().await;
        let ((ada, adas_call), (ben, _)) = tokio::join!(
            in_mid_call(&world, ADAS_NUMBER, "ada", ADAS_KEY),
            in_mid_call(&world, BENS_NUMBER, "ben", BENS_KEY)
        );
        crash(&world, &adas_call, 1).await;
        crash(&world, &adas_call, 2).await;
        assert!(world.engine.crash_session(&adas_call).await);
        ada.got("BYE").await;
        assert_eq!(world.news.ended(&adas_call).await.outcome, Outcome::EngineLost);
        assert_eq!(world.record(&adas_call).await.outcome, Some(Outcome::EngineLost));
        say_and_be_answered(&world, &ben, BENS_KEY, BENS_HZ).await;
        assert_same_dialog(&ben);
        assert_gapless(&ben);
        ben.hang_up().await;
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_panic_while_the_far_end_rings_does_not_dial_again() {
    play(async {
        let callee = FarEnd::with_manners(crate::far_end::Manners::Rings).await;
        let world = World::dialling(&callee).await;
        let call = world.place("+4930123456").await;
        world.news.event(&call, "ringing", |event| matches!(event, CallEvent::Ringing).then_some(())).await;
        crash(&world, &call, 1).await;
        callee.pick_up().await;
        world.news.greeted(&call).await;
        assert_eq!(callee.all_tones(), world.marker(ADAS_KEY).await.tones_hz());
        assert_eq!(callee.seen.look(|seen| seen.requests("INVITE").count()), 1);
        callee.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.all_given_back().await;
        world.close().await;
    });
}
