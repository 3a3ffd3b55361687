//! What the model's tools did in a call, as its record keeps it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Timestamp;

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
    }
}
