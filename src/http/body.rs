//! What a client sends, read within bounds, with errors that name the field.

use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use tokio::time::timeout;

use super::problem::{Code, Problem};
use super::wording::{Whole, wrong_value};
use crate::clock;

/// Ample for a persona with a long instruction.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// A client that sends its body more slowly than this holds a connection for nothing.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
const NOT_ENCODED: &str =
    "a body is not unpacked here (gzip, deflate, br, …); send it as it is, without Content-Encoding";
const BODY: Whole = Whole { name: "body", known_besides: &[] };

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request.content_type());
        let encoded = is_encoded(request.headers());
        let payload = payload.take();
        Box::pin(async move {
            if !is_json {
                return Err(Problem::new(
                    Code::WrongMediaType,
                    "send JSON, with Content-Type: application/json",
                ));
            }
            if encoded {
                return Err(Problem::new(Code::WrongMediaType, NOT_ENCODED));
            }
            let read = timeout(clock::timer_for(BODY_TIME_MAX), read(payload)).await;
            let bytes = read.map_err(|_| {
                Problem::new(
                    Code::TooSlow,
                    format_args!("a body is there within {} s", BODY_TIME_MAX.as_secs()),
                )
            })??;
            parse_json(&bytes).map(Self)
        })
    }
}

fn is_json(content_type: &str) -> bool {
    content_type.eq_ignore_ascii_case("application/json")
}

/// Nothing here unpacks a body, so what a client has packed would be taken for something else.
fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain =
        |encoding: &str| encoding.trim().is_empty() || encoding.trim().eq_ignore_ascii_case("identity");
    let all_plain = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.split(',').all(is_plain));
    !headers.get_all(CONTENT_ENCODING).all(all_plain)
}

async fn read(mut payload: Payload) -> Result<BytesMut, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| Problem::new(Code::MalformedRequest, error))?;
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            let most = format_args!("a body has at most {BODY_BYTES_MAX} bytes");
            return Err(Problem::new(Code::TooLarge, most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would take a list for the members in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("body", "is a list; send an object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() { wrong_value(BODY, &field, &error.to_string()) } else { not_json(bytes, &error) }
    })?;
    json.end().map_err(|error| not_json(bytes, &error))?;
    Ok(parsed)
}

/// What the parser calls it stays with us: it tells of the parser, and the place tells enough.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if bytes.trim_ascii().is_empty() {
        return Problem::new(Code::MalformedRequest, "the body is empty; send a JSON object");
    }
    let (line, column) = (error.line(), error.column());
    let what = if error.is_eof() { "ends before its JSON does" } else { "is not JSON" };
    Problem::new(Code::MalformedRequest, format_args!("the body {what}, at line {line}, column {column}"))
}

/// For `deserialize_with`: a text as long as its description says, or none.
pub(super) fn at_most<'de, D: Deserializer<'de>, const MAX: usize>(
    text: D,
) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(text)?;
    match &text {
        Some(long) if long.chars().count() > MAX => {
            Err(D::Error::custom(format_args!("has more than {MAX} characters")))
        }
        Some(_) | None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[serde(rename = "limits")]
        _limits: Limits,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limits {
        #[serde(rename = "max_call_s")]
        _max_call_s: u32,
    }

    fn refused(body: &str) -> (u16, String) {
        let problem = parse_json::<Order>(body.as_bytes()).unwrap_err();
        (problem.status_code().as_u16(), problem.to_string())
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        for (body, field) in [
            (r#"{"limits":{"max_call_s":"long"}}"#, "limits.max_call_s: "),
            (r#"{"limits":{}}"#, "limits.max_call_s: is missing"),
            (
                r#"{"limits":{"max_call_s":1,"colour":2}}"#,
                "limits.colour: is unknown; known are `max_call_s`",
            ),
            (r#"{"limits":{"max_call_s":1},"limits":{}}"#, "limits: is given more than once"),
            (r#"{}"#, "limits: is missing"),
            (r#"[]"#, "body: "),
            (r#" [{"max_call_s":1}]"#, "body: is a list"),
        ] {
            let (status, text) = refused(body);
            assert_eq!(status, 422, "{body}");
            assert!(text.contains(field) && !text.contains("at line"), "{body}: {text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_not_quoted() {
        for (body, says) in [
            (r#""hunter-two, expected more""#, "is a text; send an object"),
            (r#"{"limits":{"max_call_s":"hunter-two"}}"#, "is a text; send a whole number, 0 or more"),
            (r#"{"limits":{"max_call_s":-7}}"#, "is out of range; send a whole number, 0 or more"),
            (r#"{"limits":{"max_call_s":["hunter-two"]}}"#, "is a list; send a whole number, 0 or more"),
        ] {
            let (_, text) = refused(body);
            assert!(text.contains(says) && !text.contains("hunter") && !text.contains('7'), "{body}: {text}");
        }
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for body in ["", "{", "{\"limits\":{\"max_call_s\":1}} x", "\u{feff}{}"] {
            assert_eq!(refused(body).0, 400, "{body}");
        }
        for (body, says) in [
            ("", "the body is empty; send a JSON object"),
            ("{", "the body ends before its JSON does, at line 1, column 1"),
            ("{'a':1}", "the body is not JSON, at line 1, column 2"),
        ] {
            let (_, text) = refused(body);
            assert!(text.contains(says), "{body}: {text}");
        }
    }
}
