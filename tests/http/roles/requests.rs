//! The routes of the description, and what is sent to each.

use reqwest::Method;
use serde_json::{Value, json};

use super::things::Things;
use crate::bench::PASSWORD;

/// Something that can be asked of the engine.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    has_body: bool,
    query: Vec<String>,
}

pub(crate) fn described() -> Vec<Operation> {
    let description = serde_json::to_value(clearline::http::described()).expect("a description");
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().expect("an object") {
        for (method, operation) in item.as_object().expect("an object") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_query = parameters.filter(|parameter| parameter["in"] == "query");
            operations.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                has_body: operation["requestBody"].is_object(),
                query: in_query.map(|parameter| text(&parameter["name"])).collect(),
            });
        }
    }
    operations
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl Operation {
    /// As the table's rows are told apart.
    pub(crate) fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn cells(&self) -> String {
        format!("{} | `{}`", self.method, self.path)
    }

    /// What stands before `{…}`: whose ids it takes.
    pub(crate) fn names_one_of(&self) -> Option<&str> {
        self.path.split_once("/{").map(|(before, _)| before)
    }

    pub(crate) fn path_to(&self, id: &str) -> String {
        let Some((before, rest)) = self.path.split_once('{') else { return self.path.clone() };
        let after = rest.split_once('}').expect("a closed brace").1;
        assert!(!after.contains('{'), "{}: requests.rs knows one id in a path", self.route());
        format!("{before}{id}{after}")
    }

    /// The longest page, and the same again narrowed to each thing that the query can name.
    pub(crate) fn queries(&self, things: &Things) -> Vec<String> {
        let longest = if self.query.iter().any(|name| name == "limit") { "?limit=200" } else { "" };
        let naming = self.query.iter().filter_map(|name| {
            let id = match name.as_str() {
                "call" | "call_id" | "session_id" => &things.call,
                "voice_agent_id" => &things.voice_agent,
                "owner_id" | "user_id" | "subject_id" => &things.owner_id,
                "tenant_id" => &things.tenant_id,
                "dialed_number" | "from_number" | "number" => &things.number,
                name if name.ends_with("_id") => {
                    panic!("{}: say in queries() what {name} names", self.route())
                }
                _ => return None,
            };
            Some(format!("?{name}={}", id.replace('+', "%2B")))
        });
        std::iter::once(longest.to_owned()).chain(naming).collect()
    }

    /// A body that is good wherever it is sent by somebody who may.
    pub(crate) fn body(&self, things: &Things) -> Option<Value> {
        self.has_body.then(|| match self.id.as_str() {
            "log_in" => json!({ "name": things.caller, "password": PASSWORD }),
            "change_my_password" => json!({ "password": PASSWORD, "new_password": "of my own choice" }),
            "make_token" => json!({ "name": "walk" }),
            "add_user" => json!({ "name": things.unused, "role": things.role_below }),
            "change_user" => json!({ "enabled": false }),
            "set_user_password" => json!({ "password": PASSWORD }),
            "assign_keys" => json!({}),
            "reassign_key" => json!({ "user_id": things.owner_id }),
            "add_number" => json!({ "number": things.unused_number, "owner_id": things.owner_id, "tenant_id": things.tenant_named }),
            "change_number" => json!({ "voice_agent_id": things.voice_agent }),
            "add_voice_agent" => json!({ "name": things.unused }),
            "change_voice_agent" => json!({ "greeting": "Good morning." }),
            "change_settings" => json!({ "calls.max_calls": 400 }),
            "change_callback" => json!({ "done": true }),
            "make_call" => json!({ "to": "100", "from": things.number, "voice_agent_id": things.voice_agent }),
            unknown => panic!(
                "{}: add a body for `{unknown}` to tests/http/roles/requests.rs, with the ids of `things` where it names any",
                self.route()
            ),
        })
    }
}
