//! A recording as a player asks for it (SPEC U2, O2).

use clearline::clock;
use clearline::domain::{CallRecord, Direction, PhoneNumber, RecordingMade, Role, Timestamp, User};
use clearline::media::opus_file::Listened;
use clearline::sandbox::phone::PhoneEvent;
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, answer, play};
use crate::calls::{Office, Stream, id};

const CONTENT: &[u8] = b"OggS and what follows";

/// A bench with a finished recording of a call of Mira's.
struct Room {
    bench: Bench,
    token: String,
    path: String,
    folder: tempfile::TempDir,
}

impl Room {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bench = Bench::planned(|settings| {
            settings.recording.enabled = true;
            settings.recording.dir = folder.path().to_owned();
        })
        .await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let token = bench.log_in("mira").await;
        let call = add_call(&bench, &mira, |record| {
            let file = folder.path().join(format!("{}.ogg", record.session_id));
            std::fs::write(&file, CONTENT).expect("a writable folder");
            record.add_recording(&RecordingMade {
                filename: file.display().to_string(),
                start_time: Timestamp::from_millis(1_764_000_000_000),
                duration_seconds: 12.34,
                bytes: CONTENT.len() as u64,
            });
        })
        .await;
        Self { path: format!("/api/calls/{call}/recording"), bench, token, folder }
    }

    async fn ask(&self, method: Method, headers: &[(HeaderName, &str)]) -> Response {
        let request = self.bench.client.request(method, self.bench.url(&self.path)).bearer_auth(&self.token);
        let named = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        named.send().await.expect("an answer")
    }

    async fn get(&self, headers: &[(HeaderName, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let response = self.ask(Method::GET, headers).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.bytes().await.expect("a whole answer").to_vec())
    }
}

async fn add_call(bench: &Bench, owner: &User, change: impl FnOnce(&mut CallRecord)) -> String {
    let number = || PhoneNumber::new("+4930123");
    let mut record =
        CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), clock::unix_time());
    record.owner_id = Some(owner.id.clone());
    record.tenant_id.clone_from(&owner.tenant_id);
    change(&mut record);
    bench.engine.calls().insert(&record).await.expect("a call");
    record.session_id.to_string()
}

#[test]
fn u2_a_recording_is_given_whole_or_in_part_and_known_again() {
    play(async {
        let room = Room::open().await;
        let (status, headers, body) = room.get(&[]).await;
        assert_eq!((status, body.as_slice()), (200, CONTENT));
        assert_eq!(headers[CONTENT_TYPE], "audio/ogg; codecs=opus");
        assert_eq!(headers[ACCEPT_RANGES], "bytes");
        assert!(headers[CONTENT_DISPOSITION].to_str().unwrap().ends_with(".ogg\""), "{headers:?}");
        let tag = headers[ETAG].to_str().unwrap();

        let (status, headers, body) = room.get(&[(RANGE, "bytes=5-7")]).await;
        assert_eq!((status, body.as_slice()), (206, &CONTENT[5..=7]));
        assert_eq!(headers[CONTENT_RANGE], format!("bytes 5-7/{}", CONTENT.len()));
        let (status, _, body) = room.get(&[(RANGE, "bytes=-4"), (IF_RANGE, tag)]).await;
        assert_eq!((status, body.as_slice()), (206, &CONTENT[CONTENT.len() - 4..]));
        let (status, _, body) = room.get(&[(RANGE, "bytes=5-7"), (IF_RANGE, "\"other\"")]).await;
        assert_eq!((status, body.as_slice()), (200, CONTENT), "it is another file now");
        let (status, headers, _) = room.get(&[(RANGE, "bytes=1000-")]).await;
        assert_eq!(
            (status, &headers[CONTENT_RANGE]),
            (416, &format!("bytes */{}", CONTENT.len()).parse().unwrap())
        );
        let (status, headers, body) = room.get(&[(IF_NONE_MATCH, tag)]).await;
        assert_eq!((status, body.len(), &headers[ETAG]), (304, 0, &tag.parse().unwrap()));

        let head = room.ask(Method::HEAD, &[]).await;
        assert_eq!((head.status().as_u16(), &head.headers()[CONTENT_LENGTH]), (200, &CONTENT.len().into()));
        room.bench.stop().await;
    });
}

#[test]
fn a_recording_larger_than_a_piece_arrives_whole() {
    play(async {
        let room = Room::open().await;
        let content: Vec<u8> = (0..300_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let call = room.path.split('/').nth(3).unwrap();
        std::fs::write(room.folder.path().join(format!("{call}.ogg")), &content).unwrap();
        assert_eq!(room.get(&[]).await.2, content);
        assert_eq!(room.get(&[(RANGE, "bytes=65000-200000")]).await.2, content[65_000..=200_000]);
        room.bench.stop().await;
    });
}

#[test]
fn what_is_no_recording_is_told_apart() {
    play(async {
        let room = Room::open().await;
        let owner = room.bench.engine.users().find("mira").await.unwrap().unwrap();
        let ask = async |call: String| {
            let path = room.bench.url(&format!("/api/calls/{call}/recording"));
            answer(room.bench.client.get(path).bearer_auth(&room.token)).await
        };
        let unrecorded = add_call(&room.bench, &owner, |_| {}).await;
        ask(unrecorded).await.refused(404, "not_found");
        ask("no-such-call".to_owned()).await.refused(404, "not_found");
        let elsewhere = add_call(&room.bench, &owner, |record| {
            record.recording_filename = Some("/etc/hostname".into());
        });
        ask(elsewhere.await).await.refused(421, "held_elsewhere");
        let zoe = room.bench.token("zoe", Role::Admin, None).await;
        let foreign = room.bench.client.get(room.bench.url(&room.path)).bearer_auth(zoe);
        answer(foreign).await.refused(404, "not_found");
        room.bench.stop().await;
    });
}

#[test]
fn u2_a_call_is_recorded_once_the_person_consents_paused_resumed_and_stopped() {
    play(async {
        let folder = tempfile::tempdir().unwrap();
        let mut office = Office::open(|settings| {
            settings.recording.enabled = true;
            settings.recording.dir = folder.path().to_owned();
        })
        .await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let asking = json!({ "name": "asks first", "recording": "consent" });
        let persona = office.bench.post("/api/voice_agents", &token, asking).await.expect(201);
        assert_eq!(persona["recording"], "consent");
        let mut events = Stream::open(&office.bench, &token, "/api/events").await;
        let order = json!({ "to": "+49 30 123456", "voice_agent_id": persona["id"] });
        let call = id(&office.make_call(&token, order, None).await.expect(202));
        assert!(office.phone.wait_for(&PhoneEvent::Connected).await);
        let path = format!("/api/calls/{call}");
        let state = async || office.bench.get(&path, &token).await.expect(200)["recording_state"].clone();
        let say = async |word: &str| {
            office.bench.post(&format!("{path}/recording/{word}"), &token, Value::Null).await
        };
        assert_eq!(state().await, "off");
        say("pause").await.refused(409, "conflict");
        for (word, now) in [
            ("start", "recording"),
            ("pause", "paused"),
            ("pause", "paused"),
            ("resume", "recording"),
            ("stop", "off"),
            ("start", "recording"),
        ] {
            assert_eq!(say(word).await.expect(200)["state"], now, "{word}");
        }
        assert_eq!(events.until("recording").await["state"], "recording");
        office.bench.get(&format!("{path}/recording"), &token).await.refused(409, "not_ready");
        assert!(office.phone.wait_for(&PhoneEvent::HeardSpeech).await);
        office.bench.delete(&path, &token).await.expect(202);
        assert_eq!(events.until("ended").await["has_recording"], true);
        let ended = office.bench.get(&path, &token).await.expect(200);
        assert_eq!((&ended["recording_state"], &ended["has_recording"]), (&Value::Null, &true.into()));
        let listened =
            office.bench.client.get(office.bench.url(&format!("{path}/recording"))).bearer_auth(&token);
        let bytes = listened.send().await.unwrap().bytes().await.unwrap();
        assert_eq!(ended["recording"]["bytes"], bytes.len());
        assert!(Listened::to(&bytes[..]).unwrap().model.len() > 160);
        say("start").await.refused(409, "conflict");
        office.close().await;
    });
}

#[test]
fn u2_a_voice_agent_whose_calls_are_not_recorded_cannot_be_talked_into_it() {
    play(async {
        let folder = tempfile::tempdir().unwrap();
        let mut office = Office::open(|settings| {
            settings.recording.enabled = true;
            settings.recording.dir = folder.path().to_owned();
        })
        .await;
        let token = office.bench.token("mira", Role::Admin, None).await;
        let discreet = json!({ "name": "discreet", "recording": "off" });
        let persona = office.bench.post("/api/voice_agents", &token, discreet).await.expect(201);
        let order = json!({ "to": "+49 30 123456", "voice_agent_id": persona["id"] });
        let call = id(&office.make_call(&token, order, None).await.expect(202));
        assert!(office.phone.wait_for(&PhoneEvent::Connected).await);
        let start = format!("/api/calls/{call}/recording/start");
        let refused = office.bench.post(&start, &token, Value::Null).await.refused(409, "conflict");
        assert!(refused["detail"].as_str().unwrap().contains("voice agent"), "{refused}");
        office.close().await;
        let ogg = |entry: std::fs::DirEntry| entry.path().extension().is_some_and(|ending| ending == "ogg");
        assert!(!std::fs::read_dir(folder.path()).unwrap().any(|entry| ogg(entry.unwrap())));
    });
}
