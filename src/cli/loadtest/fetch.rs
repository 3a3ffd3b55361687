//! What others tell over HTTP: an engine its figures, a stand-in its times. Loopback and small: a plain GET will do.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::sandbox::model::SessionTiming;

use super::super::common::Failure;

const PATIENCE: Duration = Duration::from_secs(10);
/// Times of a thousand sessions are far smaller.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// An engine's `/metrics` by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub(super) async fn of(engine: SocketAddr) -> Result<Self, Failure> {
        Ok(Self::parse(&get(engine, "/metrics").await?))
    }

    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let figure = |line: &str| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(lines.filter_map(figure).collect())
    }

    /// Whether the engine tells this at all.
    pub(super) fn know(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Of an engine that nobody asked, or that tells nothing.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// How much a counter has grown since then; an engine that does not know it has counted nothing.
    pub(super) fn since(&self, then: &Self, name: &str) -> f64 {
        let at = |figures: &Self| figures.0.get(name).copied().unwrap_or(0.0);
        at(self) - at(then)
    }

    /// Counters never fall but by a new beginning: another engine tells of itself now.
    pub(super) fn begun_anew_since(&self, then: &Self) -> bool {
        let is_counter = |name: &str| name.split('{').next().is_some_and(|name| name.ends_with("_total"));
        then.0.keys().any(|name| is_counter(name) && self.since(then, name) < 0.0)
    }
}

/// When what happened in the stand-in's sessions.
pub(super) async fn timing(side: SocketAddr) -> Result<Vec<SessionTiming>, Failure> {
    let text = get(side, "/timing").await?;
    serde_json::from_str(&text).map_err(|error| Failure::cannot("understand the stand-in model", error))
}

async fn get(address: SocketAddr, path: &str) -> Result<String, Failure> {
    let failed = |error| Failure::cannot(format!("read http://{address}{path}"), error);
    let answer = timeout(PATIENCE, exchange(address, path)).await;
    let answer = answer.unwrap_or_else(|late| Err(late.into())).map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200") && !head.starts_with("HTTP/1.0 200") {
        let status = head.lines().next().unwrap_or_default();
        return Err(Failure::new(format!("http://{address}{path} answers {status:?}")));
    }
    Ok(body.to_owned())
}

/// Whoever hangs keeps nobody from being interrupted. HTTP/1.0, so that the answer comes in one piece and ends with the connection.
async fn exchange(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_name_and_compared() {
        let then = Figures::parse("# TYPE a counter\na 5\nb{outcome=\"completed\"} 2\n");
        let now = Figures::parse("a 8\nb{outcome=\"completed\"} 2\nnonsense\n");
        assert_eq!(now.since(&then, "a"), 3.0);
        assert_eq!(now.since(&then, "b{outcome=\"completed\"}"), 0.0);
        assert_eq!(now.since(&then, "unknown"), 0.0);
        assert!(now.know("a") && !now.know("unknown"));
    }

    #[test]
    fn a_counter_that_fell_tells_of_a_new_beginning_and_a_gauge_tells_nothing() {
        let then = Figures::parse("calls 3\nheard_total 700\nended_total{outcome=\"completed\"} 2\n");
        let begun_anew = |text: &str| Figures::parse(text).begun_anew_since(&then);
        assert!(!begun_anew("calls 0\nheard_total 700\nended_total{outcome=\"completed\"} 5\n"));
        assert!(begun_anew("calls 3\nheard_total 20\nended_total{outcome=\"completed\"} 5\n"));
        assert!(begun_anew("calls 3\nheard_total 900\n"), "it has forgotten");
    }
}
