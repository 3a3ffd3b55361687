//! Calls that nobody ends (SPEC T7).

use clearline::domain::Outcome;

use crate::far_end::{FarEnd, Plan as FarEndPlan};
use crate::world::{ADAS_NUMBER, Plan, World, play};

async fn is_hung_up_on(caller: FarEnd, change: impl FnOnce(&mut Plan), outcome: Outcome, reason: &str) {
    let world = World::planned(change).await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    caller.connected().await;
    caller.got("BYE").await;
    let call = world.news.call_of("ada", 0).await;
    let finish = world.news.ended(&call).await;
    assert_eq!((finish.outcome, finish.reason.as_str()), (outcome, reason));
    assert_eq!(world.record(&call).await.end_reason.as_deref(), Some(reason));
    world.all_given_back().await;
    world.close().await;
}

#[test]
fn a_far_end_that_sends_no_audio_is_a_dead_network() {
    play(async {
        let mute = FarEnd::new(FarEndPlan { sends_rtp: false, ..FarEndPlan::default() }).await;
        let limit = |plan: &mut Plan| plan.settings.media.no_rtp_timeout_s = 1;
        is_hung_up_on(mute, limit, Outcome::MediaFailed, "no RTP from the far end for 1 s").await;
    });
}

#[test]
fn two_sides_that_are_silent_are_hung_up_on() {
    play(async {
        let limit = |plan: &mut Plan| plan.settings.calls.silence_timeout_s = 1;
        let reason = "both sides were silent";
        is_hung_up_on(FarEnd::usual().await, limit, Outcome::Completed, reason).await;
    });
}

#[test]
fn a_call_ends_at_its_maximum_length() {
    play(async {
        let limit = |plan: &mut Plan| plan.settings.calls.max_call_s = 2;
        let reason = "the call reached its maximum length";
        is_hung_up_on(FarEnd::usual().await, limit, Outcome::Completed, reason).await;
    });
}
