//! Events of calls, posted to subscribers that fail in every way there is (SPEC I10, U5, S2, S6).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use clearline::access::Scope;
use clearline::domain::{CallId, EventKind, NotificationState, Secret, Subscriber, VoiceAgent};
use clearline::sandbox::crm::{CrmServer, CrmServerSettings};
use clearline::sandbox::model::{CallPlan, ModelServer, ModelSettings};
use clearline::store::{
    Audit, By, Change, Effect, Entry, NOTIFICATIONS, Notification, Notifications, Stored, Subject,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::engines::{Engine, add_ada, can_be_hung_up_by_others, shared_store, the_call};
use crate::far_end::FarEnd;
use crate::subscriber::{Manner, Post, Receiver, SECRET, events};
use crate::watched::within;
use crate::world::{ADAS_KEY, ADAS_NUMBER, Plan, World, play};

const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(20);
const OF_A_CALL: [&str; 3] = ["call.started", "call.answered", "call.ended"];

async fn world_for(subscribers: Vec<Subscriber>, change: impl FnOnce(&mut Plan)) -> World {
    World::planned(|plan| {
        plan.settings.notifications.allow_private_addresses = true;
        plan.settings.notifications.subscribers = subscribers;
        change(plan);
    })
    .await
}

/// A call with Ada, from its greeting to its end.
async fn call(world: &World) -> CallId {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    let call = world.news.call_of("ada", 0).await;
    world.news.greeted(&call).await;
    caller.hang_up().await;
    world.news.ended(&call).await;
    call
}

async fn all(world: &World, state: NotificationState) -> Vec<Stored<Notification>> {
    let notifications = Notifications::new(world.engine.store().clone());
    let listed = notifications.list(&Scope::Everything, Some(state), None, 100).await;
    listed.expect("a readable store").items
}

async fn until_there_are(world: &World, count: usize, state: NotificationState) -> Vec<Stored<Notification>> {
    within(&format!("{count} notifications are {}", state.as_str()), async {
        loop {
            let found = all(world, state).await;
            if found.len() >= count {
                return found;
            }
            sleep(LOOK_AGAIN).await;
        }
    })
    .await
}

#[test]
fn i10_a_subscriber_hears_of_all_that_happens_in_a_call_in_order_and_once() {
    play(async {
        let crm = CrmServer::start(CrmServerSettings::default()).expect("a stand-in CRM");
        let (receiver, base_url) = (Receiver::open(&[]).await, format!("http://{}", crm.address));
        let lead = CallPlan { turn: 1, name: "create_lead".into(), args: json!({ "name": "Eve" }) };
        let more = json!({ "name": "Eve", "email": "eve@example.com" });
        let more = CallPlan { turn: 2, name: "create_lead".into(), args: more };
        let world = world_for(vec![receiver.subscriber("warehouse")], |plan| {
            plan.settings.crm.base_url = Some(base_url);
            let tools = vec!["create_lead".into()];
            plan.settings.voice_agents = vec![VoiceAgent { tools, ..VoiceAgent::default() }];
            plan.model.script.calls = vec![lead, more];
        })
        .await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        for turn in 0..2 {
            caller.say(500.0, 600);
            let is_told = |session: &clearline::sandbox::model::SessionReport| {
                session.tool_calls.get(turn).is_some_and(|call| call.answer.is_some())
            };
            world.session_when(ADAS_KEY, "the lead is stored", is_told).await;
            receiver.taken(3 + turn).await;
        }
        caller.hang_up().await;
        world.news.ended(&call).await;
        let posts = receiver.taken(6).await;
        let expected =
            ["call.started", "call.answered", "lead.created", "lead.updated", "call.ended", "call.uploaded"];
        assert_eq!(events(&posts), expected);
        let record = world.record(&call).await;
        for Post { body, .. } in &posts {
            let told = &body["data"]["call"];
            assert_eq!((&told["id"], &told["tenant_id"]), (&json!(call), &json!("id-of-ada")));
            assert_eq!(told["crm_call_id"], json!(record.crm_call_id));
        }
        assert_eq!(posts[0].body["data"]["call"]["outcome"], json!(null), "as it stood at that moment");
        assert_eq!(
            posts[2].body["data"]["lead"],
            json!({ "id": record.leads[0], "fields": { "name": "Eve" } })
        );
        assert_eq!(
            posts[3].body["data"]["lead"],
            json!({ "id": record.leads[0], "fields": { "name": "Eve", "email": "eve@example.com" } })
        );
        assert_eq!(posts[4].body["data"]["call"]["outcome"], "completed");
        assert_eq!(posts[4].body["timestamp"], json!(record.call_end_time));
        let url = record.upload.and_then(|upload| upload.recording_url);
        assert_eq!(posts[5].body["data"]["upload"]["recording_url"], json!(url.expect("it has a recording")));
        until_there_are(&world, 6, NotificationState::Delivered).await;
        assert_eq!(receiver.sent(6).await.len(), 6, "each once");
        world.all_given_back().await;
        world.close().await;
        crm.stop().await;
    });
}

/// The events of a call arrive in order in spite of how the first requests fare, each under one id however often.
fn arrives_in_spite_of(manners: &'static [Manner]) {
    play(async move {
        let receiver = Receiver::open(manners).await;
        let world = world_for(vec![receiver.subscriber("warehouse")], |plan| {
            plan.settings.notifications.answer_timeout_ms = 400;
        })
        .await;
        call(&world).await;
        assert_eq!(events(&receiver.taken(3).await), OF_A_CALL, "{manners:?}");
        let sent = receiver.sent(manners.len() + 3).await;
        let first: BTreeSet<_> = sent.iter().take(manners.len() + 1).map(|post| post.id.as_str()).collect();
        assert_eq!(first.len(), 1, "it is the same event until it is taken: {sent:?}");
        assert!(
            sent.iter().take(manners.len() + 1).all(|post| post.body == sent[0].body),
            "in the same words"
        );
        world.close().await;
    });
}

#[test]
fn u5_a_subscriber_that_answers_500_and_429_is_asked_again() {
    arrives_in_spite_of(&[Manner::Answers(500), Manner::Answers(429)]);
}

#[test]
fn u5_a_subscriber_that_is_silent_is_asked_again() {
    arrives_in_spite_of(&[Manner::Silent]);
}

#[test]
fn u5_a_subscriber_that_dies_over_a_request_is_asked_again() {
    arrives_in_spite_of(&[Manner::HangsUp]);
}

#[test]
fn u5_what_a_subscriber_refuses_is_parked_holds_up_nothing_and_can_be_sent_again() {
    for status in [410, 307] {
        play(async move {
            let receiver = Receiver::open(&[Manner::Answers(status)]).await;
            let world = world_for(vec![receiver.subscriber("warehouse")], |_| {}).await;
            call(&world).await;
            assert_eq!(events(&receiver.taken(2).await), ["call.answered", "call.ended"]);
            let parked = until_there_are(&world, 1, NotificationState::Parked).await.remove(0).record;
            let reason = parked.reason.clone().unwrap_or_default();
            assert!(reason.starts_with(&format!("the subscriber answers {status}")), "{reason}");
            retry(&world, &parked).await;
            let posts = receiver.taken(3).await;
            assert_eq!(
                (posts[2].event.as_str(), &posts[2].id),
                ("call.started", &receiver.sent(1).await[0].id)
            );
            world.close().await;
        });
    }
}

async fn retry(world: &World, parked: &Notification) {
    let store = world.engine.store().clone();
    let subject = Subject::new(&NOTIFICATIONS, parked.id.as_str(), "notification");
    let change = Change::new(By::Engine, "notification.retry", Effect::Changed, subject);
    let notifications = Notifications::new(store.clone());
    let retry = async |entry: &Entry| notifications.retry(entry, &parked.id).await;
    Audit::new(store).record(change, retry).await.expect("it can be tried again");
}

#[test]
fn i10_a_subscriber_that_is_down_holds_up_no_other_and_no_upload_and_hears_everything_later() {
    play(async {
        let crm = CrmServer::start(CrmServerSettings::default()).expect("a stand-in CRM");
        let (up, base_url) = (Receiver::open(&[]).await, format!("http://{}", crm.address));
        let address = nobody_listens_at().await;
        let down = Subscriber { url: format!("http://{address}/calls"), ..up.subscriber("down") };
        let world = world_for(vec![down, up.subscriber("up")], |plan| {
            plan.settings.crm.base_url = Some(base_url);
        })
        .await;
        call(&world).await;
        let expected = [&OF_A_CALL[..], &["call.uploaded"]].concat();
        assert_eq!(events(&up.taken(4).await), expected);
        let ready = world.page("/ready").await;
        assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("a subscriber does not take"), "{ready}");
        assert_eq!(world.figure("clearline_subscribers_down").await, 1);
        let down = Receiver::at(address, &[]).await;
        assert_eq!(events(&down.taken(4).await), expected);
        world.close().await;
        crm.stop().await;
    });
}

/// At the moment.
async fn nobody_listens_at() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    listener.local_addr().expect("an address")
}

#[test]
fn i10_a_subscriber_of_a_tenant_hears_only_what_it_wants_of_its_own_calls() {
    play(async {
        let receiver = Receiver::open(&[]).await;
        let of = |name: &str, tenant: &str| Subscriber {
            tenant_id: Some(clearline::domain::TenantId::new(tenant)),
            events: vec![EventKind::CallEnded],
            ..receiver.subscriber(name)
        };
        let world = world_for(vec![of("bens", "id-of-ben"), of("adas", "id-of-ada")], |_| {}).await;
        call(&world).await;
        until_there_are(&world, 1, NotificationState::Delivered).await;
        assert_eq!(events(&receiver.taken(1).await), ["call.ended"]);
        assert!(all(&world, NotificationState::Due).await.is_empty());
        world.close().await;
    });
}

#[test]
fn i10_a_name_that_leads_into_a_private_network_is_not_followed_and_that_is_said() {
    play(async {
        let receiver = Receiver::open(&[]).await;
        let url = format!("http://localhost:{}/calls", receiver.address.port());
        let subscriber = Subscriber { url, ..receiver.subscriber("inside") };
        let world = world_for(vec![subscriber], |plan| {
            plan.settings.notifications.allow_private_addresses = false;
        })
        .await;
        call(&world).await;
        within("it is said why it waits", async {
            while !all(&world, NotificationState::Due).await.iter().any(|stored| {
                stored.record.reason.as_deref().is_some_and(|why| why.contains("private network"))
            }) {
                sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        assert!(receiver.seen.look(|seen| seen.posts.is_empty()));
        world.close().await;
    });
}

#[test]
fn i10_while_a_secret_is_replaced_both_are_good() {
    play(async {
        let receiver = Receiver::open(&[]).await;
        let newer = Secret::new("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
        let old_secret = Some(Secret::new(SECRET));
        let subscriber = Subscriber { secret: newer, old_secret, ..receiver.subscriber("warehouse") };
        let world = world_for(vec![subscriber], |_| {}).await;
        call(&world).await;
        assert_eq!(events(&receiver.taken(3).await), OF_A_CALL, "the receiver knows only the old one");
        world.close().await;
    });
}

#[test]
fn s3_an_engine_that_stops_tells_what_is_due_first() {
    play(async {
        let receiver = Receiver::open(&[]).await;
        let world = world_for(vec![receiver.subscriber("warehouse")], |_| {}).await;
        call(&world).await;
        world.close().await;
        assert_eq!(events(&receiver.sent(3).await), OF_A_CALL);
    });
}

/// Engines that are processes of their own, with a subscriber.
struct Killed {
    folder: tempfile::TempDir,
    model: ModelServer,
    receiver: Receiver,
}

impl Killed {
    async fn begin(planned: &[Manner]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        Self { folder, model, receiver: Receiver::open(planned).await }
    }

    fn engine(&self, name: &str) -> Engine {
        let subscriber = |key: &str, value: &str| format!("notifications.subscribers.1.{key}={value}");
        let own = [
            subscriber("name", "warehouse"),
            subscriber("url", &format!("http://{}/calls", self.receiver.address)),
            subscriber("secret", SECRET),
            "notifications.allow_private_addresses=true".to_owned(),
        ];
        Engine::start_with(name, self.folder.path(), &self.model, &own)
    }

    async fn call(&self, engine: &Engine) -> FarEnd {
        let caller = FarEnd::usual().await;
        caller.dial(engine.sip, "100").await;
        assert_eq!(caller.verdict().await.status(), Some(200));
        caller
    }

    async fn ended_is_due(&self) {
        let notifications = Notifications::new(shared_store(self.folder.path()));
        let has_ended = |it: &Stored<Notification>| it.record.event == EventKind::CallEnded;
        within("the end is in the outbox", async {
            loop {
                let due = Some(NotificationState::Due);
                let listed = notifications.list(&Scope::Everything, due, None, 100).await;
                if listed.expect("a readable store").items.iter().any(has_ended) {
                    return;
                }
                sleep(LOOK_AGAIN).await;
            }
        })
        .await;
    }

    async fn end(self, engine: Engine) {
        engine.process.end_by("TERM").expect_success("the engine");
        self.model.stop().await;
    }
}

#[test]
fn s2_what_a_killed_engine_has_not_delivered_is_delivered_under_the_same_id_after_its_restart() {
    play(async {
        let desk = Killed::begin(&[Manner::Silent]).await;
        let engine = desk.engine("the engine");
        desk.call(&engine).await.hang_up().await;
        let first = desk.receiver.sent(1).await.remove(0);
        desk.ended_is_due().await;
        engine.process.end_by("KILL");
        let engine = desk.engine("the engine again");
        let posts = desk.receiver.taken(3).await;
        assert_eq!(events(&posts), OF_A_CALL);
        assert_eq!((&posts[0].id, &posts[0].body), (&first.id, &first.body));
        desk.end(engine).await;
    });
}

#[test]
fn s2_the_end_of_a_call_that_its_engine_did_not_survive_is_told() {
    play(async {
        let desk = Killed::begin(&[]).await;
        let engine = desk.engine("the engine");
        let caller = desk.call(&engine).await;
        the_call(desk.folder.path(), can_be_hung_up_by_others).await;
        engine.process.end_by("KILL");
        let engine = desk.engine("the engine again");
        let posts = desk.receiver.taken_once_each(3).await;
        assert_eq!(events(&posts), OF_A_CALL);
        assert_eq!(posts[2].body["data"]["call"]["outcome"], "engine_lost");
        drop(caller);
        desk.end(engine).await;
    });
}

#[test]
fn s6_what_an_engine_that_does_not_come_back_has_left_is_delivered_by_another() {
    play(async {
        let desk = Killed::begin(&[Manner::Silent]).await;
        let (first, second) = (desk.engine("the first engine"), desk.engine("the second engine"));
        desk.call(&first).await.hang_up().await;
        desk.ended_is_due().await;
        first.process.end_by("KILL");
        let posts = desk.receiver.taken(3).await;
        assert_eq!(events(&posts), OF_A_CALL);
        desk.end(second).await;
    });
}
