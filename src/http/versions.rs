//! Versions of what people edit: told as `ETag`, expected by `If-Match`.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::{Code, Problem};

const IF_MATCH_NAME: &str = "If-Match";

/// An answer whose `ETag` a change may come back with; what cannot be changed has none.
pub(super) fn tagged(view: &impl Serialize, version: Option<u64>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Some(version) = version {
        answer.insert_header((ETAG, format!("\"{version}\"")));
    }
    answer.json(view)
}

/// The version a change is decided on: the one that was looked at just now, which must be the one the client knows if
/// it has named one.
pub(super) fn expected(request: &HttpRequest, found: u64) -> Result<u64, Problem> {
    let Some(wanted) = request.headers().get(IF_MATCH) else { return Ok(found) };
    let wanted = wanted.to_str().unwrap_or_default().trim();
    let tag = wanted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match tag {
        Some(tag) if tag == found.to_string() => Ok(found),
        None if wanted == "*" => Ok(found),
        Some(_) => Err(Problem::new(Code::ChangedMeanwhile, "read it again, then try again")),
        None => Err(Problem::field(IF_MATCH_NAME, "is the ETag of the answer you have read, as \"3\", or *")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    fn answered(if_match: &str) -> Result<u64, u16> {
        let request = TestRequest::default().insert_header((IF_MATCH, if_match)).to_http_request();
        expected(&request, 3).map_err(|problem| problem.status_code().as_u16())
    }

    #[test]
    fn only_the_version_that_is_there_may_be_changed() {
        assert_eq!(expected(&TestRequest::default().to_http_request(), 3).ok(), Some(3));
        for (if_match, answer) in [
            ("\"3\"", Ok(3)),
            ("*", Ok(3)),
            ("\"2\"", Err(412)),
            ("\"x\"", Err(412)),
            ("3", Err(422)),
            ("", Err(422)),
        ] {
            assert_eq!(answered(if_match), answer, "{if_match}");
        }
    }
}
