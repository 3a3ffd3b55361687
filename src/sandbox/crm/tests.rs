use serde_json::{Value, json};

use super::faults::{Endpoint, Fault, FaultRule};
use super::form::{File, file_in};
use super::schema::faults_in;
use super::state::State;

fn call_data() -> Value {
    json!({
        "campaignId": null, "voiceAgentId": "a1", "client": 7,
        "callDetails": {
            "callId": "CALL-20261129-30123456", "direction": "inbound",
            "startTime": "2026-11-29T10:00:00.000Z", "endTime": "2026-11-29T10:01:00Z", "duration": 55,
            "status": "completed", "callerNumber": "+4930123456", "recordingUrl": null,
            "recordingDuration": null, "recordingSize": null,
        },
        "caller": { "phoneNumber": "+4930123456" },
        "transcription": {
            "session_id": "c1", "start_time": "2026-11-29T10:00:00Z", "end_time": "2026-11-29T10:01:00Z",
            "duration_seconds": 55, "total_items": 1,
            "conversation_items": [{ "role": "user", "content": "Hello", "timestamp": "2026-11-29T10:00:05Z",
                                     "source": "gemini-live", "transcript_confidence": null }],
            "lead_generated": false, "metadata": { "auto_saved": true },
        },
        "lead": {},
    })
}

#[test]
fn call_data_that_lacks_or_adds_anything_is_refused_and_told_what() {
    assert_eq!(faults_in(&call_data()), [] as [String; 0]);
    let spoil = |spoil: fn(&mut Value)| {
        let mut spoiled = call_data();
        spoil(&mut spoiled);
        faults_in(&spoiled)
    };
    assert_eq!(spoil(|it| drop(it.as_object_mut().map(|it| it.remove("lead")))), ["lead is missing"]);
    assert_eq!(spoil(|it| it["callDetails"]["colour"] = json!("red")), ["callDetails.colour is unknown"]);
    assert_eq!(
        spoil(|it| it["callDetails"]["duration"] = json!(1.5)),
        ["callDetails.duration is no whole number"]
    );
    assert_eq!(spoil(|it| it["callDetails"]["endTime"] = json!("2026-11-29T11:00:00+01:00")).len(), 1);
    assert_eq!(spoil(|it| it["callDetails"]["status"] = json!("fine")).len(), 1);
    assert_eq!(spoil(|it| it["caller"] = json!([])), ["caller is no object"]);
    assert_eq!(
        spoil(|it| it["transcription"]["conversation_items"][0]["role"] = json!("model")),
        ["transcription.conversation_items.1.role is none of [\"user\", \"assistant\"]"]
    );
    assert_eq!(spoil(|it| it["transcription"]["total_items"] = json!(2)).len(), 1);
    assert_eq!(faults_in(&json!("call")), ["the body is no object"]);
}

const FORM: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n--b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.ogg\"\r\nContent-Type: audio/ogg\r\n\r\nOgg\r\n--S\r\n--b--\r\n";

#[test]
fn the_file_of_a_form_is_found_to_the_byte() {
    let file = file_in("multipart/form-data; boundary=b", FORM, "file").unwrap();
    let expected =
        File { name: "a.ogg".into(), content_type: "audio/ogg".into(), bytes: b"Ogg\r\n--S".to_vec() };
    assert_eq!(file, expected);
    for (kind, body, field) in [
        ("application/json", FORM, "file"),
        ("multipart/form-data", FORM, "file"),
        ("multipart/form-data; boundary=b", FORM, "other"),
        ("multipart/form-data; boundary=b", FORM, "note"),
        ("multipart/form-data; boundary=b", &FORM[..FORM.len() - 10], "file"),
        ("multipart/form-data; boundary=b", b"".as_slice(), "file"),
    ] {
        assert!(file_in(kind, body, field).is_err(), "{kind} {field}");
    }
}

#[test]
fn what_comes_twice_is_kept_once_and_answered_as_before() {
    let state = State::new(Vec::new());
    let file = || File { name: "a.ogg".into(), content_type: "audio/ogg".into(), bytes: b"OggS".to_vec() };
    let first = state.take_recording("k/recording", file(), "http://crm");
    assert_eq!(first, (201, json!({ "url": "http://crm/recordings/1" })));
    assert_eq!(state.take_recording("k/recording", file(), "http://crm").1, first.1);
    let told = |body: Value, key: &str| state.take_call_data(key, body.to_string().as_bytes()).0;
    assert_eq!((told(call_data(), "k/call-data"), told(call_data(), "k/call-data")), (200, 200));
    let mut amended = call_data();
    amended["callDetails"]["recordingUrl"] = json!("http://crm/recordings/1");
    assert_eq!(told(amended, "k/amendment"), 200);
    assert_eq!(told(json!({}), "k2/call-data"), 422);
    assert_eq!(state.take_call_data("k3", b"{").0, 400);
    let received = state.received();
    assert_eq!((received.recordings.len(), received.calls.len()), (1, 1));
    assert_eq!(
        received.calls["CALL-20261129-30123456"]["callDetails"]["recordingUrl"],
        "http://crm/recordings/1"
    );
}

#[test]
fn a_fault_befalls_whom_it_is_meant_for_as_often_as_it_says() {
    let rule: FaultRule = "upload:503*2".parse().unwrap();
    assert_eq!(rule, FaultRule::times(Endpoint::Upload, Fault::Status(503), 2));
    for (text, fault) in [("html", Fault::Html), ("no-success", Fault::NoSuccess)] {
        assert_eq!(format!("both:{text}").parse(), Ok(FaultRule::always(Endpoint::Both, fault)));
    }
    let state = State::new(vec![rule, "both:slow=20".parse().unwrap()]);
    let slow = Some(Fault::Slow(std::time::Duration::from_millis(20)));
    assert_eq!(state.strike(Endpoint::CallData), slow);
    let uploads: Vec<_> = (0..3).map(|_| state.strike(Endpoint::Upload)).collect();
    assert_eq!(uploads, [Some(Fault::Status(503)), Some(Fault::Status(503)), slow]);
    for wrong in ["", "upload", "upload:", "upload:200", "download:503", "upload:slow", "upload:503*x"] {
        assert!(wrong.parse::<FaultRule>().is_err(), "{wrong}");
    }
}
