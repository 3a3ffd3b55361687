//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4).
//!
//! | state | 1xx | 2xx | 300–699 | timer |
//! |---|---|---|---|---|
//! | Calling | pass → Proceeding | pass → Accepted | ack, pass → Completed | A: resend · B: give up |
//! | Proceeding | pass | pass → Accepted | ack, pass → Completed | none: the user agent's ring time-out |
//! | Accepted | ignore | pass (again, or another fork) | ignore | M: terminate |
//! | Completed | ignore | ignore | ack again | D: terminate |

use std::time::{Duration, Instant};

use super::{Backoff, OnResponse, OnTimeout, TRANSACTION_TIMEOUT};

/// Timer A doubles without a cap; B ends it before this is reached.
const NO_CAP: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteClient {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling { a: Backoff, b: Instant },
    Proceeding,
    Accepted { m: Instant },
    Completed { d: Instant },
}

impl InviteClient {
    /// The request is being sent for the first time.
    pub fn start(now: Instant) -> Self {
        Self { state: State::Calling { a: Backoff::start(now, NO_CAP), b: now + TRANSACTION_TIMEOUT } }
    }

    pub fn on_response(&mut self, status: u16, now: Instant) -> OnResponse {
        let linger = now + TRANSACTION_TIMEOUT;
        let (action, next) = match (self.state, status) {
            (State::Calling { .. } | State::Proceeding, ..200) => (OnResponse::PassUp, State::Proceeding),
            (State::Calling { .. } | State::Proceeding, 200..300) => {
                (OnResponse::PassUp, State::Accepted { m: linger })
            }
            (State::Calling { .. } | State::Proceeding, 300..) => {
                (OnResponse::AcknowledgeAndPassUp, State::Completed { d: linger })
            }
            (State::Accepted { .. }, 200..300) => (OnResponse::PassUp, self.state),
            (State::Completed { .. }, 300..) => (OnResponse::AcknowledgeAgain, self.state),
            (State::Accepted { .. } | State::Completed { .. }, _) => (OnResponse::Ignore, self.state),
        };
        self.state = next;
        action
    }

    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match &mut self.state {
            State::Calling { b, .. } if now >= *b => OnTimeout::GiveUp,
            State::Calling { a, .. } => a.on_timeout(now),
            State::Accepted { m: end } | State::Completed { d: end } if now >= *end => OnTimeout::Terminate,
            State::Proceeding | State::Accepted { .. } | State::Completed { .. } => OnTimeout::Nothing,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Calling { a, b } => Some(a.at().min(b)),
            State::Proceeding => None,
            State::Accepted { m: end } | State::Completed { d: end } => Some(end),
        }
    }

    /// Whether a provisional response came: a CANCEL may leave from then on (RFC 3261 §9.1).
    pub fn may_cancel(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether no final response came yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding)
    }
}
