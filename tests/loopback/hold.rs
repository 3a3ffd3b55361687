//! Hold and resume by re-INVITE, and calls whose INVITE has no SDP (SPEC T3, T6).

use clearline::actors::events::CallEvent;
use clearline::domain::Outcome;

use crate::far_end::{FarEnd, Plan};
use crate::world::{ADAS_KEY, ADAS_NUMBER, BENS_NUMBER, World, play};

/// Two seconds by the clock of another call: twice the watchdog's patience.
const A_LONG_WHILE: usize = 100;

#[test]
fn a_held_call_gets_no_audio_lives_on_without_any_and_goes_on_when_it_is_resumed() {
    play(async {
        let world = World::planned(|plan| plan.settings.media.no_rtp_timeout_s = 1).await;
        let (held, other) = (FarEnd::usual().await, FarEnd::usual().await);
        held.dial(world.sip(), ADAS_NUMBER).await;
        other.dial(world.sip(), BENS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        other.connected().await;
        let answer = held.change_direction("inactive").await;
        assert!(answer.contains("a=inactive"), "{answer}");
        world.news.event(&call, "hold", |event| matches!(event, CallEvent::Held(true)).then_some(())).await;
        held.send_rtp(false);
        other.more_packets(5).await;
        let before = held.packets_so_far();
        other.more_packets(A_LONG_WHILE).await;
        assert_eq!(held.packets_so_far(), before, "nothing is sent to a call on hold");
        held.send_rtp(true);
        let answer = held.change_direction("sendrecv").await;
        assert!(answer.contains("a=sendrecv"), "{answer}");
        world
            .news
            .event(&call, "resume", |event| matches!(event, CallEvent::Held(false)).then_some(()))
            .await;
        let since = held.packets_so_far();
        held.say(500.0, 600);
        world.model_hears(ADAS_KEY, 500.0).await;
        held.hears(world.marker(ADAS_KEY).await, since).await;
        held.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.close().await;
    });
}

#[test]
fn hold_with_music_is_answered_with_listening_only() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let answer = caller.change_direction("sendonly").await;
        assert!(answer.contains("a=recvonly"), "{answer}");
        caller.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.close().await;
    });
}

#[test]
fn an_invite_without_sdp_gets_our_offer_and_a_call_like_any_other() {
    play(async {
        let caller = FarEnd::new(Plan { offers: false, ..Plan::default() }).await;
        let world = World::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.say(500.0, 600);
        world.model_hears(ADAS_KEY, 500.0).await;
        caller.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.all_given_back().await;
        world.close().await;
    });
}
