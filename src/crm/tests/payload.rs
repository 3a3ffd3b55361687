use serde_json::{Value, json};

use crate::crm::{EndedCall, SentRecording, call_data};
use crate::domain::CrmCallId;

/// As a store of this version, and of the next ones, has it.
fn record() -> Value {
    json!({
        "session_id": "019ac0ff-ee12-7abc-8def-0123456789ab",
        "revision": 9,
        "direction": "outbound",
        "owner_id": "u1",
        "tenant_id": "t1",
        "voice_agent_id": "a1",
        "dialed_number": "+4930123456",
        "from_number": "+4940987654",
        "call_start_time": "2026-11-29T10:00:00.000Z",
        "answered_time": "2026-11-29T10:00:05.500Z",
        "call_end_time": "2026-11-29T10:01:07.400Z",
        "outcome": "completed",
        "end_reason": "the far end hung up",
        "key_hint": "AIza…",
        "conversation_items": [
            { "role": "user", "content": "Hello", "timestamp": "2026-11-29T10:00:06.000Z",
              "source": "gemini-live", "transcript_confidence": null, "interrupted": false },
            { "role": "assistant", "content": "Good day", "timestamp": "2026-11-29T10:00:08.000Z",
              "source": "gemini-live", "transcript_confidence": 0.5, "interrupted": true },
        ],
        "quality": null,
        "usage": null,
        "recording_filename": "/data/recordings/x.ogg",
    })
}

fn read(record: Value) -> EndedCall {
    serde_json::from_value(record).expect("a session record")
}

#[test]
fn u4_the_payload_is_exactly_what_the_crm_expects() {
    let mut record = record();
    record["campaign_id"] = json!("c1");
    record["full_config"] =
        json!({ "persona": { "crm_voice_agent_id": "VA-7" }, "campaign": { "crm_campaign_id": 17 } });
    let recording =
        SentRecording { url: "https://crm/r/1".into(), duration_seconds: Some(61.9), bytes: Some(4_711) };
    let lead = json!({ "name": "Eve" });
    let told = call_data(
        &CrmCallId::new("CALL-20261129-30123456"),
        &read(record),
        Some(&recording),
        lead.as_object(),
    );
    assert_eq!(
        told,
        json!({
            "campaignId": 17,
            "voiceAgentId": "VA-7",
            "client": "t1",
            "callDetails": {
                "callId": "CALL-20261129-30123456",
                "direction": "outbound",
                "startTime": "2026-11-29T10:00:00.000Z",
                "endTime": "2026-11-29T10:01:07.400Z",
                "duration": 62,
                "status": "completed",
                "callerNumber": "+4930123456",
                "recordingUrl": "https://crm/r/1",
                "recordingDuration": 61.9,
                "recordingSize": 4_711,
            },
            "caller": { "phoneNumber": "+4930123456" },
            "transcription": {
                "session_id": "019ac0ff-ee12-7abc-8def-0123456789ab",
                "start_time": "2026-11-29T10:00:00.000Z",
                "end_time": "2026-11-29T10:01:07.400Z",
                "duration_seconds": 62,
                "total_items": 2,
                "conversation_items": [
                    { "role": "user", "content": "Hello", "timestamp": "2026-11-29T10:00:06.000Z",
                      "source": "gemini-live", "transcript_confidence": null },
                    { "role": "assistant", "content": "Good day", "timestamp": "2026-11-29T10:00:08.000Z",
                      "source": "gemini-live", "transcript_confidence": 0.5 },
                ],
                "lead_generated": true,
                "metadata": { "auto_saved": true },
            },
            "lead": { "name": "Eve" },
        })
    );
}

#[test]
fn u4_a_call_that_never_connected_is_told_with_every_member_and_nulls() {
    let mut record = record();
    record["direction"] = json!("inbound");
    record["answered_time"] = Value::Null;
    record["outcome"] = json!("no_answer");
    record["tenant_id"] = Value::Null;
    record["voice_agent_id"] = Value::Null;
    record["conversation_items"] = json!([]);
    let told = call_data(&CrmCallId::new("CALL-20261129-40987654"), &read(record), None, None);
    assert_eq!(
        (&told["campaignId"], &told["voiceAgentId"], &told["client"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let details = told["callDetails"].as_object().unwrap();
    assert_eq!(details.len(), 10);
    assert_eq!((&details["duration"], &details["status"]), (&json!(0), &json!("no_answer")));
    assert_eq!(details["callerNumber"], "+4940987654", "the person calls in");
    for member in ["recordingUrl", "recordingDuration", "recordingSize"] {
        assert!(details[member].is_null(), "{member}");
    }
    assert_eq!((&told["lead"], &told["transcription"]["lead_generated"]), (&json!({}), &json!(false)));
}

#[test]
fn u4_ids_of_the_crm_go_before_ours_and_empty_ones_do_not_count() {
    let mut record = record();
    record["full_config"] = json!({ "crm_client_id": " ", "tenant": { "crm_client_id": "CL-1" },
                                    "persona": { "crm_voice_agent_id": "" } });
    let told = call_data(&CrmCallId::new("CALL-1"), &read(record), None, None);
    assert_eq!((&told["client"], &told["voiceAgentId"]), (&json!("CL-1"), &json!("a1")));
}
