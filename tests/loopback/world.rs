//! A world for one test: a stand-in model, a real engine with a store and ports of its own, and two people with a number
//! and a key each.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use clearline::actors::EngineSizes;
use clearline::actors::call_supervisor::PlaceCall;
use clearline::config::{Gateway, NumberRoute, Settings};
use clearline::domain::{CallId, CallRecord, GatewayId, Secret, VoiceAgent};
use clearline::engine::Engine;
use clearline::keys::KeyPool;
use clearline::sandbox::model::{Marker, ModelServer, ModelSettings, SessionReport, SpeechStyle};
use clearline::sip::endpoint::Sizes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::far_end::FarEnd;
use crate::log;
use crate::news::{News, gather};
use crate::users::add_user;
use crate::watched::{SAFETY_LIMIT, within};

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const ADAS_NUMBER: &str = "100";
pub(crate) const BENS_NUMBER: &str = "200";
pub(crate) const ADAS_KEY: &str = "key-of-ada-aaaaaaaaaaaa-1111";
pub(crate) const BENS_KEY: &str = "key-of-ben-bbbbbbbbbbbb-2222";
const GATEWAY: &str = "gateway";
const STOP_LIMIT: Duration = Duration::from_millis(1);
/// The stand-in measures a tone this exactly.
const TONE_TOLERANCE_HZ: f64 = 15.0;

/// What a test may change before the world begins.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) model: ModelSettings,
    pub(crate) adas_key: Option<String>,
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) model: ModelServer,
    /// Gone with the world.
    pub(crate) folder: TempDir,
    pub(crate) news: News,
    listener: JoinHandle<()>,
}

/// Runs a test in an actix System of its own.
pub(crate) fn play(test: impl Future<Output = ()>) {
    log::capture();
    actix::System::new().block_on(test);
}

impl World {
    pub(crate) async fn usual() -> Self {
        Self::planned(|_| {}).await
    }

    /// Outbound calls go to this far end.
    pub(crate) async fn dialling(far_end: &FarEnd) -> Self {
        Self::planned(|plan| plan.dial(far_end.address)).await
    }

    pub(crate) async fn planned(change: impl FnOnce(&mut Plan)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut plan =
            Plan { settings: settings(&folder), model: quick_model(), adas_key: Some(ADAS_KEY.into()) };
        change(&mut plan);
        let model = ModelServer::start(plan.model).await.expect("a stand-in model");
        plan.settings.voice.url = format!("ws://{}", model.address);
        let engine = Engine::start(plan.settings).await.unwrap_or_else(|error| panic!("{error}"));
        add_user(&engine, "ada", plan.adas_key.as_deref()).await;
        add_user(&engine, "ben", Some(BENS_KEY)).await;
        let news = News::default();
        let listener = actix::spawn(gather(engine.events().listen(), news.clone()));
        Self { engine, model, folder, news, listener }
    }

    /// One more engine on the same store and model.
    pub(crate) async fn another_engine(&self, change: impl FnOnce(&mut Plan)) -> Engine {
        let mut plan = Plan { settings: settings(&self.folder), model: quick_model(), adas_key: None };
        change(&mut plan);
        plan.settings.voice.url = format!("ws://{}", self.model.address);
        Engine::start(plan.settings).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The engine is stopped and started again, with other settings.
    pub(crate) async fn started_again(self, change: impl FnOnce(&mut Plan)) -> Self {
        let Self { engine, model, folder, news, listener } = self;
        engine.stop(STOP_LIMIT).await;
        listener.abort();
        let mut plan = Plan { settings: settings(&folder), model: quick_model(), adas_key: None };
        change(&mut plan);
        plan.settings.voice.url = format!("ws://{}", model.address);
        let engine = Engine::start(plan.settings).await.unwrap_or_else(|error| panic!("{error}"));
        let listener = actix::spawn(gather(engine.events().listen(), news.clone()));
        Self { engine, model, folder, news, listener }
    }

    pub(crate) fn sip(&self) -> SocketAddr {
        self.engine.sip_address()
    }

    /// Dials the gateway for Ada.
    pub(crate) async fn place(&self, number: &str) -> CallId {
        self.engine.place_call(order(number)).await.unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// The record as the store holds it once the call is over.
    pub(crate) async fn record(&self, call: &CallId) -> CallRecord {
        within("the call's record has its outcome", async {
            loop {
                let record = self.engine.calls().get(call).await.expect("a readable store");
                match record.filter(|record| record.outcome.is_some()) {
                    Some(record) => return record,
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }

    /// The newest session that the model holds or held with this key.
    pub(crate) fn session(&self, key: &str) -> Option<SessionReport> {
        newest(&self.model.sessions(), key)
    }

    /// Waits until the newest session of this key looks as wanted.
    pub(crate) async fn session_when(
        &self,
        key: &str,
        what: &str,
        is_wanted: impl Fn(&SessionReport) -> bool,
    ) -> SessionReport {
        let wanted =
            |sessions: &[SessionReport]| newest(sessions, key).is_some_and(|session| is_wanted(&session));
        let sessions = within(what, self.model.until(wanted)).await;
        newest(&sessions, key).expect("it was there a moment ago")
    }

    pub(crate) async fn model_hears(&self, key: &str, tone_hz: f64) {
        let what = format!("the model with {key} hears {tone_hz} Hz");
        self.session_when(key, &what, |session| hears(session, tone_hz)).await;
    }

    /// The marker that the model's session of this key speaks with.
    pub(crate) async fn marker(&self, key: &str) -> Marker {
        let session =
            self.session_when(key, "a session with a marker", |session| session.marker.is_some()).await;
        Marker::number(session.marker.expect("it has one"))
    }

    /// Waits until no call holds anything of the engine any more but what SIP's timers and a port's rest keep a while.
    pub(crate) async fn all_given_back(&self) {
        let mut last = EngineSizes::default();
        let looking = async {
            loop {
                last = self.engine.sizes().await;
                last.sip = Sizes { calls: last.sip.calls, ..Sizes::default() };
                last.ports_resting = 0;
                if last == EngineSizes::default() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let given_back = tokio::time::timeout(SAFETY_LIMIT, looking).await.is_ok();
        assert!(given_back, "still held after {SAFETY_LIMIT:?}: {last:#?}");
    }

    /// A figure as the engine's own metrics page tells it.
    pub(crate) async fn figure(&self, name: &str) -> u64 {
        let page = self.page("/metrics").await;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let mut page = String::new();
        let mut stream = TcpStream::connect(self.engine.http_address()).await.expect("the engine's HTTP");
        let request = format!("GET {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request is taken");
        stream.read_to_string(&mut page).await.expect("a page");
        page
    }

    pub(crate) async fn close(self) {
        self.engine.stop(STOP_LIMIT).await;
        self.listener.abort();
        self.model.stop().await;
    }
}

impl Plan {
    pub(crate) fn dial(&mut self, gateway: SocketAddr) {
        self.settings.sip.gateways = vec![Gateway {
            name: GatewayId::new(GATEWAY),
            address: gateway.to_string(),
            domain: None,
            user: None,
            password: None,
            register: false,
            expires_s: 300,
            any_media_host: false,
        }];
    }

    pub(crate) fn pool(&mut self, keys: &[(&str, &str)]) {
        self.settings.google_keys = KeyPool::from_variables(keys.iter().copied()).expect("keys");
    }
}

pub(crate) fn order(number: &str) -> PlaceCall {
    PlaceCall {
        target: number.into(),
        owner: "ada".into(),
        from: None,
        gateway: None,
        voice_agent: None,
        metadata: None,
    }
}

pub(crate) fn hears(session: &SessionReport, tone_hz: f64) -> bool {
    session.heard_tones.iter().any(|tone| (f64::from(tone.hz) - tone_hz).abs() < TONE_TOLERANCE_HZ)
}

fn newest(sessions: &[SessionReport], key: &str) -> Option<SessionReport> {
    let hint = Secret::new(key).hint();
    sessions
        .iter()
        .filter(|session| session.key_hint == hint)
        .max_by_key(|session| session.connection)
        .cloned()
}

fn settings(folder: &TempDir) -> Settings {
    let mut settings = Settings::default();
    settings.sip.listen = SocketAddr::new(LOOPBACK, 0);
    settings.sip.allowed_sources = vec![LOOPBACK.into()];
    settings.media.bind = LOOPBACK;
    (settings.media.port_min, settings.media.port_max) = port_range();
    settings.store.path = folder.path().join("clearline.db");
    settings.recording.dir = folder.path().join("recordings");
    settings.http.listen = SocketAddr::new(LOOPBACK, 0);
    for (number, owner) in [(ADAS_NUMBER, "ada"), (BENS_NUMBER, "ben")] {
        let voice_agent = VoiceAgent::default().id;
        settings.numbers.insert(number.into(), NumberRoute { owner: owner.into(), voice_agent });
    }
    settings.google_keys =
        KeyPool::from_variables([("GOOGLE_API_KEY", ADAS_KEY), ("GOOGLE_API_KEY_2", BENS_KEY)])
            .expect("two keys");
    settings
}

/// Ports that no other world of this process has, outside those the kernel hands out.
pub(crate) fn port_range() -> (u16, u16) {
    const PORTS_PER_WORLD: u16 = 200;
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let first = NEXT.fetch_add(PORTS_PER_WORLD, Ordering::Relaxed);
    (first, first + PORTS_PER_WORLD - 1)
}

/// It says little, at once, and nothing but its marker.
fn quick_model() -> ModelSettings {
    let mut model = ModelSettings::default();
    model.timing.setup_delay_ms = [0, 20];
    model.timing.first_audio_ms = 50;
    model.timing.first_audio_jitter_ms = 0;
    model.voicing.style = SpeechStyle::MarkerOnly;
    model.voicing.marker_ms = 900;
    model
}
