use super::{HeaderName, Headers, Request, reason_phrase, write};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Response {
    /// An answer with what RFC 3261 §8.2.6 wants copied; Record-Route only where a dialog may come of it (§12.1.1),
    /// Timestamp only into a 100 (§8.2.6.1). The To tag is the caller's to add.
    pub fn to_request(request: &Request, status: u16) -> Self {
        let mut headers = Headers::default();
        for (name, value) in request.headers.iter().filter(|(name, _)| is_copied(name, status)) {
            headers.push(name.clone(), value);
        }
        Self { status, reason: reason_phrase(status).to_owned(), headers, body: Vec::new() }
    }

    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        write::message(&format!("SIP/2.0 {} {}", self.status, self.reason), &self.headers, &self.body)
    }
}

fn is_copied(name: &HeaderName, status: u16) -> bool {
    let core = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    core.contains(name)
        || (*name == HeaderName::RecordRoute && (101..300).contains(&status))
        || (*name == HeaderName::Timestamp && status == 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::{Method, Uri};

    fn names(status: u16) -> Vec<String> {
        let mut request = Request::new(Method::Invite, Uri::sip(None, "example.org", None));
        let headers = "Via Via From To Call-ID CSeq Record-Route Record-Route Timestamp Contact Subject";
        for name in headers.split(' ') {
            request.headers.push(HeaderName::from_token(name), "x");
        }
        Response::to_request(&request, status).headers.iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn an_answer_copies_what_its_class_wants_and_no_more() {
        let core = ["Via", "Via", "From", "To", "Call-ID", "CSeq"];
        assert_eq!(names(486), core);
        assert_eq!(names(100)[6..], ["Timestamp"]);
        assert_eq!(names(180)[6..], ["Record-Route", "Record-Route"]);
        assert_eq!(names(200)[6..], ["Record-Route", "Record-Route"]);
    }

    #[test]
    fn every_status_has_words_of_its_class() {
        assert_eq!(
            [reason_phrase(486), reason_phrase(499), reason_phrase(699)],
            ["Busy Here", "Request Failure", "Global Failure"]
        );
    }
}
