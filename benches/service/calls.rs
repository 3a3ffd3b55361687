//! A page of `GET /api/calls` with many calls in the store.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clearline::accounts::{NewPassword, NewUser};
use clearline::clock;
use clearline::config::Settings;
use clearline::domain::{Role, Secret, Timestamp};
use clearline::engine::Engine;
use clearline::store::By;
use reqwest::Client;
use serde_json::{Value, json};

use crate::figures::Figures;
use crate::history;

const CALLS: u64 = 100_000;
const WARM_UP: usize = 50;
const ROUNDS: usize = 1_000;
const PASSWORD: &str = "correct horse battery";
/// As a person looks at them.
const PAGES: [(&str, &str); 5] = [
    ("the newest 50", "/api/calls"),
    ("the newest 200", "/api/calls?limit=200"),
    ("by outcome", "/api/calls?outcome=no_answer"),
    ("by number", "/api/calls?dialed_number=%2B49300000042"),
    ("from the middle on", "/api/calls?started_before="),
];

pub(crate) fn run() {
    actix::System::new().block_on(measure());
}

async fn measure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = Settings::default();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.sip.listen = anywhere;
    settings.media.bind = anywhere.ip();
    settings.http.listen = anywhere;
    settings.http.requests_per_s = 0;
    settings.recording.enabled = false;
    settings.store.path = folder.path().join("clearline.db");
    let file = settings.store.path.clone();
    let engine = Engine::start(settings).await.unwrap_or_else(|error| panic!("{error}"));
    let password = NewPassword::Chosen(Secret::new(PASSWORD));
    let mira = NewUser { name: "mira".into(), role: Role::Admin, tenant_id: None, password };
    let mira = engine.accounts().add(By::Engine, mira).await.expect("a new name").user;
    history::write(&file, &mira, CALLS).await;
    clearline::net::install_tls_provider();
    let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
    let url = format!("http://{}", engine.http_address());
    let log_in =
        client.post(format!("{url}/api/login")).json(&json!({ "name": "mira", "password": PASSWORD }));
    let session: Value = log_in.send().await.expect("an answer").json().await.expect("JSON");
    let token = session["token"].as_str().expect("logged in");
    let middle = Timestamp::from_millis(clock::unix_time().as_millis() - CALLS / 2 * history::BETWEEN_MS);
    for (name, path) in PAGES {
        let path = if path.ends_with('=') { format!("{path}{middle}") } else { path.to_owned() };
        let mut figures = Figures::default();
        for round in 0..WARM_UP + ROUNDS {
            let began = clock::now();
            let answer =
                client.get(format!("{url}{path}")).bearer_auth(token).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{path}");
            let body = answer.bytes().await.expect("a whole answer");
            let took = clock::now() - began;
            if round == 0 {
                let page: Value = serde_json::from_slice(&body).expect("JSON");
                let items = page["items"].as_array().map_or(0, Vec::len);
                assert!(items > 0, "{path}: an empty page measures nothing");
            }
            if round >= WARM_UP {
                figures.add(took);
            }
        }
        println!("  {CALLS} calls, {name}: {figures}");
    }
    engine.stop(Duration::from_millis(1)).await;
}
