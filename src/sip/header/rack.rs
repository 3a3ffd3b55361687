use std::fmt;
use std::str::FromStr;

use super::CSeq;
use crate::sip::message::Malformed;
use crate::sip::parse::scan;

/// What a PRACK acknowledges: the reliable response's RSeq and the CSeq of its INVITE (RFC 3262 §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    pub rseq: u32,
    pub cseq: CSeq,
}

impl FromStr for RAck {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed("RAck");
        let (rseq, cseq) = text.trim().split_once(|c: char| c.is_ascii_whitespace()).ok_or(malformed)?;
        Ok(Self { rseq: scan::decimal(rseq).ok_or(malformed)?, cseq: cseq.parse().map_err(|_| malformed)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}
