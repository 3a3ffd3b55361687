//! Two engines, each a process of its own, that share one store (SPEC K7, S6).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use clearline::sandbox::model::{ModelServer, ModelSettings};

use crate::far_end::FarEnd;
use crate::process::Process;
use crate::world::{ADAS_KEY, play, port_range};

pub(crate) struct Engine {
    pub(crate) process: Process,
    pub(crate) sip: SocketAddr,
}

/// Signs of life in a hurry, so that the test need not wait half a minute.
const SETTINGS: [&str; 9] = [
    "sip.listen=127.0.0.1:0",
    "sip.allowed_sources=127.0.0.1",
    "http.listen=127.0.0.1:0",
    "media.bind=127.0.0.1",
    "recording.enabled=false",
    "keys.sessions_per_project=1",
    "calls.default_owner_id=ada",
    "node.beat_ms=250",
    "node.dead_after_ms=3000",
];

impl Engine {
    pub(crate) fn start(name: &str, folder: &Path, model: &ModelServer) -> Self {
        let (first, last) = port_range();
        let own = [
            format!("voice.url=ws://{}", model.address),
            format!("media.port_min={first}"),
            format!("media.port_max={last}"),
        ];
        let mut command = clearline(folder);
        command.arg("serve");
        for setting in SETTINGS.iter().copied().chain(own.iter().map(String::as_str)) {
            command.args(["--set", setting]);
        }
        let process = Process::start(name, &mut command);
        let line = process.wait_for(" ready ");
        let sip = line.split("sip=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let sip =
            sip.and_then(|sip| sip.parse().ok()).unwrap_or_else(|| panic!("no address of SIP in {line}"));
        Self { process, sip }
    }
}

fn clearline(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.current_dir(folder).env("GOOGLE_API_KEY", ADAS_KEY).env("CLEARLINE_STORE_PATH", "shared.db");
    command
}

pub(crate) fn add_ada(folder: &Path) {
    let added = clearline(folder).args(["user", "add", "ada"]).output().expect("the binary runs");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}

async fn call(engine: &Engine) -> (FarEnd, Option<u16>) {
    let caller = FarEnd::usual().await;
    caller.dial(engine.sip, "100").await;
    let status = caller.verdict().await.status();
    (caller, status)
}

#[test]
fn k7_the_sessions_of_an_engine_that_was_killed_come_back_to_the_other() {
    play(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let first = Engine::start("the first engine", folder.path(), &model);
        let second = Engine::start("the second engine", folder.path(), &model);
        let (caller, status) = call(&first).await;
        assert_eq!(status, Some(200));
        assert_eq!(call(&second).await.1, Some(503), "the project's only session is in use");
        first.process.end_by("KILL");
        second.process.wait_for("the session of an engine that is gone is free again");
        let (other_caller, status) = call(&second).await;
        assert_eq!(status, Some(200));
        drop(caller);

        let first = Engine::start("the first engine again", folder.path(), &model);
        assert_eq!(call(&first).await.1, Some(503));
        other_caller.hang_up().await;
        second.process.end_by("TERM").expect_success("the second engine");
        let (caller, status) = call(&first).await;
        assert_eq!(status, Some(200), "who leaves in order leaves nothing");
        caller.hang_up().await;
        first.process.end_by("TERM").expect_success("the first engine");
        let names = ["1", "2", "3"].map(|number| folder.path().join("nodes").join(number).exists());
        assert_eq!(names, [true, true, false], "an engine that starts again has its old name");
        model.stop().await;
    });
}
