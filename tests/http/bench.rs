//! A real engine without calls, and somebody of each role who asks it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use clearline::accounts::{NewPassword, NewUser};
use clearline::config::Settings;
use clearline::domain::{Role, Secret, TenantId, User};
use clearline::engine::{Engine, StartError};
use clearline::http::LoadKeys;
use clearline::keys::KeyPool;
use clearline::store::By;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
const STORE_FILE: &str = "clearline.db";
const STOP_LIMIT: Duration = Duration::from_millis(1);

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) client: Client,
    /// Gone with the bench.
    folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Runs a test in an actix System of its own.
pub(crate) fn play(test: impl Future<Output = ()>) {
    actix::System::new().block_on(test);
}

impl Bench {
    pub(crate) async fn usual() -> Self {
        Self::planned(|_| {}).await
    }

    pub(crate) async fn planned(change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, folder) = usual_settings();
        change(&mut settings);
        Self::started(Engine::start(settings).await, folder)
    }

    pub(crate) async fn with_keys_from(load_keys: LoadKeys) -> Self {
        let (settings, folder) = usual_settings();
        Self::started(Engine::start_with_keys_from(settings, load_keys).await, folder)
    }

    /// One that shares this one's store.
    pub(crate) async fn another_engine(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let path = self.folder.path().join(STORE_FILE);
        Self::planned(|settings| {
            settings.store.path = path;
            change(settings);
        })
        .await
    }

    fn started(engine: Result<Engine, StartError>, folder: TempDir) -> Self {
        let engine = engine.unwrap_or_else(|error| panic!("{error}"));
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        Self { engine, client, folder }
    }

    pub(crate) async fn stop(self) {
        self.engine.stop(STOP_LIMIT).await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.engine.http_address())
    }

    /// Somebody who can log in with [`PASSWORD`].
    pub(crate) async fn person(&self, name: &str, role: Role, tenant_id: Option<TenantId>) -> User {
        let password = NewPassword::Chosen(Secret::new(PASSWORD));
        let new = NewUser { name: name.into(), role, tenant_id, password };
        let added = self.engine.accounts().add(By::Engine, new).await;
        added.unwrap_or_else(|error| panic!("{name}: {error}")).user
    }

    /// Logs in as somebody of this name and role, who is made first; an agent belongs to the admin given.
    pub(crate) async fn token(&self, name: &str, role: Role, admin: Option<&User>) -> String {
        self.person(name, role, admin.and_then(|admin| admin.tenant_id.clone())).await;
        self.log_in(name).await
    }

    pub(crate) async fn log_in(&self, name: &str) -> String {
        let answer = self.post("/api/login", "", json!({ "name": name, "password": PASSWORD })).await;
        let token = answer.body["token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("{name} cannot log in: {answer:?}"))
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::DELETE, path, token, None).await
    }

    pub(crate) async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, token, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, token, Some(body)).await
    }

    /// Without a token where it is empty.
    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let request = self.client.request(method, self.url(path));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        answer(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

/// And where the store lies.
fn usual_settings() -> (Settings, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = Settings::default();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.sip.listen = any_port;
    settings.media.bind = any_port.ip();
    settings.http.listen = any_port;
    settings.store.path = folder.path().join(STORE_FILE);
    settings.recording.enabled = false;
    settings.google_keys = KeyPool::from_variables([
        ("GOOGLE_API_KEY", "key-number-one-aaaaaaaaaaaa-1111"),
        ("GOOGLE_API_KEY_2", "key-number-two-bbbbbbbbbbbb-2222"),
    ])
    .expect("good keys");
    (settings, folder)
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the engine answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a whole answer");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

impl Answer {
    /// The body of an answer that must have this status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// A problem with this status and code, told as RFC 9457 says.
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        self.body
    }
}
