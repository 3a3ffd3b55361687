//! An engine with a store and ports of its own, a stand-in model in another process, and lanes of calls side by side.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use clearline::actors::EngineSizes;
use clearline::config::{Gateway, NumberRoute, Settings};
use clearline::domain::{GatewayId, VoiceAgent, VoiceAgentId};
use clearline::engine::Engine;
use clearline::keys::KeyPool;
use clearline::sandbox::model::{Fault, FaultRule, Scope};
use clearline::store::{By, Change, Effect, Entry, Subject};
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::calls::{CALLS_A_ROUND, ENDINGS_OF_A_ROUND, Lane};
use crate::far_end::FarEnd;
use crate::news::{News, ending};
use crate::process::Process;
use crate::users::add_user;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Rounds that are played at the same time.
const LANES: usize = 12;
pub(crate) const ADAS_NUMBER: &str = "100";
/// The model refuses her set-up.
pub(crate) const CARAS_NUMBER: &str = "300";
/// The model never answers her set-up: who calls her hears it ring for as long as he likes.
pub(crate) const DORAS_NUMBER: &str = "400";
/// She is disabled: who calls her is refused.
pub(crate) const EVES_NUMBER: &str = "500";
/// Ada's too; here the model has nothing to say but goodbye.
pub(crate) const FAREWELL_NUMBER: &str = "600";
const FAREWELL_AGENT: &str = "farewell";
const ADAS_KEY: &str = "key-of-ada-aaaaaaaaaaaa-1111";
const CARAS_KEY: &str = "key-of-cara-cccccccccccc-3333";
const DORAS_KEY: &str = "key-of-dora-dddddddddddd-4444";
/// For a far end that does not answer or sends no audio: short, and longer than a busy machine keeps us from hanging up
/// a call that rings.
const PATIENCE_S: u64 = 3;
const STOP_LIMIT: Duration = Duration::from_millis(1);

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) news: News,
    lanes: Vec<Lane>,
    listener: JoinHandle<()>,
    model: Process,
    /// Gone with the world.
    _folder: TempDir,
}

impl World {
    pub(crate) async fn build() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (model, address) = stand_in().await;
        let lanes = join_all((0..LANES).map(Lane::new)).await;
        let engine = Engine::start(settings(&folder, &address, &lanes))
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        add_user(&engine, "ada", Some(ADAS_KEY)).await;
        add_user(&engine, "cara", Some(CARAS_KEY)).await;
        add_user(&engine, "dora", Some(DORAS_KEY)).await;
        add_user(&engine, "eve", None).await;
        disable(&engine, "eve").await;
        let news = News::default();
        let listener = actix::spawn(news.clone().gather(engine.events().listen()));
        Self { engine, news, lanes, listener, model, _folder: folder }
    }

    pub(crate) fn sip(&self) -> SocketAddr {
        self.engine.sip_address()
    }

    pub(crate) async fn sizes(&self) -> EngineSizes {
        let mut sizes = self.engine.sizes().await;
        // Token buckets of those who spoke to us are forgotten by and by.
        sizes.sip.sources = 0;
        sizes
    }

    /// Plays at least so many calls; gives how many there were.
    pub(crate) async fn play(&self, calls: usize) -> usize {
        let rounds = calls.div_ceil(CALLS_A_ROUND * LANES);
        join_all(self.lanes.iter().map(|lane| lane.play(self, rounds))).await;
        assert_eq!(self.news.waiting(), 0, "every call that began has ended");
        self.judge_endings(rounds * LANES);
        rounds * CALLS_A_ROUND * LANES
    }

    /// Each way to end was gone exactly so often.
    fn judge_endings(&self, each: usize) {
        let mut wanted = BTreeMap::new();
        for (direction, outcome) in ENDINGS_OF_A_ROUND {
            *wanted.entry(ending(direction, outcome)).or_default() += each;
        }
        assert_eq!(self.news.endings(), wanted);
    }

    pub(crate) async fn close(self) {
        self.engine.stop(STOP_LIMIT).await;
        self.listener.abort();
        self.model.end_by("TERM");
    }
}

async fn disable(engine: &Engine, name: &str) {
    let user = engine.users().find(name).await.expect("a readable store").expect("was just added");
    let change = Change::new(By::Engine, "user.disable", Effect::Changed, Subject::user(&user));
    let act = async |entry: &Entry| {
        engine.users().change(entry, &user.id, |_| Some(json!({ "enabled": false }))).await
    };
    engine.accounts().audit().record(change, act).await.expect("a writable store");
}

/// The stand-in, and where it listens.
async fn stand_in() -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(["sandbox", "model", "--marker-only", "--listen", "127.0.0.1:0", "--side", "127.0.0.1:0"]);
    let model = Process::start("the stand-in model", &mut command);
    let address = last_word(&model.wait_for("listening on"));
    let side = last_word(&model.wait_for("sessions shown at"));
    let side = side.trim_start_matches("http://").trim_end_matches("/sessions");
    // For a reason that is not her key's, which would be marked and not be used again.
    let refusal = Fault::SetupClose { code: 1007, reason: "Request contains an invalid argument.".into() };
    let for_key = |key, fault| FaultRule { scope: Scope::for_key(key), fault, times: None };
    befall(side, &[for_key(CARAS_KEY, refusal), for_key(DORAS_KEY, Fault::SetupSilent)]).await;
    (model, address)
}

fn last_word(line: &str) -> String {
    line.split_whitespace().next_back().unwrap_or_default().to_owned()
}

async fn befall(side: &str, rules: &[FaultRule]) {
    let body = serde_json::to_string(rules).expect("rules are JSON");
    let request = format!(
        "POST /faults HTTP/1.1\r\nHost: model\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(side).await.expect("the side port");
    stream.write_all(request.as_bytes()).await.expect("a request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn settings(folder: &TempDir, model: &str, lanes: &[Lane]) -> Settings {
    let mut settings = Settings::default();
    settings.sip.listen = SocketAddr::new(LOOPBACK, 0);
    settings.sip.allowed_sources = vec![LOOPBACK.into()];
    settings.sip.ring_timeout_s = PATIENCE_S;
    settings.sip.gateways = lanes.iter().map(|lane| gateway(&lane.gateway, &lane.callee)).collect();
    settings.media.bind = LOOPBACK;
    settings.media.no_rtp_timeout_s = PATIENCE_S;
    settings.voice.url = format!("ws://{model}");
    settings.keys.sessions_per_project = 0;
    settings.store.path = folder.path().join("clearline.db");
    settings.recording.dir = folder.path().join("recordings");
    settings.http.listen = SocketAddr::new(LOOPBACK, 0);
    // The stand-in does what the words demand.
    let farewell = VoiceAgent {
        id: VoiceAgentId::new(FAREWELL_AGENT),
        name: FAREWELL_AGENT.into(),
        greeting: "[call end_call]".into(),
        ..VoiceAgent::default()
    };
    settings.voice_agents = vec![VoiceAgent::default(), farewell];
    let usual = VoiceAgent::default().id;
    for (number, owner, voice_agent) in [
        (ADAS_NUMBER, "ada", usual.clone()),
        (CARAS_NUMBER, "cara", usual.clone()),
        (DORAS_NUMBER, "dora", usual.clone()),
        (EVES_NUMBER, "eve", usual),
        (FAREWELL_NUMBER, "ada", VoiceAgentId::new(FAREWELL_AGENT)),
    ] {
        settings.numbers.insert(number.into(), NumberRoute { owner: owner.into(), voice_agent });
    }
    let keys =
        [("GOOGLE_API_KEY", ADAS_KEY), ("GOOGLE_API_KEY_2", CARAS_KEY), ("GOOGLE_API_KEY_3", DORAS_KEY)];
    settings.google_keys = KeyPool::from_variables(keys).expect("three keys");
    settings
}

fn gateway(name: &GatewayId, callee: &FarEnd) -> Gateway {
    Gateway {
        name: name.clone(),
        address: callee.address.to_string(),
        domain: None,
        user: None,
        password: None,
        register: false,
        expires_s: 300,
        any_media_host: false,
    }
}
