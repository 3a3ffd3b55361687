//! What came back over HTTP of something posted, or why nothing did, in words.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};

use crate::crm::Answer;

/// In the words of those who read what went wrong.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) whom: &'static str,
    /// How an authority is made known that nobody here trusts.
    pub(super) trust: &'static str,
}

pub(super) async fn answer(request: RequestBuilder, limit: Duration, asked: Asked) -> Answer {
    match request.send().await {
        Ok(response) => read(response, limit, asked).await,
        Err(error) => failure(&error, limit, asked),
    }
}

async fn read(mut response: Response, limit: Duration, asked: Asked) -> Answer {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_owned);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return failure(&error, limit, asked),
        }
        if body.len() >= Answer::ENOUGH_BYTES {
            body.truncate(Answer::ENOUGH_BYTES);
            break;
        }
    }
    Answer::Http { status, retry_after, content_type, body }
}

fn failure(error: &reqwest::Error, limit: Duration, Asked { whom, trust }: Asked) -> Answer {
    let detail = chain(error);
    if error.is_connect() {
        return Answer::Unreachable(match distrust(&detail, trust) {
            Some(why) => format!("{whom} cannot be reached safely: {why} ({detail})"),
            None => format!("{whom} cannot be reached: {detail}"),
        });
    }
    if error.is_timeout() {
        return Answer::Broken(format!("{whom} does not answer within {} s", limit.as_secs_f32()));
    }
    Answer::Broken(format!("the connection to {whom} broke: {detail}"))
}

/// Why nobody vouches for a certificate, and what helps. One that has expired or is of another name says so itself.
fn distrust(detail: &str, trust: &str) -> Option<String> {
    let says = |name: &str| detail.contains(name);
    if says("UnknownIssuer") {
        return Some(format!("the authority of its certificate is not trusted; {trust}"));
    }
    says("CaUsedAsEndEntity").then(|| {
        "its certificate is an authority's own (CA:TRUE), which no server may show; give it another without CA:TRUE, as \
         `openssl req -x509 -addext basicConstraints=critical,CA:FALSE` makes it"
            .to_owned()
    })
}

/// The cause says more than the error, which names the URL once more.
pub(super) fn chain(error: &dyn Error) -> String {
    let Some(first) = error.source() else { return error.to_string() };
    let (mut text, mut cause) = (first.to_string(), first.source());
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !text.contains(&said) {
            write!(text, ": {said}").unwrap_or_default();
        }
        cause = deeper.source();
    }
    text
}
