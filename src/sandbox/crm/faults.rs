//! What goes wrong on purpose, to which requests, and how often.

use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Upload,
    CallData,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is taken.
    Status(u16),
    /// It is taken, and answered with 200 and words that mean nothing.
    Nonsense,
    /// Nothing is taken; 200 and a page for people, as of a proxy before the CRM.
    Html,
    /// Nothing is taken, and 200 says so.
    NoSuccess,
    /// It is taken, and answered so much later.
    Slow(Duration),
    /// Nothing is taken, and nothing answered as long as the connection stands.
    Silent,
    /// It is taken, and the connection breaks before the answer is there.
    AnswerLost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRule {
    pub endpoint: Endpoint,
    pub fault: Fault,
    /// Requests it befalls before it is spent; `None`: all.
    pub times: Option<u32>,
}

impl FaultRule {
    pub fn always(endpoint: Endpoint, fault: Fault) -> Self {
        Self { endpoint, fault, times: None }
    }

    pub fn times(endpoint: Endpoint, fault: Fault, times: u32) -> Self {
        Self { endpoint, fault, times: Some(times) }
    }

    /// Whether it befalls a request to this endpoint; if so it is used once.
    pub(super) fn strike(&mut self, endpoint: Endpoint) -> bool {
        let is_meant = self.endpoint == Endpoint::Both || self.endpoint == endpoint;
        match &mut self.times {
            Some(0) => false,
            Some(times) if is_meant => {
                *times -= 1;
                true
            }
            Some(_) => false,
            None => is_meant,
        }
    }
}

/// `upload:503`, `call-data:slow=2000`, `both:silent`, `upload:answer-lost*3`.
impl FromStr for FaultRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "write ENDPOINT:FAULT[*TIMES], as upload:503*3; endpoints are upload, call-data and both, faults a \
                    status from 300 to 599, nonsense, html, no-success, slow=MILLISECONDS, silent and answer-lost";
        let wrong = || format!("{text:?} is no fault; {form}");
        let (endpoint, rest) = text.split_once(':').ok_or_else(wrong)?;
        let endpoint = match endpoint {
            "upload" => Endpoint::Upload,
            "call-data" => Endpoint::CallData,
            "both" => Endpoint::Both,
            _ => return Err(wrong()),
        };
        let (fault, times) = match rest.split_once('*') {
            Some((fault, times)) => (fault, Some(times.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        Ok(Self { endpoint, fault: fault_of(fault).ok_or_else(wrong)?, times })
    }
}

fn fault_of(text: &str) -> Option<Fault> {
    match text {
        "nonsense" => Some(Fault::Nonsense),
        "html" => Some(Fault::Html),
        "no-success" => Some(Fault::NoSuccess),
        "silent" => Some(Fault::Silent),
        "answer-lost" => Some(Fault::AnswerLost),
        _ => match text.strip_prefix("slow=") {
            Some(millis) => millis.parse().ok().map(|millis| Fault::Slow(Duration::from_millis(millis))),
            None => text.parse().ok().filter(|status| (300..600).contains(status)).map(Fault::Status),
        },
    }
}
