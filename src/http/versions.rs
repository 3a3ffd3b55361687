//! Versions of what people edit: told as `ETag`, expected by `If-Match`.

use actix_web::http::header::{ETAG, IF_MATCH, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::{Code, Problem};
use crate::store::Stored;

const IF_MATCH_NAME: &str = "If-Match";
/// With each attempt one rival at least has had its way.
const ATTEMPTS_MAX: usize = 64;

/// What stands in the store as its client sees it. The answer's `ETag` is what a change may come back with.
pub(super) fn shown<R, View: Serialize + From<Stored<R>>>(stored: Stored<R>) -> HttpResponse {
    let tag = tag_of(stored.version);
    HttpResponse::Ok().insert_header((ETAG, tag)).json(View::from(stored))
}

/// As [`shown`], of what was just added and is found at `address` from now on.
pub(super) fn added<R, View: Serialize + From<Stored<R>>>(
    stored: Stored<R>,
    address: String,
) -> HttpResponse {
    let tag = tag_of(stored.version);
    HttpResponse::Created()
        .insert_header((ETAG, tag))
        .insert_header((LOCATION, address))
        .json(View::from(stored))
}

/// The version a change is decided on: the one that was looked at just now, which must be among those the client has
/// named, if it has named any (RFC 9110, 13.1.1).
pub(super) fn expected(request: &HttpRequest, found: u64) -> Result<u64, Problem> {
    let mut lines = request.headers().get_all(IF_MATCH).peekable();
    if lines.peek().is_none() {
        return Ok(found);
    }
    let lines: Vec<_> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
    let wanted = lines.join(",");
    if wanted.trim() == "*" {
        return Ok(found);
    }
    let malformed =
        || Problem::field(IF_MATCH_NAME, "is the ETag of the answer you have read, as \"3\", or *");
    let tags = strong_tags(&wanted).ok_or_else(malformed)?;
    let is_known = tags.contains(&found.to_string().as_str());
    if is_known {
        Ok(found)
    } else {
        Err(Problem::new(Code::ChangedMeanwhile, "read it again, then try again"))
    }
}

/// A change that names no version is meant for whatever is there: it is made again if somebody else was faster.
pub(super) async fn whatever_is_there(
    request: &HttpRequest,
    change: impl AsyncFn() -> Result<HttpResponse, Problem>,
) -> Result<HttpResponse, Problem> {
    for _ in 1..ATTEMPTS_MAX {
        let decided = change().await;
        let was_late = decided.as_ref().is_err_and(|problem| problem.code() == Code::ChangedMeanwhile);
        if !was_late || request.headers().contains_key(IF_MATCH) {
            return decided;
        }
    }
    change().await
}

fn tag_of(version: u64) -> String {
    format!("\"{version}\"")
}

/// What stands between the quotes of a list of entity tags. A weak one (`W/"3"`) is read and left out: it never matches
/// where a change must be exact. `None`: this is no such list.
fn strong_tags(list: &str) -> Option<Vec<&str>> {
    let (mut rest, mut strong, mut read) = (list, Vec::new(), 0);
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return (read > 0).then_some(strong);
        }
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
        let (tag, behind) = quoted.strip_prefix('"')?.split_once('"')?;
        if tag.contains([' ', '\t']) {
            return None;
        }
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        read += 1;
        if !is_weak {
            strong.push(tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    fn answered(if_match: &[&str]) -> Result<u64, u16> {
        let named = |request: TestRequest, line: &&str| request.append_header((IF_MATCH, *line));
        let request = if_match.iter().fold(TestRequest::default(), named).to_http_request();
        expected(&request, 3).map_err(|problem| problem.status_code().as_u16())
    }

    #[test]
    fn only_a_version_that_the_client_names_may_be_changed() {
        assert_eq!(answered(&[]), Ok(3));
        for (if_match, answer) in [
            ("\"3\"", Ok(3)),
            ("*", Ok(3)),
            ("\"2\", \"3\"", Ok(3)),
            (" \"2\" ,, \"3\" ", Ok(3)),
            ("W/\"2\", \"3\"", Ok(3)),
            ("\"a,b\",\"3\"", Ok(3)),
            ("\"2\"", Err(412)),
            ("\"x\"", Err(412)),
            ("W/\"3\"", Err(412)),
            ("\"1\", \"2\"", Err(412)),
            ("3", Err(422)),
            ("", Err(422)),
            (",", Err(422)),
            ("\"3", Err(422)),
            ("\"3\" \"2\"", Err(422)),
            ("w/\"3\"", Err(422)),
            ("*, \"3\"", Err(422)),
        ] {
            assert_eq!(answered(&[if_match]), answer, "{if_match}");
        }
        assert_eq!(answered(&["\"2\"", "\"3\""]), Ok(3), "two lines are one list");
        assert_eq!(answered(&["\"1\"", "\"2\""]), Err(412));
    }
}
