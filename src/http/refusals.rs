//! What the rooms below refuse, as the client is told it.

use std::time::Duration;

use super::problem::{Code, FieldError, Problem};
use crate::access::Denied;
use crate::accounts::{AccountError, LogInError};
use crate::actors::TuningError;
use crate::actors::call_supervisor::Refused;
use crate::catalogue::CatalogueError;
use crate::domain::{FieldProblem, Outcome};
use crate::store::StoreError;

/// A store that is busy or away is asked again after this.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(2);
/// As long as callers are told who find no place.
const CAPACITY_PAUSE: Duration = Duration::from_secs(5);

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unknown => Self::not_found(),
            Denied::Forbidden(why) => Self::new(Code::Forbidden, why),
            Denied::MustChangePassword => Self::new(Code::MustChangePassword, denied),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::new(Code::Conflict, error),
            StoreError::NotFound { .. } => Self::not_found(),
            StoreError::Lost { .. } => Self::new(Code::ChangedMeanwhile, "read it again, then try again"),
            StoreError::Unstorable { detail, .. } => {
                Self::new(Code::Invalid, format_args!("this cannot be stored: {detail}"))
            }
            StoreError::Busy | StoreError::TooBroad { .. } => {
                Self::new(Code::Unavailable, error).retry_after(STORE_PAUSE)
            }
            StoreError::Closed | StoreError::Failed(_) => {
                tracing::warn!(%error, "a request could not be answered for want of the store");
                let why =
                    "the store does not take it or does not answer; GET /ready says why. Try again later";
                Self::new(Code::Unavailable, why).retry_after(STORE_PAUSE)
            }
            StoreError::Unreadable { .. } => {
                tracing::error!(%error, "a request met a document that cannot be read");
                Self::new(
                    Code::Unavailable,
                    "a document this needs cannot be read; whoever runs the engine finds it in the log, and mends or \
                     removes it",
                )
            }
            StoreError::NotIndexed { .. } | StoreError::NotComparable { .. } => Self::internal(error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match &refused {
            Refused::NoVoiceAgent(_) | Refused::VoiceAgentDisabled(_) => {
                Self::field("voice_agent_id", refused)
            }
            Refused::NoOwner
            | Refused::AmbiguousNumber
            | Refused::UnknownOwner(_)
            | Refused::OwnerMayNotCall(_) => Self::new(Code::Forbidden, refused),
            Refused::NoGateway => Self::new(Code::Unavailable, refused),
            Refused::Store(error) => error.clone().into(),
            Refused::Key(_) if refused.outcome() == Outcome::RefusedNoKey => Self::new(Code::NoKey, refused),
            Refused::Admission(_)
            | Refused::Key(_)
            | Refused::Route(_)
            | Refused::NotKept
            | Refused::PartMissing => Self::new(Code::NoCapacity, refused).retry_after(CAPACITY_PAUSE),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NameTaken(_) => Self::taken("name", error),
            AccountError::HasAgents { .. }
            | AccountError::LastSuperadmin(_)
            | AccountError::TooManyTokens(_) => Self::new(Code::Conflict, error),
            AccountError::NoUser(_) => Self::not_found(),
            AccountError::NoAdmin(_) => Self::field("tenant_id", error),
            AccountError::Name(wrong) => Self::field("name", wrong),
            AccountError::Password(unfit) => Self::field("password", unfit),
            AccountError::Overloaded(_) => Self::new(Code::Unavailable, error).retry_after(STORE_PAUSE),
            AccountError::NoRandomness(_) => Self::internal(error),
            AccountError::Store(error) => error.into(),
        }
    }
}

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Invalid(problems) => problems.into(),
            CatalogueError::Taken { field, .. } => Self::taken(field, error),
            CatalogueError::InUse(_) => Self::new(Code::Conflict, error),
            CatalogueError::NotFound(_) => Self::not_found(),
            CatalogueError::Changed => Self::new(Code::ChangedMeanwhile, "read it again, then try again"),
            CatalogueError::Store(error) => error.into(),
        }
    }
}

impl From<TuningError> for Problem {
    fn from(error: TuningError) -> Self {
        match error {
            TuningError::Invalid(problems) => problems.into(),
            TuningError::Store(error) => error.into(),
        }
    }
}

impl From<Vec<FieldProblem>> for Problem {
    fn from(problems: Vec<FieldProblem>) -> Self {
        let told = |FieldProblem { field, message }| FieldError { field, detail: message };
        Self::invalid(problems.into_iter().map(told).collect())
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Wrong => Self::new(Code::WrongCredentials, error),
            LogInError::Slowed { retry_after } => {
                Self::new(Code::TooManyRequests, error).retry_after(retry_after)
            }
            LogInError::Account(error) => error.into(),
        }
    }
}
