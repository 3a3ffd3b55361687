//! A voice agent's webhooks as they are sent and shown. A secret goes in and never comes out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::clock;
use crate::domain::{Sealing, Secret, Webhook};

#[derive(Serialize, ToSchema)]
pub(super) struct WebhookView {
    name: String,
    description: String,
    /// JSON schema of the arguments.
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
    url: String,
    headers: BTreeMap<String, String>,
    /// Their names; what they say is not shown.
    secret_headers: Vec<String>,
    timeout_ms: u64,
    answer_max_bytes: u64,
}

/// A web service of your own that the model may call. It gets `{"call_id", "tool", "arguments"}` by POST; its answer,
/// JSON or text, goes to the model.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookInput {
    /// What the model calls it, as `check_stock`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z][A-Za-z0-9_]*$")]
    name: String,
    /// What the model is told it is for.
    #[schema(min_length = 1, max_length = 1_000)]
    description: String,
    /// JSON schema of the arguments; left out, it has none.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    #[schema(min_length = 1, max_length = 2_000)]
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Sealed before they are stored, never shown. Null keeps what the webhook of this name had.
    #[serde(default)]
    secret_headers: BTreeMap<String, Option<String>>,
    /// 5000 if it is left out.
    #[schema(minimum = 100, maximum = 60_000)]
    timeout_ms: Option<u64>,
    /// What is longer is cut; 6000 if it is left out.
    #[schema(minimum = 1, maximum = 6_000)]
    answer_max_bytes: Option<u64>,
}

/// `known` are those of before.
pub(super) fn webhooks_of(sent: Vec<WebhookInput>, known: &[Webhook], sealing: &Sealing) -> Vec<Webhook> {
    let of_before = |name: &str| known.iter().find(|webhook| webhook.name == name);
    let webhook = |input: WebhookInput| {
        let kept = kept_secrets(&input, of_before(&input.name));
        input.into_webhook(kept, sealing)
    };
    sent.into_iter().map(webhook).collect()
}

fn kept_secrets(input: &WebhookInput, known: Option<&Webhook>) -> BTreeMap<String, Secret> {
    let kept = input.secret_headers.iter().filter(|(_, value)| value.is_none());
    // One that was never there is missing, and told as such.
    let secret = |name: &String| known.and_then(|known| known.secret_headers.get(name)).cloned();
    kept.map(|(name, _)| (name.clone(), secret(name).unwrap_or_else(|| Secret::new("")))).collect()
}

impl WebhookInput {
    fn into_webhook(self, mut secrets: BTreeMap<String, Secret>, sealing: &Sealing) -> Webhook {
        let new =
            self.secret_headers.into_iter().filter_map(|(name, value)| Some((name, Secret::new(value?))));
        // An empty one is told as missing.
        let sealed = |value: &Secret| sealing.seal(value, clock::unix_time());
        let kept = |value: Secret| if value.is_empty() { value } else { sealed(&value) };
        secrets.extend(new.map(|(name, value)| (name, kept(value))));
        let usual = Webhook::to(self.name, self.description, self.url);
        Webhook {
            parameters: self.parameters.unwrap_or(usual.parameters),
            headers: self.headers,
            secret_headers: secrets,
            timeout_ms: self.timeout_ms.unwrap_or(usual.timeout_ms),
            answer_max_bytes: self.answer_max_bytes.unwrap_or(usual.answer_max_bytes),
            ..usual
        }
    }
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            name: webhook.name,
            description: webhook.description,
            parameters: webhook.parameters,
            url: webhook.url,
            headers: webhook.headers,
            secret_headers: webhook.secret_headers.into_keys().collect(),
            timeout_ms: webhook.timeout_ms,
            answer_max_bytes: webhook.answer_max_bytes,
        }
    }
}
