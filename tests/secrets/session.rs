//! One whole session of a real engine, and the search through whatever it leaves behind.

use clearline::sandbox::model::{KeyFailure, KnownKey, KnownKeys, ModelServer, ModelSettings};
use clearline::sandbox::phone::{Phone, PhoneEvent, PhoneSettings};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::canaries::Canaries;
use crate::office::{KEYS, LATER_KEY, Office, REFUSED_KEY};
use crate::process::Process;
use crate::registrar;

const MIRAS_PASSWORD: &str = "canary of mira + sésame/1";
const BENS_PASSWORD: &str = "canary of ben & sésame/2";
const ZOES_PASSWORD: &str = "canary of zoe = sésame/3";
const BOSS_PASSWORD: &str = "canary of the boss/4";
const WEBHOOK_SECRET: &str = "canary of a web service/5";
const NOT_OURS: &str = "cls_canary-that-was-never-a-token";

/// The engine as its clients meet it.
struct Desk {
    client: Client,
    http: String,
    sip: std::net::SocketAddr,
}

#[test]
fn o3_a_session_leaves_no_secret_behind_with_a_human_log() {
    actix::System::new().block_on(play("human"));
}

#[test]
fn o3_a_session_leaves_no_secret_behind_with_a_json_log() {
    actix::System::new().block_on(play("json"));
}

async fn play(log_format: &'static str) {
    let model = model().await;
    let anywhere = "127.0.0.1:5060".parse().expect("an address");
    let mut called = Phone::start(PhoneSettings::new("called", anywhere)).expect("a phone");
    let mut office = Office::open(log_format, model.address, called.address, registrar::start());
    let passwords =
        [("mira", MIRAS_PASSWORD), ("ben", BENS_PASSWORD), ("zoe", ZOES_PASSWORD), ("boss", BOSS_PASSWORD)];
    for (name, password) in passwords {
        office.canaries.plant(&format!("the password of {name}"), password);
    }
    office.canaries.plant("a token that is none", NOT_OURS);
    office.canaries.plant("the secret of a webhook", WEBHOOK_SECRET);
    prepare(&mut office);
    let engine = office.serve();
    let desk = Desk::at(&engine);
    engine.wait_for("Registered");
    let boss = desk.first_log_in(&mut office, "boss", BOSS_PASSWORD, None).await;
    let mira = desk.log_in(&mut office.canaries, "mira", MIRAS_PASSWORD).await;
    let ben = desk.add_ben_and_zoe(&mut office, &boss).await;
    let refusals = desk.mistakes().await;
    desk.make_token(&mut office.canaries, &mira).await;
    desk.call_comes_in().await;
    let voice_agent = desk.add_webhook(&mira).await;
    desk.call_goes_out(&mira, &voice_agent, &mut called).await;
    desk.call_with_a_refused_key(&ben).await;
    read_keys_again(&office, &engine);
    let mut found = office.canaries.found_in("an answer to a mistake", &refusals);
    found.extend(office.canaries.found_in("the store's files, while it runs", &joined(&office)));
    for (who, token) in [("the boss", &boss), ("mira", &mira), ("ben", &ben)] {
        found.extend(desk.look_through_all(&office.canaries, who, token).await);
    }
    let finished = engine.end_by("TERM").expect_success("the engine");
    assert!(finished.transcript.contains("DEBUG"), "it logs whatever it can");
    found.extend(office.canaries.found_in("the log", finished.transcript.as_bytes()));
    found.extend(office.canaries.found_in("the store's files, afterwards", &joined(&office)));
    assert!(found.is_empty(), "{}", found.join("\n"));
    model.stop().await;
}

async fn model() -> ModelServer {
    let refused = KnownKey { failure: Some(KeyFailure::Invalid), ..KnownKey::new(REFUSED_KEY) };
    let keys = KnownKeys::List(vec![KnownKey::new(KEYS[0].1), refused, KnownKey::new(LATER_KEY)]);
    ModelServer::start(ModelSettings { keys, ..ModelSettings::default() }).await.expect("a stand-in model")
}

/// What the operator does before the first start: a key that is stored plainly at first, and sealed later.
fn prepare(office: &mut Office) {
    office.add_plain_user("mira");
    let plain = office.canaries.found_in("the store", &joined(office));
    assert_eq!(plain.len(), 1, "without a key to seal with it is stored as it is: {plain:?}");
    assert_eq!(office.document(&["keys", "seal"])["sealed"], 1);
    office.run(&["user", "passwd", "mira"], &format!("{MIRAS_PASSWORD}\n"));
    let boss = office.document(&["user", "add", "boss", "--role", "superadmin", "--one-time-password"]);
    let one_time = boss[0]["one_time_password"].as_str().expect("told once");
    office.canaries.plant("the one-time password of boss", one_time);
    office.write("one-time", one_time);
}

/// Names and contents of all that lies in the data folder.
fn joined(office: &Office) -> Vec<u8> {
    office.files().into_iter().flat_map(|(name, bytes)| [name.into_bytes(), bytes]).flatten().collect()
}

/// A good pool, then one that cannot be.
fn read_keys_again(office: &Office, engine: &Process) {
    let keys = KEYS.map(|(name, key)| format!("{name}={key}\n")).concat();
    office.write(".env", &format!("{keys}GOOGLE_API_KEY_3={LATER_KEY}\n"));
    engine.signal("HUP");
    engine.wait_for("the Google keys were read again");
    office.write(".env", &format!("GOOGLE_API_KEY={LATER_KEY}-schlüssel\n"));
    engine.signal("HUP");
    engine.wait_for("the Google keys stay as they were");
}

impl Desk {
    fn at(engine: &Process) -> Self {
        // As `http=127.0.0.1:8080`, or `"http":"127.0.0.1:8080"`.
        let line = engine.wait_for("127.0.0.1:").replace("\":\"", "=").replace('"', " ");
        let value = |name: &str| {
            let rest = line.split(name).nth(1).unwrap_or_else(|| panic!("no {name}: {line}"));
            rest.split_whitespace().next().expect("a value").to_owned()
        };
        let sip = value("sip=").parse().expect("an address");
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        Self { client, http: format!("http://{}", value("http=")), sip }
    }

    fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.http));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn done(&self, method: Method, path: &str, token: &str, body: Value) -> Value {
        let response = self.request(method, path, token).json(&body).send().await.expect("an answer");
        let (status, text) = (response.status(), response.text().await.expect("text"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn log_in(&self, canaries: &mut Canaries, name: &str, password: &str) -> String {
        let body = json!({ "name": name, "password": password });
        planted_token(canaries, name, &self.done(Method::POST, "/api/login", "", body).await)
    }

    /// With a one-time password, which makes way for one of the user's own.
    async fn first_log_in(
        &self,
        office: &mut Office,
        name: &str,
        password: &str,
        one_time: Option<&str>,
    ) -> String {
        let shown = std::fs::read_to_string(office.path().join("one-time")).expect("written a moment ago");
        let one_time = one_time.unwrap_or(&shown);
        let session = self.log_in(&mut office.canaries, name, one_time).await;
        let change = json!({ "password": one_time, "new_password": password });
        let changed = self.done(Method::PUT, "/api/me/password", &session, change).await;
        planted_token(&mut office.canaries, name, &changed)
    }

    /// Ben gets the key that the model refuses; his password is a one-time one, Zoe's is chosen.
    async fn add_ben_and_zoe(&self, office: &mut Office, boss: &str) -> String {
        let ben = json!({ "name": "ben", "role": "admin" });
        let added = self.done(Method::POST, "/api/users", boss, ben).await;
        let one_time = added["one_time_password"].as_str().expect("told once").to_owned();
        office.canaries.plant("the one-time password of ben", &one_time);
        let zoe = json!({ "name": "zoe", "role": "admin", "password": ZOES_PASSWORD });
        self.done(Method::POST, "/api/users", boss, zoe).await;
        self.first_log_in(office, "ben", BENS_PASSWORD, Some(&one_time)).await
    }

    /// What people send where it does not belong; gives what came back.
    async fn mistakes(&self) -> Vec<u8> {
        let log_in = |body: Value| self.request(Method::POST, "/api/login", "").json(&body);
        let broken = format!("{{\"name\": \"zoe\", \"password\": \"{ZOES_PASSWORD}\"");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("password", ZOES_PASSWORD)
            .append_pair(ZOES_PASSWORD, "1")
            .finish();
        let requests = [
            log_in(json!({ "name": ZOES_PASSWORD, "password": "no password at all" })),
            log_in(json!({ "name": "zoe", "password": { "is": ZOES_PASSWORD } })),
            log_in(json!({ "name": "zoe", "password": [ZOES_PASSWORD] })),
            log_in(json!({ "name": { "is": "zoe" }, "password": ZOES_PASSWORD })),
            log_in(json!(ZOES_PASSWORD)),
            self.request(Method::POST, "/api/login", "")
                .header("content-type", "application/json")
                .body(broken),
            self.request(Method::GET, "/api/users", NOT_OURS),
            self.request(Method::GET, "/api/users", "").basic_auth("zoe", Some(ZOES_PASSWORD)),
            self.request(Method::GET, &format!("/api/users?{query}"), ""),
            self.request(Method::GET, "/api/users", "")
                .header("cookie", format!("clearline_session={NOT_OURS}")),
            self.request(Method::GET, &format!("/api/users/{NOT_OURS}"), ""),
        ];
        let mut answers = Vec::new();
        for request in requests {
            let response = request.send().await.expect("an answer");
            assert!(response.status().is_client_error(), "{response:?}");
            answers.extend(format!("{:?}", response.headers()).into_bytes());
            answers.extend(response.bytes().await.expect("a body"));
        }
        answers
    }

    async fn make_token(&self, canaries: &mut Canaries, session: &str) {
        let made = self.done(Method::POST, "/api/me/tokens", session, json!({ "name": "report" })).await;
        let token = made["token"].as_str().expect("told once");
        plant_token(canaries, "an API token", token);
        let used = self.request(Method::GET, "/api/me", token).send().await.expect("an answer");
        assert_eq!(used.status(), 200);
    }

    async fn call_comes_in(&self) {
        let mut caller = Phone::start(PhoneSettings::new("caller", self.sip)).expect("a phone");
        caller.dial("100").await;
        assert!(caller.wait_for(&PhoneEvent::HeardSpeech).await, "the model greets");
        caller.hang_up().await;
        while !matches!(caller.next_event().await, Some(PhoneEvent::Ended { .. }) | None) {}
    }

    /// A voice agent whose web service wants a secret; gives its id.
    async fn add_webhook(&self, token: &str) -> String {
        let webhook = json!({ "name": "stock", "description": "Looks.", "url": "https://crm.example.com/stock",
                              "secret_headers": { "Authorization": WEBHOOK_SECRET } });
        let add = json!({ "name": "Desk", "webhooks": [webhook] });
        let made = self.done(Method::POST, "/api/voice_agents", token, add).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    async fn call_goes_out(&self, token: &str, voice_agent: &str, called: &mut Phone) {
        let mut events = self.listen(token).await;
        let order = json!({ "to": "200", "voice_agent_id": voice_agent });
        let call = self.done(Method::POST, "/api/make_call", token, order).await;
        assert!(called.wait_for(&PhoneEvent::HeardSpeech).await, "the model greets");
        let path = format!("/api/calls/{}", call["call_id"].as_str().expect("an id"));
        self.done(Method::DELETE, &path, token, json!({})).await;
        until_ended(&mut events).await;
    }

    async fn call_with_a_refused_key(&self, token: &str) {
        let mut events = self.listen(token).await;
        self.done(Method::POST, "/api/make_call", token, json!({ "to": "300" })).await;
        until_ended(&mut events).await;
    }

    async fn listen(&self, token: &str) -> Response {
        let mut events = self.request(Method::GET, "/api/events", token).send().await.expect("an answer");
        // The first piece says that it listens.
        events.chunk().await.expect("a stream");
        events
    }

    /// Every page that can be read, and each thing that a list names.
    async fn look_through_all(&self, canaries: &Canaries, who: &str, token: &str) -> Vec<String> {
        let description = serde_json::to_value(clearline::http::described()).expect("a description");
        let paths = description["paths"].as_object().expect("an object");
        let readable =
            paths.iter().filter(|(_, item)| item["get"].is_object()).map(|(path, _)| path.as_str());
        let (single, whole): (Vec<_>, Vec<_>) = readable.partition(|path| path.contains('{'));
        let (mut found, mut ids) = (Vec::new(), Vec::new());
        for path in whole.into_iter().filter(|path| *path != "/api/events").chain(["/api/openapi.json"]) {
            let (text, body) = self.read(path, token).await;
            found.extend(canaries.found_in(&format!("GET {path} of {who}"), text.as_bytes()));
            let items = body["items"].as_array().cloned().unwrap_or_default();
            ids.extend(
                items.iter().filter_map(|item| Some((path.to_owned(), item["id"].as_str()?.to_owned()))),
            );
        }
        for path in single {
            for (_, id) in ids.iter().filter(|(list, _)| path.starts_with(&format!("{list}/{{"))) {
                let path = path.split('{').next().unwrap_or_default().to_owned() + id;
                let (text, _) = self.read(&path, token).await;
                found.extend(canaries.found_in(&format!("GET {path} of {who}"), text.as_bytes()));
            }
        }
        found
    }

    /// Headers and body as text, and the body as JSON where it is some.
    async fn read(&self, path: &str, token: &str) -> (String, Value) {
        let response = self.request(Method::GET, path, token).send().await.expect("an answer");
        let headers = format!("{:?}\n", response.headers());
        let body = response.text().await.expect("text");
        let parsed = serde_json::from_str(&body).unwrap_or_default();
        (headers + &body, parsed)
    }
}

fn planted_token(canaries: &mut Canaries, name: &str, answer: &Value) -> String {
    let token = answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned();
    plant_token(canaries, &format!("a session token of {name}"), &token);
    token
}

/// `cls_<id>_<secret>`: the id is no secret.
fn plant_token(canaries: &mut Canaries, name: &str, token: &str) {
    canaries.plant(name, token.splitn(3, '_').nth(2).expect("a token has three parts"));
}

async fn until_ended(events: &mut Response) {
    let mut text = String::new();
    while !text.contains("event: ended") {
        let piece = events.chunk().await.expect("a stream");
        text.push_str(&String::from_utf8_lossy(&piece.expect("it does not end before the call does")));
    }
}
