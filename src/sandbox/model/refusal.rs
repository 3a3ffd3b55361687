//! How the service says no: a websocket close, in Google's words.

/// A close code and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: String,
}

/// The websocket protocol leaves a close reason 123 bytes.
const MAX_REASON_BYTES: usize = 123;

pub(super) const INVALID: u16 = 1007;
pub(super) const POLICY: u16 = 1008;
pub(super) const INTERNAL: u16 = 1011;

impl Refusal {
    pub(super) fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        let fits = |end: &usize| reason.is_char_boundary(*end);
        let end = (0..=MAX_REASON_BYTES.min(reason.len())).rev().find(fits).unwrap_or(0);
        reason.truncate(end);
        Self { code, reason }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(INVALID, reason)
    }

    pub(super) fn invalid_argument() -> Self {
        Self::invalid("Request contains an invalid argument.")
    }

    pub(super) fn not_json() -> Self {
        Self::invalid("Invalid JSON payload received. Unexpected token.")
    }

    pub(super) fn not_enabled() -> Self {
        Self::new(POLICY, "Operation is not implemented, or supported, or enabled.")
    }

    pub(super) fn bad_key() -> Self {
        Self::invalid("API key not valid. Please pass a valid API key.")
    }

    pub(super) fn leaked_key() -> Self {
        Self::new(POLICY, "Your API key was reported as leaked. Please use another API key.")
    }

    /// What the service was seen to say with a code.
    pub(super) fn usual(code: u16) -> Self {
        match code {
            INVALID => Self::invalid_argument(),
            POLICY => Self::new(POLICY, "BidiGenerateContent session not found"),
            INTERNAL => Self::new(INTERNAL, "Internal error occurred."),
            other => Self::new(other, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_where_the_protocol_cuts_it() {
        assert_eq!(Refusal::invalid("é".repeat(100)).reason.len(), 122);
    }
}
