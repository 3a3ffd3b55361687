//! What an answer of the CRM, or its absence, means for the step that was tried.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::Step;

/// No answer that means something is longer; what is behind it is not read.
const BYTES_MAX: usize = 64 * 1024;
/// A URL longer than this is none.
const URL_MAX: usize = 2_048;
/// So much of a refusal's body is kept for the person who looks into it.
const SAID_MAX: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Http {
        status: u16,
        /// `Retry-After`, where the CRM has said so in seconds.
        retry_after: Option<Duration>,
        content_type: Option<String>,
        /// As far as it is read: see [`Answer::ENOUGH_BYTES`].
        body: Vec<u8>,
    },
    /// Nobody can be reached there; in words.
    Unreachable(String),
    /// It was reached and did not answer in time, or not to the end; in words.
    Broken(String),
    /// What was to be sent cannot be read here; in words.
    Unsendable(String),
}

impl Answer {
    /// By so many it is known that there are too many.
    pub const ENOUGH_BYTES: usize = BYTES_MAX + 1;

    pub fn may_have_reached_it(&self) -> bool {
        match self {
            Self::Http { .. } | Self::Broken(_) => true,
            Self::Unreachable(_) | Self::Unsendable(_) => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Of a recording, where it can be fetched now.
    Taken { url: Option<String> },
    /// The same may be taken another time.
    Later {
        why: String,
        /// The CRM wants to be left alone for so long.
        after: Option<Duration>,
        /// Not this endpoint alone is out of reach, but the CRM.
        everywhere: bool,
    },
    /// Trying again changes nothing; somebody must look at it.
    Refused { why: String },
}

impl Verdict {
    pub fn of(step: Step, answer: &Answer) -> Self {
        let hint = "; set crm.base_url to where it leads";
        Self::by(answer, Asked { whom: "the CRM", hint }, |status, content_type, body| {
            let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
            if is_html_page(content_type, body) {
                return Self::Later { why: HTML_PAGE.to_owned(), after: None, everywhere: false };
            }
            if says_no_success(body) {
                let why = format!("the CRM answers {status}, but without success{}", said(body));
                return Self::Refused { why };
            }
            taken(step, body)
        })
    }

    /// What it answers with a success says nothing more.
    pub fn of_subscriber(answer: &Answer) -> Self {
        let hint = "; set its url to where it leads";
        Self::by(answer, Asked { whom: "the subscriber", hint }, |_, _, _| Self::Taken { url: None })
    }

    fn by(answer: &Answer, asked: Asked, succeeded: impl FnOnce(u16, Option<&str>, &[u8]) -> Self) -> Self {
        let Asked { whom, hint } = asked;
        let later = |why: &str, everywhere| Self::Later { why: why.to_owned(), after: None, everywhere };
        match answer {
            Answer::Unreachable(why) => later(why, true),
            Answer::Broken(why) => later(why, false),
            Answer::Unsendable(why) => Self::Refused { why: why.clone() },
            Answer::Http { status, retry_after, content_type, body } => match status {
                200..=299 => succeeded(*status, content_type.as_deref(), body),
                408 | 429 | 500..=599 => Self::Later {
                    why: format!("{whom} answers {status}"),
                    after: *retry_after,
                    everywhere: false,
                },
                300..=399 => {
                    Self::Refused { why: format!("{whom} answers {status}, which sends elsewhere{hint}") }
                }
                _ => Self::Refused { why: format!("{whom} answers {status}{}", said(body)) },
            },
        }
    }
}

/// In the words of those who read what it came to.
#[derive(Clone, Copy)]
struct Asked {
    whom: &'static str,
    /// For an answer that sends elsewhere.
    hint: &'static str,
}

const HTML_PAGE: &str = "an HTML page answers in the CRM's place, of a proxy or to log in; let the engine through to the CRM, or \
                         set crm.base_url to where it is";

/// Some servers put it before every text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What people are shown by whatever stands before the CRM. JSON is none, whatever it is called.
fn is_html_page(content_type: Option<&str>, body: &[u8]) -> bool {
    let text = without_prologue(body);
    let media_type = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let is_html = |kind: &str| media_type.eq_ignore_ascii_case(kind);
    let is_called_so = (is_html("text/html") || is_html("application/xhtml+xml")) && !text.is_empty();
    begins_with(text, "<!doctype html")
        || begins_with(text, "<html")
        || is_called_so && serde_json::from_slice::<Value>(body).is_err()
}

/// Behind blanks, XML declarations and comments.
fn without_prologue(page: &[u8]) -> &[u8] {
    let mut text = page.trim_ascii_start();
    while let Some(rest) = behind(text, "<?xml", "?>").or_else(|| behind(text, "<!--", "-->")) {
        text = rest.trim_ascii_start();
    }
    text
}

fn behind<'text>(text: &'text [u8], start: &str, end: &str) -> Option<&'text [u8]> {
    let at = || text.windows(end.len()).position(|at| at == end.as_bytes());
    text.get(begins_with(text, start).then(at)?? + end.len()..)
}

fn begins_with(text: &[u8], start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()))
}

fn says_no_success(body: &[u8]) -> bool {
    let answer = serde_json::from_slice::<Value>(body);
    answer.is_ok_and(|answer| answer.get("success") == Some(&Value::Bool(false)))
}

fn taken(step: Step, body: &[u8]) -> Verdict {
    match step {
        Step::CallData | Step::Amendment => Verdict::Taken { url: None },
        Step::Recording => match url_in(body) {
            Ok(url) => Verdict::Taken { url: Some(url) },
            Err(wrong) => Verdict::Refused { why: format!("the CRM took the recording, but {wrong}") },
        },
    }
}

/// Where the CRM keeps the recording now, else what is wrong with its answer.
fn url_in(body: &[u8]) -> Result<String, String> {
    if body.len() > BYTES_MAX {
        return Err(format!("its answer is longer than {BYTES_MAX} bytes, which is more than is read"));
    }
    let answer: Value = serde_json::from_slice(body)
        .map_err(|_| format!("its answer is no JSON with url, data.url or fileUrl{}", said(body)))?;
    let places = [answer.get("url"), answer.pointer("/data/url"), answer.get("fileUrl")];
    let texts = places.into_iter().filter_map(|place| place?.as_str()).map(str::trim);
    let told: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    match (told.iter().find(|text| is_url(text)), told.first()) {
        (Some(url), _) => Ok((*url).to_owned()),
        (None, Some(text)) => Err(format!(
            "what it tells as its url is no absolute URL of http or https with at most {URL_MAX} characters{}",
            said(text.as_bytes())
        )),
        (None, None) => Err(format!("its answer has no url, data.url or fileUrl{}", said(body))),
    }
}

fn is_url(text: &str) -> bool {
    let is_plain = text.chars().count() <= URL_MAX && !text.contains(char::is_control);
    let is_of_web = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    is_plain && text.contains("://") && Url::parse(text).is_ok_and(is_of_web)
}

fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_MAX).collect();
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, body: &str) -> Answer {
        Answer::Http { status, retry_after: None, content_type: None, body: body.into() }
    }

    fn called(content_type: &str, body: &str) -> Answer {
        let content_type = Some(content_type.to_owned());
        Answer::Http { status: 200, retry_after: None, content_type, body: body.into() }
    }

    fn of_recording(body: &str) -> Verdict {
        Verdict::of(Step::Recording, &http(201, body))
    }

    #[test]
    fn u4_the_url_of_a_recording_is_found_in_each_of_its_three_places() {
        for body in [
            r#"{"url":"https://crm/f/1.ogg"}"#,
            r#"{"data":{"url":" https://crm/f/1.ogg "}}"#,
            r#"{"ok":true,"fileUrl":"https://crm/f/1.ogg"}"#,
            r#"{"url":"","data":{"url":null},"fileUrl":"https://crm/f/1.ogg"}"#,
        ] {
            assert_eq!(
                of_recording(body),
                Verdict::Taken { url: Some("https://crm/f/1.ogg".into()) },
                "{body}"
            );
        }
    }

    fn why_parked(body: &str) -> String {
        assert_eq!(
            Verdict::of(Step::CallData, &http(200, body)),
            Verdict::Taken { url: None },
            "it suits the call data: {body:.40}"
        );
        match of_recording(body) {
            Verdict::Refused { why } => why,
            other @ (Verdict::Taken { .. } | Verdict::Later { .. }) => panic!("{body:.40}: {other:?}"),
        }
    }

    #[test]
    fn u5_a_success_that_tells_no_url_parks_the_recording_and_shows_what_came() {
        for body in ["it works", "{}", r#"{"url":7}"#, r#"["url"]"#] {
            let why = why_parked(body);
            assert!(
                why.starts_with("the CRM took the recording, but its answer") && why.ends_with(body),
                "{why}"
            );
        }
        assert!(why_parked("").ends_with("fileUrl"));
    }

    #[test]
    fn u5_what_is_told_as_the_url_must_be_one_and_is_shown_if_it_is_not() {
        let long = format!("https://crm/{}", "x".repeat(URL_MAX));
        for wrong in [
            "/files/1.ogg",
            "crm.example.com/1.ogg",
            "ftp://crm/1.ogg",
            "javascript:alert(1)",
            "https:crm",
            "https://",
            "http://crm:port/1",
            "https://crm/1\n2",
            &long,
        ] {
            let why = why_parked(&serde_json::json!({ "url": wrong }).to_string());
            let shown: String = wrong.replace('\n', " ").chars().take(SAID_MAX).collect();
            assert!(why.ends_with(&format!("with at most 2048 characters: {shown}")), "{why}");
        }
        let longest = format!("https://crm/{}", "x".repeat(URL_MAX - 12));
        for right in [
            "HTTPS://crm.example.com:8443/f?id=1#a",
            "http://[::1]/1",
            "https://crm/Gespräch 1.ogg",
            &longest,
        ] {
            let body = serde_json::json!({ "url": "/files/1", "fileUrl": right }).to_string();
            assert_eq!(of_recording(&body), Verdict::Taken { url: Some(right.to_owned()) });
        }
    }

    #[test]
    fn u5_an_answer_that_is_too_long_is_told_with_its_limit() {
        let body = format!(r#"{{"url":"https://crm/1","more":"{}"}}"#, "x".repeat(BYTES_MAX));
        assert!(why_parked(&body).contains("longer than 65536 bytes"));
    }

    #[test]
    fn u5_a_page_of_a_proxy_or_to_log_in_is_not_the_crm_and_what_was_sent_is_sent_again() {
        for answer in [
            called("text/html; charset=utf-8", "<p>Please log in</p>"),
            called("Text/HTML", "Welcome"),
            http(200, "\n<!DOCTYPE html><title>Log in</title>"),
            http(201, "<html lang=en>"),
            http(200, "\u{feff}<!doctype html><p>please log in"),
            http(200, "<!-- proxy --> <!-- two --><html><body>log in</body></html>"),
            http(200, "<?xml version=\"1.0\"?>\n<!DOCTYPE html><html>"),
            called("application/xhtml+xml", "<p>Please log in</p>"),
        ] {
            for step in [Step::Recording, Step::CallData, Step::Amendment] {
                let verdict = Verdict::of(step, &answer);
                let Verdict::Later { why, everywhere: false, .. } = verdict else { panic!("{verdict:?}") };
                assert!(why.contains("HTML page") && why.contains("crm.base_url"), "{why}");
            }
        }
    }

    #[test]
    fn u5_a_success_that_says_it_is_none_is_a_refusal_and_its_words_are_kept() {
        let body = r#"{"success":false,"message":"no such campaign"}"#;
        let with_a_mark = http(200, &format!("\u{feff}{body}"));
        assert!(matches!(Verdict::of(Step::CallData, &with_a_mark), Verdict::Refused { .. }));
        for answer in [http(200, body), called("text/html", body)] {
            for step in [Step::Recording, Step::CallData, Step::Amendment] {
                let why = format!("the CRM answers 200, but without success: {body}");
                assert_eq!(Verdict::of(step, &answer), Verdict::Refused { why });
            }
        }
    }

    #[test]
    fn u5_any_other_success_is_one() {
        for answer in [
            http(204, ""),
            called("text/html", " "),
            called("text/html", r#"{"ok":true}"#),
            called("text/plain", "OK"),
            http(200, r#"{"success":true}"#),
            http(200, r#"{"success":"false"}"#),
            http(200, r#"[{"success":false}]"#),
            http(200, "{"),
        ] {
            assert_eq!(Verdict::of(Step::CallData, &answer), Verdict::Taken { url: None }, "{answer:?}");
        }
    }

    #[test]
    fn u5_what_may_pass_is_tried_again_and_what_will_not_is_parked() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(
                matches!(Verdict::of(Step::CallData, &http(status, "")), Verdict::Later { .. }),
                "{status}"
            );
        }
        for status in [100, 301, 307, 400, 401, 403, 404, 409, 413, 422, 499, 600, 0] {
            assert!(
                matches!(Verdict::of(Step::CallData, &http(status, "")), Verdict::Refused { .. }),
                "{status}"
            );
        }
        let unreachable = Answer::Unreachable("connection refused".into());
        assert!(matches!(
            Verdict::of(Step::Recording, &unreachable),
            Verdict::Later { everywhere: true, .. }
        ));
    }

    #[test]
    fn i10_a_subscriber_is_judged_as_the_crm_is_but_any_success_will_do() {
        let of = |status| Verdict::of_subscriber(&http(status, "gone"));
        assert_eq!(of(204), Verdict::Taken { url: None });
        for status in [408, 429, 500, 503] {
            assert!(matches!(of(status), Verdict::Later { .. }), "{status}");
        }
        assert_eq!(of(410), Verdict::Refused { why: "the subscriber answers 410: gone".into() });
        let Verdict::Refused { why } = of(301) else { panic!("a redirect is parked") };
        assert!(why.ends_with("set its url to where it leads"), "{why}");
    }

    #[test]
    fn a_refusal_tells_what_the_crm_said_but_not_without_end() {
        let Verdict::Refused { why } = Verdict::of(Step::CallData, &http(422, "no\nsuch member\u{7}")) else {
            panic!("a refusal");
        };
        assert_eq!(why, "the CRM answers 422: no such member");
        let Verdict::Refused { why } = Verdict::of(Step::CallData, &http(400, &"ä".repeat(5_000))) else {
            panic!("a refusal");
        };
        assert!(why.chars().count() < SAID_MAX + 40);
    }
}
