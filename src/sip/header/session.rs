use std::fmt;
use std::str::FromStr;

use crate::sip::message::{Malformed, Params};
use crate::sip::parse::scan;

/// How long a session lives without a refresh, and who refreshes it (RFC 4028 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionExpires {
    pub seconds: u32,
    pub refresher: Option<Refresher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

impl FromStr for SessionExpires {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (seconds, params) = text.split_once(';').unwrap_or((text, ""));
        let seconds = scan::decimal(seconds.trim()).ok_or(Malformed("Session-Expires"))?;
        let refresher = match Params::parse(params)?.get("refresher") {
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(Self { seconds, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}
