//! What the model's tools did in a call, and the call-backs somebody asked for, as a call's record keeps them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PhoneNumber, Timestamp};

/// One call of a tool by the model.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The model's own; made up where it named none.
    pub id: String,
    pub name: String,
    pub arguments: Value,
    /// What the model was told; in words where the tool failed.
    pub result: Value,
    /// When it was answered.
    pub time: Timestamp,
    pub ok: bool,
}

/// Arguments and results are what was said on the telephone.
impl fmt::Debug for ToolResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolResult({} {}, ok: {})", self.name, self.id, self.ok)
    }
}

/// Somebody wants to be called back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub due: Timestamp,
    pub number: PhoneNumber,
    pub reason: String,
    /// When this was agreed.
    pub asked_at: Timestamp,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({} at {})", self.number, self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_what_was_said_is_printed() {
        let result = ToolResult {
            id: "call-1".into(),
            name: "create_lead".into(),
            arguments: serde_json::json!({ "name": "Eve" }),
            result: Value::Null,
            time: Timestamp::from_millis(0),
            ok: true,
        };
        assert_eq!(format!("{result:?}"), "ToolResult(create_lead call-1, ok: true)");
        let callback = Callback {
            due: Timestamp::from_millis(0),
            number: PhoneNumber::new("+4930123456"),
            reason: "Eve".into(),
            asked_at: Timestamp::from_millis(0),
        };
        assert_eq!(format!("{callback:?}"), "Callback(+********56 at 1970-01-01T00:00:00.000Z)");
    }
}
