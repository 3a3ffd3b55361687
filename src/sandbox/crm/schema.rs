//! What call data must look like: every member is there, no other, each of its kind.

use serde_json::Value;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// RFC 3339, in UTC.
    Time,
    WholeNumber,
    Number,
    Flag,
    /// The CRM's own ids are its own business.
    Id,
    /// One of these.
    OneOf(&'static [&'static str]),
    Object(&'static [Member]),
    ListOf(&'static [Member]),
    AnyObject,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    name: &'static str,
    kind: Kind,
    may_be_null: bool,
}

const fn must(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, may_be_null: false }
}

const fn may(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, may_be_null: true }
}

const CALL_DATA: &[Member] = &[
    may("campaignId", Kind::Id),
    may("voiceAgentId", Kind::Id),
    may("client", Kind::Id),
    must("callDetails", Kind::Object(CALL_DETAILS)),
    must("caller", Kind::Object(&[must("phoneNumber", Kind::Text)])),
    must("transcription", Kind::Object(TRANSCRIPTION)),
    must("lead", Kind::AnyObject),
];

const CALL_DETAILS: &[Member] = &[
    must("callId", Kind::Text),
    must("direction", Kind::OneOf(&["inbound", "outbound"])),
    must("startTime", Kind::Time),
    must("endTime", Kind::Time),
    must("duration", Kind::WholeNumber),
    must("status", Kind::OneOf(OUTCOMES)),
    must("callerNumber", Kind::Text),
    may("recordingUrl", Kind::Text),
    may("recordingDuration", Kind::Number),
    may("recordingSize", Kind::WholeNumber),
];

const OUTCOMES: &[&str] = &[
    "completed",
    "transferred",
    "machine",
    "no_answer",
    "busy",
    "rejected",
    "canceled",
    "invalid_number",
    "unreachable",
    "trunk_auth",
    "trunk_failed",
    "media_failed",
    "model_failed",
    "refused_no_key",
    "refused_capacity",
    "refused_policy",
    "engine_lost",
];

const TRANSCRIPTION: &[Member] = &[
    must("session_id", Kind::Text),
    must("start_time", Kind::Time),
    must("end_time", Kind::Time),
    must("duration_seconds", Kind::WholeNumber),
    must("total_items", Kind::WholeNumber),
    must("conversation_items", Kind::ListOf(ITEM)),
    must("lead_generated", Kind::Flag),
    must("metadata", Kind::Object(&[must("auto_saved", Kind::Flag)])),
];

const ITEM: &[Member] = &[
    must("role", Kind::OneOf(&["user", "assistant"])),
    must("content", Kind::Text),
    must("timestamp", Kind::Time),
    must("source", Kind::OneOf(&["gemini-live", "livekit-session"])),
    may("transcript_confidence", Kind::Number),
];

/// Everything that is wrong with it; empty: nothing is.
pub(super) fn faults_in(call_data: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    look_at_object("", CALL_DATA, call_data, &mut faults);
    let items = call_data.pointer("/transcription/conversation_items").and_then(Value::as_array);
    let total = call_data.pointer("/transcription/total_items").and_then(Value::as_u64);
    if let (Some(items), Some(total)) = (items, total)
        && items.len() as u64 != total
    {
        faults.push(format!("transcription.total_items is {total}, but there are {}", items.len()));
    }
    faults
}

fn look_at_object(path: &str, members: &[Member], value: &Value, faults: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        return faults.push(format!("{} is no object", if path.is_empty() { "the body" } else { path }));
    };
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for member in members {
        match object.get(member.name) {
            None => faults.push(format!("{} is missing", within(member.name))),
            Some(Value::Null) if member.may_be_null => {}
            Some(value) => look_at(&within(member.name), member.kind, value, faults),
        }
    }
    let is_known = |name: &&String| members.iter().any(|member| member.name == name.as_str());
    faults.extend(
        object.keys().filter(|name| !is_known(name)).map(|name| format!("{} is unknown", within(name))),
    );
}

fn look_at(path: &str, kind: Kind, value: &Value, faults: &mut Vec<String>) {
    let text = value.as_str();
    let problem = match kind {
        Kind::Text => text.is_none().then(|| "is no text".to_owned()),
        Kind::Time => (!text.is_some_and(is_time)).then(|| "is no time of RFC 3339 in UTC".to_owned()),
        Kind::WholeNumber => value.as_u64().is_none().then(|| "is no whole number".to_owned()),
        Kind::Number => value.as_f64().is_none().then(|| "is no number".to_owned()),
        Kind::Flag => value.as_bool().is_none().then(|| "is neither true nor false".to_owned()),
        Kind::Id => (text.is_none() && !value.is_number()).then(|| "is no id".to_owned()),
        Kind::AnyObject => (!value.is_object()).then(|| "is no object".to_owned()),
        Kind::OneOf(known) => {
            (!text.is_some_and(|text| known.contains(&text))).then(|| format!("is none of {known:?}"))
        }
        Kind::Object(members) => return look_at_object(path, members, value, faults),
        Kind::ListOf(members) => {
            let Some(items) = value.as_array() else { return faults.push(format!("{path} is no list")) };
            for (at, item) in items.iter().enumerate() {
                look_at_object(&format!("{path}.{}", at + 1), members, item, faults);
            }
            None
        }
    };
    faults.extend(problem.map(|problem| format!("{path} {problem}")));
}

fn is_time(text: &str) -> bool {
    text.ends_with('Z') && humantime::parse_rfc3339(text).is_ok()
}
