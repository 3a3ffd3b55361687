//! A call's actor that panics with a key in its hands. The log of a whole process is wanted, so the test starts itself.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use clearline::accounts::{NewPassword, NewUser};
use clearline::actors::events::{CallEvent, EngineEvent};
use clearline::config::{Log, LogFormat, LogLevel, Settings};
use clearline::domain::{Role, UserId};
use clearline::engine::Engine;
use clearline::keys::KeyPool;
use clearline::sandbox::model::{ModelServer, ModelSettings};
use clearline::sandbox::phone::{Phone, PhoneEvent, PhoneSettings};
use clearline::store::By;
use clearline::telemetry::init_logging;

use crate::canaries::Canaries;

const IN_THE_CHILD: &str = "CLEARLINE_TEST_CRASHES_HERE";
const KEY: &str = "AIzaCanary-in-a-panic-0a1b2c3d4e-4444";
const NAME: &str = "crashing::s5_a_call_that_panics_tells_no_secret";

#[test]
fn s5_a_call_that_panics_tells_no_secret() {
    if env::var_os(IN_THE_CHILD).is_some() {
        return actix::System::new().block_on(crash());
    }
    let mut canaries = Canaries::default();
    canaries.plant("the key of the call that panics", KEY);
    let myself = env::current_exe().expect("a running program");
    let output = Command::new(myself).args(["--exact", NAME, "--nocapture"]).env(IN_THE_CHILD, "1").output();
    let output = output.expect("this program can be run again");
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && text.contains("injected panic") && text.contains("it is rebuilt"),
        "{text}"
    );
    let found = canaries.found_in("the log", &said);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

async fn crash() {
    init_logging(&Log { format: LogFormat::Human, level: LogLevel::Trace })
        .expect("the first in this process");
    let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = Settings::default();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.sip.listen = anywhere;
    settings.sip.allowed_sources = vec![anywhere.ip().into()];
    settings.media.bind = anywhere.ip();
    settings.http.listen = anywhere;
    settings.voice.url = format!("ws://{}", model.address);
    settings.store.path = folder.path().join("clearline.db");
    settings.recording.enabled = false;
    settings.calls.default_owner_id = Some(UserId::new("mira"));
    settings.google_keys = KeyPool::from_variables([("GOOGLE_API_KEY", KEY)]).expect("a good key");
    let pool = settings.google_keys.clone();
    let engine = Engine::start(settings).await.expect("an engine");
    let password = NewPassword::None;
    let mira = NewUser { name: "mira".into(), role: Role::Admin, tenant_id: None, password };
    engine.staff().add(By::Engine, &pool, mira).await.expect("a user");
    let mut news = engine.events().listen();
    let mut caller = Phone::start(PhoneSettings::new("caller", engine.sip_address())).expect("a phone");
    caller.dial("100").await;
    assert!(caller.wait_for(&PhoneEvent::HeardSpeech).await, "the model greets");
    loop {
        let EngineEvent::Call { call, event, .. } = news.recv().await.expect("events") else { continue };
        if matches!(event, CallEvent::Answered) {
            assert!(engine.crash_session(&call).await, "there is a session to crash");
        }
        if matches!(event, CallEvent::Rebuilding { .. }) {
            break;
        }
    }
    engine.stop(Duration::from_millis(1)).await;
    model.stop().await;
}
