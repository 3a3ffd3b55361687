//! Members of a change: what was left out stays as it is, null is a value like others (RFC 7396).

use serde::{Deserialize, Deserializer, Serialize};

/// Give it `#[serde(default)]`, so that it may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) enum Sent<T> {
    #[default]
    LeftOut,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::Value)
    }
}

impl<T> Sent<T> {
    pub(super) fn into_option(self) -> Option<T> {
        match self {
            Self::LeftOut => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Puts the value in its place, if there is one.
    pub(super) fn lay_over(self, place: &mut T) {
        if let Self::Value(value) = self {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Change {
        #[serde(default)]
        name: Sent<String>,
        #[serde(default)]
        owner: Sent<Option<String>>,
    }

    fn read(body: &str) -> Result<Change, String> {
        serde_json::from_str(body).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_differs_from_null_and_null_is_refused_where_there_must_be_something() {
        assert_eq!(read("{}"), Ok(Change { name: Sent::LeftOut, owner: Sent::LeftOut }));
        let both = Change { name: Sent::Value("a".into()), owner: Sent::Value(None) };
        assert_eq!(read(r#"{"name":"a","owner":null}"#), Ok(both));
        assert!(read(r#"{"name":null}"#).unwrap_err().contains("null"));
    }
}
