//! From a variable's name and text to a setting's path and value.

use serde_json::Value as Json;
use toml::Value;

use super::{Settings, error::nearest};

pub(super) const PREFIX: &str = "CLEARLINE_";

/// A setting that is a list of blocks; from outside the file they are numbered from 1.
struct Blocks {
    path: &'static str,
    keys: &'static [(&'static str, Kind)],
}

const BLOCKS: [Blocks; 2] = [
    Blocks {
        path: "sip.gateways",
        keys: &[
            ("name", Kind::Text),
            ("address", Kind::Text),
            ("domain", Kind::Text),
            ("user", Kind::Text),
            ("password", Kind::Text),
            ("register", Kind::Flag),
            ("expires_s", Kind::Number),
            ("any_media_host", Kind::Flag),
        ],
    },
    Blocks {
        path: "notifications.subscribers",
        keys: &[
            ("name", Kind::Text),
            ("url", Kind::Text),
            ("secret", Kind::Text),
            ("old_secret", Kind::Text),
            ("events", Kind::List),
            ("tenant_id", Kind::Text),
        ],
    },
];

/// Names older systems use for a setting of ours.
pub(super) const ALIASES: [(&str, &str); 5] = [
    ("CRM_BASE_URL", "crm.base_url"),
    ("CRM_API_TOKEN", "crm.api_token"),
    ("DEFAULT_OWNER_ID", "calls.default_owner_id"),
    ("LIVEKIT_SECRET_ENCRYPTION_KEY", "secrets.encryption_key"),
    ("LIVEKIT_SECRET_ENCRYPTION_KEYS_OLD", "secrets.encryption_keys_old"),
];

/// What kind of value a text must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

/// Every setting that holds one value, by its path; the defaults tell what there is.
pub(super) fn scalars() -> Vec<(String, Kind)> {
    let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
    let sections = defaults.as_object().into_iter().flatten();
    let keys = sections.filter(|(section, _)| *section != "numbers").flat_map(|(section, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, value)| (format!("{section}.{key}"), kind_of(value)))
    });
    keys.filter(|(path, _)| BLOCKS.iter().all(|blocks| blocks.path != path)).collect()
}

fn kind_of(default: &Json) -> Kind {
    match default {
        Json::Number(_) => Kind::Number,
        Json::Bool(_) => Kind::Flag,
        Json::Array(_) => Kind::List,
        Json::Null | Json::String(_) | Json::Object(_) => Kind::Text,
    }
}

pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

/// The setting a variable names; `Err` holds the nearest name there is.
pub(super) fn setting_of(variable: &str) -> Result<(String, Kind), Option<String>> {
    let scalars = scalars();
    let named = |(path, _): &&(String, Kind)| {
        variable_of(path) == variable || ALIASES.contains(&(variable, path.as_str()))
    };
    if let Some(found) = scalars.iter().find(named) {
        return Ok(found.clone());
    }
    let names: Vec<String> = scalars.iter().map(|(path, _)| variable_of(path)).collect();
    let in_a_block = BLOCKS.iter().find_map(|blocks| blocks.setting(variable));
    in_a_block.ok_or_else(|| nearest(variable, names.iter().map(String::as_str)))
}

/// The setting a dotted path of the command line names.
pub(super) fn setting_at(path: &str) -> Result<(String, Kind), Option<String>> {
    let scalars = scalars();
    if let Some(found) = scalars.iter().find(|(known, _)| known == path) {
        return Ok(found.clone());
    }
    let in_a_block = BLOCKS.iter().find_map(|blocks| blocks.setting_at(path));
    in_a_block.ok_or_else(|| nearest(path, scalars.iter().map(|(known, _)| known.as_str())))
}

impl Blocks {
    /// CLEARLINE_SIP_GATEWAYS_2_PASSWORD is `password` of the second gateway.
    fn setting(&self, variable: &str) -> Option<(String, Kind)> {
        let (number, key) =
            variable.strip_prefix(&format!("{}_", variable_of(self.path)))?.split_once('_')?;
        let key = key.to_lowercase();
        self.setting_at(&format!("{}.{}.{key}", self.path, number.parse::<usize>().ok()?))
    }

    fn setting_at(&self, path: &str) -> Option<(String, Kind)> {
        let (number, key) = path.strip_prefix(self.path)?.strip_prefix('.')?.split_once('.')?;
        let (_, kind) = self.keys.iter().find(|(known, _)| *known == key)?;
        (number.parse::<usize>().ok()? > 0).then(|| (path.to_owned(), *kind))
    }
}

pub(super) fn value_of(kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Number => text.parse().map(Value::Integer).map_err(|_| "must be a whole number".into()),
        Kind::Flag => flag(text).map(Value::Boolean).ok_or_else(|| "must be true or false".into()),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
