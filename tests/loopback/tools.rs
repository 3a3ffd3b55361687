//! Keys in both directions, and what the model may do to a call (SPEC T3, G3).

use clearline::actors::events::CallEvent;
use clearline::domain::{Outcome, VoiceAgent};
use clearline::sandbox::model::CallPlan;
use serde_json::json;

use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, Plan, World, play};

fn with_send_dtmf(plan: &mut Plan) {
    let tools = vec!["end_call".into(), "send_dtmf".into()];
    plan.settings.voice_agents = vec![VoiceAgent { tools, ..VoiceAgent::default() }];
}

#[test]
fn the_model_is_told_each_key_the_caller_presses() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.press("5");
        world.news.event(&call, "key 5", |event| matches!(event, CallEvent::Digit('5')).then_some(())).await;
        caller.press("#");
        world.news.event(&call, "key #", |event| matches!(event, CallEvent::Digit('#')).then_some(())).await;
        world
            .session_when(ADAS_KEY, "the model knows of both keys", |session| {
                let told = |key| session.history.iter().any(|line| line.text.contains(key));
                told("pressed 5") && told("pressed #")
            })
            .await;
        let keys = world.news.events_of(&call);
        assert_eq!(
            keys.iter().filter(|event| matches!(event, CallEvent::Digit(_))).count(),
            2,
            "each key once"
        );
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn the_model_presses_keys_for_the_far_end_to_hear() {
    play(async {
        let call = CallPlan { turn: 1, name: "send_dtmf".into(), args: json!({"digits": "42#"}) };
        let world = World::planned(|plan| {
            with_send_dtmf(plan);
            plan.model.script.calls = vec![call];
        })
        .await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.say(500.0, 600);
        caller.seen.until("42# at the far end", |seen| (seen.keys() == "42#").then_some(())).await;
        let session = world.session(ADAS_KEY).unwrap();
        assert!(session.tool_calls.iter().all(|call| call.answer.is_some()), "{:#?}", session.tool_calls);
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn the_api_presses_keys_for_the_far_end_to_hear() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        assert!(world.engine.press_digits(&call, "1*").await);
        caller.seen.until("1* at the far end", |seen| (seen.keys() == "1*").then_some(())).await;
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn a_model_that_ends_the_call_is_heard_to_say_goodbye_first() {
    play(async {
        let world = World::planned(|plan| plan.model.script.end_call_after = Some(1)).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.hears_silence(10).await;
        let since = caller.packets_so_far();
        caller.say(500.0, 600);
        caller.got("BYE").await;
        let goodbye = caller.seen.look(|seen| seen.heard_since(since));
        assert!(
            world.marker(ADAS_KEY).await.heard_in(&goodbye, crate::far_end::RATE_HZ),
            "the goodbye was heard"
        );
        let finish = world.news.ended(&call).await;
        assert_eq!(
            (finish.outcome, finish.reason.as_str()),
            (Outcome::Completed, "the model ended the call")
        );
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_tool_that_does_not_exist_is_told_to_the_model_and_harms_nobody() {
    play(async {
        let wrong = CallPlan { turn: 1, name: "open_the_door".into(), args: json!({}) };
        let world = World::planned(|plan| plan.model.script.calls = vec![wrong]).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.say(500.0, 600);
        let session = world
            .session_when(ADAS_KEY, "an answer to the tool call", |session| {
                session.tool_calls.first().is_some_and(|call| call.answer.is_some())
            })
            .await;
        let answer = session.tool_calls[0].answer.clone().unwrap_or_default();
        assert!(answer.get("error").is_some(), "{answer}");
        caller.hears(world.marker(ADAS_KEY).await, caller.packets_so_far()).await;
        caller.hang_up().await;
        world.close().await;
    });
}
