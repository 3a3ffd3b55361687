//! What the store keeps of a session or an API token, and when it has had its time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::domain::{Role, TenantId, Timestamp, UserId};

/// Enough to answer a request without a look at its user: who changes a user ends its tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub user_id: UserId,
    pub user_name: String,
    pub role: Role,
    pub tenant_id: Option<TenantId>,
    /// Of the user when this was made; a user that has moved on to another one has ended this ticket.
    pub generation: u64,
    #[serde(default)]
    pub must_change_password: bool,
    pub token_hash: String,
    /// The client's own description of a session, the name its maker gave an API token.
    pub label: String,
    /// Last used, give or take [`TicketLimits::look_every`].
    pub seen_at: Timestamp,
    /// `None` for an API token: it ends when it is revoked.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketLimits {
    /// A session nobody uses ends after this.
    pub idle: Duration,
    /// No session lasts longer, used or not.
    pub longest: Duration,
}

/// Use is written down this often at most: each request would else cost a write.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(60);

impl TicketLimits {
    pub fn end_of(&self, made_at: Timestamp) -> Timestamp {
        made_at.after(self.longest)
    }

    /// A tenth of the idle time, so that writing seldom does not cut it short by more.
    pub fn look_every(&self) -> Duration {
        (self.idle / 10).min(LOOK_EVERY_MAX)
    }
}

impl Ticket {
    /// A wall clock that was set back makes sessions longer, never shorter: nobody is thrown out by it.
    pub fn is_over(&self, now: Timestamp, limits: &TicketLimits) -> bool {
        self.expires_at.is_some_and(|end| now >= end || now >= self.seen_at.after(limits.idle))
    }

    pub fn wants_look(&self, now: Timestamp, limits: &TicketLimits) -> bool {
        now >= self.seen_at.after(limits.look_every())
    }

    pub fn identity(&self) -> Identity {
        Identity {
            user_id: self.user_id.clone(),
            name: self.user_name.clone(),
            role: self.role,
            tenant_id: self.tenant_id.clone(),
            must_change_password: self.must_change_password,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_764_000_000_000);
    const LIMITS: TicketLimits =
        TicketLimits { idle: Duration::from_secs(100), longest: Duration::from_secs(1_000) };

    fn session() -> Ticket {
        Ticket {
            user_id: UserId::new("u"),
            user_name: "ada".into(),
            role: Role::Admin,
            tenant_id: None,
            generation: 0,
            must_change_password: false,
            token_hash: String::new(),
            label: String::new(),
            seen_at: START,
            expires_at: Some(LIMITS.end_of(START)),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_session_that_nobody_uses_ends_and_one_in_use_goes_on_to_its_longest() {
        let mut session = session();
        assert!(!session.is_over(at(99), &LIMITS) && session.is_over(at(100), &LIMITS));
        for seconds in (50..1_000).step_by(50) {
            assert!(!session.is_over(at(seconds), &LIMITS), "{seconds}");
            session.seen_at = at(seconds);
        }
        assert!(session.is_over(at(1_000), &LIMITS), "in use, and too old all the same");
    }

    #[test]
    fn an_api_token_does_not_end_by_itself() {
        let token = Ticket { expires_at: None, ..session() };
        assert!(!token.is_over(at(10_000_000), &LIMITS));
    }

    #[test]
    fn use_is_written_down_now_and_then() {
        assert_eq!(LIMITS.look_every(), Duration::from_secs(10));
        assert!(!session().wants_look(at(9), &LIMITS) && session().wants_look(at(10), &LIMITS));
        let day = TicketLimits { idle: Duration::from_secs(86_400), ..LIMITS };
        assert_eq!(day.look_every(), Duration::from_secs(60));
    }

    #[test]
    fn a_clock_that_was_set_back_throws_nobody_out() {
        let before = Timestamp::from_millis(START.as_millis() - 3_600_000);
        assert!(!session().is_over(before, &LIMITS) && !session().wants_look(before, &LIMITS));
    }
}
