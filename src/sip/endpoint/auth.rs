use crate::sip::digest::{Credentials, DigestClient, Verdict};
use crate::sip::{CSeq, HeaderName, Request, Response};

/// Challenges one request may meet (a proxy's, the far end's, a stale nonce each) before we give up.
const MAX_CHALLENGES: u8 = 4;

/// Answers the challenges of one gateway, request after request.
#[derive(Debug, Clone)]
pub(super) struct Authentication {
    credentials: Option<Credentials>,
    digest: Option<DigestClient>,
    challenges_left: u8,
}

impl Authentication {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, digest: None, challenges_left: MAX_CHALLENGES }
    }

    /// The next request is another one: it may be challenged anew, and says at once what the last one had to say.
    pub(super) fn begin(&mut self, request: &mut Request, cnonce: &str) {
        self.challenges_left = MAX_CHALLENGES;
        if let Some(digest) = &mut self.digest {
            digest.authorize(request, cnonce);
        }
    }

    /// The challenged request once more, with credentials and the next CSeq; `None` when there is no use in it.
    pub(super) fn retry(&mut self, request: &Request, response: &Response, cnonce: &str) -> Option<Request> {
        // The first challenge of a request may be to credentials of an older nonce: no proof of a wrong password.
        let is_first = self.challenges_left == MAX_CHALLENGES;
        self.challenges_left = self.challenges_left.checked_sub(1)?;
        let mut digest = match self.digest.take() {
            Some(digest) if !is_first => digest,
            Some(_) | None => DigestClient::new(self.credentials.clone()?),
        };
        if digest.take_challenges(response) != Verdict::TryAgain {
            return None;
        }
        let mut retry = renumbered(request)?;
        digest.authorize(&mut retry, cnonce);
        self.digest = Some(digest);
        Some(retry)
    }
}

/// The same request with the next CSeq; its Via is replaced when it is sent.
pub(super) fn renumbered(request: &Request) -> Option<Request> {
    let cseq = request.headers.cseq()?;
    let mut next = request.clone();
    let cseq = CSeq { number: cseq.number.checked_add(1)?, ..cseq };
    next.headers.set(HeaderName::CSeq, cseq.to_string());
    Some(next)
}
