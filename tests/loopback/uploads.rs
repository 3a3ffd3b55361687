//! Calls that are told to a CRM, on a real engine and a CRM that fails in every way there is (SPEC U4, U5, S2, S3).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clearline::clock;
use clearline::crm::{Answer, Upload};
use clearline::domain::{CallId, CallRecord, Direction, NodeId, PhoneNumber, StartId, UploadState};
use clearline::net::crm_http::{CrmClient, CrmSettings};
use clearline::sandbox::crm::{CrmServer, CrmServerSettings, Endpoint, Fault, FaultRule, Received, TlsFiles};
use clearline::sandbox::model::{ModelServer, ModelSettings};
use clearline::store::{Audit, By, Change, Effect, Entry, OUTBOX, Outbox, Subject};
use tokio::time::sleep;

use crate::engines::{Engine, add_ada, shared_store};
use crate::far_end::FarEnd;
use crate::watched::within;
use crate::world::{ADAS_NUMBER, Plan, World, play};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn crm_with(faults: Vec<FaultRule>) -> CrmServer {
    CrmServer::start(CrmServerSettings { faults, ..CrmServerSettings::default() }).expect("a stand-in CRM")
}

async fn world_with(crm: &CrmServer, change: impl FnOnce(&mut Plan)) -> World {
    let base_url = format!("http://{}", crm.address);
    World::planned(|plan| {
        plan.settings.crm.base_url = Some(base_url);
        change(plan);
    })
    .await
}

/// A call with Ada, from its greeting to its end.
async fn call(world: &World) -> CallId {
    let (caller, before) = (FarEnd::usual().await, world.engine.sizes().await.calls);
    assert_eq!(before, 0, "one call at a time");
    caller.dial(world.sip(), ADAS_NUMBER).await;
    let call = world.news.call_of("ada", 0).await;
    world.news.greeted(&call).await;
    caller.more_packets(100).await;
    caller.hang_up().await;
    world.news.ended(&call).await;
    call
}

async fn upload_when(world: &World, call: &CallId, what: &str, wanted: impl Fn(&Upload) -> bool) -> Upload {
    let outbox = Outbox::new(world.engine.store().clone());
    within(what, async {
        loop {
            match outbox.get(call).await.expect("a readable store") {
                Some(found) if wanted(&found.record) => return found.record,
                Some(_) | None => sleep(LOOK_AGAIN).await,
            }
        }
    })
    .await
}

async fn upload_in(world: &World, call: &CallId, state: UploadState) -> Upload {
    let what = format!("the upload is {}", state.as_str());
    upload_when(world, call, &what, |upload| upload.progress.state == state).await
}

/// One entry and one recording, the same to the byte as the file.
fn judge_whole(received: &Received, upload: &Upload, recording: &Path) {
    let [kept] = &received.recordings[..] else { panic!("one recording: {:?}", received.keys) };
    assert_eq!(kept.idempotency_key, format!("{}/recording", upload.crm_call_id));
    assert_eq!(kept.bytes, std::fs::read(recording).expect("the recording"), "to the byte");
    assert!(kept.length > 1_000, "{} bytes", kept.length);
    assert_eq!(received.calls.len(), 1, "{:?}", received.keys);
    let told = &received.calls[upload.crm_call_id.as_str()];
    assert_eq!(told["callDetails"]["recordingUrl"].as_str(), upload.progress.recording_url());
    assert_eq!(told["callDetails"]["recordingSize"], kept.length);
}

async fn judge(crm: &CrmServer, world: &World, call: &CallId) {
    let upload = upload_in(world, call, UploadState::Done).await;
    let record = world.record(call).await;
    let recording = PathBuf::from(record.recording_filename.clone().expect("a recording"));
    judge_whole(&crm.received(), &upload, &recording);
    let told = record.upload.expect("the record tells");
    assert_eq!(
        (told.state, told.recording_url.as_deref()),
        (UploadState::Done, upload.progress.recording_url())
    );
    assert_eq!(record.crm_call_id, Some(upload.crm_call_id));
}

/// The call ends well in the CRM, whatever befalls its first requests.
fn arrives_once_in_spite_of(faults: Vec<FaultRule>, change: impl FnOnce(&mut Plan) + 'static) {
    play(async move {
        let crm = crm_with(faults);
        let world = world_with(&crm, change).await;
        let call = call(&world).await;
        judge(&crm, &world, &call).await;
        world.all_given_back().await;
        world.close().await;
        crm.stop().await;
    });
}

fn in_a_hurry(plan: &mut Plan) {
    plan.settings.crm.answer_timeout_ms = 400;
    plan.settings.crm.upload_timeout_s = 1;
}

#[test]
fn u4_a_call_arrives_with_its_recording_and_all_that_is_to_be_told() {
    play(async {
        let crm = crm_with(Vec::new());
        let world = world_with(&crm, |_| {}).await;
        let call = call(&world).await;
        judge(&crm, &world, &call).await;
        let received = crm.received();
        let told = received.calls.values().next().expect("one call");
        let record = world.record(&call).await;
        assert_eq!(told["callDetails"]["status"], "completed");
        assert_eq!(told["callDetails"]["direction"], "inbound");
        assert_eq!(told["transcription"]["session_id"], call.as_str());
        assert_eq!(told["transcription"]["total_items"], record.conversation_items.len());
        let keys: Vec<_> = received.keys.iter().map(|key| key.rsplit_once('/').expect("a step").1).collect();
        assert_eq!(keys, ["recording", "call-data"]);
        world.close().await;
        crm.stop().await;
    });
}

#[test]
fn u5_a_crm_that_answers_503_for_a_while_gets_everything_once() {
    arrives_once_in_spite_of(vec![FaultRule::times(Endpoint::Both, Fault::Status(503), 3)], |_| {});
}

#[test]
fn u5_a_crm_that_is_silent_for_a_while_gets_everything_once() {
    let silent = |endpoint| FaultRule::times(endpoint, Fault::Silent, 1);
    arrives_once_in_spite_of(vec![silent(Endpoint::Upload), silent(Endpoint::CallData)], in_a_hurry);
}

#[test]
fn u5_a_slow_crm_is_waited_for() {
    let slow = Fault::Slow(Duration::from_millis(1_500));
    arrives_once_in_spite_of(vec![FaultRule::always(Endpoint::Both, slow)], |_| {});
}

#[test]
fn u5_a_crm_whose_answers_are_lost_has_everything_once() {
    let lost = |endpoint| FaultRule::times(endpoint, Fault::AnswerLost, 2);
    arrives_once_in_spite_of(vec![lost(Endpoint::Upload), lost(Endpoint::CallData)], |_| {});
}

#[test]
fn u5_a_page_to_log_in_before_the_crm_is_not_taken_for_it() {
    arrives_once_in_spite_of(vec![FaultRule::times(Endpoint::Both, Fault::Html, 3)], |_| {});
}

#[test]
fn u5_call_data_that_is_refused_is_parked_and_arrives_when_somebody_has_it_tried_again() {
    for (fault, told) in
        [(Fault::Status(422), "the CRM answers 422"), (Fault::NoSuccess, "a fault was asked for")]
    {
        play(async move {
            let crm = crm_with(vec![FaultRule::always(Endpoint::CallData, fault)]);
            let world = world_with(&crm, |_| {}).await;
            let call = call(&world).await;
            let parked = upload_in(&world, &call, UploadState::Parked).await;
            assert!(parked.progress.reason().is_some_and(|reason| reason.contains(told)), "{parked:?}");
            assert!(crm.received().calls.is_empty());
            figure_is(&world, "clearline_uploads_parked 1").await;
            crm.set_faults(Vec::new());
            retry(&world, &call).await;
            judge(&crm, &world, &call).await;
            world.close().await;
            crm.stop().await;
        });
    }
}

async fn figure_is(world: &World, wanted: &str) {
    within(&format!("/metrics has {wanted}"), async {
        while !world.page("/metrics").await.lines().any(|line| line == wanted) {
            sleep(LOOK_AGAIN).await;
        }
    })
    .await;
}

async fn retry(world: &World, call: &CallId) {
    let store = world.engine.store().clone();
    let change = Change::new(
        By::Engine,
        "upload.retry",
        Effect::Changed,
        Subject::new(&OUTBOX, Upload::id_of(call), "call"),
    );
    let outbox = Outbox::new(store.clone());
    let retry = async |entry: &Entry| outbox.retry(entry, call).await;
    Audit::new(store).record(change, retry).await.expect("it can be tried again");
}

#[test]
fn u5_a_recording_that_is_refused_keeps_nobody_from_hearing_of_the_call() {
    for fault in [Fault::Status(413), Fault::Nonsense, Fault::NoSuccess] {
        play(async move {
            let crm = crm_with(vec![FaultRule::always(Endpoint::Upload, fault)]);
            let world = world_with(&crm, |_| {}).await;
            let call = call(&world).await;
            let parked = upload_in(&world, &call, UploadState::Parked).await;
            let told = crm.received().calls[parked.crm_call_id.as_str()].clone();
            assert!(told["callDetails"]["recordingUrl"].is_null(), "{fault:?}");
            crm.set_faults(Vec::new());
            retry(&world, &call).await;
            judge(&crm, &world, &call).await;
            world.close().await;
            crm.stop().await;
        });
    }
}

#[test]
fn u5_a_crm_that_dies_between_the_two_steps_gets_everything_once_when_it_is_back() {
    play(async {
        let crm = crm_with(vec![FaultRule::always(Endpoint::CallData, Fault::Silent)]);
        let world = world_with(&crm, |_| {}).await;
        let call = call(&world).await;
        within("the recording arrives", crm.until(|received| received.recordings.len() == 1)).await;
        let waiting = upload_when(&world, &call, "its URL is noted", |upload| {
            upload.progress.recording_url().is_some()
        });
        waiting.await;
        crm.stop().await;
        let down = |upload: &Upload| upload.progress.trouble.is_some();
        upload_when(&world, &call, "the CRM is missed", down).await;
        let again = CrmServer::start_again(CrmServerSettings::default(), &crm).expect("the same address");
        judge(&again, &world, &call).await;
        world.close().await;
        again.stop().await;
    });
}

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/loopback/crm_certificates").join(name)
}

fn crm_over_tls() -> CrmServer {
    crm_that_shows("crm")
}

fn crm_that_shows(name: &str) -> CrmServer {
    let [certificate, private_key] = ["pem", "key"].map(|ending| certificate(&format!("{name}.{ending}")));
    let tls = TlsFiles { certificate, private_key };
    CrmServer::start(CrmServerSettings { tls: Some(tls), ..CrmServerSettings::default() })
        .expect("a stand-in CRM")
}

async fn world_over_tls(crm: &CrmServer, ca: &str) -> World {
    let (base_url, ca) = (format!("https://{}", crm.address), certificate(ca));
    World::planned(|plan| {
        plan.settings.crm.base_url = Some(base_url);
        plan.settings.crm.ca_file = Some(ca);
    })
    .await
}

#[test]
fn u5_a_crm_with_a_certificate_of_a_known_ca_is_told_over_tls() {
    play(async {
        let crm = crm_over_tls();
        let world = world_over_tls(&crm, "ca.pem").await;
        let call = call(&world).await;
        judge(&crm, &world, &call).await;
        world.close().await;
        crm.stop().await;
    });
}

#[test]
fn u5_a_crm_with_a_wrong_certificate_is_told_nothing_and_that_is_said() {
    play(async {
        let crm = crm_over_tls();
        let world = world_over_tls(&crm, "other-ca.pem").await;
        let call = call(&world).await;
        let waits = |upload: &Upload| upload.progress.trouble.is_some();
        let upload = upload_when(&world, &call, "it is said why it waits", waits).await;
        let reason = upload.progress.reason().unwrap_or_default().to_owned();
        assert!(reason.contains("authority") && reason.contains("crm.ca_file"), "{reason}");
        assert_eq!(upload.progress.state, UploadState::Due);
        let ready = world.page("/ready").await;
        assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("the CRM does not take"), "{ready}");
        assert_eq!(crm.received(), Received::default());
        world.close().await;
        crm.stop().await;
    });
}

async fn answer_of(crm: &CrmServer, ca: &str) -> Answer {
    let client = CrmClient::new(CrmSettings {
        base_url: format!("https://{}", crm.address),
        token: None,
        upload_path: "/upload".into(),
        call_data_path: "/call-data".into(),
        file_field: "file".into(),
        connect_limit: Duration::from_secs(60),
        answer_limit: Duration::from_secs(60),
        upload_limit: Duration::from_secs(60),
        ca_file: Some(certificate(ca)),
    });
    client.expect("a client").send_call_data("k/call-data", &serde_json::json!({})).await
}

#[test]
fn u5_a_crm_whose_certificate_nobody_vouches_for_is_told_with_how_to_mend_it() {
    for (shown, ca, told, helps) in [
        (
            "crm",
            "other-ca.pem",
            "the authority of its certificate is not trusted",
            "set crm.ca_file to a PEM",
        ),
        (
            "self-signed",
            "ca.pem",
            "the authority of its certificate is not trusted",
            "set crm.ca_file to a PEM",
        ),
        ("self-signed-ca", "self-signed-ca.pem", "CA:TRUE", "basicConstraints=critical,CA:FALSE"),
    ] {
        play(async move {
            let crm = crm_that_shows(shown);
            let answer = answer_of(&crm, ca).await;
            let Answer::Unreachable(why) = answer else { panic!("{shown}: {answer:?}") };
            assert!(why.contains(told) && why.contains(helps), "{shown}: {why}");
            crm.stop().await;
        });
    }
    play(async {
        let crm = crm_that_shows("self-signed");
        let answer = answer_of(&crm, "self-signed.pem").await;
        assert!(matches!(answer, Answer::Http { status: 422, .. }), "{answer:?}");
        crm.stop().await;
    });
}

#[test]
fn u5_without_a_crm_calls_wait_and_arrive_once_there_is_one() {
    play(async {
        let world = World::usual().await;
        let call = call(&world).await;
        upload_in(&world, &call, UploadState::Due).await;
        let crm = crm_with(Vec::new());
        let base_url = format!("http://{}", crm.address);
        let world = world.started_again(|plan| plan.settings.crm.base_url = Some(base_url)).await;
        judge(&crm, &world, &call).await;
        world.close().await;
        crm.stop().await;
    });
}

#[test]
fn s3_an_engine_that_stops_tells_what_is_due_first() {
    play(async {
        let crm = crm_with(vec![FaultRule::always(Endpoint::Both, Fault::Slow(Duration::from_millis(300)))]);
        let world = world_with(&crm, |_| {}).await;
        call(&world).await;
        world.close().await;
        let received = crm.received();
        assert_eq!((received.recordings.len(), received.calls.len()), (1, 1), "{:?}", received.keys);
        crm.stop().await;
    });
}

/// An engine that is killed between the two first writes of a call leaves this behind.
#[test]
fn s2_the_upload_of_a_call_that_never_began_is_withdrawn() {
    play(async {
        let crm = crm_with(Vec::new());
        let world = world_with(&crm, |plan| {
            plan.settings.node.beat_ms = 100;
            plan.settings.node.dead_after_ms = 500;
        })
        .await;
        let outbox = Outbox::new(world.engine.store().clone());
        let (number, now) = (PhoneNumber::new("+4930123"), clock::unix_time());
        let record =
            CallRecord::started(clock::new_call_id(), Direction::Inbound, number.clone(), number, now);
        let run = (NodeId::new("an engine"), StartId::new("that was killed"));
        let name = outbox.open(&record, run.clone()).await.expect("a store that takes it");
        within("it is withdrawn", async {
            while outbox.get(&record.session_id).await.expect("a readable store").is_some() {
                sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        let another = CallRecord { session_id: clock::new_call_id(), ..record };
        // One that remembers nothing of it.
        let outbox = Outbox::new(world.engine.store().clone());
        assert_eq!(outbox.open(&another, run).await, Ok(name), "its name is free again");
        assert!(crm.received().calls.is_empty());
        world.close().await;
        crm.stop().await;
    });
}

/// Engines that are processes of their own, with a CRM.
struct Killed {
    folder: tempfile::TempDir,
    model: ModelServer,
    crm: CrmServer,
}

impl Killed {
    async fn begin(faults: Vec<FaultRule>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        Self { folder, model, crm: crm_with(faults) }
    }

    fn engine(&self, name: &str) -> Engine {
        let own = [format!("crm.base_url=http://{}", self.crm.address), "recording.enabled=true".to_owned()];
        Engine::start_with(name, self.folder.path(), &self.model, &own)
    }

    async fn call(&self, engine: &Engine) -> FarEnd {
        let caller = FarEnd::usual().await;
        caller.dial(engine.sip, "100").await;
        assert_eq!(caller.verdict().await.status(), Some(200));
        caller.more_packets(150).await;
        caller
    }

    async fn somebody_is_at_a_step(&self) {
        let outbox = Outbox::new(shared_store(self.folder.path()));
        within("a step is claimed", async {
            while outbox.claims().await.expect("a readable store").is_empty() {
                sleep(LOOK_AGAIN).await;
            }
        })
        .await;
    }

    async fn end(self, engine: Engine) {
        engine.process.end_by("TERM").expect_success("the engine");
        self.model.stop().await;
        self.crm.stop().await;
    }

    /// The only one there is, whose bytes the CRM has.
    fn judge_recording(&self, received: &Received) {
        let [kept] = &received.recordings[..] else { panic!("one recording: {:?}", received.keys) };
        let folder = self.folder.path().join("data/recordings");
        let entries = std::fs::read_dir(folder).expect("recordings");
        let files = entries.map(|entry| entry.expect("listed").path()).filter(|path| path.is_file());
        let [file] = &files.collect::<Vec<_>>()[..] else { panic!("one recording") };
        assert_eq!(kept.bytes, std::fs::read(file).expect("the recording"), "to the byte");
    }
}

#[test]
fn s2_an_engine_that_is_killed_between_the_two_steps_ends_with_one_entry_and_one_recording() {
    for silent in [Endpoint::Upload, Endpoint::CallData] {
        play(async move {
            let desk = Killed::begin(vec![FaultRule::always(silent, Fault::Silent)]).await;
            let engine = desk.engine("the engine");
            desk.call(&engine).await.hang_up().await;
            match silent {
                Endpoint::CallData => {
                    within("the recording arrives", desk.crm.until(|it| it.recordings.len() == 1)).await;
                }
                Endpoint::Upload | Endpoint::Both => desk.somebody_is_at_a_step().await,
            }
            engine.process.end_by("KILL");
            desk.crm.set_faults(Vec::new());
            let engine = desk.engine("the engine again");
            let has_all =
                |it: &Received| it.calls.values().any(|call| !call["callDetails"]["recordingUrl"].is_null());
            let received = within("the call arrives", desk.crm.until(has_all)).await;
            assert_eq!(received.calls.len(), 1, "{:?}", received.keys);
            desk.judge_recording(&received);
            desk.end(engine).await;
        });
    }
}

#[test]
fn s2_a_call_that_its_engine_did_not_survive_is_told_as_such() {
    play(async {
        let desk = Killed::begin(Vec::new()).await;
        let engine = desk.engine("the engine");
        let caller = desk.call(&engine).await;
        engine.process.wait_for("answered");
        // The record of the answered call is in the store a moment later; what the killed engine had not written is lost.
        let outbox = Outbox::new(shared_store(desk.folder.path()));
        within("the call is known", async {
            while outbox
                .in_state(UploadState::Open, None, 1)
                .await
                .expect("a readable store")
                .items
                .is_empty()
            {
                sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        engine.process.end_by("KILL");
        let engine = desk.engine("the engine again");
        let received = within("it is told", desk.crm.until(|received| received.calls.len() == 1)).await;
        let told = received.calls.values().next().expect("one call");
        assert_eq!(told["callDetails"]["status"], "engine_lost");
        drop(caller);
        desk.end(engine).await;
    });
}
