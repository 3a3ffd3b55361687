//! Calls web services of the operator's for the model's tools (SPEC G3), on the runtime `io`: no call's thread ever waits
//! for one.
//!
//! Its address may be anybody's ([`outside`](super::outside)). Whatever goes wrong is told in words for the model; what a
//! service says about it is for the model too, and never logged.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::outside::{NoClient, NotAllowed, OutsideClient, leads_into_private_network};
use crate::clock;
use crate::domain::{CallId, Sealing, Webhook, beginning};

/// Services that are waited for at once, over all calls.
const RUNNING_MAX: usize = 512;
/// Of what a service says when it fails.
const COMPLAINT_BYTES_MAX: usize = 500;
const NOT_ALLOWED: &str = "the service's address is in a private network, where tools are not allowed";

/// A handle; clones share connections and limits.
#[derive(Clone)]
pub struct Webhooks {
    client: OutsideClient,
    runtime: Handle,
    sealing: Sealing,
    running: Arc<Semaphore>,
}

/// One call of one tool.
#[derive(Debug, Clone)]
pub struct WebhookCall {
    pub webhook: Webhook,
    pub call: CallId,
    /// The tool call's own, so that a service can tell a repetition.
    pub id: String,
    pub arguments: Value,
}

impl Webhooks {
    pub fn new(runtime: Handle, sealing: Sealing, allow_private: bool) -> Result<Self, NoClient> {
        let client = OutsideClient::new(allow_private)?;
        Ok(Self { client, runtime, sealing, running: Arc::new(Semaphore::new(RUNNING_MAX)) })
    }

    /// What the service answers, or in words why it did not.
    pub async fn call(&self, call: WebhookCall) -> Result<Value, String> {
        let Ok(place) = Arc::clone(&self.running).try_acquire_owned() else {
            return Err("too many services are waited for; try again in a moment".to_owned());
        };
        let hooks = self.clone();
        let asking = self.runtime.spawn(async move {
            let answered = hooks.ask(&call).await;
            drop(place);
            if answered.is_err() {
                tracing::warn!(call = %call.call, webhook = %call.webhook.name, "a webhook failed");
            }
            answered
        });
        asking.await.unwrap_or_else(|_| Err("the tool failed; go on without it".to_owned()))
    }

    async fn ask(&self, call: &WebhookCall) -> Result<Value, String> {
        let webhook = &call.webhook;
        let body = json!({ "call_id": call.call, "tool": webhook.name, "arguments": call.arguments });
        let request = self
            .client
            .post(&webhook.url)
            .map_err(not_allowed_in_words)?
            .timeout(clock::timer_for(Duration::from_millis(webhook.timeout_ms)))
            .headers(self.headers(call)?)
            .json(&body);
        let response = request.send().await.map_err(|error| in_words(&error, webhook))?;
        answer(response, webhook).await
    }

    fn headers(&self, call: &WebhookCall) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let unusable = |name: &str| format!("the service's header {name} cannot be sent");
        let mut add = |name: &str, value: &str, is_secret: bool| {
            let header = HeaderName::try_from(name).map_err(|_| unusable(name))?;
            let mut value = HeaderValue::try_from(value).map_err(|_| unusable(name))?;
            value.set_sensitive(is_secret);
            headers.insert(header, value);
            Ok::<_, String>(())
        };
        add("idempotency-key", &format!("{}/{}", call.call, visible(&call.id)), false)?;
        for (name, value) in &call.webhook.headers {
            add(name, value, false)?;
        }
        for (name, sealed) in &call.webhook.secret_headers {
            let secret = self.sealing.open(sealed).map_err(|error| {
                tracing::error!(webhook = %call.webhook.name, header = %name, %error, "a webhook's secret");
                unusable(name)
            })?;
            add(name, secret.expose(), true)?;
        }
        Ok(headers)
    }
}

/// The model's id, as far as a header can hold it.
fn visible(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(128).collect()
}

async fn answer(mut response: Response, webhook: &Webhook) -> Result<Value, String> {
    let status = response.status();
    if status.is_redirection() {
        return Err("the service answered with a redirect, and redirects are not followed".to_owned());
    }
    let wanted = if status.is_success() { webhook.answer_max_bytes as usize } else { COMPLAINT_BYTES_MAX };
    let mut body = Vec::new();
    while body.len() <= wanted
        && let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error, webhook))?
    {
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&body);
    let is_whole = body.len() <= wanted;
    if !status.is_success() {
        let mut told = format!("the service answered {}", status.as_u16());
        let complaint = beginning(&text, wanted).trim();
        if !complaint.is_empty() {
            write!(told, ": {complaint}").map_err(|error| error.to_string())?;
        }
        return Err(told);
    }
    Ok(match serde_json::from_str(&text) {
        Ok(read) if is_whole => read,
        _ if text.trim().is_empty() => Value::Null,
        _ if is_whole => json!({ "text": text }),
        _ => json!({ "cut": true, "beginning": beginning(&text, wanted) }),
    })
}

fn not_allowed_in_words(error: NotAllowed) -> String {
    match error {
        NotAllowed::NoAddress => "the service's address cannot be read",
        NotAllowed::PrivateNetwork => NOT_ALLOWED,
    }
    .to_owned()
}

/// What went wrong on the way, without addresses or names.
fn in_words(error: &reqwest::Error, webhook: &Webhook) -> String {
    if leads_into_private_network(error) {
        return NOT_ALLOWED.to_owned();
    }
    if error.is_timeout() {
        return format!("the service did not answer within {} ms", webhook.timeout_ms);
    }
    if error.is_connect() {
        return "the service cannot be reached".to_owned();
    }
    "the connection to the service broke".to_owned()
}

#[cfg(test)]
mod tests;
