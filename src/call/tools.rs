//! What the model wants of a tool: its arguments, read with patience. A model sends numbers where a text is wanted and
//! members nobody asked for; what can be understood is taken, the rest it is told in words it can mend.
//!
//! The tools that end the call or press keys are the machine's own and not here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value, json};

use crate::domain::{CallbackWish, Dialed, PhoneNumber, Timestamp, Webhook, mismatch, storable};

/// What is to be done outside the call's machine, or what is to be told the model at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// `shortened`: of these there was more than has room.
    Lead {
        fields: Map<String, Value>,
        shortened: Vec<String>,
    },
    Callback(CallbackWish),
    /// Nothing but what the record holds of it.
    Noted(Value),
}

const TEXTS_OF_A_LEAD: [(&str, usize); 6] =
    [("name", 300), ("phone", 100), ("email", 300), ("company", 300), ("interest", 2_000), ("notes", 8_000)];
const DETAILS: &str = "details";
const DETAILS_BYTES_MAX: usize = 8 * 1024;
/// Of a detail that is not kept.
const NAME_SHOWN_MAX: usize = 100;
const INTENT_MAX: usize = 300;
const SUMMARY_MAX: usize = 8_000;
const REASON_MAX: usize = 2_000;
/// E.164 has up to fifteen digits.
const NUMBER_SIGNS_MAX: usize = 16;
/// Further ahead than this nobody means it.
const CALLBACK_AHEAD_MAX_MS: u64 = 2 * 366 * 24 * 3_600 * 1_000;

/// Reads a call of one of the tools that are carried out elsewhere. A fault of ours in here is told to the model like
/// any other failure: the call goes on.
pub fn understand(name: &str, args: &Value, now: Timestamp) -> Result<Deed, String> {
    caught(|| match name {
        "create_lead" => lead(args),
        "detect_intent" => intent(args),
        "schedule_callback" => callback(args, now),
        _ => Err(format!("there is no tool named {name}")),
    })
}

/// What is sent to a web service of the operator's: nothing that its schema does not allow.
pub fn arguments_for(webhook: &Webhook, args: &Value) -> Result<Value, String> {
    caught(|| match mismatch(&webhook.parameters, args) {
        Some(problem) => Err(format!("the arguments do not fit: {problem}")),
        None => Ok(args.clone()),
    })
}

fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let failed = |_| Err("the tool failed; go on without it".to_owned());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(failed)
}

fn lead(args: &Value) -> Result<Deed, String> {
    let Value::Object(told) = args else { return Err(nothing_of_a_lead()) };
    let (mut fields, mut shortened) = (Map::new(), Vec::new());
    for (name, characters) in TEXTS_OF_A_LEAD {
        let Some(text) = told.get(name).and_then(as_text) else { continue };
        let kept = cut(&text, characters);
        if kept.len() < text.len() {
            shortened.push(name.to_owned());
        }
        fields.insert(name.to_owned(), kept.into());
    }
    let details = details(told, &mut shortened);
    if !details.is_empty() {
        fields.insert(DETAILS.to_owned(), Value::Object(details));
    }
    if fields.is_empty() { Err(nothing_of_a_lead()) } else { Ok(Deed::Lead { fields, shortened }) }
}

fn nothing_of_a_lead() -> String {
    "there is nothing in it; give at least a name, a phone number, an e-mail address or notes".to_owned()
}

/// Whatever else was told, as far as there is room; `left_out` gets the names of what there is none for.
fn details(told: &Map<String, Value>, left_out: &mut Vec<String>) -> Map<String, Value> {
    let nested = told.get(DETAILS).and_then(Value::as_object).into_iter().flatten();
    let is_ours = |name: &str| TEXTS_OF_A_LEAD.iter().any(|(ours, _)| *ours == name);
    let others = told.iter().filter(|(name, value)| {
        !is_ours(name) && !(name.as_str() == DETAILS && (value.is_object() || value.is_null()))
    });
    let mut room = DETAILS_BYTES_MAX;
    let mut kept = Map::new();
    for (name, value) in nested.chain(others).filter(|(_, value)| !value.is_null()) {
        let value = storable(value.clone());
        let bytes = name.len() + value.to_string().len();
        if bytes <= room {
            room -= bytes;
            kept.insert(name.clone(), value);
        } else {
            left_out.push(cut(name, NAME_SHOWN_MAX).to_owned());
        }
    }
    kept
}

fn intent(args: &Value) -> Result<Deed, String> {
    let intent = args.get("intent").and_then(as_text);
    let intent = intent.ok_or("intent is missing: say in a few words what the person wants")?;
    let mut noted = json!({ "status": "noted", "intent": cut(&intent, INTENT_MAX) });
    if let Some(given) = args.get("confidence").filter(|given| !given.is_null()) {
        let confidence = given.as_f64().or_else(|| given.as_str()?.trim().parse().ok());
        let confidence = confidence.filter(|confidence| (0.0..=1.0).contains(confidence));
        noted["confidence"] = confidence.ok_or("confidence must be a number from 0 to 1")?.into();
    }
    if let Some(summary) = args.get("summary").and_then(as_text) {
        noted["summary"] = cut(&summary, SUMMARY_MAX).into();
    }
    Ok(Deed::Noted(noted))
}

fn callback(args: &Value, now: Timestamp) -> Result<Deed, String> {
    let time = args.get("time").and_then(as_text);
    let due = time.as_deref().and_then(Timestamp::parse).ok_or_else(|| {
        format!("time must be a date and time with its zone, as 2026-01-31T13:00:00+01:00; it is {now} now")
    })?;
    if due <= now {
        return Err(format!("time must lie in the future; it is {now} now"));
    }
    if due.as_millis() - now.as_millis() > CALLBACK_AHEAD_MAX_MS {
        return Err("time lies more than two years ahead".to_owned());
    }
    let number = args.get("number").and_then(as_text).map(|number| number_in(&number)).transpose()?;
    let reason = args.get("reason").and_then(as_text).unwrap_or_default();
    let is_another =
        args.get("additional").and_then(as_text).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    Ok(Deed::Callback(CallbackWish { due, number, reason: cut(&reason, REASON_MAX).to_owned(), is_another }))
}

fn number_in(text: &str) -> Result<PhoneNumber, String> {
    let number = match Dialed::read(&PhoneNumber::new(text)) {
        Some(Dialed::International(number) | Dialed::Digits(number)) => Some(number),
        None => None,
    };
    number.filter(|number| number.expose().len() <= NUMBER_SIGNS_MAX).ok_or_else(|| {
        "number must be a phone number, as +49 30 1234567, or left out for the number of this call".to_owned()
    })
}

/// Numbers and yes or no are texts too, for whoever only asked for words.
fn as_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(answer) => answer.to_string(),
        Value::Null => String::new(),
        nested @ (Value::Array(_) | Value::Object(_)) => nested.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

fn cut(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| text.split_at(end).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-29T12:00:00Z").expect("a time")
    }

    fn lead_of(args: Value) -> Value {
        match understand("create_lead", &args, now()) {
            Ok(Deed::Lead { fields, .. }) => Value::Object(fields),
            other => panic!("{other:?}"),
        }
    }

    fn refused(name: &str, args: Value) -> String {
        understand(name, &args, now()).expect_err("it was taken")
    }

    #[test]
    fn a_lead_has_its_known_fields_as_texts_and_the_rest_as_details() {
        let args = json!({ "name": " Ada ", "phone": 4_930_123_456_u64, "email": null, "budget": 100,
                           "details": { "city": "Berlin", "none": null }, "big": u64::MAX });
        let expected = json!({ "name": "Ada", "phone": "4930123456",
            "details": { "city": "Berlin", "budget": 100, "big": "18446744073709551615" } });
        assert_eq!(lead_of(args), expected);
    }

    #[test]
    fn a_lead_stays_within_its_bounds_whatever_is_told() {
        let long = "ü".repeat(100_000);
        let deep = (0..100).fold(json!(1), |inner, _| json!({ "in": inner }));
        let lead = lead_of(json!({ "name": long, "notes": long, "deep": deep, "huge": long, "small": 1 }));
        assert_eq!(lead["name"].as_str().map(|name| name.chars().count()), Some(300));
        assert!(lead.to_string().len() < 32 * 1024);
        assert_eq!(lead["details"]["small"], 1);
        assert!(lead["details"].get("huge").is_none());
    }

    #[test]
    fn what_of_a_lead_is_not_kept_whole_is_named() {
        let long = "x".repeat(10_000);
        let args = json!({ "name": "Ada", "notes": long, "huge": long, "small": 1 });
        let Ok(Deed::Lead { shortened, .. }) = understand("create_lead", &args, now()) else {
            panic!("no lead")
        };
        assert_eq!(shortened, ["notes", "huge"]);
    }

    #[test]
    fn a_lead_without_anything_is_refused_in_words() {
        for empty in
            [json!({}), json!(null), json!([]), json!({ "name": "  ", "email": null, "details": {} })]
        {
            assert!(refused("create_lead", empty).contains("at least a name"));
        }
    }

    #[test]
    fn an_intent_is_noted_with_its_confidence() {
        let noted = understand("detect_intent", &json!({ "intent": "buy", "confidence": "0.8" }), now());
        assert_eq!(noted, Ok(Deed::Noted(json!({ "status": "noted", "intent": "buy", "confidence": 0.8 }))));
        assert!(refused("detect_intent", json!({})).contains("intent is missing"));
        assert!(refused("detect_intent", json!({ "intent": "buy", "confidence": 7 })).contains("0 to 1"));
    }

    #[test]
    fn a_callback_lies_in_the_future_and_has_a_number_or_the_callers_own() {
        let args =
            json!({ "time": "2026-11-30T09:00:00+01:00", "number": "+49 (30) 123-456", "reason": "offer" });
        let due = Timestamp::parse("2026-11-30T08:00:00Z").expect("a time");
        let number = Some(PhoneNumber::new("+4930123456"));
        let wish = CallbackWish { due, number, reason: "offer".into(), is_another: false };
        assert_eq!(understand("schedule_callback", &args, now()), Ok(Deed::Callback(wish.clone())));
        for (said, is_another) in
            [(json!(true), true), (json!("True"), true), (json!(false), false), (json!(null), false)]
        {
            let mut args = args.clone();
            args["additional"] = said;
            let wish = CallbackWish { is_another, ..wish.clone() };
            assert_eq!(understand("schedule_callback", &args, now()), Ok(Deed::Callback(wish)));
        }
        let own = understand("schedule_callback", &json!({ "time": "2026-11-30T08:00:00Z" }), now());
        assert!(matches!(own, Ok(Deed::Callback(CallbackWish { number: None, .. }))));
        for (args, why) in [
            (json!({}), "2026-11-29T12:00:00.000Z now"),
            (json!({ "time": "tomorrow at nine" }), "its zone"),
            (json!({ "time": "2026-11-29T11:59:59Z" }), "in the future"),
            (json!({ "time": "2126-11-29T11:59:59Z" }), "two years"),
            (json!({ "time": "2026-11-30T08:00:00Z", "number": "my mobile" }), "phone number"),
        ] {
            let told = refused("schedule_callback", args);
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_webhook_gets_only_what_its_schema_allows() {
        let webhook = json!({ "name": "check_stock", "description": "Looks.", "url": "https://crm.example.com",
            "parameters": { "type": "object", "properties": { "item": { "type": "string" } }, "required": ["item"] } });
        let webhook: Webhook = serde_json::from_value(webhook).expect("a webhook");
        let lamp = json!({ "item": "lamp" });
        assert_eq!(arguments_for(&webhook, &lamp), Ok(lamp));
        let told = arguments_for(&webhook, &json!({ "item": 7 })).expect_err("it is a number");
        assert_eq!(told, "the arguments do not fit: item must be string");
    }

    #[test]
    fn a_tool_that_panics_is_a_tool_that_failed() {
        let told: Result<(), String> = caught(|| panic!("a fault of ours"));
        assert!(told.is_err_and(|told| told.contains("the tool failed")));
    }
}
