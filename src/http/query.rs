//! The values behind the question mark, with errors that name the parameter.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use serde::Deserializer;
use serde::de::DeserializeOwned;

use super::body::at_most;
use super::problem::Problem;
use super::wording::{Whole, wrong_value};

pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Asked<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_query(request.query_string(), &[]).map(Self))
    }
}

/// `known_besides`: what the same query may hold and is read elsewhere.
pub(super) fn read_query<T: DeserializeOwned>(
    query: &str,
    known_besides: &'static [&'static str],
) -> Result<T, Problem> {
    refuse_what_is_no_text(query)?;
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        wrong_value(Whole { name: "query", known_besides }, &path, &error.into_inner().to_string())
    })
}

/// Where bytes are no text, decoding puts a mark in their place, and what is asked for with a mark in it is never found.
pub(super) fn refuse_what_is_no_text(query: &str) -> Result<(), Problem> {
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_text = |part| percent_decode_str(part).decode_utf8().is_ok();
        if !is_text(name) || !is_text(value) {
            let name = percent_decode_str(name).decode_utf8_lossy();
            return Err(Problem::field(&name, "is no UTF-8; percent-encode the bytes of its UTF-8"));
        }
    }
    Ok(())
}

/// For `deserialize_with`: a telephone number, or none. In a query `+` means a space, and no number begins with a space:
/// whoever wrote the plus as it is meant the plus.
pub(super) fn number<'de, D: Deserializer<'de>, const MAX: usize>(
    text: D,
) -> Result<Option<String>, D::Error> {
    let plus_meant = |number: String| match number.strip_prefix(' ') {
        Some(behind) => format!("+{behind}"),
        None => number,
    };
    Ok(at_most::<_, MAX>(text)?.map(plus_meant))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[serde(rename = "size")]
        _size: Option<u32>,
        #[serde(rename = "colour", default, deserialize_with = "at_most::<_, 3>")]
        _colour: Option<String>,
        #[serde(default, deserialize_with = "number::<_, 20>")]
        number: Option<String>,
    }

    #[test]
    fn a_wrong_value_is_named_and_an_unknown_name_is_told_those_that_are_known() {
        for (query, told) in [
            ("size=many", "size: is no whole number; send digits"),
            ("colour=long", "colour: has more than 3 characters"),
            ("flavour=red", "flavour: is unknown; known are `size`, `colour`, `number`, `limit`"),
            ("size=1&size=2", "size: is given more than once; send it once"),
            ("colour=%ff", "colour: is no UTF-8"),
            ("size=1&colou%ffr=red", "colou\u{fffd}r: is no UTF-8"),
        ] {
            let text = read_query::<Wanted>(query, &["limit"]).unwrap_err().to_string();
            assert!(text.contains(told), "{query}: {text}");
        }
        assert!(read_query::<Wanted>("colour=%EF%BF%BD", &[]).is_ok(), "the mark itself is a text");
    }

    #[test]
    fn the_plus_of_a_number_is_understood_however_it_is_written() {
        for (query, meant) in [
            ("number=%2B4930123", "+4930123"),
            ("number=+4930123", "+4930123"),
            ("number=%204930123", "+4930123"),
            ("number=100", "100"),
        ] {
            assert_eq!(read_query::<Wanted>(query, &[]).unwrap().number.as_deref(), Some(meant), "{query}");
        }
    }
}
