use std::fmt;
use std::str::FromStr;

use crate::sip::message::{Malformed, Method};
use crate::sip::parse::scan;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// RFC 3261 §8.1.1.5: below 2^31.
pub const MAX_CSEQ: u32 = (1 << 31) - 1;

impl FromStr for CSeq {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("CSeq");
        let mut words = text.split_ascii_whitespace();
        let (Some(number), Some(method), None) = (words.next(), words.next(), words.next()) else {
            return Err(malformed);
        };
        let number = scan::decimal(number).filter(|number| *number <= MAX_CSEQ).ok_or(malformed)?;
        Ok(Self { number, method: Method::from_token(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
