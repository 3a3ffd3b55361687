//! What the deserializer says, in the words of somebody who writes JSON and not Rust.

use std::borrow::Cow;

use super::problem::Problem;

/// What was read: the body or the query, by the name that stands for it where no field does.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) name: &'static str,
    /// Fields of it that are read elsewhere.
    pub(super) known_besides: &'static [&'static str],
}

/// Serde calls the whole `.`, and a field that is missing, unknown or there twice by its name in the text.
pub(super) fn wrong_value(whole: Whole, path: &str, detail: &str) -> Problem {
    let named = |prefix: &str| detail.strip_prefix(prefix)?.split('`').next();
    let field = [MISSING, UNKNOWN, DUPLICATE].into_iter().find_map(named);
    let field = match (path, field) {
        (".", Some(field)) => field.to_owned(),
        (path, Some(field)) if path != field && !path.ends_with(&format!(".{field}")) => {
            format!("{path}.{field}")
        }
        (".", None) => whole.name.to_owned(),
        (path, _) => path.to_owned(),
    };
    let detail = detail.rsplit_once(" at line ").map_or(detail, |(detail, _)| detail);
    match detail.strip_prefix(UNKNOWN) {
        Some(unknown) => Problem::field(&field, unknown_field(unknown, whole.known_besides)),
        None => Problem::field(&field, in_words_of_json(detail)),
    }
}

const MISSING: &str = "missing field `";
const UNKNOWN: &str = "unknown field `";
const DUPLICATE: &str = "duplicate field `";

/// Behind the unknown name stand, each between two marks, those that are known.
fn unknown_field(detail: &str, known_besides: &[&str]) -> String {
    let known = parted(detail).map_or("", |(_, known)| known);
    let known: Vec<_> = known.split('`').skip(1).step_by(2).chain(known_besides.iter().copied()).collect();
    if known.is_empty() {
        return "is unknown; nothing is known here".to_owned();
    }
    format!("is unknown; known are `{}`", known.join("`, `"))
}

/// The value itself is never told: it may be a password that stands in the wrong place.
fn in_words_of_json(detail: &str) -> Cow<'_, str> {
    let (wrong_kind, out_of_range) = ("invalid type: ", "invalid value: ");
    if let Some((found, expected)) = detail.strip_prefix(wrong_kind).and_then(parted) {
        return Cow::Owned(format!("is {}; send {}", kind_found(found), kind_expected(expected)));
    }
    if let Some((_, expected)) = detail.strip_prefix(out_of_range).and_then(parted) {
        return Cow::Owned(format!("is out of range; send {}", kind_expected(expected)));
    }
    if let Some((_, expected)) = detail.strip_prefix("invalid length ").and_then(parted) {
        return Cow::Owned(format!("has another length; send {}", kind_expected(expected)));
    }
    if detail.starts_with("data did not match any variant") {
        return Cow::Borrowed(
            "is none of the forms that are known here; the description of the interface (/api/docs) has them",
        );
    }
    if let Some((_, known)) = detail.strip_prefix("unknown variant `").and_then(parted) {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        return Cow::Owned(format!("is none of the values that are known: {known}"));
    }
    if detail.starts_with(MISSING) {
        return Cow::Borrowed("is missing; send it");
    }
    if detail.starts_with(DUPLICATE) {
        return Cow::Borrowed("is given more than once; send it once");
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
    fn the_known_fields_are_told_whatever_their_number_and_whatever_the_unknown_one_is_called() {
        for (detail, known_besides, words) in [
            ("unknown field `x`, expected `a`", &[][..], "x: is unknown; known are `a`"),
            ("unknown field `x`, expected `a` or `b`", &[], "x: is unknown; known are `a`, `b`"),
            (
                "unknown field `x`, expected one of `a`, `b`, `c`",
                &["d"],
                "x: is unknown; known are `a`, `b`, `c`, `d`",
            ),
            ("unknown field `x, expected y`, expected `a`", &[], "is unknown; known are `a`"),
            ("unknown field `x`, there are no fields", &["d"], "x: is unknown; known are `d`"),
            ("unknown field `x`, there are no fields", &[], "x: is unknown; nothing is known here"),
        ] {
            let told = wrong_value(Whole { name: "body", known_besides }, ".", detail).to_string();
            assert!(told.contains(words), "{detail}: {told}");
        }
    }

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
            ("duplicate field `limit`", "is given more than once; send it once"),
            ("missing field `password`", "is missing; send it"),
            (
                "invalid length 1, expected an array of length 2",
                "has another length; send an array of length 2",
            ),
            (
                "data did not match any variant of untagged enum Which",
                "is none of the forms that are known here; the description of the interface (/api/docs) has them",
            ),
            ("has more than 3 characters", "has more than 3 characters"),
        ] {
            assert_eq!(in_words_of_json(detail), words, "{detail}");
        }
    }
}
