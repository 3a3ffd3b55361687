//! The driver's errors in our words.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::server::Server;
use crate::store::{OpenError, StoreError};

/// The server's word for a value that a unique index has already.
const DUPLICATE_KEY: i32 = 11_000;
/// Codes by which a server says that we may not: Unauthorized, AuthenticationFailed.
const NOT_ALLOWED: [i32; 2] = [13, 18];

pub(super) fn failed(server: &Server, error: &Error) -> StoreError {
    StoreError::Failed(format!("MongoDB at {}: {}", server.name, error.kind))
}

pub(super) fn open_error(server: &str, error: &Error) -> OpenError {
    let (server, detail) = (server.to_owned(), error.kind.to_string());
    let refused = matches!(
        *error.kind,
        ErrorKind::Authentication { .. }
            | ErrorKind::InvalidArgument { .. }
            | ErrorKind::InvalidTlsConfig { .. }
    ) || code(error).is_some_and(|code| NOT_ALLOWED.contains(&code));
    if refused { OpenError::Refused { server, detail } } else { OpenError::Unreachable { server, detail } }
}

pub(super) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// The server has looked at the request and will not do it; the line is not to blame.
pub(super) fn is_refusal(error: &Error) -> bool {
    code(error).is_some()
}

fn code(error: &Error) -> Option<i32> {
    if let ErrorKind::Write(WriteFailure::WriteError(refused)) = error.kind.as_ref() {
        return Some(refused.code);
    }
    if let ErrorKind::Command(refused) = error.kind.as_ref() { Some(refused.code) } else { None }
}
