//! Lists come page by page.
//!
//! A page tells its client a cursor for the next one. The cursor is marked with the list and the filters it was made for:
//! passed on to another one it would stand for some place in there, and entries would be left out without a word.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::query::{read_query, refuse_what_is_no_text};
use crate::store::hash;

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 200;
/// What every list knows.
const NAMES: [&str; 2] = ["limit", "after"];
const CURSOR_PREFIX: &str = "p-";
const CURSOR_CHARS_MAX: usize = 1_000;
/// Of the hash that tells one list from another.
const MARK_CHARS: usize = 16;

/// As it is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many, at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the page before, as it is; with the same filters.
    #[param(max_length = 1_000, pattern = "^p-[A-Za-z0-9_-]+$")]
    after: Option<String>,
}

/// Which page of which list.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) limit: usize,
    /// The last id of the page before.
    pub(super) after: Option<String>,
    list: ListMark,
}

impl Place {
    fn new(paging: Paging, list: ListMark) -> Result<Self, Problem> {
        let limit = paging.limit.unwrap_or(PAGE_SIZE);
        if !(1..=PAGE_SIZE_MAX).contains(&limit) {
            let out_of_range = format_args!("{limit} is out of range; use 1 to {PAGE_SIZE_MAX}");
            return Err(Problem::field("limit", out_of_range));
        }
        let after = paging.after.map(|cursor| list.read(&cursor)).transpose();
        let after = after.map_err(|error| Problem::field("after", error))?;
        Ok(Self { limit: limit as usize, after, list })
    }

    /// The page that was asked for; `last`: the id that the next one begins behind, if there is one.
    pub(super) fn page<T>(&self, items: Vec<T>, last: Option<String>) -> Listed<T> {
        Listed { items, next: last.map(|id| self.list.cursor(&id)) }
    }
}

/// Tells a list, narrowed as it is, from every other.
#[derive(Debug, PartialEq, Eq)]
struct ListMark(String);

#[derive(Debug, PartialEq, Eq, Error)]
enum WrongCursor {
    #[error("is no `next` of a page; pass on what the page before has, or leave it out for the first one")]
    None,
    #[error(
        "is the `next` of another list, or of this one with other filters; ask with those, or leave it out for the first \
         page"
    )]
    OfAnotherList,
}

impl ListMark {
    /// The order in which filters are written does not matter.
    fn new(list: &str, filters: &str) -> Self {
        let mut filters: Vec<&str> = filters.split('&').collect();
        filters.sort_unstable();
        let mut mark = hash(&[list, &filters.join("&")]);
        mark.truncate(MARK_CHARS);
        Self(mark)
    }

    fn cursor(&self, id: &str) -> String {
        format!("{CURSOR_PREFIX}{}", URL_SAFE_NO_PAD.encode(format!("{}{id}", self.0)))
    }

    fn read(&self, cursor: &str) -> Result<String, WrongCursor> {
        let encoded = cursor.strip_prefix(CURSOR_PREFIX).filter(|_| cursor.len() <= CURSOR_CHARS_MAX);
        let bytes = encoded.and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(WrongCursor::None)?;
        match text.split_at_checked(MARK_CHARS) {
            Some((mark, id)) if mark == self.0 && !id.is_empty() => Ok(id.to_owned()),
            Some((mark, id)) if is_mark(mark) && !id.is_empty() => Err(WrongCursor::OfAnotherList),
            Some(_) | None => Err(WrongCursor::None),
        }
    }
}

fn is_mark(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Which page of a list, and what narrows it.
pub(super) struct Narrowed<T> {
    pub(super) place: Place,
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
        let list = request.match_pattern().unwrap_or_default();
        ready(Self::read(&list, request.query_string()))
    }
}

impl<T: DeserializeOwned> Narrowed<T> {
    /// Each part by itself: flattened into one structure, numbers of a query string would be texts to serde.
    fn read(list: &str, query: &str) -> Result<Self, Problem> {
        refuse_what_is_no_text(query)?;
        let (paging, filters) = parted(query);
        let (paging, wanted) = (read_query(&paging, &[])?, read_query(&filters, &NAMES)?);
        Ok(Self { place: Place::new(paging, ListMark::new(list, &filters))?, wanted })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_the_id_it_was_made_of_and_nothing_else_is_one() {
        let list = ListMark::new("/api/calls", "");
        for id in ["019ac0ff-ee12-7abc-8def-0123456789ab", "Empfang \u{e4} & Co"] {
            assert_eq!(list.read(&list.cursor(id)).as_deref(), Ok(id));
        }
        let (long, empty) = (list.cursor(&"x".repeat(CURSOR_CHARS_MAX)), list.cursor(""));
        for text in ["", "p-", "p-*", "p-_w", "019ac0ff-ee12-7abc-8def-0123456789ab", &long, &empty] {
            assert_eq!(list.read(text), Err(WrongCursor::None), "{text}");
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_and_filters_alone_in_whatever_order_they_are_written() {
        let list = ListMark::new("/api/calls", "running=true&outcome=busy");
        let cursor = list.cursor("c1");
        for other in [
            ListMark::new("/api/calls", "running=true"),
            ListMark::new("/api/calls", "running=true&outcome=completed"),
            ListMark::new("/api/leads", "running=true&outcome=busy"),
        ] {
            assert_eq!(other.read(&cursor), Err(WrongCursor::OfAnotherList));
        }
        assert_eq!(ListMark::new("/api/calls", "outcome=busy&running=true"), list);
    }

    #[test]
    fn what_every_list_knows_is_told_from_what_narrows_this_one() {
        let (paging, wanted) = parted("limit=2&a%26b=c+d&after=p-x&limit=3");
        assert_eq!((paging.as_str(), wanted.as_str()), ("limit=2&after=p-x&limit=3", "a%26b=c+d"));
    }
}
