//! A recording as a player asks for it (SPEC U2, O2).

use clearline::clock;
use clearline::domain::{CallRecord, Direction, PhoneNumber, RecordingMade, Role, Timestamp, User};
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use reqwest::{Method, Response};

use crate::bench::{Bench, answer, play};

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
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::planned(|settings| {
            settings.recording.enabled = true;
            settings.recording.dir = folder.path().to_owned();
        })
        .await;
        let mira = bench.person("mira", Role::Admin, None).await;
        let token = bench.log_in("mira").await;
        let call = add_call(&bench, &mira, |record| {
            let file = folder.path().join(format!("{}.ogg", record.session_id));
            std::fs::write(&file, CONTENT).unwrap();
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
        (status, headers, response.bytes().await.unwrap().to_vec())
    }
}

async fn add_call(bench: &Bench, owner: &User, change: impl FnOnce(&mut CallRecord)) -> String {
    let number = || PhoneNumber::new("+4930123");
    let mut record =
        CallRecord::started(clock::new_call_id(), Direction::Inbound, number(), number(), clock::unix_time());
    record.owner_id = Some(owner.id.clone());
    record.tenant_id.clone_from(&owner.tenant_id);
    change(&mut record);
    bench.engine.calls().insert(&record).await.unwrap();
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
