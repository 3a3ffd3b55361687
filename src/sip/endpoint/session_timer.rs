//! Session timers as the answering side (RFC 4028 §9): the peer refreshes, we watch.

use std::time::{Duration, Instant};

use crate::sip::{HeaderName, Refresher, Request, Response, SessionExpires};

/// §4: nobody may be asked to refresh more often.
pub(super) const MIN_SESSION_SECONDS: u32 = 90;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionTimer {
    seconds: u32,
    ends_at: Instant,
}

impl SessionTimer {
    /// What the request asks for, if the peer will do the refreshing. A peer that wants *us* to refresh gets a 2xx
    /// without a session timer, which leaves the refreshing to itself (§7.2).
    pub(super) fn asked_by(request: &Request, now: Instant) -> Option<Self> {
        let supports = [HeaderName::Supported, HeaderName::Require]
            .iter()
            .any(|name| request.headers.has_token(name, "timer"));
        let asked = request.headers.session_expires().filter(|_| supports)?;
        if asked.refresher == Some(Refresher::Uas) {
            return None;
        }
        Some(Self { seconds: asked.seconds, ends_at: now + patience(asked.seconds) })
    }

    /// §10: the side that does not refresh says BYE shortly before the session runs out.
    pub(super) fn ends_at(&self) -> Instant {
        self.ends_at
    }

    pub(super) fn announce(&self, response: &mut Response) {
        let header = SessionExpires { seconds: self.seconds, refresher: Some(Refresher::Uac) };
        response.headers.push(HeaderName::Require, "timer");
        response.headers.push(HeaderName::SessionExpires, header.to_string());
    }
}

/// Whether a request asks for sessions shorter than anybody should bear: 422.
pub(super) fn is_too_brief(request: &Request) -> bool {
    request.headers.session_expires().is_some_and(|asked| asked.seconds < MIN_SESSION_SECONDS)
}

fn patience(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds - (seconds / 3).min(32)))
}
