//! Two engines, each a process of its own, that share one store (SPEC K7, S6).

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clearline::domain::{CallId, CallRecord, Outcome, Timestamp};
use clearline::sandbox::model::{ModelServer, ModelSettings};
use clearline::store::{CALLS, COLLECTIONS, Calls, Query, Store, embedded};
use tokio::time::{sleep, timeout};

use crate::far_end::FarEnd;
use crate::process::Process;
use crate::world::{ADAS_KEY, play, port_range};

pub(crate) struct Engine {
    pub(crate) process: Process,
    pub(crate) sip: SocketAddr,
}

/// Against hanging for ever; nothing is judged by it.
const SAFETY_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Signs of life in a hurry, so that the test need not wait half a minute.
const SETTINGS: [&str; 8] = [
    "sip.listen=127.0.0.1:0",
    "sip.allowed_sources=127.0.0.1",
    "http.listen=127.0.0.1:0",
    "media.bind=127.0.0.1",
    "keys.sessions_per_project=1",
    "calls.default_owner_id=ada",
    "node.beat_ms=250",
    "node.dead_after_ms=3000",
];

impl Engine {
    pub(crate) fn start(name: &str, folder: &Path, model: &ModelServer) -> Self {
        Self::start_with(name, folder, model, &[])
    }

    pub(crate) fn start_with(name: &str, folder: &Path, model: &ModelServer, more: &[String]) -> Self {
        let (first, last) = port_range();
        let own = [
            format!("voice.url=ws://{}", model.address),
            format!("media.port_min={first}"),
            format!("media.port_max={last}"),
        ];
        let mut command = clearline(folder);
        command.arg("serve");
        for setting in SETTINGS.iter().copied().chain(own.iter().chain(more).map(String::as_str)) {
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

pub(crate) async fn call(engine: &Engine) -> (FarEnd, Option<u16>) {
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

pub(crate) fn shared_store(folder: &Path) -> Store {
    let store = embedded::open(&folder.join("shared.db"), COLLECTIONS, || Timestamp::from_millis(0));
    store.expect("the store can be shared")
}

/// What the store of both engines says of the only call there is.
pub(crate) async fn the_call(folder: &Path, is_wanted: impl Fn(&CallRecord) -> bool) -> CallRecord {
    let store = shared_store(folder);
    let calls = Calls::new(store.clone());
    let looking = async {
        loop {
            let page = store.find(&CALLS, Query::all(2)).await.expect("it answers");
            assert!(page.documents.len() < 2, "there is one call");
            if let [call] = page.documents.as_slice() {
                let record =
                    calls.get(&CallId::new(&call.id)).await.expect("it can be read").expect("it is there");
                if is_wanted(&record) {
                    return record;
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(SAFETY_LIMIT, looking).await.expect("the record never became as it should")
}

pub(crate) fn can_be_hung_up_by_others(record: &CallRecord) -> bool {
    record.answered_time.is_some() && record.running.as_ref().is_some_and(|running| running.dialog.is_some())
}

async fn is_ended_as_lost(caller: &FarEnd, folder: &Path) {
    caller.got("BYE").await;
    let lost = the_call(folder, |record| record.outcome.is_some()).await;
    assert_eq!((lost.outcome, lost.running), (Some(Outcome::EngineLost), None));
    assert!(lost.call_end_time >= lost.answered_time && lost.answered_time.is_some());
}

#[test]
fn s2_a_call_of_an_engine_that_was_killed_is_ended_when_the_engine_starts_again() {
    play(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let engine = Engine::start("the engine", folder.path(), &model);
        let (caller, status) = call(&engine).await;
        assert_eq!(status, Some(200));
        the_call(folder.path(), can_be_hung_up_by_others).await;
        engine.process.end_by("KILL");
        let engine = Engine::start("the engine again", folder.path(), &model);
        is_ended_as_lost(&caller, folder.path()).await;
        engine.process.end_by("TERM").expect_success("the engine");
        model.stop().await;
    });
}

#[test]
fn s2_a_call_of_an_engine_that_does_not_come_back_is_ended_by_another() {
    play(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let first = Engine::start("the first engine", folder.path(), &model);
        let second = Engine::start("the second engine", folder.path(), &model);
        let (caller, status) = call(&first).await;
        assert_eq!(status, Some(200));
        let running = the_call(folder.path(), can_be_hung_up_by_others).await;
        assert_eq!(running.outcome, None, "an engine that lives keeps its call");
        first.process.end_by("KILL");
        is_ended_as_lost(&caller, folder.path()).await;
        second.process.end_by("TERM").expect_success("the second engine");
        model.stop().await;
    });
}
