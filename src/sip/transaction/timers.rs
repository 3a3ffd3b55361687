use std::time::{Duration, Instant};

use super::OnTimeout;

/// The round-trip estimate all other timers are built on (RFC 3261 table 4).
pub const T1: Duration = Duration::from_millis(500);
/// The longest pause between two retransmissions of a non-INVITE request or of a response to an INVITE.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64·T1: timers B, D, F, H, J, L and M.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(32);

/// A retransmission timer (A, E or G) whose pause doubles up to a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    at: Instant,
    pause: Duration,
    cap: Duration,
}

impl Backoff {
    pub fn start(now: Instant, cap: Duration) -> Self {
        Self { at: now + T1, pause: T1, cap }
    }

    /// A steady beat of T2, as a non-INVITE client keeps after a provisional response.
    pub fn steady(now: Instant) -> Self {
        Self { at: now + T2, pause: T2, cap: T2 }
    }

    pub fn at(&self) -> Instant {
        self.at
    }

    /// Rings if it is time, and is wound up for the next time. A late call does not make up for missed beats.
    pub fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        if now < self.at {
            return OnTimeout::Nothing;
        }
        self.pause = (self.pause * 2).min(self.cap);
        self.at = now + self.pause;
        OnTimeout::Resend
    }
}

/// The earliest of those times that are set.
pub fn earliest(times: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    times.into_iter().flatten().min()
}
