use std::fmt;
use std::str::FromStr;

use crate::sip::message::{Malformed, Params, Uri};
use crate::sip::parse::scan;

/// From, To, Contact, Route, Record-Route and their kin: a name for people, an address, parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Without its quotes.
    pub display: Option<String>,
    pub uri: Uri,
    pub params: Params,
}

impl NameAddr {
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl FromStr for NameAddr {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        match scan::find_outside_quotes(text, '<') {
            Some(open) => bracketed(text, open),
            None => bare(text),
        }
    }
}

fn bracketed(text: &str, open: usize) -> Result<NameAddr, Malformed> {
    let malformed = Malformed("name-addr");
    let (display, rest) = text.split_at_checked(open).ok_or(malformed)?;
    let (uri, params) = rest.get(1..).and_then(|rest| rest.split_once('>')).ok_or(malformed)?;
    let params = params.trim_start();
    if !params.is_empty() && !params.starts_with(';') {
        return Err(malformed);
    }
    Ok(NameAddr { display: display_name(display)?, uri: uri.trim().parse()?, params: Params::parse(params)? })
}

/// Without brackets every parameter belongs to the header, not to the address (RFC 3261 §20.10).
fn bare(text: &str) -> Result<NameAddr, Malformed> {
    let (uri, params) = text.split_once(';').unwrap_or((text, ""));
    Ok(NameAddr { display: None, uri: uri.trim_end().parse()?, params: Params::parse(params)? })
}

fn display_name(text: &str) -> Result<Option<String>, Malformed> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if !text.starts_with('"') {
        return Ok(Some(text.to_owned()));
    }
    scan::unquote(text).map(Some).ok_or(Malformed("display name"))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", scan::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_added_outside_the_brackets() {
        let to: NameAddr = "sip:bob@example.org;x=1".parse().unwrap();
        assert_eq!(to.tag(), None);
        let to = to.with_tag("t1");
        assert_eq!((to.to_string().as_str(), to.tag()), ("<sip:bob@example.org>;x=1;tag=t1", Some("t1")));
        assert_eq!(to.with_tag("t2").to_string(), "<sip:bob@example.org>;x=1;tag=t2");
    }

    #[test]
    fn a_name_that_looks_like_headers_stays_a_name() {
        let mut from = NameAddr::new(Uri::sip(Some("a"), "x", None));
        from.display = Some(r#"x" <sip:evil@y>;tag=1, ""#.into());
        let read: NameAddr = from.to_string().parse().unwrap();
        assert_eq!(read, from);
    }

    #[test]
    fn an_instance_id_in_quoted_brackets_is_not_the_address() {
        let contact: NameAddr = r#"<sip:a@x;ob>;+sip.instance="<urn:uuid:0;1>";reg-id=1"#.parse().unwrap();
        assert_eq!(contact.params.get("+SIP.instance"), Some(r#""<urn:uuid:0;1>""#));
        assert_eq!(contact.params.get("reg-id"), Some("1"));
    }
}
