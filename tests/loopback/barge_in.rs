//! Whoever speaks over the model silences it (SPEC T5).

use clearline::actors::events::CallEvent;

use crate::far_end::FarEnd;
use crate::far_end::rtp::Packet;
use crate::world::{ADAS_KEY, ADAS_NUMBER, World, play};

const LONG_SPEECH_MS: u64 = 15_000;
/// Past the while after the answer in which the model hears silence.
const PACKETS_OF_GREETING: usize = 60;
/// Half a second: far more than the way from the model to the ear takes, far less than what was left to say.
const VOICED_PACKETS_AFTER: usize = 25;

#[test]
fn a_caller_who_interrupts_hears_nothing_more_of_what_was_being_said() {
    play(async {
        let world = World::planned(|plan| plan.model.voicing.marker_ms = LONG_SPEECH_MS).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.more_packets(PACKETS_OF_GREETING).await;
        caller.say(500.0, 600);
        let interrupted = |event: &CallEvent| matches!(event, CallEvent::Interrupted).then_some(());
        world.news.event(&call, "the model is interrupted", interrupted).await;
        let since = caller.packets_so_far();
        caller.hears_silence(10).await;
        let stale =
            caller.seen.look(|seen| seen.packets[since..].iter().filter(|packet| packet.is_voiced()).count());
        assert!(stale <= VOICED_PACKETS_AFTER, "{stale} packets of stale speech");
        let spoken = caller.seen.look(|seen| seen.packets.iter().filter(|packet| packet.is_voiced()).count());
        assert!(
            spoken < LONG_SPEECH_MS as usize / 20 / 2,
            "most of the speech was never heard: {spoken} packets"
        );
        let answer = caller.packets_so_far();
        caller.hears(world.marker(ADAS_KEY).await, answer).await;
        assert!(caller.seen.look(|seen| seen.packets.iter().any(Packet::is_voiced)));
        caller.hang_up().await;
        world.all_given_back().await;
        world.close().await;
    });
}
