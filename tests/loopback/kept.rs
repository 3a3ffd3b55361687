//! What the model's tools keep of a call: leads, intents, call-backs, and each tool's result (SPEC G3, U1, U3).

use std::time::Duration;

use clearline::call::Finish;
use clearline::clock;
use clearline::domain::{CallId, CallRecord, Lead, VoiceAgent};
use clearline::sandbox::crm::{CrmServer, CrmServerSettings};
use clearline::sandbox::model::{CallPlan, SessionReport};
use clearline::store::Leads;
use serde_json::{Value, json};

use crate::far_end::FarEnd;
use crate::log;
use crate::watched::within;
use crate::world::{ADAS_KEY, ADAS_NUMBER, Plan, World, play};

fn with_tools(plan: &mut Plan, names: &[&str], calls: Vec<CallPlan>) {
    let tools = names.iter().map(|name| (*name).to_owned()).collect();
    plan.settings.voice_agents = vec![VoiceAgent { tools, ..VoiceAgent::default() }];
    plan.model.script.calls = calls;
}

fn planned(turn: u32, name: &str, args: Value) -> CallPlan {
    CallPlan { turn, name: name.into(), args }
}

/// A caller who has been greeted.
async fn greeted(world: &World) -> (FarEnd, CallId) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    let call = world.news.call_of("ada", 0).await;
    world.news.greeted(&call).await;
    (caller, call)
}

/// Until the model has so many answers, and speaks again.
async fn speak_until_answered(world: &World, caller: &FarEnd, answers: usize) -> SessionReport {
    caller.hears_silence(10).await;
    let since = caller.packets_so_far();
    caller.say(500.0, 600);
    let what = format!("{answers} answered calls of tools");
    let session = world
        .session_when(ADAS_KEY, &what, |session| {
            session.tool_calls.iter().filter(|call| call.answer.is_some()).count() >= answers
        })
        .await;
    caller.hears(world.marker(ADAS_KEY).await, since).await;
    session
}

async fn ended(world: &World, caller: &FarEnd, call: &CallId) -> (CallRecord, Vec<Lead>) {
    caller.hang_up().await;
    let _: Finish = world.news.ended(call).await;
    let leads = Leads::new(world.engine.store().clone()).of_session(call, None, 10).await.expect("leads");
    (world.record(call).await, leads.items.into_iter().map(|stored| stored.record).collect())
}

fn answer(session: &SessionReport, number: usize) -> Value {
    session.tool_calls[number].answer.clone().expect("an answer")
}

#[test]
fn u4_of_several_leads_the_crm_is_told_the_one_that_was_made_last() {
    play(async {
        let leads = (1..).zip(["Eve", "Mia", "Zoe"]);
        let calls = leads.map(|(turn, name)| planned(turn, "create_lead", json!({ "name": name }))).collect();
        let crm = CrmServer::start(CrmServerSettings::default()).expect("a stand-in CRM");
        let base_url = format!("http://{}", crm.address);
        let world = World::planned(|plan| {
            with_tools(plan, &["create_lead"], calls);
            plan.settings.crm.base_url = Some(base_url);
        })
        .await;
        let (caller, call) = greeted(&world).await;
        for answers in 1..=3 {
            speak_until_answered(&world, &caller, answers).await;
        }
        assert_eq!(ended(&world, &caller, &call).await.1.len(), 3);
        let received = within("the call is told", crm.until(|received| received.calls.len() == 1)).await;
        let told = received.calls.values().next().expect("one call");
        assert_eq!(told["lead"]["name"], "Zoe");
        world.close().await;
        crm.stop().await;
    });
}

#[test]
fn a_lead_is_stored_and_linked_both_ways_and_a_second_call_adds_to_it() {
    play(async {
        let calls = vec![
            planned(1, "create_lead", json!({ "name": "Eve", "phone": "+4930123456", "budget": 100 })),
            planned(2, "create_lead", json!({ "name": "Eve", "phone": "+4930123456", "budget": 100 })),
            planned(3, "create_lead", json!({ "name": "Eve", "email": "eve@example.org" })),
        ];
        let world = World::planned(|plan| with_tools(plan, &["create_lead"], calls)).await;
        let (caller, call) = greeted(&world).await;
        for answers in 1..=3 {
            speak_until_answered(&world, &caller, answers).await;
        }
        let session = world.session(ADAS_KEY).expect("a session");
        let (record, leads) = ended(&world, &caller, &call).await;
        assert_eq!(leads.len(), 1, "{leads:?}");
        let lead = &leads[0];
        assert_eq!((record.leads.as_slice(), &lead.session_id), (&[lead.id.clone()][..], &call));
        assert_eq!((&lead.owner_id, &lead.tenant_id), (&record.owner_id, &record.tenant_id));
        let fields = json!({ "name": "Eve", "phone": "+4930123456", "email": "eve@example.org",
                             "details": { "budget": 100 } });
        assert_eq!(Value::Object(lead.fields.clone()), fields);
        for number in 0..3 {
            let told = answer(&session, number);
            assert_eq!(
                (&told["output"]["status"], &told["output"]["lead_id"]),
                (&json!("stored"), &json!(lead.id))
            );
        }
        log::line_with(&[&format!("Lead created with ID: {}", lead.id)]).await;
        assert_eq!(record.tool_results.len(), 3);
        assert!(record.tool_results.iter().all(|result| result.ok && result.name == "create_lead"));
        assert_eq!(record.tool_results[0].arguments["budget"], 100);
        assert!(
            record.ringing_time <= record.answered_time && record.answered_time <= record.first_audio_time
        );
        assert!(record.full_config.is_some_and(|config| config["tools"] == json!(["create_lead"])));
        world.close().await;
    });
}

#[test]
fn a_model_that_asks_again_after_its_session_died_makes_no_second_lead() {
    play(async {
        let eve = json!({ "name": "Eve", "phone": "+4930123456" });
        let calls = vec![planned(1, "create_lead", eve.clone()), planned(2, "create_lead", eve)];
        let world = World::planned(|plan| with_tools(plan, &["create_lead"], calls)).await;
        let (caller, call) = greeted(&world).await;
        speak_until_answered(&world, &caller, 1).await;
        assert!(world.engine.crash_session(&call).await);
        // The stand-in counts a session's turns anew, so the first of the resumed one asks for the same lead.
        speak_until_answered(&world, &caller, 1).await;
        let (record, leads) = ended(&world, &caller, &call).await;
        assert_eq!((leads.len(), record.leads.len()), (1, 1), "{leads:?}");
        assert!(record.tool_results.len() >= 2, "{:?}", record.tool_results);
        world.close().await;
    });
}

#[test]
fn an_intent_and_a_callback_stand_in_the_record() {
    play(async {
        let tomorrow = clock::unix_time().after(Duration::from_secs(24 * 3_600));
        let calls = vec![
            planned(
                1,
                "detect_intent",
                json!({ "intent": "buy", "confidence": 0.9, "summary": "Wants one." }),
            ),
            planned(2, "schedule_callback", json!({ "time": tomorrow, "reason": "offer" })),
        ];
        let tools = ["detect_intent", "schedule_callback"];
        let world = World::planned(|plan| with_tools(plan, &tools, calls)).await;
        let (caller, call) = greeted(&world).await;
        speak_until_answered(&world, &caller, 1).await;
        speak_until_answered(&world, &caller, 2).await;
        let (record, _) = ended(&world, &caller, &call).await;
        let results: Vec<_> =
            record.tool_results.iter().map(|result| (result.name.as_str(), result.ok)).collect();
        assert_eq!(results, [("detect_intent", true), ("schedule_callback", true)]);
        assert_eq!(record.tool_results[0].result["intent"], "buy");
        let callback = &record.callbacks[0];
        assert_eq!((callback.due, callback.reason.as_str()), (tomorrow, "offer"));
        assert_eq!(&callback.number, record.persons_number());
        world.close().await;
    });
}

#[test]
fn what_a_tool_cannot_take_is_told_to_the_model_and_the_call_goes_on() {
    play(async {
        let calls = vec![
            planned(1, "create_lead", json!({})),
            planned(2, "schedule_callback", json!({ "time": "tomorrow" })),
            planned(3, "open_the_door", json!({ "key": u64::MAX })),
        ];
        let tools = ["create_lead", "schedule_callback"];
        let world = World::planned(|plan| with_tools(plan, &tools, calls)).await;
        let (caller, call) = greeted(&world).await;
        for answers in 1..=3 {
            speak_until_answered(&world, &caller, answers).await;
        }
        let session = world.session(ADAS_KEY).expect("a session");
        let (record, leads) = ended(&world, &caller, &call).await;
        assert!(leads.is_empty() && record.callbacks.is_empty());
        for (number, why) in [(0, "at least a name"), (1, "its zone"), (2, "no tool")] {
            let told = answer(&session, number);
            assert!(told["error"].as_str().is_some_and(|told| told.contains(why)), "{told}");
        }
        assert!(record.tool_results.iter().all(|result| !result.ok), "{:?}", record.tool_results);
        assert_eq!(record.tool_results[2].arguments["key"], "18446744073709551615");
        world.close().await;
    });
}
