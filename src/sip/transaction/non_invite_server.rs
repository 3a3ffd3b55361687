//! The non-INVITE server transaction (RFC 3261 §17.2.2).
//!
//! | state | request again | we send 1xx | we send 200–699 | timer |
//! |---|---|---|---|---|
//! | Trying | ignore | → Proceeding | → Completed | none |
//! | Proceeding | resend | stay | → Completed | none |
//! | Completed | resend | – | – | J: terminate |

use std::time::Instant;

use super::{OnRepeat, OnTimeout, TRANSACTION_TIMEOUT};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonInviteServer {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed { j: Instant },
}

impl NonInviteServer {
    pub fn start() -> Self {
        Self { state: State::Trying }
    }

    pub fn on_repeat(&self) -> OnRepeat {
        match self.state {
            State::Trying => OnRepeat::Ignore,
            State::Proceeding | State::Completed { .. } => OnRepeat::Resend,
        }
    }

    /// We are sending a response for the first time.
    pub fn on_send(&mut self, status: u16, now: Instant) {
        match (self.state, status) {
            (State::Trying | State::Proceeding, ..200) => self.state = State::Proceeding,
            (State::Trying | State::Proceeding, _) => {
                self.state = State::Completed { j: now + TRANSACTION_TIMEOUT };
            }
            (State::Completed { .. }, _) => {}
        }
    }

    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match self.state {
            State::Completed { j } if now >= j => OnTimeout::Terminate,
            State::Trying | State::Proceeding | State::Completed { .. } => OnTimeout::Nothing,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Trying | State::Proceeding => None,
            State::Completed { j } => Some(j),
        }
    }

    /// Whether no final response went out yet.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Completed { .. })
    }
}
