//! Values that come from outside and are to be kept: brought into a form that every store takes, and within bounds.

use serde_json::{Map, Value};

/// A store refuses what is nested deeper than some eighty levels, and these are nested in a record.
const LEVELS_MAX: usize = 32;

/// The same value, but for what no store would take: whole numbers beyond 64 bits with a sign, and what is nested too
/// deep, become texts.
pub fn storable(value: Value) -> Value {
    storable_within(value, LEVELS_MAX)
}

/// As [`storable`]; what is longer than `max_bytes` as JSON is cut, and says so.
pub fn storable_up_to(value: Value, max_bytes: usize) -> Value {
    let text = value.to_string();
    if text.len() <= max_bytes {
        return storable(value);
    }
    Value::Object(Map::from_iter([
        ("cut".to_owned(), Value::Bool(true)),
        ("beginning".to_owned(), beginning(&text, max_bytes).into()),
    ]))
}

/// The longest beginning that fits, on a character's boundary.
pub fn beginning(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default()
}

fn storable_within(value: Value, levels: usize) -> Value {
    match value {
        nested @ (Value::Object(_) | Value::Array(_)) if levels == 0 => nested.to_string().into(),
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(members.map(|(name, value)| (name, storable_within(value, levels - 1))).collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| storable_within(item, levels - 1)).collect())
        }
        Value::Number(number) if number.is_u64() && !number.is_i64() => number.to_string().into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_store_takes_stays_and_numbers_beyond_it_become_texts() {
        let plain = json!({ "a": [1, -2, 0.5, null, true, "x"], "b": { "c": i64::MAX } });
        assert_eq!(storable(plain.clone()), plain);
        assert_eq!(storable(json!({ "n": u64::MAX })), json!({ "n": "18446744073709551615" }));
    }

    #[test]
    fn what_is_nested_too_deep_becomes_the_text_it_is() {
        let deep = (0..100).fold(json!("core"), |inner, _| json!([inner]));
        let mut level = storable(deep);
        let mut levels = 0;
        while let Value::Array(mut inner) = level {
            level = inner.remove(0);
            levels += 1;
        }
        assert_eq!(levels, LEVELS_MAX);
        assert!(level.as_str().is_some_and(|text| text.contains("core")));
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let cut = storable_up_to(json!({ "text": "ä".repeat(100) }), 50);
        assert_eq!(cut["cut"], true);
        assert!(cut["beginning"].as_str().is_some_and(|text| text.len() <= 50 && text.len() > 45));
    }
}
