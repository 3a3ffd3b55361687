use std::time::Instant;

use super::{Backoff, OnTimeout, T2, TRANSACTION_TIMEOUT};

/// A 2xx to an INVITE that repeats until its ACK comes (RFC 3261 §13.3.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacknowledged {
    repeat: Backoff,
    end: Instant,
}

impl Unacknowledged {
    /// The 2xx is being sent for the first time.
    pub fn start(now: Instant) -> Self {
        Self { repeat: Backoff::start(now, T2), end: now + TRANSACTION_TIMEOUT }
    }

    /// Giving up after 64·T1 means a BYE.
    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        if now >= self.end { OnTimeout::GiveUp } else { self.repeat.on_timeout(now) }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        Some(self.repeat.at().min(self.end))
    }
}
