//! Errors as RFC 9457 problem details with a stable code, so that a program can tell them apart and a person can read
//! them.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong. Codes stay what they are; new ones may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    MalformedRequest,
    NotLoggedIn,
    WrongCredentials,
    Forbidden,
    MustChangePassword,
    WrongOrigin,
    NotFound,
    MethodNotAllowed,
    /// The request came too slowly.
    TooSlow,
    /// It is taken already, or stands in the way of something else.
    Conflict,
    /// The same request is being worked on at this moment; send it again in a while.
    UnderWay,
    /// The same request came before, and nobody knows what became of it: look before you send a new one.
    OutcomeUnknown,
    /// It is being made; it will be there in a while.
    NotReady,
    /// Another engine has it.
    HeldElsewhere,
    /// The file has no such part.
    NoSuchRange,
    /// Somebody else changed it meanwhile.
    ChangedMeanwhile,
    TooLarge,
    WrongMediaType,
    Invalid,
    TooManyRequests,
    Internal,
    /// Something that the engine needs is away; try again later.
    Unavailable,
    /// The engine takes no more calls at the moment.
    NoCapacity,
    /// There is no usable Google key for this call.
    NoKey,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::NotLoggedIn | Self::WrongCredentials => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::MustChangePassword | Self::WrongOrigin => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict | Self::UnderWay | Self::OutcomeUnknown | Self::NotReady => StatusCode::CONFLICT,
            Self::HeldElsewhere => StatusCode::MISDIRECTED_REQUEST,
            Self::NoSuchRange => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::ChangedMeanwhile => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::NoCapacity | Self::NoKey => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be read",
            Self::NotLoggedIn => "You are not logged in",
            Self::WrongCredentials => "Name or password is wrong",
            Self::Forbidden => "You may not do this",
            Self::MustChangePassword => "Set a password of your own first",
            Self::WrongOrigin => "The request comes from another site",
            Self::NotFound => "There is no such thing, or none that you may see",
            Self::MethodNotAllowed => "This cannot be done here",
            Self::TooSlow => "The request came too slowly",
            Self::Conflict => "Something else stands in the way",
            Self::UnderWay => "The same request is being worked on",
            Self::OutcomeUnknown => "Nobody knows what became of the first request",
            Self::NotReady => "It is not ready yet",
            Self::HeldElsewhere => "Another engine has it",
            Self::NoSuchRange => "The file has no such part",
            Self::ChangedMeanwhile => "Somebody else changed it meanwhile",
            Self::TooLarge => "The request is too large",
            Self::WrongMediaType => "The body is not plain JSON",
            Self::Invalid => "Some of the values are wrong",
            Self::TooManyRequests => "Too many requests",
            Self::Internal => "The engine failed at this",
            Self::Unavailable => "Something that the engine needs is away",
            Self::NoCapacity => "The engine takes no more calls at the moment",
            Self::NoKey => "There is no usable Google key for this call",
        }
    }

    /// As it is written in JSON.
    fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// A value that was refused, by the name the client knows it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// As in `limits.max_call_s`.
    pub field: String,
    pub detail: String,
}

/// An error (RFC 9457). `code` is what a program should look at.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: Code,
    detail: String,
    /// Which values are wrong, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    pub(super) fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self {
            kind: format!("urn:clearline:problem:{}", code.name()),
            title: code.title(),
            status: code.status().as_u16(),
            code,
            detail: detail.to_string(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    pub(super) fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such thing, or none that you may see")
    }

    pub(super) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail: Vec<_> =
            errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect();
        Self { errors, ..Self::new(Code::Invalid, detail.join("; ")) }
    }

    pub(super) fn field(field: &str, detail: impl fmt::Display) -> Self {
        Self::invalid(vec![FieldError { field: field.to_owned(), detail: detail.to_string() }])
    }

    /// This value is somebody else's already.
    pub(super) fn taken(field: &str, detail: impl fmt::Display) -> Self {
        let error = FieldError { field: field.to_owned(), detail: detail.to_string() };
        Self { errors: vec![error], ..Self::new(Code::Conflict, detail) }
    }

    /// What is ours to mend is told to the log, and to the client only that it happened.
    pub(super) fn internal(error: impl fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(Code::Internal, "this is a fault of the engine; its log says more")
    }

    pub(super) fn retry_after(self, pause: Duration) -> Self {
        Self { retry_after: Some(pause), ..self }
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.code.status());
        answer.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        if self.code == Code::NotLoggedIn {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"clearline\""));
        }
        if let Some(pause) = self.retry_after {
            answer.insert_header((RETRY_AFTER, (pause.as_secs() + 1).to_string()));
        }
        answer.body(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
