//! Posts what happened in calls to subscribers (SPEC I10), signed as the Standard Webhooks specification says. Their
//! addresses are judged as those of a voice agent's webhooks ([`outside`](super::outside)).

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::answers::{Asked, answer};
use super::outside::{NoClient, NotAllowed, OutsideClient};
use crate::clock;
use crate::crm::Answer;
use crate::domain::{SigningSecret, Timestamp};

const THE_SUBSCRIBER: Asked = Asked {
    whom: "the subscriber",
    trust: "add that authority's certificate to those that the system trusts",
};
const NOT_ALLOWED: &str =
    "its url leads into a private network, which notifications.allow_private_addresses does not allow";
const USER_AGENT: &str = concat!("Clearline/", env!("CARGO_PKG_VERSION"));

/// A handle; clones share their connections.
#[derive(Clone)]
pub struct SubscriberClient {
    client: OutsideClient,
    answer_limit: Duration,
}

/// Where one subscriber is, and how it knows that it is us.
#[derive(Clone)]
pub struct Recipient {
    pub url: String,
    /// More than one while they are replaced.
    pub secrets: Arc<[SigningSecret]>,
}

impl SubscriberClient {
    pub fn new(allow_private: bool, answer_limit: Duration) -> Result<Self, NoClient> {
        Ok(Self { client: OutsideClient::new(allow_private)?, answer_limit })
    }

    /// `id` is what the subscriber knows the event by, however often it is sent.
    pub async fn send(&self, to: &Recipient, id: &str, body: String, now: Timestamp) -> Answer {
        let request = match self.client.post(&to.url) {
            Ok(request) => request,
            Err(NotAllowed::PrivateNetwork) => return Answer::Unsendable(NOT_ALLOWED.into()),
            Err(NotAllowed::NoAddress) => return Answer::Unsendable("its url cannot be read".into()),
        };
        let seconds = now.as_millis() / 1_000;
        let request = request
            .timeout(clock::timer_for(self.answer_limit))
            .header("user-agent", USER_AGENT)
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", to.signatures(id, seconds, &body))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        answer(request, self.answer_limit, THE_SUBSCRIBER).await
    }
}

impl Recipient {
    fn signatures(&self, id: &str, seconds: u64, body: &str) -> String {
        self.secrets.iter().map(|secret| secret.sign(id, seconds, body)).collect::<Vec<_>>().join(" ")
    }
}
