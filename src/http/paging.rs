//! Lists come page by page.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::query::{read_query, refuse_what_is_no_text};

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 200;
/// What every list knows.
const NAMES: [&str; 2] = ["limit", "after"];
/// Before what [`Cursor`] has encoded.
const CURSOR_MARK: &str = "p-";
const CURSOR_CHARS_MAX: usize = 1_000;

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many, at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before, as it is.
    #[param(value_type = Option<String>, max_length = 1_000, pattern = "^p-[A-Za-z0-9_-]+$")]
    after: Option<Cursor>,
}

impl Paging {
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(PAGE_SIZE);
        if (1..=PAGE_SIZE_MAX).contains(&limit) {
            Ok(limit as usize)
        } else {
            Err(Problem::field("limit", format_args!("{limit} is out of range; use 1 to {PAGE_SIZE_MAX}")))
        }
    }

    /// The last id of the page before.
    pub(super) fn after(&self) -> Option<String> {
        self.after.as_ref().map(|Cursor(id)| id.clone())
    }
}

/// Where a page begins. It is marked, so that what somebody made up is refused instead of being taken for some place in
/// the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor(String);

impl Cursor {
    fn written(id: &str) -> String {
        format!("{CURSOR_MARK}{}", URL_SAFE_NO_PAD.encode(id))
    }

    fn read(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(CURSOR_MARK).filter(|_| text.len() <= CURSOR_CHARS_MAX)?;
        let id = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
        (!id.is_empty()).then_some(Self(id))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let none =
            "is no `next` of a page; pass on what the page before has, or leave it out for the first one";
        Self::read(&String::deserialize(text)?).ok_or_else(|| D::Error::custom(none))
    }
}

/// Which page of a list, and what narrows it.
pub(super) struct Narrowed<T> {
    pub(super) paging: Paging,
    pub(super) wanted: T,
}

/// Nothing narrows this list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unfiltered {}

impl<T: DeserializeOwned + 'static> FromRequest for Narrowed<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()))
    }
}

impl<T: DeserializeOwned> Narrowed<T> {
    /// Each part by itself: flattened into one structure, numbers of a query string would be texts to serde.
    fn read(query: &str) -> Result<Self, Problem> {
        refuse_what_is_no_text(query)?;
        let (paging, wanted) = parted(query);
        Ok(Self { paging: read_query(&paging, &[])?, wanted: read_query(&wanted, &NAMES)? })
    }
}

fn parted(query: &str) -> (String, String) {
    let mut parts = [(); 2].map(|()| form_urlencoded::Serializer::new(String::new()));
    let [paging, wanted] = &mut parts;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let part = if NAMES.contains(&name.as_ref()) { &mut *paging } else { &mut *wanted };
        part.append_pair(&name, &value);
    }
    let [mut paging, mut wanted] = parts;
    (paging.finish(), wanted.finish())
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    items: Vec<T>,
    /// Pass it as `after` for the next page; null: this was the last.
    next: Option<String>,
}

impl<T> Listed<T> {
    /// `last`: the id that the next page begins behind, if there is one.
    pub(super) fn new(items: Vec<T>, last: Option<String>) -> Self {
        Self { items, next: last.as_deref().map(Cursor::written) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_the_id_it_was_made_of_and_nothing_else_is_one() {
        for id in ["019ac0ff-ee12-7abc-8def-0123456789ab", "Empfang \u{e4} & Co"] {
            assert_eq!(Cursor::read(&Cursor::written(id)), Some(Cursor(id.to_owned())));
        }
        let long = Cursor::written(&"x".repeat(CURSOR_CHARS_MAX));
        for text in ["", "p-", "p-*", "p-_w", "019ac0ff-ee12-7abc-8def-0123456789ab", &long] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }

    #[test]
    fn what_every_list_knows_is_told_from_what_narrows_this_one() {
        let (paging, wanted) = parted("limit=2&a%26b=c+d&after=p-x&limit=3");
        assert_eq!((paging.as_str(), wanted.as_str()), ("limit=2&after=p-x&limit=3", "a%26b=c+d"));
    }
}
