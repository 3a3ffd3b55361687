//! Calls over HTTP, with a stand-in model and somebody who is called (SPEC I1, I2, K5, K6, O2).

use std::net::SocketAddr;
use std::time::Duration;

use clearline::clock::unix_time;
use clearline::config::{Gateway, Settings};
use clearline::domain::{CallId, GatewayId, Role, Timestamp};
use clearline::keys::KeyPool;
use clearline::sandbox::model::{ModelServer, ModelSettings};
use clearline::sandbox::phone::{Phone, PhoneEvent, PhoneSettings};
use clearline::store::{Claim, IdempotencyKeys, hash};
use reqwest::Response;
use reqwest::header::{LOCATION, RETRY_AFTER};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::bench::{Answer, Bench, answer, play};

/// Nothing that is waited for here takes this long.
const SAFETY_LIMIT: Duration = Duration::from_secs(60);

/// A bench whose engine dials a phone that picks up.
pub(crate) struct Office {
    pub(crate) bench: Bench,
    pub(crate) phone: Phone,
    model: ModelServer,
}

impl Office {
    pub(crate) async fn open(change: impl FnOnce(&mut Settings)) -> Self {
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 5060));
        let phone = Phone::start(PhoneSettings::new("ben", nowhere)).expect("a phone");
        let bench = Bench::planned(|settings| {
            settings.voice.url = format!("ws://{}", model.address);
            settings.sip.gateways = vec![gateway(phone.address)];
            change(settings);
        })
        .await;
        Self { bench, phone, model }
    }

    pub(crate) async fn make_call(&self, token: &str, body: Value, key: Option<&str>) -> Answer {
        let request = self.bench.client.post(self.bench.url("/api/make_call")).bearer_auth(token).json(&body);
        answer(if let Some(key) = key { request.header("idempotency-key", key) } else { request }).await
    }

    pub(crate) async fn close(self) {
        self.bench.stop().await;
        self.model.stop().await;
    }
}

pub(crate) fn gateway(address: SocketAddr) -> Gateway {
    Gateway {
        name: GatewayId::new("gateway"),
        address: address.to_string(),
        domain: None,
        user: None,
        password: None,
        register: false,
        expires_s: 300,
        any_media_host: false,
    }
}

pub(crate) fn id(call: &Value) -> String {
    call["call_id"].as_str().expect("a call's id").to_owned()
}

/// Live events as a browser reads them.
pub(crate) struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    pub(crate) async fn open(bench: &Bench, token: &str, path: &str) -> Self {
        let request = bench.client.get(bench.url(path)).bearer_auth(token);
        let response = request.send().await.expect("the engine answers");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, text: String::new() };
        // The first piece says that it listens: from here on nothing is missed.
        stream.read().await;
        stream
    }

    async fn read(&mut self) -> bool {
        let chunk = self.response.chunk().await.expect("a readable stream");
        self.text.push_str(&String::from_utf8_lossy(chunk.as_deref().unwrap_or_default()));
        chunk.is_some()
    }

    /// The next event of this name.
    pub(crate) async fn until(&mut self, name: &str) -> Value {
        let wanted = format!("event: {name}\ndata: ");
        let found = async {
            loop {
                if let Some((_, rest)) = self.text.split_once(&wanted)
                    && let Some((data, _)) = rest.split_once("\n\n")
                {
                    return serde_json::from_str(data).expect("JSON");
                }
                assert!(self.read().await, "the stream ended before {name}: {}", self.text);
            }
        };
        timeout(SAFETY_LIMIT, found).await.unwrap_or_else(|_| panic!("no {name}"))
    }
}

#[test]
fn i1_a_call_is_made_followed_looked_up_and_hung_up() {
    play(async {
        let mut office = Office::open(|_| {}).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let mut events = Stream::open(&office.bench, &token, "/api/events").await;
        let order = json!({ "to": "+49 30 123456", "metadata": { "ticket": 42 } });
        let call = id(&office.make_call(&token, order, None).await.expect(202));
        let path = format!("/api/calls/{call}");
        let at_once = office.bench.get(&path, &token).await.expect(200);
        assert_eq!((&at_once["dialed_number"], &at_once["outcome"]), (&json!("+4930123456"), &Value::Null));
        assert_eq!(at_once["metadata"], json!({ "ticket": 42 }));
        assert_eq!(events.until("started").await["call_id"], json!(call));
        events.until("answered").await;
        assert!(office.phone.wait_for(&PhoneEvent::HeardSpeech).await);
        let said = events.until("said").await;
        assert_eq!(said["role"], "assistant");
        office.bench.delete(&path, &token).await.expect(202);
        assert_eq!(events.until("ended").await["outcome"], "completed");
        let whole = office.bench.get(&path, &token).await.expect(200);
        assert_eq!(whole["end_reason"], "hung up by mira");
        assert!(!whole["transcript"].as_array().expect("a list").is_empty());
        let listed =
            office.bench.get("/api/calls?outcome=completed&direction=outbound", &token).await.expect(200);
        assert_eq!(listed["items"][0]["id"], json!(call));
        assert!(listed["items"][0]["transcript"].is_null(), "a list does not show what was said");
        let by_number = office.bench.get("/api/calls?dialed_number=+4930123456", &token).await.expect(200);
        assert_eq!(by_number["items"][0]["id"], json!(call), "a plus is a plus");
        let running = office.bench.get("/api/calls?running=true", &token).await.expect(200);
        assert_eq!(running["items"], json!([]));
        office.bench.delete(&path, &token).await.refused(409, "conflict");
        office.close().await;
    });
}

#[test]
fn i1_a_request_that_is_sent_again_dials_nobody_twice() {
    play(async {
        let office = Office::open(|_| {}).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let order = json!({ "to": "100" });
        let first = office.make_call(&token, order.clone(), Some("order-1")).await;
        let found = first.headers[LOCATION].to_str().expect("text").to_owned();
        let first = first.expect(202);
        assert_eq!(office.bench.get(&found, &token).await.expect(200)["id"], first["call_id"]);
        let again = office.make_call(&token, order.clone(), Some("order-1")).await.expect(202);
        assert_eq!(first, again);
        let listed = office.bench.get("/api/calls", &token).await.expect(200);
        assert_eq!(listed["items"].as_array().expect("a list").len(), 1);
        let other =
            office.make_call(&token, json!({ "to": "200" }), Some("order-1")).await.refused(422, "invalid");
        assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
        office.close().await;
    });
}

#[test]
fn i1_requests_of_the_same_instant_with_one_key_make_one_call() {
    play(async {
        let office = Office::open(|_| {}).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let ask = || office.make_call(&token, json!({ "to": "100" }), Some("order-1"));
        let answers: [Answer; 4] = tokio::join!(ask(), ask(), ask(), ask()).into();
        let mut made: Vec<String> = Vec::new();
        for answered in answers {
            match answered.status.as_u16() {
                202 => made.push(id(&answered.body)),
                _ => {
                    assert!(answered.headers.contains_key(RETRY_AFTER));
                    answered.refused(409, "under_way");
                }
            }
        }
        made.dedup();
        assert_eq!(made.len(), 1);
        office.close().await;
    });
}

#[test]
fn i1_a_request_that_an_engine_was_stopped_in_the_middle_of_is_not_said_to_be_under_way() {
    play(async {
        let office = Office::open(|_| {}).await;
        let mira = office.bench.person("mira", Role::Admin, None).await;
        let token = office.bench.log_in("mira").await;
        let an_hour_ago = Timestamp::from_millis(unix_time().as_millis() - 3_600_000);
        let order = r#"{"to":"+49301001","from":null,"voice_agent_id":null,"metadata":null}"#;
        let left = Claim {
            call_id: CallId::new("never-heard-of"),
            request_hash: hash(&[order]),
            claimed_at: an_hour_ago,
        };
        let keys = IdempotencyKeys::new(office.bench.engine.store().clone());
        keys.claim(&mira.id, "order-1", &left).await.expect("the store takes it");
        let refused = office.make_call(&token, json!({ "to": "+49301001" }), Some("order-1")).await;
        assert!(!refused.headers.contains_key(RETRY_AFTER));
        refused.refused(409, "outcome_unknown");
        office.close().await;
    });
}

#[test]
fn i1_calls_are_looked_up_by_owner_and_by_voice_agent_among_those_one_may_see() {
    play(async {
        let office = Office::open(|_| {}).await;
        let bench = &office.bench;
        let mira = bench.person("mira", Role::Admin, None).await;
        let admin = bench.log_in("mira").await;
        let ben = bench.person("ben", Role::Agent, mira.tenant_id.clone()).await;
        let cleo = bench.person("cleo", Role::Agent, mira.tenant_id.clone()).await;
        let (bens, cleos) = (bench.log_in("ben").await, bench.log_in("cleo").await);
        let stranger = bench.token("zoe", Role::Admin, None).await;
        let desk = bench.post("/api/voice_agents", &admin, json!({ "name": "Desk" })).await.expect(201);
        let desk = desk["id"].as_str().expect("an id").to_owned();
        let with_desk = json!({ "to": "+49301001", "voice_agent_id": desk });
        let of_ben = id(&office.make_call(&bens, with_desk, None).await.expect(202));
        let of_cleo = id(&office.make_call(&cleos, json!({ "to": "+49301002" }), None).await.expect(202));
        let listed = async |filter: String, token: &str| {
            let page = bench.get(&format!("/api/calls?{filter}"), token).await.expect(200);
            let items = page["items"].as_array().expect("a list").iter();
            items.map(|call| call["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
        };
        let (owner_ben, owner_cleo) = (format!("owner_id={}", ben.id), format!("owner_id={}", cleo.id));
        let by_desk = format!("voice_agent_id={desk}");
        let both = format!("{owner_ben}&{by_desk}&direction=outbound");
        for (filter, token, expected) in [
            (&owner_ben, &admin, Some(&of_ben)),
            (&owner_cleo, &admin, Some(&of_cleo)),
            (&by_desk, &admin, Some(&of_ben)),
            (&both, &admin, Some(&of_ben)),
            (&format!("{owner_cleo}&{by_desk}"), &admin, None),
            (&owner_cleo, &cleos, Some(&of_cleo)),
            (&by_desk, &bens, Some(&of_ben)),
            (&owner_ben, &cleos, None),
            (&by_desk, &cleos, None),
            (&owner_ben, &stranger, None),
            (&by_desk, &stranger, None),
        ] {
            let expected: Vec<_> = expected.into_iter().cloned().collect();
            assert_eq!(listed(filter.clone(), token).await, expected, "{filter}");
        }
        office.close().await;
    });
}

#[test]
fn i1_times_of_a_question_may_be_told_by_the_clock_of_any_zone() {
    play(async {
        let office = Office::open(|_| {}).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        office.make_call(&token, json!({ "to": "100" }), None).await.expect(202);
        for (time, seen) in [
            ("2026-01-01T10:00:00%2B01:00", 1),
            ("2026-01-01T10:00:00+01:00", 1),
            ("2099-01-01T00:00:00-08:00", 0),
        ] {
            let page = office.bench.get(&format!("/api/calls?started_from={time}"), &token).await.expect(200);
            assert_eq!(page["items"].as_array().map(Vec::len), Some(seen), "{time}");
        }
        let wrong =
            office.bench.get("/api/calls?started_from=yesterday", &token).await.refused(422, "invalid");
        assert_eq!(wrong["errors"][0]["field"], "started_from");
        office.close().await;
    });
}

#[test]
fn k5_a_superadmin_makes_no_calls() {
    play(async {
        let office = Office::open(|_| {}).await;
        let boss = office.bench.token("boss", Role::Superadmin, None).await;
        office.make_call(&boss, json!({ "to": "100" }), None).await.refused(403, "forbidden");
        office.close().await;
    });
}

#[test]
fn k6_without_a_key_the_request_is_refused_and_the_same_one_may_be_sent_again() {
    play(async {
        let office = Office::open(|settings| settings.google_keys = KeyPool::default()).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        for _ in 0..2 {
            let refused = office.make_call(&token, json!({ "to": "100" }), Some("order-1")).await;
            let refused = refused.refused(503, "no_key");
            assert!(
                refused["detail"].as_str().is_some_and(|detail| detail.contains("GOOGLE_API_KEY")),
                "{refused}"
            );
        }
        office.close().await;
    });
}

#[test]
fn s4_past_the_engines_limit_the_request_is_told_when_to_come_again() {
    play(async {
        let office = Office::open(|settings| settings.calls.max_calls = 1).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        office.make_call(&token, json!({ "to": "100" }), None).await.expect(202);
        let refused = office.make_call(&token, json!({ "to": "200" }), None).await;
        assert!(refused.headers.contains_key("retry-after"));
        refused.refused(503, "no_capacity");
        office.close().await;
    });
}

#[test]
fn s4_limits_that_are_changed_while_the_engine_runs_count_for_the_next_call() {
    play(async {
        let office = Office::open(|_| {}).await;
        let boss = office.bench.token("boss", Role::Superadmin, None).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let set =
            async |change: Value| drop(office.bench.patch("/api/settings", &boss, change).await.expect(200));
        office.bench.post("/api/keys/assign", &boss, json!({})).await.expect(200);
        office.make_call(&token, json!({ "to": "100" }), None).await.expect(202);
        for limit in ["calls.max_calls", "keys.sessions_per_project"] {
            set(json!({ limit: 1, "keys.reserved_for_holder": 0 })).await;
            let refused = office.make_call(&token, json!({ "to": "200" }), None).await;
            let refused = refused.refused(503, "no_capacity");
            assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(limit)), "{refused}");
            set(json!({ limit: null })).await;
        }
        office.make_call(&token, json!({ "to": "200" }), None).await.expect(202);
        office.close().await;
    });
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn i1_what_cannot_be_dialled_is_refused_by_the_name_of_the_field() {
    play(async {
        let office = Office::open(|_| {}).await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        for (order, field) in [
            (json!({ "to": "sip:ben@192.0.2.1" }), "to"),
            (json!({ "to": "" }), "to"),
            (json!({ "to": "+49" }), "to"),
            (json!({ "to": "100", "from": "+4930999999" }), "from"),
            (json!({ "to": "100", "voice_agent_id": "nobody" }), "voice_agent_id"),
            (json!({ "to": "100", "metadata": { "much": "x".repeat(9_000) } }), "metadata"),
            (json!({ "to": "100", "metadata": "text" }), "metadata"),
            // Its record could never be written down.
            (json!({ "to": "100", "metadata": { "number": u64::MAX } }), "metadata"),
            (json!({ "to": "100", "metadata": { "deep": nested(90) } }), "metadata"),
        ] {
            let refused = office.make_call(&token, order.clone(), None).await.refused(422, "invalid");
            assert_eq!(refused["errors"][0]["field"], field, "{order}");
        }
        office.close().await;
    });
}

#[test]
fn i2_a_stream_of_events_ends_with_its_session() {
    play(async {
        let bench = Bench::usual().await;
        let token = bench.token("mira", Role::Admin, None).await;
        let mut events = Stream::open(&bench, &token, "/api/events").await;
        bench.post("/api/logout", &token, json!({})).await.expect(204);
        let ended = async { while events.read().await {} };
        timeout(SAFETY_LIMIT, ended).await.expect("nobody listens without a session");
        bench.stop().await;
    });
}

#[test]
fn o2_calls_are_seen_by_their_owner_and_its_admin_alone() {
    play(async {
        let office = Office::open(|_| {}).await;
        let bench = &office.bench;
        let mira = bench.person("mira", Role::Admin, None).await;
        let admin = bench.log_in("mira").await;
        let agent = bench.token("ben", Role::Agent, Some(&mira)).await;
        let colleague = bench.token("cleo", Role::Agent, Some(&mira)).await;
        let stranger = bench.token("zoe", Role::Admin, None).await;
        let boss = bench.token("boss", Role::Superadmin, None).await;
        let mut heard_by_stranger = Stream::open(bench, &stranger, "/api/events").await;
        let call = id(&office.make_call(&agent, json!({ "to": "100" }), None).await.expect(202));
        let path = format!("/api/calls/{call}");
        for (who, token, sees) in [
            ("its owner", &agent, true),
            ("its admin", &admin, true),
            ("a colleague", &colleague, false),
            ("a stranger", &stranger, false),
            ("a superadmin", &boss, false),
        ] {
            let listed = bench.get("/api/calls", token).await.expect(200);
            assert_eq!(listed["items"].as_array().expect("a list").len(), usize::from(sees), "{who}");
            let one = bench.get(&path, token).await;
            if sees {
                one.expect(200);
            } else {
                one.refused(404, "not_found");
                bench.delete(&path, token).await.refused(404, "not_found");
            }
        }
        // Whatever she heard of this call would have come before her own.
        office.make_call(&stranger, json!({ "to": "300" }), None).await.expect(202);
        let first = heard_by_stranger.until("started").await;
        assert_ne!(first["call_id"], json!(call));
        assert!(!heard_by_stranger.text.contains(&call), "{}", heard_by_stranger.text);
        office.close().await;
    });
}
