//! What is written down of a call: what was heard, to its last word (SPEC U1).

use clearline::actors::events::CallEvent;
use clearline::domain::{ConversationItem, Speaker};

use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, World, play};

const LONG_SPEECH_MS: u64 = 15_000;
const GREETING: &str = "Hello, this is Clearline. How can I help you?";
/// A second of the greeting, and past the while after the answer in which the model hears silence.
const PACKETS_OF_GREETING: usize = 60;

async fn long_winded() -> World {
    World::planned(|plan| plan.model.voicing.marker_ms = LONG_SPEECH_MS).await
}

fn assert_cut_greeting(item: &ConversationItem) {
    assert_eq!(
        (item.role, item.interrupted, item.source.as_str()),
        (Speaker::Assistant, true, "gemini-live")
    );
    let is_beginning = GREETING.starts_with(&item.content) && item.content.len() < GREETING.len() / 2;
    assert!(is_beginning, "{:?}", item.content);
}

#[test]
fn of_an_interrupted_answer_the_record_holds_what_was_heard() {
    play(async {
        let (world, caller) = (long_winded().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.more_packets(PACKETS_OF_GREETING).await;
        caller.say(500.0, 600);
        let interrupted = |event: &CallEvent| matches!(event, CallEvent::Interrupted).then_some(());
        world.news.event(&call, "the model is interrupted", interrupted).await;
        caller.hang_up().await;
        let record = world.record(&call).await;
        assert_cut_greeting(&record.conversation_items[0]);
        world.close().await;
    });
}

#[test]
fn a_caller_who_hangs_up_in_mid_sentence_loses_no_word_that_was_heard() {
    play(async {
        let (world, caller) = (long_winded().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.more_packets(PACKETS_OF_GREETING).await;
        caller.hang_up().await;
        let record = world.record(&call).await;
        assert_eq!(record.conversation_items.len(), 1, "{:?}", record.conversation_items);
        assert_cut_greeting(&record.conversation_items[0]);
        world.close().await;
    });
}

#[test]
fn question_and_answer_stand_in_the_order_in_which_they_were_said() {
    play(async {
        let lines = vec!["When do you open?".into()];
        let world = World::planned(|plan| plan.model.script.caller_lines = lines).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let since = caller.packets_so_far();
        caller.say(500.0, 600);
        caller.hears(world.marker(ADAS_KEY).await, since).await;
        let answered = |event: &CallEvent| {
            matches!(event, CallEvent::Said(item) if item.text.starts_with("I understand")).then_some(())
        };
        world.news.event(&call, "the answer is written down", answered).await;
        caller.hang_up().await;
        let said = world.record(&call).await.conversation_items;
        let roles: Vec<_> = said.iter().map(|item| item.role).collect();
        assert_eq!(roles, [Speaker::Assistant, Speaker::User, Speaker::Assistant], "{said:?}");
        assert!(said.iter().all(|item| !item.interrupted && item.transcript_confidence.is_none()));
        world.close().await;
    });
}
