//! Checks a client message against the schema as the service does: unknown names at any depth, wrong enum values and
//! wrong types are refused in its words. What passes comes out in camelCase throughout.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::schema::{CLIENT_MESSAGE, Kind, Shape, TYPE_NAMES};

const API_TYPE: &str = "type.googleapis.com/google.ai.generativelanguage.v1beta";

/// Parses a frame. The value has exactly one top-level member, all of its names known.
pub(super) fn read(frame: &[u8]) -> Result<(String, Value), Refusal> {
    let value: Value = serde_json::from_slice(frame).map_err(|_| Refusal::not_json())?;
    let Value::Object(message) = shape(value, &CLIENT_MESSAGE, "")? else {
        return Err(Refusal::invalid_argument());
    };
    let mut members = message.into_iter();
    match (members.next(), members.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Refusal::invalid_argument()),
        (Some(_), Some((second, _))) => Err(Refusal::invalid(format!(
            "Invalid value (oneof), oneof field 'message_type' is already set. Cannot set '{second}'"
        ))),
    }
}

fn check(value: Value, kind: &Kind, path: &str) -> Result<Value, Refusal> {
    match kind {
        Kind::Any => Ok(value),
        Kind::Text => expect(value, Value::is_string, path, "TYPE_STRING"),
        Kind::Flag => expect(value, Value::is_boolean, path, "TYPE_BOOL"),
        Kind::Number => expect(value, Value::is_number, path, "TYPE_FLOAT"),
        Kind::Integer => expect(value, is_integer, path, "TYPE_INT32"),
        Kind::Enum(name, values) => enumerated(value, name, values, path),
        Kind::Message(fields) => shape(value, fields, path),
        Kind::List(of) => list(value, of, path),
        Kind::Map(of) => map(value, of, path),
    }
}

fn expect(value: Value, fits: impl Fn(&Value) -> bool, path: &str, kind: &str) -> Result<Value, Refusal> {
    if fits(&value) { Ok(value) } else { Err(invalid_value(path, kind, &value)) }
}

/// Protocol buffers' JSON writes 64-bit numbers as strings and reads both.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}

fn enumerated(value: Value, name: &str, values: &[&str], path: &str) -> Result<Value, Refusal> {
    let given = value.as_str().unwrap_or_default();
    let known = values.iter().any(|known| match name {
        TYPE_NAMES => known.eq_ignore_ascii_case(given),
        _ => *known == given,
    });
    if known { Ok(value) } else { Err(invalid_value(path, &format!("{API_TYPE}.{name}"), &value)) }
}

fn shape(value: Value, fields: &Shape, path: &str) -> Result<Value, Refusal> {
    let Value::Object(members) = value else { return Err(invalid_value(path, "message", &value)) };
    let mut known = Map::new();
    for (name, value) in members {
        let camel = camel_case(&name);
        let Some((_, kind)) = fields.0.iter().find(|(field, _)| *field == camel) else {
            return Err(unknown_name(&name, path));
        };
        // To protocol buffers a null member is an absent one.
        if !value.is_null() {
            let checked = check(value, kind, &join(path, &name))?;
            known.insert(camel, checked);
        }
    }
    Ok(Value::Object(known))
}

fn list(value: Value, of: &Kind, path: &str) -> Result<Value, Refusal> {
    let Value::Array(items) = value else { return Err(invalid_value(path, "list", &value)) };
    let checked = items.into_iter().enumerate().map(|(at, item)| check(item, of, &format!("{path}[{at}]")));
    checked.collect::<Result<_, _>>().map(Value::Array)
}

fn map(value: Value, of: &Kind, path: &str) -> Result<Value, Refusal> {
    let Value::Object(members) = value else { return Err(invalid_value(path, "map", &value)) };
    let checked = members.into_iter().map(|(name, value)| {
        let inner = format!("{path}[{name}].value");
        check(value, of, &inner).map(|value| (name, value))
    });
    checked.collect::<Result<_, _>>().map(Value::Object)
}

fn unknown_name(name: &str, path: &str) -> Refusal {
    let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
    Refusal::invalid(format!(
        "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
    ))
}

fn invalid_value(path: &str, kind: &str, value: &Value) -> Refusal {
    Refusal::invalid(format!("Invalid value at '{path}' ({kind}), {value}"))
}

/// The service names places in snake_case whatever the client wrote.
fn join(path: &str, name: &str) -> String {
    let mut joined = String::from(path);
    if !path.is_empty() {
        joined.push('.');
    }
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            joined.push('_');
        }
        joined.push(letter.to_ascii_lowercase());
    }
    joined
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().reason
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_place() {
        assert_eq!(
            reason(r#"{"setup":{"toolConfig":{}}}"#),
            r#"Invalid JSON payload received. Unknown name "toolConfig" at 'setup': Cannot find field."#
        );
        assert_eq!(
            reason(r#"{"setup":{"generationConfig":{"inputAudioTranscription":{}}}}"#),
            r#"Invalid JSON payload received. Unknown name "inputAudioTranscription" at 'setup.generation_config': Cannot find field."#
        );
        assert_eq!(
            reason(r#"{"hello":{}}"#),
            r#"Invalid JSON payload received. Unknown name "hello": Cannot find field."#
        );
    }

    #[test]
    fn additional_properties_in_tool_parameters_are_refused_at_any_depth() {
        let text = r#"{"setup":{"tools":[{"functionDeclarations":[{"name":"f","parameters":
            {"type":"object","properties":{"a":{"type":"OBJECT","additionalProperties":false}}}}]}]}}"#;
        assert!(
            reason(text).starts_with(r#"Invalid JSON payload received. Unknown name "additionalProperties""#)
        );
        let json_schema = text.replace("\"parameters\"", "\"parametersJsonSchema\"");
        assert!(read(json_schema.as_bytes()).is_ok());
    }

    #[test]
    fn snake_case_equals_camel_case() {
        let camel = read(br#"{"setup":{"realtimeInputConfig":{"activityHandling":"NO_INTERRUPTION"}}}"#);
        let snake = read(br#"{"setup":{"realtime_input_config":{"activity_handling":"NO_INTERRUPTION"}}}"#);
        assert_eq!(camel.unwrap(), snake.unwrap());
    }

    #[test]
    fn a_value_no_enum_knows_is_refused() {
        let text = r#"{"setup":{"realtimeInputConfig":{"automaticActivityDetection":
            {"startOfSpeechSensitivity":"START_SENSITIVITY_MEDIUM"}}}}"#;
        assert!(reason(text).starts_with(
            "Invalid value at 'setup.realtime_input_config.automatic_activity_detection.start_of_speech_sensitivity'"
        ));
        assert!(reason(r#"{"setup":{"model":5}}"#).ends_with("(TYPE_STRING), 5"));
    }

    #[test]
    fn exactly_one_top_level_member_is_accepted() {
        assert!(reason(r#"{"setup":{},"clientContent":{}}"#).starts_with("Invalid value (oneof)"));
        assert_eq!(reason("{}"), "Request contains an invalid argument.");
        for garbage in ["", "nope", "{\"setup\":", "\u{0}"] {
            assert!(reason(garbage).starts_with("Invalid JSON payload received."), "{garbage:?}");
        }
        assert!(read(b"[]").is_err() && read(b"5").is_err() && read(&[0xff, 0xfe]).is_err());
    }
}
