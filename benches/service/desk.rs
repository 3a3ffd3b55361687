//! An engine with a history, and an admin who looks through it over HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clearline::accounts::{NewPassword, NewUser};
use clearline::clock;
use clearline::config::Settings;
use clearline::domain::{Role, Secret};
use clearline::engine::Engine;
use clearline::store::By;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::History;

const PASSWORD: &str = "correct horse battery";

pub(crate) struct Desk {
    engine: Engine,
    client: Client,
    url: String,
    token: String,
    /// Gone with the desk.
    _folder: TempDir,
}

impl Desk {
    pub(crate) async fn with(history: History) -> Self {
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
        history.write(&file, &mira).await;
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let url = format!("http://{}", engine.http_address());
        let log_in =
            client.post(format!("{url}/api/login")).json(&json!({ "name": "mira", "password": PASSWORD }));
        let session: Value = log_in.send().await.expect("an answer").json().await.expect("JSON");
        let token = session["token"].as_str().expect("logged in").to_owned();
        Self { engine, client, url, token, _folder: folder }
    }

    /// How long the answer took, and its body.
    pub(crate) async fn read(&self, path: &str) -> (Duration, Vec<u8>) {
        let began = clock::now();
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let body = answer.bytes().await.expect("a whole answer");
        (clock::now() - began, body.into())
    }

    pub(crate) async fn newest_call(&self) -> String {
        let (_, body) = self.read("/api/calls?limit=1").await;
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        page["items"][0]["id"].as_str().expect("there are calls").to_owned()
    }

    /// How many there are in a page that must not be empty, for that would measure nothing.
    pub(crate) async fn items(&self, path: &str) -> usize {
        let (_, body) = self.read(path).await;
        let page: Value = serde_json::from_slice(&body).expect("JSON");
        let items = page["items"].as_array().map_or(0, Vec::len);
        assert!(items > 0, "{path}: an empty page measures nothing");
        items
    }

    pub(crate) async fn close(self) {
        self.engine.stop(Duration::from_millis(1)).await;
    }
}
