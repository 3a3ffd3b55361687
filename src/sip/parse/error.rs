use crate::sip::message::{Malformed, Request};

/// Why bytes are no message, and what can still be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    pub kind: ParseErrorKind,
    /// Of a request whose top Via could be read: its Via, From, To, Call-ID and CSeq as far as they are there, so
    /// that it can be answered with [`ParseErrorKind::status`], without state. The Request-URI is a placeholder.
    /// Never for an ACK, and never for a response.
    pub answerable: Option<Box<Request>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    #[error("nothing but line breaks: a keep-alive")]
    KeepAlive,
    #[error("longer than a message may be")]
    TooLong,
    #[error("the headers have no end")]
    Incomplete,
    #[error("the start line is neither a request's nor a response's")]
    StartLine,
    #[error("another SIP version than 2.0")]
    Version,
    #[error("the status is not in 100..=699")]
    Status,
    #[error("the Request-URI is malformed")]
    RequestUri,
    #[error("a line is too long")]
    LineTooLong,
    #[error("too many headers")]
    TooManyHeaders,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} stands there more than once")]
    Repeated(&'static str),
    #[error("{0} is malformed")]
    Header(&'static str),
    #[error("the CSeq names another method")]
    MethodMismatch,
    #[error("Content-Length is no number, or there are several that differ")]
    ContentLength,
    #[error("the body is shorter than Content-Length says")]
    BodyTooShort,
}

impl ParseErrorKind {
    /// What to answer an [`ParseError::answerable`] request.
    pub fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooLong | Self::LineTooLong | Self::TooManyHeaders => 513,
            Self::KeepAlive
            | Self::Incomplete
            | Self::StartLine
            | Self::Status
            | Self::RequestUri
            | Self::Missing(_)
            | Self::Repeated(_)
            | Self::Header(_)
            | Self::MethodMismatch
            | Self::ContentLength
            | Self::BodyTooShort => 400,
        }
    }
}

impl From<ParseErrorKind> for ParseError {
    fn from(kind: ParseErrorKind) -> Self {
        Self { kind, answerable: None }
    }
}

impl From<Malformed> for ParseErrorKind {
    fn from(malformed: Malformed) -> Self {
        Self::Header(malformed.0)
    }
}
