//! What goes wrong on purpose: rules that say which connections a fault befalls, and the faults of one connection.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::admission::fingerprint;
use super::settings::bounded_ms;
use crate::domain::Secret;

/// One fault and whom it befalls. As JSON: `{"scope":{"connection":2},"fault":"setup_silent"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRule {
    #[serde(default)]
    pub scope: Scope,
    #[serde(flatten)]
    pub fault: Fault,
    /// For how many connections; absent: for ever.
    #[serde(default)]
    pub times: Option<u32>,
}

impl FaultRule {
    pub fn for_all(fault: Fault) -> Self {
        Self { scope: Scope::All, fault, times: None }
    }

    /// Connections are counted from 1, refused ones included.
    pub fn for_connection(number: u64, fault: Fault) -> Self {
        Self { scope: Scope::Connection(number), fault, times: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    All,
    /// By fingerprint ([`SessionReport::key_fingerprint`](super::SessionReport)), so that no key need be written
    /// here; [`Scope::for_key`] makes it.
    Key(String),
    Project(String),
    Connection(u64),
    /// A running session, by id; only over the side port or [`ModelServer::inject`](super::ModelServer::inject).
    Session(String),
}

impl Scope {
    pub fn for_key(key: &str) -> Self {
        Self::Key(fingerprint(&Secret::new(key)))
    }
}

/// When in a connection's life; the model's turns are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// So many milliseconds after `setupComplete`, or after a running session was told.
    AfterMs(u64),
    /// Half-way through the audio of that turn.
    DuringTurn(u32),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The upgrade is refused with this HTTP status.
    Upgrade {
        status: u16,
    },
    /// The upgrade is never answered.
    UpgradeHang,
    SetupDelay {
        ms: u64,
    },
    /// `setupComplete` never comes.
    SetupSilent,
    SetupClose {
        code: u16,
        reason: String,
    },
    /// `time_left_ms` is what the message says, `close_after_ms` what then happens; either may be absent.
    GoAway {
        after_ms: u64,
        #[serde(default)]
        time_left_ms: Option<u64>,
        #[serde(default)]
        close_after_ms: Option<u64>,
    },
    Close {
        code: u16,
        reason: String,
        at: Moment,
    },
    /// The TCP connection ends without a close frame.
    Cut {
        at: Moment,
    },
    /// A setup with a handle is refused with this code.
    ResumeRefused {
        code: u16,
    },
    /// A resumed session gets its `setupComplete` and is then closed with this code.
    ResumeThenClose {
        code: u16,
    },
    /// In the middle of every turn a volley of messages no client should have to see.
    Garbage,
    /// Text frames instead of binary ones.
    TextFrames,
    /// Every message carries members nobody knows.
    UnknownMembers,
    FirstAudioDelay {
        ms: u64,
    },
    Burst {
        factor: f64,
    },
    /// The turn (every turn, if absent) ends without a word.
    EmptyTurn {
        #[serde(default)]
        turn: Option<u32>,
    },
}

/// The faults one connection has drawn.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    fn find<T>(&self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(pick)
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    pub(super) fn upgrade_status(&self) -> Option<u16> {
        self.find(|fault| if let Fault::Upgrade { status } = fault { Some(*status) } else { None })
    }

    pub(super) fn setup_delay(&self) -> Option<Duration> {
        self.find(|fault| if let Fault::SetupDelay { ms } = fault { Some(bounded_ms(*ms)) } else { None })
    }

    pub(super) fn setup_close(&self) -> Option<(u16, String)> {
        self.find(|fault| {
            if let Fault::SetupClose { code, reason } = fault { Some((*code, reason.clone())) } else { None }
        })
    }

    pub(super) fn resume_refused(&self) -> Option<u16> {
        self.find(|fault| if let Fault::ResumeRefused { code } = fault { Some(*code) } else { None })
    }

    pub(super) fn resume_then_close(&self) -> Option<u16> {
        self.find(|fault| if let Fault::ResumeThenClose { code } = fault { Some(*code) } else { None })
    }

    pub(super) fn first_audio_delay(&self) -> Option<Duration> {
        self.find(
            |fault| {
                if let Fault::FirstAudioDelay { ms } = fault { Some(bounded_ms(*ms)) } else { None }
            },
        )
    }

    pub(super) fn burst_factor(&self) -> Option<f64> {
        self.find(|fault| if let Fault::Burst { factor } = fault { Some(*factor) } else { None })
    }

    pub(super) fn turn_is_empty(&self, number: u32) -> bool {
        self.0
            .iter()
            .any(|fault| matches!(fault, Fault::EmptyTurn { turn } if turn.is_none_or(|only| only == number)))
    }
}

/// The rules in force, shared by all connections.
#[derive(Debug, Default)]
pub(super) struct FaultPlan(Vec<FaultRule>);

impl FaultPlan {
    pub(super) fn new(rules: Vec<FaultRule>) -> Self {
        Self(rules)
    }

    pub(super) fn rules(&self) -> &[FaultRule] {
        &self.0
    }

    /// Draws the faults of one connection, and uses up rules that count.
    pub(super) fn draw(&mut self, number: u64, fingerprint: &str, project: &str) -> Faults {
        let mut drawn = Vec::new();
        for rule in &mut self.0 {
            let meant = match &rule.scope {
                Scope::All => true,
                Scope::Key(key) => key == fingerprint,
                Scope::Project(name) => name == project,
                Scope::Connection(wanted) => *wanted == number,
                Scope::Session(_) => false,
            };
            if meant && rule.times != Some(0) {
                rule.times = rule.times.map(|left| left - 1);
                drawn.push(rule.fault.clone());
            }
        }
        Faults(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_rule_befalls_only_so_many_connections() {
        let rule = FaultRule { times: Some(1), ..FaultRule::for_all(Fault::SetupSilent) };
        let mut plan = FaultPlan::new(vec![rule, FaultRule::for_connection(2, Fault::Garbage)]);
        assert_eq!(plan.draw(1, "k", "p").0, [Fault::SetupSilent]);
        assert_eq!(plan.draw(2, "k", "p").0, [Fault::Garbage]);
        assert!(plan.draw(3, "k", "p").0.is_empty());
    }

    #[test]
    fn a_rule_reads_as_flat_json() {
        let text = r#"{"scope":{"key":"ab12"},"fault":"close","code":1011,"reason":"x","at":{"during_turn":2},"times":1}"#;
        let rule: FaultRule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.scope, Scope::Key("ab12".into()));
        assert_eq!(rule.fault, Fault::Close { code: 1011, reason: "x".into(), at: Moment::DuringTurn(2) });
    }
}
