//! From a datagram's bytes to a [`Message`].

mod error;
pub(crate) mod scan;

pub use error::{ParseError, ParseErrorKind};

use crate::sip::message::Message;

/// The greatest UDP datagram, and the greatest message we take from a stream.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Reads one message.
pub fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
    let kind =
        if bytes.len() > MAX_MESSAGE_BYTES { ParseErrorKind::TooLong } else { ParseErrorKind::StartLine };
    Err(ParseError { kind, answerable: None })
}
