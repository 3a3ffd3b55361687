//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.5).
//!
//! | state | INVITE again | we send 1xx | we send 2xx | we send 300–699 | ACK | timer |
//! |---|---|---|---|---|---|---|
//! | Proceeding | resend | stay | → Accepted | → Completed | absorb | none |
//! | Accepted | ignore (the 2xx repeats itself) | – | stay | – | pass up | L: terminate |
//! | Completed | resend | – | – | – | absorb → Confirmed | G: resend · H: give up |
//! | Confirmed | ignore | – | – | – | absorb | I: terminate |

use std::time::Instant;

use super::{Backoff, OnAck, OnRepeat, OnTimeout, T2, T4, TRANSACTION_TIMEOUT};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InviteServer {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Proceeding,
    Accepted { l: Instant },
    Completed { g: Backoff, h: Instant },
    Confirmed { i: Instant },
}

impl InviteServer {
    pub fn start() -> Self {
        Self { state: State::Proceeding }
    }

    pub fn on_repeat(&self) -> OnRepeat {
        match self.state {
            State::Proceeding | State::Completed { .. } => OnRepeat::Resend,
            State::Accepted { .. } | State::Confirmed { .. } => OnRepeat::Ignore,
        }
    }

    /// We are sending a response for the first time.
    pub fn on_send(&mut self, status: u16, now: Instant) {
        let end = now + TRANSACTION_TIMEOUT;
        match (self.state, status) {
            (State::Proceeding, 200..300) => self.state = State::Accepted { l: end },
            (State::Proceeding, 300..) => {
                self.state = State::Completed { g: Backoff::start(now, T2), h: end };
            }
            (State::Proceeding | State::Accepted { .. } | State::Completed { .. }, _)
            | (State::Confirmed { .. }, _) => {}
        }
    }

    pub fn on_ack(&mut self, now: Instant) -> OnAck {
        match self.state {
            State::Accepted { .. } => OnAck::PassUp,
            State::Completed { .. } => {
                self.state = State::Confirmed { i: now + T4 };
                OnAck::Absorb
            }
            State::Proceeding | State::Confirmed { .. } => OnAck::Absorb,
        }
    }

    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match &mut self.state {
            State::Completed { h, .. } if now >= *h => OnTimeout::GiveUp,
            State::Completed { g, .. } => g.on_timeout(now),
            State::Accepted { l: end } | State::Confirmed { i: end } if now >= *end => OnTimeout::Terminate,
            State::Proceeding | State::Accepted { .. } | State::Confirmed { .. } => OnTimeout::Nothing,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Proceeding => None,
            State::Completed { g, h } => Some(g.at().min(h)),
            State::Accepted { l: end } | State::Confirmed { i: end } => Some(end),
        }
    }

    /// Whether no final response went out yet.
    pub fn is_open(&self) -> bool {
        self.state == State::Proceeding
    }
}
