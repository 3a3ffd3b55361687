//! The tools that the product itself brings, as the model is told of them.

use serde_json::{Value, json};

use super::DEFAULT_TOOL_TIMEOUT;
use crate::voice::config::ToolDeclaration;

impl ToolDeclaration {
    /// Hangs up. Blocking, so that the model does not chat over its own goodbye.
    pub fn end_call() -> Self {
        Self {
            silent_result: true,
            ..blocking(
                "end_call",
                "Hang up. Say goodbye first; call this when the conversation is over.",
                &[("reason", "STRING", "Why the call ends, in a few words.")],
                &["reason"],
            )
        }
    }

    /// Presses keys on the line, for menus and extensions.
    pub fn send_dtmf() -> Self {
        Self {
            silent_result: true,
            ..blocking(
                "send_dtmf",
                "Press keys of the phone, for example to choose from a spoken menu.",
                &[("digits", "STRING", "The keys: 0-9, *, # and A-D.")],
                &["digits"],
            )
        }
    }

    /// Keeps what the person told about themselves (SPEC U3).
    pub fn create_lead() -> Self {
        blocking(
            "create_lead",
            "Store the person as a lead, as soon as you know a name or how to reach them. Call it again when you learn \
             more about the same person: it is added to what is stored.",
            &[
                ("name", "STRING", "The person's name."),
                ("phone", "STRING", "The phone number to reach them at, with its country code."),
                ("email", "STRING", "The e-mail address."),
                ("company", "STRING", "The company they speak for."),
                ("interest", "STRING", "What they are interested in."),
                ("notes", "STRING", "Anything else worth knowing, in whole sentences."),
            ],
            &[],
        )
    }

    /// Says what the person wants, for whoever reads the record.
    pub fn detect_intent() -> Self {
        blocking(
            "detect_intent",
            "Note what the person wants, once you are sure of it.",
            &[
                ("intent", "STRING", "What the person wants, in a few words."),
                ("confidence", "NUMBER", "How sure you are, from 0 to 1."),
                ("summary", "STRING", "What was said about it, in a sentence or two."),
            ],
            &["intent"],
        )
    }

    /// Keeps when the person wants to be called back.
    pub fn schedule_callback() -> Self {
        blocking(
            "schedule_callback",
            "Note that the person wants to be called back. Agree on day and time first. Asked again in the same call it \
             changes what was agreed on.",
            &[
                ("time", "STRING", "Date and time with the zone, as 2026-01-31T13:00:00+01:00."),
                ("number", "STRING", "The number to call, if it is not the one of this call."),
                ("reason", "STRING", "What the call is to be about."),
                (
                    "additional",
                    "BOOLEAN",
                    "True only where the person asks for one more call-back on another matter, beside the one agreed on.",
                ),
            ],
            &["time"],
        )
    }
}

/// The model waits silently for the answer.
fn blocking(
    name: &str,
    description: &str,
    parameters: &[(&str, &str, &str)],
    required: &[&str],
) -> ToolDeclaration {
    let property = |(name, kind, description): &(&str, &str, &str)| {
        ((*name).to_owned(), json!({ "type": kind, "description": description }))
    };
    let properties: serde_json::Map<String, Value> = parameters.iter().map(property).collect();
    let mut schema = json!({ "type": "OBJECT", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    ToolDeclaration {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: Some(schema),
        blocking: true,
        silent_result: false,
        timeout: DEFAULT_TOOL_TIMEOUT,
    }
}
