//! What a refusal or a lost connection means (reference §10). Google says the same thing by HTTP status, close code
//! or error message, now here, now there: so the text decides first wherever it came, then the code.

use super::wire::server::ErrorStatus;

/// Who must do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The key is out until an operator acts.
    KeyBad,
    /// The key's project is throttled for a while.
    Quota,
    /// Our own request is wrong: model, voice or settings. The key is not to blame.
    Config,
    /// The conversation's state kills every connection that restores it; only a fresh session helps.
    Poison,
    /// The network or the service; another try may help.
    Transient,
}

/// How far the connection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Upgrade,
    Setup,
    Live,
}

/// Why no websocket came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The server answered the upgrade otherwise; the body (bounded) often says why.
    Http {
        status: u16,
        body: String,
    },
    Io(String),
    TimedOut,
    /// The server is not to be asked at all, as the settings stand.
    Endpoint(String),
}

/// Why a connection is no more, in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    Refused(ConnectFailure),
    Closed {
        code: Option<u16>,
        reason: String,
    },
    Error(ErrorStatus),
    /// `setup` was never answered.
    SetupTimedOut,
    /// Nothing readable came any more.
    Unreadable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub class: FailureClass,
    /// The resumption handle leads nowhere; a fresh session may work.
    pub drop_handle: bool,
    /// Harmless once; a second time in a row it is the conversation's fault.
    pub poison_if_repeated: bool,
}

impl From<FailureClass> for Verdict {
    fn from(class: FailureClass) -> Self {
        Self { class, drop_handle: class == FailureClass::Poison, poison_if_repeated: false }
    }
}

pub fn classify(phase: Phase, loss: &Loss) -> Verdict {
    let by_text = |text: &str| by_text(phase, &text.to_lowercase());
    match loss {
        Loss::Refused(ConnectFailure::Http { status, body }) => {
            by_text(body).unwrap_or_else(|| by_http_status(*status).into())
        }
        Loss::Refused(ConnectFailure::Endpoint(_)) => FailureClass::Config.into(),
        Loss::Closed { code, reason } => {
            by_text(reason).unwrap_or_else(|| by_close_code(phase, *code).into())
        }
        Loss::Error(error) => {
            by_text(&error_text(error)).unwrap_or_else(|| by_error_code(phase, error.code).into())
        }
        Loss::Refused(ConnectFailure::Io(_) | ConnectFailure::TimedOut)
        | Loss::SetupTimedOut
        | Loss::Unreadable => FailureClass::Transient.into(),
    }
}

/// One line for the record: what happened and what the server said about it, cleaned and cut.
pub fn describe(loss: &Loss) -> String {
    let line = match loss {
        Loss::Refused(ConnectFailure::Http { status, body }) => {
            format!("upgrade refused with {status}: {body}")
        }
        Loss::Refused(ConnectFailure::Io(error)) => format!("no connection: {error}"),
        Loss::Refused(ConnectFailure::TimedOut) => "no connection in time".to_owned(),
        Loss::Refused(ConnectFailure::Endpoint(problem)) => problem.clone(),
        Loss::Closed { code: Some(code), reason } => format!("closed with {code}: {reason}"),
        Loss::Closed { code: None, reason } => format!("connection lost: {reason}"),
        Loss::Error(error) => format!("error {}: {}", error.code, error_text(error)),
        Loss::SetupTimedOut => "setup was not answered in time".to_owned(),
        Loss::Unreadable => "nothing readable came any more".to_owned(),
    };
    let words: Vec<&str> =
        line.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(MAX_REASON_CHARS).collect()
}

const MAX_REASON_CHARS: usize = 240;

fn error_text(error: &ErrorStatus) -> String {
    format!(
        "{} {}",
        error.status.as_deref().unwrap_or_default(),
        error.message.as_deref().unwrap_or_default()
    )
}

fn by_text(phase: Phase, text: &str) -> Option<Verdict> {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    // Quota before key: its text speaks of billing too.
    if says(QUOTA) {
        return Some(FailureClass::Quota.into());
    }
    if says(KEY_BAD) {
        return Some(FailureClass::KeyBad.into());
    }
    if says(UNKNOWN_MODEL) {
        return Some(FailureClass::Config.into());
    }
    if says(STALE_HANDLE) {
        return Some(Verdict { drop_handle: true, ..FailureClass::Transient.into() });
    }
    if says(NOT_IMPLEMENTED) {
        return Some(not_implemented(phase));
    }
    says(CONNECTION_AGE).then(|| FailureClass::Transient.into())
}

fn not_implemented(phase: Phase) -> Verdict {
    match phase {
        Phase::Live => Verdict { poison_if_repeated: true, ..FailureClass::Transient.into() },
        Phase::Upgrade | Phase::Setup => FailureClass::Config.into(),
    }
}

const QUOTA: &[&str] = &["exceeded your current quota", "resource_exhausted", "quota exceeded"];
const KEY_BAD: &[&str] = &[
    "api key not valid",
    "api key not found",
    "api key expired",
    "api_key_invalid",
    "reported as leaked",
    "permission_denied",
    "unauthenticated",
    "billing",
    "suspended",
];
const UNKNOWN_MODEL: &[&str] = &["is not found for api version", "not supported for bidigeneratecontent"];
const STALE_HANDLE: &[&str] = &["requested entity was not found", "session not found", "session handle"];
const NOT_IMPLEMENTED: &[&str] = &["operation is not implemented"];
const CONNECTION_AGE: &[&str] = &["operation was aborted", "deadline expired"];

fn by_http_status(status: u16) -> FailureClass {
    match status {
        401 | 403 => FailureClass::KeyBad,
        429 => FailureClass::Quota,
        408 | 500..=599 => FailureClass::Transient,
        300..=499 => FailureClass::Config,
        // Not even HTTP as we know it: a middlebox, perhaps gone at the next try.
        _ => FailureClass::Transient,
    }
}

fn by_close_code(phase: Phase, code: Option<u16>) -> FailureClass {
    match (code, phase) {
        (Some(1007), Phase::Live) => FailureClass::Poison,
        (Some(1007), Phase::Upgrade | Phase::Setup) => FailureClass::Config,
        _ => FailureClass::Transient,
    }
}

fn by_error_code(phase: Phase, code: u64) -> FailureClass {
    match (code, phase) {
        (400, Phase::Live) => FailureClass::Poison,
        (0..=299, _) => FailureClass::Transient,
        (code, _) => u16::try_from(code).map_or(FailureClass::Transient, by_http_status),
    }
}

#[cfg(test)]
mod tests {
    use super::FailureClass::{Config, KeyBad, Poison, Quota, Transient};
    use super::*;

    fn closed(phase: Phase, code: u16, reason: &str) -> Verdict {
        classify(phase, &Loss::Closed { code: Some(code), reason: reason.to_owned() })
    }

    fn refused(status: u16, body: &str) -> FailureClass {
        classify(Phase::Upgrade, &Loss::Refused(ConnectFailure::Http { status, body: body.to_owned() })).class
    }

    #[test]
    fn a_bad_key_is_known_by_its_text_wherever_it_is_said() {
        let body = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#;
        assert_eq!(refused(400, body), KeyBad);
        assert_eq!(closed(Phase::Setup, 1007, "API key not valid. Please pass a valid").class, KeyBad);
        assert_eq!(closed(Phase::Live, 1008, "Your API key was reported as leaked. Please").class, KeyBad);
        assert_eq!(closed(Phase::Setup, 1011, "API key expired. Please renew the API key.").class, KeyBad);
    }

    #[test]
    fn an_upgrade_refused_without_a_text_is_judged_by_its_status() {
        let by_status =
            [(403, KeyBad), (401, KeyBad), (429, Quota), (404, Config), (400, Config), (503, Transient)];
        for (status, class) in by_status {
            assert_eq!(refused(status, ""), class, "{status}");
        }
    }

    #[test]
    fn quota_is_not_mistaken_for_a_billing_problem_of_the_key() {
        let text = "You exceeded your current quota, please check your plan and billing details";
        assert_eq!(closed(Phase::Live, 1011, text).class, Quota);
        assert_eq!(refused(429, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#), Quota);
    }

    #[test]
    fn an_invalid_argument_is_our_setting_before_and_poison_after_the_setup() {
        assert_eq!(closed(Phase::Setup, 1007, "Request contains an invalid argument.").class, Config);
        let live = closed(Phase::Live, 1007, "Request contains an invalid argument.");
        assert_eq!((live.class, live.drop_handle), (Poison, true));
    }

    #[test]
    fn a_stale_handle_is_dropped_without_blaming_anybody() {
        let verdict = closed(Phase::Setup, 1008, "BidiGenerateContent session not found");
        assert_eq!((verdict.class, verdict.drop_handle), (Transient, true));
        assert_eq!(closed(Phase::Setup, 1007, "Invalid session handle.").class, Transient);
    }

    #[test]
    fn an_unknown_model_is_a_setting_and_an_aged_connection_is_nobodys_fault() {
        let text =
            "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent";
        assert_eq!(closed(Phase::Setup, 1008, text).class, Config);
        assert_eq!(closed(Phase::Live, 1008, "The operation was aborted.").class, Transient);
        assert_eq!(closed(Phase::Live, 1011, "Deadline expired before operation could").class, Transient);
        assert_eq!(closed(Phase::Live, 4321, "").class, Transient);
    }

    #[test]
    fn not_implemented_is_forgiven_once_in_a_call_and_is_a_setting_before() {
        let text = "Operation is not implemented, or supported, or enabled.";
        assert_eq!(closed(Phase::Setup, 1008, text).class, Config);
        assert!(closed(Phase::Live, 1008, text).poison_if_repeated);
    }

    #[test]
    fn a_reason_in_the_record_is_one_short_printable_line() {
        let loss = Loss::Closed { code: Some(1011), reason: format!("a\r\n\u{7}b{}", "x".repeat(900)) };
        let line = describe(&loss);
        assert!(line.starts_with("closed with 1011: a bxx"), "{line}");
        assert_eq!(line.chars().count(), MAX_REASON_CHARS);
    }
}
