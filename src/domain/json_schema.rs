//! As much of JSON schema as arguments of a tool need and the model's own form of it can say: what the model is told of
//! them, and whether what it sends is that. A schema that asks for more is refused when it is written: it would not be
//! enforced, and the model's server would close the connection over it.

use serde_json::{Map, Value};

const LEVELS_MAX: usize = 12;
const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
/// Read and enforced.
const RULES: [&str; 13] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "nullable",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
];
/// For whoever reads it.
const REMARKS: [&str; 5] = ["title", "description", "format", "default", "example"];

/// What is wrong with a schema, and where.
pub(super) fn schema_fault(schema: &Map<String, Value>) -> Option<String> {
    fault_at(schema, "", LEVELS_MAX)
}

/// What is wrong with a value, and where, in words for whoever sent it.
pub fn mismatch(schema: &Map<String, Value>, value: &Value) -> Option<String> {
    mismatch_at(schema, value, "")
}

fn fault_at(schema: &Map<String, Value>, place: &str, levels: usize) -> Option<String> {
    if levels == 0 {
        return Some(told(place, format_args!("is nested deeper than {LEVELS_MAX} levels")));
    }
    let unknown =
        schema.keys().find(|name| !RULES.contains(&name.as_str()) && !REMARKS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Some(told(place, format_args!("has {name:?}, which is not understood; leave it out")));
    }
    let rules = schema.iter().filter(|(name, _)| RULES.contains(&name.as_str()));
    rules.filter_map(|(name, rule)| fault_in_rule(name, rule, place, levels)).next()
}

fn fault_in_rule(name: &str, rule: &Value, place: &str, levels: usize) -> Option<String> {
    let must_be =
        |fits: bool, what: &str| (!fits).then(|| told(&below(place, name), format_args!("must be {what}")));
    match name {
        "type" => must_be(
            type_named(rule).is_some(),
            "one of object, array, string, number, integer, boolean, null",
        ),
        "properties" => match rule.as_object() {
            None => must_be(false, "an object"),
            Some(properties) => {
                properties.iter().find_map(|(name, schema)| nested_fault(schema, &below(place, name), levels))
            }
        },
        "items" => nested_fault(rule, &below(place, "items"), levels),
        "required" => must_be(
            rule.as_array().is_some_and(|names| names.iter().all(Value::is_string)),
            "a list of names",
        ),
        "enum" => must_be(
            rule.as_array().is_some_and(|values| !values.is_empty() && values.iter().all(Value::is_string)),
            "a list of texts",
        ),
        "additionalProperties" | "nullable" => must_be(rule.is_boolean(), "true or false"),
        "minimum" | "maximum" => must_be(rule.is_number(), "a number"),
        "minLength" | "maxLength" | "minItems" | "maxItems" => must_be(rule.is_u64(), "a whole number"),
        _ => None,
    }
}

fn nested_fault(schema: &Value, place: &str, levels: usize) -> Option<String> {
    match schema.as_object() {
        Some(schema) => fault_at(schema, place, levels - 1),
        None => Some(told(place, "must be a schema, which is an object")),
    }
}

/// In any case, because the model's own form is in capitals.
fn type_named(rule: &Value) -> Option<&'static str> {
    let name = rule.as_str()?;
    TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

fn mismatch_at(schema: &Map<String, Value>, value: &Value, place: &str) -> Option<String> {
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return None;
    }
    if let Some(wanted) = schema.get("type").and_then(type_named).filter(|wanted| !is_of(value, wanted)) {
        return Some(told(place, format_args!("must be {wanted}")));
    }
    let allowed = schema.get("enum").and_then(Value::as_array);
    if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
        return Some(told(place, format_args!("must be one of {}", Value::Array(allowed.clone()))));
    }
    out_of_bounds(schema, value, place)
        .or_else(|| mismatch_in_members(schema, value.as_object()?, place))
        .or_else(|| mismatch_in_items(schema, value.as_array()?, place))
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    }
}

fn out_of_bounds(schema: &Map<String, Value>, value: &Value, place: &str) -> Option<String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let size = match value {
        Value::Number(number) => {
            let number = number.as_f64()?;
            return out_of("", number, bound("minimum"), bound("maximum"), place);
        }
        Value::String(text) => (" characters", text.chars().count(), "minLength", "maxLength"),
        Value::Array(items) => (" items", items.len(), "minItems", "maxItems"),
        Value::Null | Value::Bool(_) | Value::Object(_) => return None,
    };
    let (unit, size, least, most) = size;
    out_of(unit, size as f64, bound(least), bound(most), place)
}

fn out_of(unit: &str, size: f64, least: Option<f64>, most: Option<f64>, place: &str) -> Option<String> {
    let too_small =
        least.filter(|least| size < *least).map(|least| format!("must be at least {least}{unit}"));
    let too_large = || most.filter(|most| size > *most).map(|most| format!("must be at most {most}{unit}"));
    too_small.or_else(too_large).map(|problem| told(place, problem))
}

fn mismatch_in_members(
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    place: &str,
) -> Option<String> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).find(|name| !members.contains_key(*name));
    if let Some(name) = missing {
        return Some(told(&below(place, name), "is missing"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    members.iter().find_map(|(name, value)| {
        match properties.and_then(|properties| properties.get(name)?.as_object()) {
            Some(schema) => mismatch_at(schema, value, &below(place, name)),
            None => is_closed.then(|| told(&below(place, name), "is not known; leave it out")),
        }
    })
}

fn mismatch_in_items(schema: &Map<String, Value>, items: &[Value], place: &str) -> Option<String> {
    let schema = schema.get("items")?.as_object()?;
    let mut numbered = items.iter().enumerate();
    numbered.find_map(|(number, item)| mismatch_at(schema, item, &below(place, &number.to_string())))
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn told(place: &str, problem: impl std::fmt::Display) -> String {
    if place.is_empty() { problem.to_string() } else { format!("{place} {problem}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(schema: Value) -> Map<String, Value> {
        schema.as_object().cloned().expect("an object")
    }

    fn booking() -> Map<String, Value> {
        schema(json!({
            "type": "OBJECT", "required": ["day"], "additionalProperties": false,
            "properties": {
                "day": { "type": "string", "minLength": 3, "maxLength": 10, "description": "Which day" },
                "people": { "type": "integer", "minimum": 1, "maximum": 8 },
                "room": { "enum": ["small", "large"] },
                "note": { "type": "string", "nullable": true },
                "extras": { "type": "array", "maxItems": 2, "items": { "type": "string" } },
                "maybe": { "type": "number", "nullable": true },
            },
        }))
    }

    #[test]
    fn what_fits_the_schema_passes() {
        assert_eq!(schema_fault(&booking()), None);
        for fitting in [
            json!({ "day": "Monday" }),
            json!({ "day": "Monday", "people": 8, "room": "large", "note": null, "extras": ["tea"], "maybe": null }),
            json!({ "day": "Monday", "people": 2.0 }),
        ] {
            assert_eq!(mismatch(&booking(), &fitting), None, "{fitting}");
        }
        assert_eq!(mismatch(&Map::new(), &json!([1])), None, "without rules everything fits");
    }

    #[test]
    fn what_does_not_is_told_with_its_place() {
        for (value, why) in [
            (json!([]), "must be object"),
            (json!({}), "day is missing"),
            (json!({ "day": 5 }), "day must be string"),
            (json!({ "day": "Mo" }), "day must be at least 3 characters"),
            (json!({ "day": "Wednesday the third" }), "day must be at most 10 characters"),
            (json!({ "day": "Monday", "people": 9 }), "people must be at most 8"),
            (json!({ "day": "Monday", "people": 1.5 }), "people must be integer"),
            (json!({ "day": "Monday", "room": "blue" }), r#"room must be one of ["small","large"]"#),
            (json!({ "day": "Monday", "extras": ["tea", 1] }), "extras.1 must be string"),
            (json!({ "day": "Monday", "extras": ["a", "b", "c"] }), "extras must be at most 2 items"),
            (json!({ "day": "Monday", "colour": "red" }), "colour is not known; leave it out"),
        ] {
            assert_eq!(mismatch(&booking(), &value).as_deref(), Some(why));
        }
    }

    #[test]
    fn a_schema_that_cannot_be_enforced_is_refused() {
        for (wrong, why) in [
            (json!({ "pattern": "^a" }), "has \"pattern\", which is not understood; leave it out"),
            (json!({ "type": "thing" }), "type must be one of"),
            (json!({ "properties": { "a": { "$ref": "#/b" } } }), "a has \"$ref\""),
            (json!({ "properties": { "a": 5 } }), "a must be a schema"),
            (json!({ "properties": [] }), "properties must be an object"),
            (json!({ "items": { "enum": [] } }), "items.enum must be a list of texts"),
            (json!({ "enum": [1] }), "enum must be a list of texts"),
            (json!({ "required": "day" }), "required must be a list of names"),
            (json!({ "maxLength": -1 }), "maxLength must be a whole number"),
        ] {
            let fault = schema_fault(&schema(wrong));
            assert!(fault.as_deref().is_some_and(|fault| fault.contains(why)), "{fault:?}");
        }
        let deep = (0..LEVELS_MAX + 1).fold(json!({}), |inner, _| json!({ "items": inner }));
        assert!(schema_fault(&schema(deep)).is_some_and(|fault| fault.contains("nested deeper")));
    }
}
