//! A tool that is a web service of the operator's (SPEC G3): what the model is told of it, and where it is called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::field_problem::Problems;
use super::json_schema::schema_fault;
use super::{KNOWN_TOOLS, Secret};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What the model calls it.
    pub name: String,
    /// What the model is told it is for.
    pub description: String,
    /// JSON schema of the arguments.
    #[serde(default = "no_arguments")]
    pub parameters: Map<String, Value>,
    /// Where the arguments are sent, by POST.
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Sealed in the store, never shown.
    #[serde(default)]
    pub secret_headers: BTreeMap<String, Secret>,
    #[serde(default = "usual_timeout_ms")]
    pub timeout_ms: u64,
    /// What is longer is cut.
    #[serde(default = "usual_answer_bytes")]
    pub answer_max_bytes: u64,
}

const NAME_MAX: usize = 64;
const DESCRIPTION_MAX: usize = 1_000;
const URL_MAX: usize = 2_000;
const SCHEMA_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 20;
const HEADER_BYTES_MAX: usize = 4_000;
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=60_000;
/// A longer answer stalls the model; so much fits among what a tool may say in all.
const ANSWER_BYTES: std::ops::RangeInclusive<u64> = 1..=6_000;
/// These are the request's own.
const HEADERS_OF_REQUEST: [&str; 8] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
    "idempotency-key",
];
const MASKED: &str = "(secret)";

fn no_arguments() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!("object"))])
}

fn usual_timeout_ms() -> u64 {
    5_000
}

fn usual_answer_bytes() -> u64 {
    *ANSWER_BYTES.end()
}

impl Webhook {
    /// Without arguments and headers, with the usual limits.
    pub fn to(name: String, description: String, url: String) -> Self {
        Self {
            name,
            description,
            parameters: no_arguments(),
            url,
            headers: BTreeMap::new(),
            secret_headers: BTreeMap::new(),
            timeout_ms: usual_timeout_ms(),
            answer_max_bytes: usual_answer_bytes(),
        }
    }

    /// As it may be shown and recorded.
    pub fn masked(&self) -> Self {
        let mask = |(name, _): (&String, &Secret)| (name.clone(), Secret::new(MASKED));
        Self { secret_headers: self.secret_headers.iter().map(mask).collect(), ..self.clone() }
    }

    /// `at` is where it stands among what somebody wrote.
    pub(super) fn check(&self, at: &str, problems: &mut Problems) {
        let field = |name: &str| format!("{at}.{name}");
        problems.add_unless(
            is_function_name(&self.name),
            &field("name"),
            "is a function's name for the model, as check_stock: a letter, then up to 63 letters, digits and _",
        );
        let is_ours = KNOWN_TOOLS.contains(&self.name.as_str());
        problems.add_unless(
            !is_ours,
            &field("name"),
            "is the name of a tool of the engine's own; choose another",
        );
        problems.check_length(&field("description"), &self.description, 1..=DESCRIPTION_MAX);
        self.check_parameters(&field("parameters"), problems);
        problems.check_length(&field("url"), &self.url, 1..=URL_MAX);
        problems.add_unless(
            is_web_address(&self.url),
            &field("url"),
            "is an address as https://crm.example.com/stock, without a user or password in it",
        );
        problems.add_unless(
            self.headers.len() + self.secret_headers.len() <= HEADERS_MAX,
            &field("headers"),
            "has more headers than the 20 that are allowed, the secret ones included",
        );
        for (name, value) in &self.headers {
            check_header(&field("headers"), name, value, problems);
        }
        for (name, value) in &self.secret_headers {
            check_header(&field("secret_headers"), name, value.expose(), problems);
            let is_missing = value.is_empty();
            problems.add_unless(!is_missing, &format!("{}.{name}", field("secret_headers")), "is missing");
        }
        let fits = TIMEOUT_MS.contains(&self.timeout_ms);
        problems.add_unless(fits, &field("timeout_ms"), "is 100 to 60000 milliseconds");
        let fits = ANSWER_BYTES.contains(&self.answer_max_bytes);
        problems.add_unless(fits, &field("answer_max_bytes"), "is 1 to 6000 bytes");
    }

    fn check_parameters(&self, field: &str, problems: &mut Problems) {
        let kind = self.parameters.get("type").and_then(Value::as_str);
        let is_object = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("object"));
        problems.add_unless(is_object, field, "is a JSON schema of an object: its \"type\" is \"object\"");
        if let Some(fault) = schema_fault(&self.parameters) {
            problems.add(field, fault);
        }
        let bytes = serde_json::to_string(&self.parameters).map_or(0, |text| text.len());
        problems.add_unless(bytes <= SCHEMA_BYTES_MAX, field, "is longer than 16384 bytes of JSON");
    }
}

fn check_header(field: &str, name: &str, value: &str, problems: &mut Problems) {
    let field = format!("{field}.{name}");
    let is_token =
        !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_".contains(sign));
    problems.add_unless(is_token, &field, "is no header's name; use letters, digits, - and _");
    let is_of_request = HEADERS_OF_REQUEST.contains(&name.to_ascii_lowercase().as_str());
    problems.add_unless(!is_of_request, &field, "is set by the engine itself; leave it out");
    let is_value = value.len() <= HEADER_BYTES_MAX && value.chars().all(|sign| (' '..='~').contains(&sign));
    problems.add_unless(is_value, &field, "has signs that a header cannot have, or more than 4000 of them");
}

fn is_function_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
}

/// Scheme, host and path; whether it can be reached is found out when it is called.
pub(super) fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    !authority.is_empty() && !authority.contains('@') && url.chars().all(|sign| sign.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Webhook {
        let body = json!({ "name": "check_stock", "description": "Looks up what is in stock.",
            "url": "https://crm.example.com/stock?shop=1", "headers": { "X-Shop": "1" },
            "secret_headers": { "Authorization": "Bearer abcdef0123456789" } });
        serde_json::from_value(body).expect("a webhook")
    }

    fn problems(change: impl FnOnce(&mut Webhook)) -> Vec<String> {
        let (mut webhook, mut problems) = (webhook(), Problems::default());
        change(&mut webhook);
        webhook.check("webhooks.0", &mut problems);
        problems.into_list().into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn a_webhook_says_only_what_differs_from_the_usual() {
        assert_eq!((webhook().timeout_ms, webhook().answer_max_bytes), (5_000, 6_000));
        assert_eq!(webhook().parameters["type"], "object");
        assert!(problems(|_| {}).is_empty());
    }

    #[test]
    fn no_secret_is_printed_or_recorded() {
        let shown = format!("{:?} {}", webhook(), serde_json::to_string(&webhook().masked()).expect("JSON"));
        assert!(!shown.contains("abcdef0123456789") && shown.contains(MASKED), "{shown}");
    }

    #[test]
    fn every_problem_names_its_field() {
        let found = problems(|webhook| {
            webhook.name = "check stock".into();
            webhook.description = " ".into();
            webhook.parameters = Map::from_iter([("pattern".into(), json!("x"))]);
            webhook.url = "ftp://user:word@host".into();
            webhook.headers = BTreeMap::from([("Host".into(), "x".into()), ("X-A".into(), "ü".into())]);
            webhook.secret_headers = BTreeMap::from([("Authorization".into(), Secret::new(""))]);
            webhook.timeout_ms = 1;
            webhook.answer_max_bytes = 1 << 20;
        });
        let all = [
            "webhooks.0.name",
            "webhooks.0.description",
            "webhooks.0.parameters",
            "webhooks.0.parameters",
            "webhooks.0.url",
            "webhooks.0.headers.Host",
            "webhooks.0.headers.X-A",
            "webhooks.0.secret_headers.Authorization",
            "webhooks.0.timeout_ms",
            "webhooks.0.answer_max_bytes",
        ];
        assert_eq!(found, all);
        assert_eq!(problems(|webhook| webhook.name = "create_lead".into()), ["webhooks.0.name"]);
        for wrong in ["https://", "https://a@b/", "crm.example.com", "https://host/ path"] {
            assert_eq!(problems(|webhook| webhook.url = wrong.into()), ["webhooks.0.url"], "{wrong}");
        }
    }
}
