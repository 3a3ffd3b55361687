//! The non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! | state | 1xx | 200–699 | timer |
//! |---|---|---|---|
//! | Trying | pass → Proceeding | pass → Completed | E: resend (doubling to T2) · F: give up |
//! | Proceeding | pass | pass → Completed | E: resend (every T2) · F: give up |
//! | Completed | ignore | ignore | K: terminate |

use std::time::Instant;

use super::{Backoff, OnResponse, OnTimeout, T2, T4, TRANSACTION_TIMEOUT};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonInviteClient {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying { e: Backoff, f: Instant },
    Proceeding { e: Backoff, f: Instant },
    Completed { k: Instant },
}

impl NonInviteClient {
    /// The request is being sent for the first time.
    pub fn start(now: Instant) -> Self {
        Self { state: State::Trying { e: Backoff::start(now, T2), f: now + TRANSACTION_TIMEOUT } }
    }

    pub fn on_response(&mut self, status: u16, now: Instant) -> OnResponse {
        match (self.state, status) {
            (State::Completed { .. }, _) => return OnResponse::Ignore,
            (State::Trying { f, .. }, ..200) => {
                self.state = State::Proceeding { e: Backoff::steady(now), f };
            }
            (State::Proceeding { .. }, ..200) => {}
            (State::Trying { .. } | State::Proceeding { .. }, _) => {
                self.state = State::Completed { k: now + T4 };
            }
        }
        OnResponse::PassUp
    }

    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match &mut self.state {
            State::Trying { f, .. } | State::Proceeding { f, .. } if now >= *f => OnTimeout::GiveUp,
            State::Trying { e, .. } | State::Proceeding { e, .. } => e.on_timeout(now),
            State::Completed { k } if now >= *k => OnTimeout::Terminate,
            State::Completed { .. } => OnTimeout::Nothing,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Trying { e, f } | State::Proceeding { e, f } => Some(e.at().min(f)),
            State::Completed { k } => Some(k),
        }
    }
    /// Whether no final response came yet.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Completed { .. })
    }
}
