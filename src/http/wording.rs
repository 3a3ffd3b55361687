//! What the deserializer says, in the words of somebody who writes JSON and not Rust.

use std::borrow::Cow;

/// The value itself is never told: it may be a password that stands in the wrong place.
pub(super) fn in_words_of_json(detail: &str) -> Cow<'_, str> {
    let (wrong_kind, out_of_range) = ("invalid type: ", "invalid value: ");
    if let Some((found, expected)) = detail.strip_prefix(wrong_kind).and_then(parted) {
        return Cow::Owned(format!("is {}; send {}", kind_found(found), kind_expected(expected)));
    }
    if let Some((_, expected)) = detail.strip_prefix(out_of_range).and_then(parted) {
        return Cow::Owned(format!("is out of range; send {}", kind_expected(expected)));
    }
    if let Some((_, known)) = detail.strip_prefix("unknown variant `").and_then(parted) {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        return Cow::Owned(format!("is none of the values that are known: {known}"));
    }
    match detail {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            Cow::Borrowed("is no whole number; send digits")
        }
        "number too large to fit in target type" | "number too small to fit in target type" => {
            Cow::Borrowed("is out of range; send a smaller number")
        }
        "provided string was not `true` or `false`" => Cow::Borrowed("is neither true nor false"),
        other => Cow::Borrowed(other),
    }
}

fn parted(detail: &str) -> Option<(&str, &str)> {
    detail.rsplit_once(", expected ")
}

fn kind_found(found: &str) -> &'static str {
    let kinds = [
        ("string", "a text"),
        ("character", "a text"),
        ("integer", "a number"),
        ("floating point", "a number with a fraction"),
        ("boolean", "true or false"),
        ("sequence", "a list"),
        ("map", "an object"),
        ("null", "null"),
        ("unit value", "null"),
    ];
    let known = kinds.iter().find(|(kind, _)| found.starts_with(kind));
    known.map_or("of another kind", |(_, words)| words)
}

fn kind_expected(expected: &str) -> Cow<'_, str> {
    Cow::Borrowed(match expected {
        "a string" => "a text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        structure if structure.starts_with("struct ") => "an object",
        choice if choice.starts_with("enum ") || choice.starts_with("variant ") => "one of its known values",
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_rust_and_nothing_of_the_value_is_told() {
        for (detail, words) in [
            (
                "invalid type: string \"hunter-two, expected more\", expected usize",
                "is a text; send a whole number, 0 or more",
            ),
            ("invalid type: string \"x\", expected struct MakeCall", "is a text; send an object"),
            (
                "invalid type: floating point `1.5`, expected u32",
                "is a number with a fraction; send a whole number, 0 or more",
            ),
            ("invalid type: null, expected a boolean", "is null; send true or false"),
            ("invalid type: sequence, expected a string", "is a list; send a text"),
            ("invalid value: integer `-7`, expected u32", "is out of range; send a whole number, 0 or more"),
            (
                "unknown variant `hunter-two`, expected one of `admin`, `agent`",
                "is none of the values that are known: `admin`, `agent`",
            ),
            (
                "unknown variant `x`, expected `admin` or `agent`",
                "is none of the values that are known: `admin` or `agent`",
            ),
            ("invalid digit found in string", "is no whole number; send digits"),
            ("has more than 3 characters", "has more than 3 characters"),
        ] {
            assert_eq!(in_words_of_json(detail), words, "{detail}");
        }
    }
}
