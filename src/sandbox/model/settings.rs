//! Everything a person or a test may set; the default is right for the demo.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::faults::FaultRule;
use crate::domain::Secret;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the state can be read and faults be set; absent: only in-process.
    pub side_listen: Option<SocketAddr>,
    /// Every random choice follows from this number and the connection's number.
    pub seed: u64,
    pub keys: KnownKeys,
    pub unknown_key: UnknownKey,
    pub max_connections: usize,
    pub listening: Listening,
    /// How much of the caller's audio each session keeps for its WAV file.
    pub keep_audio_s: u32,
    pub timing: Timing,
    pub limits: Limits,
    pub voicing: Voicing,
    pub script: Script,
    pub faults: Vec<FaultRule>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            side_listen: None,
            seed: 1,
            keys: KnownKeys::Any,
            unknown_key: UnknownKey::AtUpgrade,
            max_connections: 1024,
            listening: Listening::Closely,
            keep_audio_s: 20,
            timing: Timing::default(),
            limits: Limits::default(),
            voicing: Voicing::default(),
            script: Script::default(),
            faults: Vec::new(),
        }
    }
}

/// What is looked for in the caller's audio.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listening {
    /// Speech, and the tones in it, which are taken for words.
    #[default]
    Closely,
    /// Speech, and the signatures of a load test's callers: cheap enough for hundreds of sessions.
    Lightly,
}

/// Whom the stand-in lets in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownKeys {
    /// Every non-empty key, each a project of its own.
    #[default]
    Any,
    List(Vec<KnownKey>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    pub key: Secret,
    /// Keys of one project share its cap.
    #[serde(default)]
    pub project: Option<String>,
    /// Sessions at once; when the keys of a project differ, the smallest counts.
    #[serde(default)]
    pub cap: Option<usize>,
    #[serde(default)]
    pub failure: Option<KeyFailure>,
}

impl KnownKey {
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: Secret::new(key), project: None, cap: None, failure: None }
    }
}

/// How a known key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFailure {
    /// HTTP 400 `API key not valid`, as Google answers a wrong key.
    Invalid,
    /// The same words, but as close 1007 after the setup.
    InvalidAfterSetup,
    /// HTTP 403.
    Denied,
    /// Close 1008 right after the upgrade.
    Leaked,
    /// HTTP 429.
    Quota,
    /// HTTP 503.
    Unavailable,
}

/// Where a key that is not in the list is refused: both were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownKey {
    AtUpgrade,
    AfterSetup,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// Shortest and longest time from `setup` to `setupComplete`.
    pub setup_delay_ms: [u64; 2],
    /// From the end of the caller's turn to the first audio, give or take the jitter.
    pub first_audio_ms: u64,
    pub first_audio_jitter_ms: u64,
    /// How many times faster than it is played the audio is sent.
    pub burst_factor: f64,
    /// Hold `turnComplete` back until the audio would have been played, as the real service does.
    pub hold_turn_complete: bool,
    /// How often the server pings.
    pub ping_interval_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            setup_delay_ms: [120, 300],
            first_audio_ms: 400,
            first_audio_jitter_ms: 80,
            burst_factor: 4.0,
            hold_turn_complete: true,
            ping_interval_ms: 20_000,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub connection_age_ms: u64,
    /// How long before the end of the connection's life `goAway` is sent.
    pub go_away_lead_ms: u64,
    pub age_close: AgeClose,
    /// A context beyond this without compression is closed with 1007.
    pub context_tokens: u64,
    /// How long a handle lives after its connection ended.
    pub handle_life_ms: u64,
    /// After a refusal for its cap a project stays refused this long.
    pub cool_down_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection_age_ms: 600_000,
            go_away_lead_ms: 50_000,
            age_close: AgeClose::Aborted,
            context_tokens: 131_072,
            handle_life_ms: 7_200_000,
            cool_down_ms: 0,
        }
    }
}

/// What a connection that grew too old is closed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeClose {
    /// 1008 `The operation was aborted`.
    Aborted,
    /// 1011 `Deadline expired before operation could complete.`
    Deadline,
}

/// What the model sounds like.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voicing {
    pub style: SpeechStyle,
    /// How long an answer is when only the marker is heard.
    pub marker_ms: u64,
    /// How long the marker goes on after spoken words.
    pub tail_ms: u64,
    /// Whether it falls silent for a caller who begins to speak, where the setup allows it. Off, both are heard at
    /// once, for tests that measure.
    pub yields: bool,
}

impl Default for Voicing {
    fn default() -> Self {
        Self { style: SpeechStyle::Words, marker_ms: 1_200, tail_ms: 400, yields: true }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechStyle {
    /// Spoken prompts with the marker quietly under and after them.
    Words,
    /// Nothing but the marker, for tests that measure.
    MarkerOnly,
}

/// What is said and called when, counted in the caller's turns from 1. The turn that the greeting answers does not
/// count: on a phone call it is the engine's request to greet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// What the caller is taken to have said, utterance by utterance, where no tones were recognised.
    pub caller_lines: Vec<String>,
    /// After this many turns the model says goodbye and calls `end_call`, if the setup declares it.
    pub end_call_after: Option<u32>,
    pub calls: Vec<CallPlan>,
}

/// A tool call the script makes in answer to one of the caller's turns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallPlan {
    pub turn: u32,
    pub name: String,
    #[serde(default)]
    pub args: serde_json::Value,
}

/// A day is for ever here; more could not be added to a point in time.
const LONGEST_MS: u64 = 86_400_000;

pub(super) fn bounded_ms(ms: u64) -> Duration {
    Duration::from_millis(ms.min(LONGEST_MS))
}
